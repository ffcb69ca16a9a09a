//! Base64 as AUTH carries it (RFC 4954 §4, RFC 4648 §4).
use super::Malformed;
use alloc::{borrow::Cow, string::String, vec::Vec};

/// Valid base64 text, with its padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base64<'b>(pub(crate) Cow<'b, str>);

impl<'b> Base64<'b> {
    /// Checks `text`.
    pub fn parse(text: &'b str) -> Result<Self, Malformed> { let _ = text; todo!() }
    /// Encodes `octets`.
    pub fn encode(octets: &[u8]) -> Base64<'static> { let _ = octets; todo!() }
    /// The octets.
    pub fn decode(&self) -> Vec<u8> { todo!() }
    /// The text.
    pub fn as_str(&self) -> &str { &self.0 }
    /// Owned.
    pub fn into_static(self) -> Base64<'static> { Base64(Cow::Owned(String::from(self.0))) }
}
