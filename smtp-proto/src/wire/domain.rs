//! Domains and address literals (RFC 5321 §4.1.2, §4.1.3; RFC 6531 §3.3).
use super::Malformed;
use alloc::borrow::Cow;
use core::{fmt, net::{Ipv4Addr, Ipv6Addr}};

/// A domain name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Domain<'b>(pub(crate) Cow<'b, str>);

impl<'b> Domain<'b> {
    /// Checks `text`.
    pub fn parse(text: &'b str) -> Result<Self, Malformed> { let _ = text; todo!() }
    /// As it was written.
    pub fn as_str(&self) -> &str { &self.0 }
    /// Owned.
    pub fn into_static(self) -> Domain<'static> { todo!() }
}

/// An address in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AddressLiteral<'b> {
    /// `[192.0.2.1]`
    V4(Ipv4Addr),
    /// `[IPv6:2001:db8::1]`
    V6(Ipv6Addr),
    /// `[tag:content]`
    General {
        /// A registered tag.
        tag: Cow<'b, str>,
        /// What it says.
        content: Cow<'b, str>,
    },
}

/// A domain or an address literal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host<'b> {
    /// A name.
    Domain(Domain<'b>),
    /// An address.
    Literal(AddressLiteral<'b>),
}

impl<'b> Host<'b> {
    /// Checks `text`.
    pub fn parse(text: &'b str) -> Result<Self, Malformed> { let _ = text; todo!() }
    /// Owned.
    pub fn into_static(self) -> Host<'static> { todo!() }
}

impl fmt::Display for Host<'_> { fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result { todo!() } }

/// What a peer calls itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HelloName<'b>(pub(crate) Host<'b>);

impl<'b> HelloName<'b> {
    /// Checks `text`.
    pub fn parse(text: &'b str) -> Result<Self, Malformed> { let _ = text; todo!() }
    /// The host.
    pub fn host(&self) -> &Host<'b> { &self.0 }
    /// Owned.
    pub fn into_static(self) -> HelloName<'static> { todo!() }
}
impl fmt::Display for HelloName<'_> { fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result { todo!() } }
