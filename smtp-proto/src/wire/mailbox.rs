//! Mailboxes (RFC 5321 §4.1.2, RFC 6531 §3.3).
use super::{Host, Malformed};
use alloc::borrow::Cow;
use core::fmt;

/// The part before the `@`, as it was written: a dot-string or a quoted string.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocalPart<'b>(pub(crate) Cow<'b, str>);

impl<'b> LocalPart<'b> {
    /// Checks `text`.
    pub fn parse(text: &'b str) -> Result<Self, Malformed> { let _ = text; todo!() }
    /// As it was written.
    pub fn as_str(&self) -> &str { &self.0 }
    /// Without quotes and backslashes: `"user1"` and `user1` are the same mailbox (§4.1.2).
    pub fn unquoted(&self) -> Cow<'_, str> { todo!() }
    /// Owned.
    pub fn into_static(self) -> LocalPart<'static> { todo!() }
}

/// `local-part@host`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mailbox<'b> {
    /// Before the `@`.
    pub local_part: LocalPart<'b>,
    /// Behind it.
    pub host: Host<'b>,
}

impl<'b> Mailbox<'b> {
    /// Checks `text`.
    pub fn parse(text: &'b str) -> Result<Self, Malformed> { let _ = text; todo!() }
    /// Whether it can go to a server without SMTPUTF8.
    pub fn is_ascii(&self) -> bool { todo!() }
    /// Owned.
    pub fn into_static(self) -> Mailbox<'static> { todo!() }
}
impl fmt::Display for Mailbox<'_> { fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result { todo!() } }
