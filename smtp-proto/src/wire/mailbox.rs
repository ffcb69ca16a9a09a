//! Mailboxes (RFC 5321 §4.1.2, RFC 6531 §3.3).

use super::{
    Host, Malformed, Parsed,
    class::{ATEXT, NO_MATCH, QTEXT, after, dotted, run},
    domain, into_static, whole,
};
use alloc::{borrow::Cow, string::String};
use core::fmt;
use nom::{
    Parser,
    branch::alt,
    character::complete::{char, satisfy},
    combinator::recognize,
    multi::many0_count,
    sequence::{delimited, preceded},
};

/// Octets of a local part, its quotes included. RFC 5321 §4.5.3.1.1 demands 64; verifiable
/// addresses of mailing lists (VERP) are longer.
const MAX_LOCAL_PART: usize = 128;

/// The part before the `@`, as it was written: a dot-string or a quoted string.
///
/// Two are equal here if they are spelt alike. To compare mailboxes, compare what
/// [`unquoted`](Self::unquoted) gives.
///
/// ```
/// use smtp_proto::wire::LocalPart;
///
/// let quoted = LocalPart::parse(r#""user.1""#).unwrap();
/// assert_eq!((quoted.as_str(), &*quoted.unquoted()), (r#""user.1""#, "user.1"));
/// assert!(LocalPart::parse("two words").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocalPart<'b>(Cow<'b, str>);

impl<'b> LocalPart<'b> {
    /// Checks `text`: at most 128 octets, quotes included.
    ///
    /// # Errors
    /// [`Malformed`] if it is no local part.
    pub fn parse(text: &'b str) -> Result<Self, Malformed> {
        whole(local_part, text, "local part")
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without quotes and backslashes: `"user1"` and `user1` are the same mailbox (§4.1.2).
    pub fn unquoted(&self) -> Cow<'_, str> {
        let Some(content) = self.0.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
            return Cow::Borrowed(&self.0);
        };
        if !content.contains('\\') {
            return Cow::Borrowed(content);
        }
        let mut plain = String::with_capacity(content.len());
        let mut chars = content.chars();
        while let Some(c) = chars.next() {
            plain.extend(if c == '\\' { chars.next() } else { Some(c) });
        }
        Cow::Owned(plain)
    }

    /// Whether it can go to a server without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }

    /// The same local part, owned.
    pub fn into_static(self) -> LocalPart<'static> {
        LocalPart(into_static(self.0))
    }
}

impl fmt::Display for LocalPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `local-part@host`
///
/// ```
/// use smtp_proto::wire::{Host, Mailbox};
///
/// let mailbox = Mailbox::parse("ann@example.org").unwrap();
/// assert_eq!(mailbox.local_part.as_str(), "ann");
/// assert!(matches!(&mailbox.host, Host::Domain(domain) if domain.as_str() == "example.org"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mailbox<'b> {
    /// Before the `@`.
    pub local_part: LocalPart<'b>,
    /// Behind it.
    pub host: Host<'b>,
}

impl<'b> Mailbox<'b> {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`Malformed`] if it is no mailbox.
    pub fn parse(text: &'b str) -> Result<Self, Malformed> {
        whole(mailbox, text, "mailbox")
    }

    /// Whether it can go to a server without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.local_part.is_ascii() && self.host.is_ascii()
    }

    /// The same mailbox, owned.
    pub fn into_static(self) -> Mailbox<'static> {
        Mailbox { local_part: self.local_part.into_static(), host: self.host.into_static() }
    }
}

impl fmt::Display for Mailbox<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_part, self.host)
    }
}

/// RFC 5321 §4.1.2: `Mailbox = Local-part "@" ( Domain / address-literal )`.
#[inline]
pub(super) fn mailbox(input: &str) -> Parsed<'_, Mailbox<'_>> {
    let (rest, local_part) = local_part(input)?;
    let (rest, host) = domain::host(after('@', rest)?)?;
    Ok((rest, Mailbox { local_part, host }))
}

/// RFC 5321 §4.1.2: `Local-part = Dot-string / Quoted-string`; the first octet tells which.
#[inline]
fn local_part(input: &str) -> Parsed<'_, LocalPart<'_>> {
    let (rest, text) =
        if input.starts_with('"') { quoted_string(input) } else { dot_string(input) }?;
    if text.len() > MAX_LOCAL_PART {
        return Err(NO_MATCH);
    }
    Ok((rest, LocalPart(Cow::Borrowed(text))))
}

