//! xtext (RFC 3461 §4): how a parameter carries octets that an `esmtp-value` cannot.

use super::{Malformed, into_static};
use alloc::{borrow::Cow, string::String, vec::Vec};
use core::fmt;

/// Valid xtext, still encoded; it may be empty.
///
/// ```
/// use smtp_proto::wire::Xtext;
///
/// let text = Xtext::encode(b"a+b=c");
/// assert_eq!(text.as_str(), "a+2Bb+3Dc");
/// assert_eq!(&*text.decode(), b"a+b=c");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Xtext<'b>(Cow<'b, str>);

impl<'b> Xtext<'b> {
    /// Checks `text`.
    ///
    /// RFC 3461 §4: `xtext = *( xchar / hexchar )`.
    ///
    /// # Errors
    /// [`Malformed`] if it is anything else.
    pub fn parse(text: &'b str) -> Result<Self, Malformed> {
        // Most have nothing encoded in them.
        if !text.bytes().all(is_xchar) {
            let mut octets = Octets(text.as_bytes().iter());
            while !octets.is_done() {
                octets.next().ok_or(Malformed::of("xtext"))?;
            }
        }
        Ok(Self(Cow::Borrowed(text)))
    }

    /// Encodes `octets`, each graphic ASCII character as itself.
    pub fn encode(octets: &[u8]) -> Xtext<'static> {
        const HEX: &[u8; 16] = b"0123456789ABCDEF";
        let mut text = String::with_capacity(octets.len());
        for &octet in octets {
            if is_xchar(octet) {
                text.push(char::from(octet));
            } else {
                let digits = [HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 15)]];
                text.push('+');
                text.extend(digits.map(char::from));
            }
        }
        Xtext(Cow::Owned(text))
    }

    /// The octets. Borrowed if nothing is encoded in them.
    pub fn decode(&self) -> Cow<'_, [u8]> {
        if self.0.contains('+') {
            Cow::Owned(self.octets().collect::<Vec<u8>>())
        } else {
            Cow::Borrowed(self.0.as_bytes())
        }
    }

    /// The octets one by one, without memory.
    pub(crate) fn octets(&self) -> impl Iterator<Item = u8> {
        Octets(self.0.as_bytes().iter())
    }

    /// The encoded text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text, owned.
    pub fn into_static(self) -> Xtext<'static> {
        Xtext(into_static(self.0))
    }
}

impl fmt::Display for Xtext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 3461 §4: `xchar = any ASCII CHAR between "!" (33) and "~" (126) inclusive, except for "+"
/// and "="`.
fn is_xchar(octet: u8) -> bool {
    matches!(octet, b'!'..=b'~') && !matches!(octet, b'+' | b'=')
}

/// Decodes; ends early at what is not xtext.
struct Octets<'x>(core::slice::Iter<'x, u8>);

impl Octets<'_> {
    fn is_done(&self) -> bool {
        self.0.as_slice().is_empty()
    }

    /// RFC 3461 §4: `hexchar = ASCII "+" immediately followed by two upper case hexadecimal
    /// digits`.
    fn hex_digit(&mut self) -> Option<u8> {
        match *self.0.next()? {
            digit @ b'0'..=b'9' => Some(digit - b'0'),
            digit @ b'A'..=b'F' => Some(digit - b'A' + 10),
            _ => None,
        }
    }
}

impl Iterator for Octets<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        match *self.0.next()? {
            b'+' => Some(self.hex_digit()? << 4 | self.hex_digit()?),
            octet if is_xchar(octet) => Some(octet),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_octets_come_back() {
        let octets: Vec<u8> = (0..=255).collect();
        let encoded = Xtext::encode(&octets);
        assert_eq!(&*Xtext::parse(encoded.as_str()).unwrap().decode(), octets);
    }

    #[test]
    fn plain_text_is_borrowed() {
        let text = Xtext::parse("QQ314159").unwrap();
        assert!(matches!(text.decode(), Cow::Borrowed(b"QQ314159")));
        assert_eq!(&*Xtext::parse("e+3Dmc2@example.com").unwrap().decode(), b"e=mc2@example.com");
    }

    #[test]
    fn what_is_not_xtext_is_refused() {
        for text in [
            "+", "a+", "a+2", "a+ZZ", "+G0", "+0G", "a+2b", "a=b", "a b", "a\tb", "é", "a\r\n",
            "+2",
        ] {
            assert!(Xtext::parse(text).is_err(), "{text:?}");
        }
    }
}
