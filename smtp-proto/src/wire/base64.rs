//! Base64 as AUTH carries it (RFC 4954 §4, RFC 4648 §4).

use super::{Malformed, into_static};
use alloc::{borrow::Cow, string::String, vec::Vec};
use core::fmt;

/// The alphabet (RFC 4648 §4, table 1).
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Valid base64 text, with its padding; it may be empty.
///
/// In an AUTH exchange this holds credentials: events carry it in a [`Secret`](crate::Secret).
///
/// ```
/// use smtp_proto::wire::Base64;
///
/// let data = Base64::encode(b"\0user\0secret");
/// assert_eq!(data.as_str(), "AHVzZXIAc2VjcmV0");
/// assert_eq!(data.decode(), b"\0user\0secret");
/// assert!(Base64::parse("AHV").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Base64<'b>(Cow<'b, str>);

impl<'b> Base64<'b> {
    /// Checks `text`.
    ///
    /// RFC 4954 §8: `base64 = *(4base64-char) [base64-terminal]`, where
    /// `base64-terminal = (2base64-char "==") / (3base64-char "=")`. No other octet is skipped
    /// (§4: servers MUST reject it). Bits that the padding leaves over must be zero: RFC 4648 §3.5
    /// allows this, and it gives every value one spelling.
    ///
    /// # Errors
    /// [`Malformed`] if it is anything else.
    pub fn parse(text: &'b str) -> Result<Self, Malformed> {
        const BAD: Malformed = Malformed::of("base64");
        let digits = text.as_bytes();
        if !digits.len().is_multiple_of(4) {
            return Err(BAD);
        }
        let padding = digits.iter().rev().take(2).take_while(|&&b| b == b'=').count();
        let digits = &digits[..digits.len() - padding];
        let mut last = 0;
        for &digit in digits {
            last = sextet(digit).ok_or(BAD)?;
        }
        let left_over = match padding {
            1 => 0b0011,
            2 => 0b1111,
            _ => 0,
        };
        if last & left_over != 0 { Err(BAD) } else { Ok(Self(Cow::Borrowed(text))) }
    }

    /// Encodes `octets`.
    pub fn encode(octets: &[u8]) -> Base64<'static> {
        let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
        for chunk in octets.chunks(3) {
            let octet = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
            let group = octet(0) << 16 | octet(1) << 8 | octet(2);
            for digit in 0..4 {
                let index = (group >> (18 - 6 * digit) & 0x3f) as usize;
                text.push(if digit <= chunk.len() { char::from(ALPHABET[index]) } else { '=' });
            }
        }
        Base64(Cow::Owned(text))
    }

    /// The octets.
    pub fn decode(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(self.0.len() / 4 * 3);
        let (mut bits, mut held) = (0u32, 0);
        for digit in self.0.bytes().map_while(sextet) {
            bits = bits << 6 | u32::from(digit);
            held += 6;
            if held >= 8 {
                held -= 8;
                octets.push((bits >> held) as u8);
            }
        }
        octets
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text, owned.
    pub fn into_static(self) -> Base64<'static> {
        Base64(into_static(self.0))
    }
}

impl fmt::Display for Base64<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 4954 §8: `base64-char = ALPHA / DIGIT / "+" / "/"`; gives its six bits.
fn sextet(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648_encode_and_decode() {
        for (octets, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(Base64::encode(octets.as_bytes()).as_str(), text);
            assert_eq!(Base64::parse(text).unwrap().decode(), octets.as_bytes());
        }
    }

    #[test]
    fn all_octets_come_back() {
        let octets: Vec<u8> = (0..=255).collect();
        let encoded = Base64::encode(&octets);
        assert_eq!(Base64::parse(encoded.as_str()).unwrap().decode(), octets);
    }

    #[test]
    fn what_is_not_strictly_base64_is_refused() {
        for text in [
            "=", "==", "====", "A", "AA", "AAA", "A===", "=AAA", "AAA=BBB", "AAA=BBBB", "AA=A",
            "!!!!", "AA AA", "AAAA\n", " AAAA", "AA-_", "Zh==", "Zm9=", "Zm9vé", "*",
        ] {
            assert!(Base64::parse(text).is_err(), "{text:?}");
        }
    }
}