/// RFC 5321 §4.1.2: `Dot-string = Atom *("." Atom)`.
fn dot_string(input: &str) -> Parsed<'_, &str> {
    dotted(ATEXT, |atom| !atom.is_empty(), input)
}

/// Whether `text` is an Atom (RFC 5321 §4.1.2).
pub(crate) fn is_atom(text: &str) -> bool {
    whole(atom, text, "atom").is_ok()
}

/// RFC 5321 §4.1.2: `Atom = 1*atext`; RFC 6531 §3.3: `atext =/ UTF8-non-ascii`.
fn atom(input: &str) -> Parsed<'_, &str> {
    run(ATEXT).parse(input)
}

/// RFC 5321 §4.1.2: `Quoted-string = DQUOTE *QcontentSMTP DQUOTE`.
fn quoted_string(input: &str) -> Parsed<'_, &str> {
    recognize(delimited(char('"'), many0_count(qcontent_smtp), char('"'))).parse(input)
}

/// RFC 5321 §4.1.2: `QcontentSMTP = qtextSMTP / quoted-pairSMTP`, `quoted-pairSMTP = %d92
/// %d32-126`; RFC 6531 §3.3: `qtextSMTP =/ UTF8-non-ascii`. No control character can be quoted, so no address can hold a line end or a NUL.
fn qcontent_smtp(input: &str) -> Parsed<'_, &str> {
    let quoted_pair = preceded(char('\\'), satisfy(|c| matches!(c, ' '..='~')));
    alt((run(QTEXT), recognize(quoted_pair))).parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};

    #[test]
    fn local_parts_lose_their_quotes() {
        for (text, plain) in [
            ("user1", "user1"),
            ("a.b+c=d", "a.b+c=d"),
            (r#""user1""#, "user1"),
            (r#""""#, ""),
            (r#""a b\"c""#, r#"a b"c"#),
            (r#""Joe\,Smith""#, "Joe,Smith"),
            (r#""a\\b""#, r"a\b"),
            (r#""\\""#, r"\"),
            ("jürgen", "jürgen"),
        ] {
            let local = LocalPart::parse(text).unwrap();
            assert_eq!((local.as_str(), local.unquoted().as_ref()), (text, plain));
        }
    }

    #[test]
    fn what_is_no_local_part_is_refused() {
        for text in [
            "",
            ".",
            ".a",
            "a.",
            "a..b",
            "a b",
            "a@b",
            "a,b",
            "a:b",
            "a;b",
            "(a)",
            "a\0b",
            "a\tb",
            "a\x7f",
            "\"",
            "\"a",
            "a\"",
            "\"a\"b",
            "\"a\"b\"",
            "\"a\\\"",
            "\"a\\\r\"",
            "\"a\\\n\"",
            "\"a\\\0\"",
            "\"a\rb\"",
            "\"a\tb\"",
            "a\u{85}b",
            "\"\u{2028}\"",
            "\"\\ü\"",
        ] {
            assert!(LocalPart::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_local_part_of_128_octets_is_the_longest() {
        assert!(LocalPart::parse(&"a".repeat(128)).is_ok());
        assert!(LocalPart::parse(&"a".repeat(129)).is_err());
        assert!(LocalPart::parse(&format!("\"{}\"", "a".repeat(127))).is_err());
    }

    #[test]
    fn mailboxes_are_read_and_written() {
        for text in [
            "a@b",
            "a@c.example",
            r#""a b\"c@d>"@client.example"#,
            "a@[192.0.2.1]",
            "a@[IPv6:2001:db8::1]",
            "jürgen@bücher.test",
            "${run{/bin/sleep}}@example.test",
        ] {
            let mailbox = Mailbox::parse(text).unwrap();
            assert_eq!(mailbox.to_string(), text);
            assert_eq!(mailbox.is_ascii(), text.is_ascii());
        }
    }

    #[test]
    fn what_is_no_mailbox_is_refused() {
        for text in
            ["", "@", "a@", "@b", "a", "a@b@c.example", "a@-x.example", "a@b.", "a @b", "<a@b>"]
        {
            assert!(Mailbox::parse(text).is_err(), "{text:?}");
        }
    }
}
