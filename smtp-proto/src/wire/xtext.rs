//! xtext (RFC 3461 §4).
use super::Malformed;
use alloc::{borrow::Cow, vec::Vec};

/// Valid xtext, still encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xtext<'b>(pub(crate) Cow<'b, str>);

impl<'b> Xtext<'b> {
    /// Checks `text`.
    pub fn parse(text: &'b str) -> Result<Self, Malformed> { let _ = text; todo!() }
    /// Encodes `octets`.
    pub fn encode(octets: &[u8]) -> Xtext<'static> { let _ = octets; todo!() }
    /// The octets.
    pub fn decode(&self) -> Cow<'_, [u8]> { let _ : Option<Vec<u8>> = None; todo!() }
    /// The encoded text.
    pub fn as_str(&self) -> &str { &self.0 }
    /// Owned.
    pub fn into_static(self) -> Xtext<'static> { todo!() }
}
