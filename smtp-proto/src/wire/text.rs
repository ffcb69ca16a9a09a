//! Free text and words in commands.
use super::Malformed;
use alloc::borrow::Cow;

/// Text without control characters: the argument of VRFY, EXPN or HELP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'b>(pub(crate) Cow<'b, str>);

impl<'b> Text<'b> {
    /// Checks `text`.
    pub fn parse(text: &'b str) -> Result<Self, Malformed> { let _ = text; todo!() }
    /// The text.
    pub fn as_str(&self) -> &str { &self.0 }
    /// Owned.
    pub fn into_static(self) -> Text<'static> { todo!() }
}

/// The name of a SASL mechanism (RFC 4422 §3.1); compared without case.
#[derive(Clone, Debug, Eq)]
pub struct Mechanism<'b>(pub(crate) Cow<'b, str>);

impl Mechanism<'static> {
    /// PLAIN (RFC 4616).
    pub const PLAIN: Self = Self(Cow::Borrowed("PLAIN"));
    /// LOGIN (a draft that never became an RFC, and that everybody speaks).
    pub const LOGIN: Self = Self(Cow::Borrowed("LOGIN"));
}

impl PartialEq for Mechanism<'_> {
    fn eq(&self, other: &Self) -> bool { self.0.eq_ignore_ascii_case(&other.0) }
}

impl<'b> Mechanism<'b> {
    /// Checks `name`.
    pub fn parse(name: &'b str) -> Result<Self, Malformed> { let _ = name; todo!() }
    /// The name.
    pub fn as_str(&self) -> &str { &self.0 }
    /// Owned.
    pub fn into_static(self) -> Mechanism<'static> { todo!() }
}
