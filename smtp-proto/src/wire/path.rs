//! Paths (RFC 5321 §4.1.2): what stands between `<` and `>`.
use super::{Mailbox, Malformed};
use core::fmt;

/// The path of MAIL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath<'b> {
    /// `<>`: notices go nowhere.
    Null,
    /// A mailbox.
    Mailbox(Mailbox<'b>),
}

/// The path of RCPT.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath<'b> {
    /// `<Postmaster>` without a domain, in any case (§4.1.1.3).
    Postmaster,
    /// A mailbox.
    Mailbox(Mailbox<'b>),
}

impl<'b> ReversePath<'b> {
    /// Parses `<…>` at the front of `text`; also gives what follows it.
    pub fn parse(text: &'b str) -> Result<(Self, &'b str), Malformed> { let _ = text; todo!() }
    /// Owned.
    pub fn into_static(self) -> ReversePath<'static> { todo!() }
}
impl fmt::Display for ReversePath<'_> { fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result { todo!() } }

impl<'b> ForwardPath<'b> {
    /// Parses `<…>` at the front of `text`; also gives what follows it.
    pub fn parse(text: &'b str) -> Result<(Self, &'b str), Malformed> { let _ = text; todo!() }
    /// Owned.
    pub fn into_static(self) -> ForwardPath<'static> { todo!() }
}
impl fmt::Display for ForwardPath<'_> { fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result { todo!() } }
