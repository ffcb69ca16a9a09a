//! Free text and words in commands.

use super::{Malformed, class::is_utf8_non_ascii, into_static};
use alloc::borrow::Cow;
use core::{
    fmt,
    hash::{Hash, Hasher},
};

/// Text without control characters, perhaps empty: the argument of VRFY, EXPN or HELP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text<'b>(Cow<'b, str>);

impl<'b> Text<'b> {
    /// Checks `text`.
    ///
    /// RFC 5321 §4.1.2: `String = Atom / Quoted-string`. Deviation: any text without control
    /// characters (nor U+2028, U+2029) is taken, for people type VRFY and HELP by hand, with names
    /// and spaces.
    ///
    /// # Errors
    /// [`Malformed`] if a control character is in it.
    pub fn parse(text: &'b str) -> Result<Self, Malformed> {
        if text.chars().all(|c| matches!(c, ' '..='~') || is_utf8_non_ascii(c)) {
            Ok(Self(Cow::Borrowed(text)))
        } else {
            Err(Malformed::of("text"))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text, owned.
    pub fn into_static(self) -> Text<'static> {
        Text(into_static(self.0))
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a SASL mechanism (RFC 4422 §3.1); compared without case.
#[derive(Clone, Debug, Eq)]
pub struct Mechanism<'b>(Cow<'b, str>);

impl Mechanism<'static> {
    /// PLAIN (RFC 4616).
    pub const PLAIN: Self = Self(Cow::Borrowed("PLAIN"));
    /// LOGIN (a draft that never became an RFC, and that everybody speaks).
    pub const LOGIN: Self = Self(Cow::Borrowed("LOGIN"));
    /// SCRAM-SHA-256 (RFC 7677).
    pub const SCRAM_SHA_256: Self = Self(Cow::Borrowed("SCRAM-SHA-256"));
    /// The same, bound to the TLS connection (RFC 5802 §6).
    pub const SCRAM_SHA_256_PLUS: Self = Self(Cow::Borrowed("SCRAM-SHA-256-PLUS"));
    /// EXTERNAL (RFC 4422, appendix A): who the client's certificate is for.
    pub const EXTERNAL: Self = Self(Cow::Borrowed("EXTERNAL"));
    /// OAUTHBEARER (RFC 7628).
    pub const OAUTHBEARER: Self = Self(Cow::Borrowed("OAUTHBEARER"));
    /// XOAUTH2, which came before it and never became an RFC.
    pub const XOAUTH2: Self = Self(Cow::Borrowed("XOAUTH2"));

    /// Those above.
    const KNOWN: &[Self] = &[
        Self::PLAIN,
        Self::LOGIN,
        Self::SCRAM_SHA_256,
        Self::SCRAM_SHA_256_PLUS,
        Self::EXTERNAL,
        Self::OAUTHBEARER,
        Self::XOAUTH2,
    ];
}

impl<'b> Mechanism<'b> {
    /// Checks `name`.
    ///
    /// RFC 4422 §3.1: `sasl-mech = 1*20mech-char`, `mech-char = UPPER-ALPHA / DIGIT / HYPHEN /
    /// UNDERSCORE`. Deviation: lower case too, as all commands and arguments of SMTP are compared
    /// without case (RFC 5321 §2.4).
    ///
    /// # Errors
    /// [`Malformed`] if it is anything else.
    pub fn parse(name: &'b str) -> Result<Self, Malformed> {
        let is_mech_char = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if (1..=20).contains(&name.len()) && name.bytes().all(is_mech_char) {
            Ok(Self(Cow::Borrowed(name)))
        } else {
            Err(Malformed::of("mechanism"))
        }
    }

    /// The name, as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same name, owned. One that is a constant here takes no memory.
    pub fn into_static(self) -> Mechanism<'static> {
        let known = Mechanism::KNOWN.iter().find(|known| known.0 == self.0);
        known.cloned().unwrap_or_else(|| Mechanism(into_static(self.0)))
    }
}

impl PartialEq for Mechanism<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Hash for Mechanism<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for octet in self.0.bytes() {
            state.write_u8(octet.to_ascii_uppercase());
        }
        state.write_u8(0xff);
    }
}

impl fmt::Display for Mechanism<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mechanisms_are_compared_without_case() {
        assert_eq!(Mechanism::parse("plain").unwrap(), Mechanism::PLAIN);
        assert_eq!(Mechanism::parse("scram-Sha-256").unwrap().as_str(), "scram-Sha-256");
        assert_ne!(Mechanism::PLAIN, Mechanism::LOGIN);
    }

    #[test]
    fn names_that_are_no_mechanism_are_refused() {
        for name in ["", "PLAIN ", "PL.AIN", "ÄUTH", "123456789012345678901"] {
            assert!(Mechanism::parse(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn text_has_no_control_characters() {
        for text in ["", "user1", "John Q. Public <john@example.com>", "jürgen"] {
            assert_eq!(Text::parse(text).unwrap().as_str(), text);
        }
        for text in ["a\tb", "a\0", "\x1b[2J", "\x7f", "\u{85}", "\u{2028}"] {
            assert!(Text::parse(text).is_err(), "{text:?}");
        }
    }
}
