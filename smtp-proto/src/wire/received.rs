//! Replies as a client reads them (RFC 5321 §4.2).

use super::{
    MAX_REPLY_LINE, Malformed,
    class::{is_invisible, is_utf8_non_ascii},
    reply::{MAX_TEXT_LINE, write_reply},
    reply_reader::{Received, ReplyReader},
};
use crate::status::{Class, EnhancedCode};
use alloc::{borrow::Cow, string::String, vec::Vec};
use core::{fmt, iter};

/// Octets that [`Reply::text`] has at most.
const MAX_TEXT: usize = 2_048;

/// A reply of a server, all its lines.
///
/// What it says goes by its code, and by the code's first digit where the rest is not known
/// (RFC 5321 §4.2, §4.3.2). Where lines have different codes, the last line counts (§4.2.1).
///
/// Its `Display` form is one line for people and logs: the code, the enhanced code if any, and the
/// [`text`](Self::text).
#[derive(Clone, PartialEq, Eq)]
pub struct Reply<'b> {
    /// All lines with their line endings, each at least three digits.
    pub(super) raw: Cow<'b, [u8]>,
    pub(super) code: u16,
    pub(super) deviation: Option<Deviation>,
}

/// What is not as RFC 5321 §4.2 wants it, in a reply that can be read all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Deviation {
    /// A line ends in a bare LF (§2.3.8).
    BareLineFeed,
    /// Lines of one reply have different codes (§4.2.1).
    CodesDiffer,
    /// Neither a space nor a hyphen follows the code (§4.2).
    Separator,
    /// A line is over 512 octets (§4.5.3.1.5).
    LongLine,
}

impl<'b> Reply<'b> {
    /// Reads `octets`, which must be exactly one reply with its line endings.
    ///
    /// # Errors
    /// [`Malformed`] if they are more, less, or something else.
    pub fn parse(octets: &'b [u8]) -> Result<Self, Malformed> {
        let mut rest = octets;
        match ReplyReader::new().next(&mut rest, octets.len()) {
            Received::Whole(reply) if rest.is_empty() => Ok(reply),
            _ => Err(Malformed::of("reply")),
        }
    }

    /// The code of the last line, 200 to 599.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// Success, transient or permanent failure, by the first digit; `None` for 3yz.
    pub fn class(&self) -> Option<Class> {
        Class::of(self.code)
    }

    /// The first deviation, if any.
    pub fn deviation(&self) -> Option<Deviation> {
        self.deviation
    }

    /// The enhanced code at the start of the last line's text, if its class fits the code
    /// (RFC 2034 §4).
    pub fn enhanced(&self) -> Option<EnhancedCode> {
        let last = self.lines().last()?;
        split_enhanced(self.class(), last).0
    }

    /// The text of each line, without code, separator and line ending. It is the server's: show
    /// it by [`text`](Self::text).
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &*self.raw;
        iter::from_fn(move || {
            let (line, behind) = rest.split_at(memchr::memchr(b'\n', rest)?);
            rest = &behind[1..];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            Some(line.get("250-".len()..).unwrap_or_default())
        })
    }

    /// The text for people and logs, at most 2,048 octets: the lines without their enhanced codes,
    /// joined by a space. What is not printable is replaced, so that it cannot forge a log line.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in self.lines() {
            let (_, line) = split_enhanced(self.class(), line);
            if !text.is_empty() {
                push_printable(&mut text, b" ");
            }
            push_printable(&mut text, line);
        }
        text
    }

    /// The text of a reply of one line, as a 334 carries a challenge in it.
    pub(crate) fn into_argument(self) -> Option<&'b str> {
        let Cow::Borrowed(line) = self.raw else { return None };
        let text = str::from_utf8(line.get("334 ".len()..).unwrap_or_default()).ok()?;
        let text = text.trim_end_matches(['\r', '\n']);
        (!text.contains('\n')).then_some(text)
    }

    /// The same reply, owned.
    pub fn into_static(self) -> Reply<'static> {
        Reply { raw: Cow::Owned(self.raw.into_owned()), ..self }
    }
}

impl Reply<'static> {
    /// A reply that no server gave, for what happened on the way: 451 for a transient failure (as
    /// RFC 5321 §3.8 has it for a lost connection), 554 for a permanent one, 250 for a success.
    /// What is not printable in `text` is replaced, and what a reply line has no room for cut.
    ///
    /// ```
    /// use smtp_proto::{EnhancedCode, wire::Reply};
    ///
    /// let lost = Reply::local(EnhancedCode::transient(4, 2), "mx.example.test: connection lost");
    /// assert_eq!(lost.to_string(), "451 4.4.2 mx.example.test: connection lost");
    /// ```
    pub fn local(enhanced: EnhancedCode, text: &str) -> Self {
        let code = match enhanced.class() {
            Class::Success => 250,
            Class::Transient => 451,
            Class::Permanent => 554,
        };
        let mut line = String::new();
        push_printable(&mut line, text.as_bytes());
        line.truncate(line.floor_char_boundary(MAX_TEXT_LINE));
        let mut raw = Vec::new();
        write_reply(&mut raw, code, Some(enhanced), &line, MAX_REPLY_LINE);
        Self { raw: Cow::Owned(raw), code, deviation: None }
    }
}

impl fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({})", self.raw.escape_ascii())
    }
}

impl fmt::Display for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced() {
            write!(f, " {enhanced}")?;
        }
        let text = self.text();
        if text.is_empty() { Ok(()) } else { write!(f, " {text}") }
    }
}

/// The enhanced code at the start of a line's text, if its class is `class`, and what follows it.
fn split_enhanced(class: Option<Class>, line: &[u8]) -> (Option<EnhancedCode>, &[u8]) {
    match EnhancedCode::split(line) {
        Some((code, rest)) if Some(code.class()) == class => (Some(code), rest),
        _ => (None, line),
    }
}

/// Appends `octets` to `text` as far as [`MAX_TEXT`] allows: a space for a tab or line feed, U+FFFD
/// for what else is not printable, hides, changes the direction of writing, or is not UTF-8.
fn push_printable(text: &mut String, octets: &[u8]) {
    for chunk in octets.utf8_chunks() {
        let broken = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
        for c in chunk.valid().chars().chain(broken) {
            let c = match c {
                ' '..='~' => c,
                '\t' | '\n' => ' ',
                _ if is_utf8_non_ascii(c) && !is_invisible(c) => c,
                _ => char::REPLACEMENT_CHARACTER,
            };
            if text.len() + c.len_utf8() > MAX_TEXT {
                return;
            }
            text.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};

    #[track_caller]
    fn parsed(octets: &[u8]) -> Reply<'_> {
        Reply::parse(octets).unwrap()
    }

    #[test]
    fn the_code_of_the_last_line_counts() {
        let reply = parsed(b"250-ok\r\n550 5.7.1 no\r\n");
        assert_eq!((reply.code(), reply.class()), (550, Some(Class::Permanent)));
        assert_eq!(reply.deviation(), Some(Deviation::CodesDiffer));
        assert_eq!(reply.enhanced(), Some(EnhancedCode::permanent(7, 1)));
        assert_eq!(parsed(b"354 go\r\n").class(), None);
    }

    #[test]
    fn what_deviates_is_noted_and_what_does_not_is_not() {
        let long = |n: usize| format!("250 {}\r\n", "x".repeat(n - 6));
        for (octets, want) in [
            ("250\r\n", None),
            ("250 \r\n", None),
            ("250-\r\n250\r\n", None),
            (&long(512), None),
            (&long(513), Some(Deviation::LongLine)),
            ("250\n", Some(Deviation::BareLineFeed)),
            ("250-a\n250 b\r\n", Some(Deviation::BareLineFeed)),
            ("250\ta\r\n", Some(Deviation::Separator)),
            ("250\ra\r\n", Some(Deviation::Separator)),
            ("250_a\n", Some(Deviation::Separator)),
            ("250-a\n251 a\r\n", Some(Deviation::BareLineFeed)),
        ] {
            assert_eq!(parsed(octets.as_bytes()).deviation(), want, "{octets:?}");
        }
    }

    #[test]
    fn only_exactly_one_reply_parses() {
        for octets in ["", "\r\n", "250", "250\r", "250-a\r\n", "25 a\r\n", "2500\r\n", "199\r\n"] {
            assert!(Reply::parse(octets.as_bytes()).is_err(), "{octets:?}");
        }
        assert!(Reply::parse(b"250 a\r\n250 b\r\n").is_err());
        assert!(Reply::parse(b"250 a\r\nx").is_err());
    }

    #[test]
    fn lines_are_the_texts_alone() {
        let reply = parsed(b"250-a b\r\n250-\r\n250--c\n250\r\n");
        assert_eq!(reply.lines().collect::<Vec<_>>(), [&b"a b"[..], b"", b"-c", b""]);
    }

    #[test]
    fn an_enhanced_code_must_fit_the_code_and_be_whole() {
        for (octets, want) in [
            ("250 2.1.5 ok\r\n", Some(EnhancedCode::new(Class::Success, 1, 5))),
            ("450 4.10.999\r\n", Some(EnhancedCode::new(Class::Transient, 10, 999))),
            ("550-5.1.1 a\r\n550 5.1.2 b\r\n", Some(EnhancedCode::new(Class::Permanent, 1, 2))),
            ("550 2.1.1 a\r\n", None),
            ("354 3.0.0 go\r\n", None),
            ("250 2.1 ok\r\n", None),
            ("250 2.1.\r\n", None),
            ("250 2.1.5ok\r\n", None),
            ("250 2.1.5.1\r\n", None),
            ("250 2.1.5000 ok\r\n", None),
            ("220 192.0.2.1 ESMTP\r\n", None),
            ("250\r\n", None),
        ] {
            assert_eq!(parsed(octets.as_bytes()).enhanced(), want.flatten(), "{octets:?}");
        }
    }

    #[test]
    fn text_is_one_printable_line() {
        let reply = parsed(b"550-5.1.1 No such\tuser\r\n550-5.1.1 \xc3\xa9\xff\0\x1b[2J\r\n550 5.1.1 a\rb\xe2\x80\xa8c\xe2\x80\xaed\n");
        let text = "No such user \u{e9}\u{fffd}\u{fffd}\u{fffd}[2J a\u{fffd}b\u{fffd}c\u{fffd}d";
        assert_eq!(reply.text(), text);
        assert_eq!(reply.to_string(), format!("550 5.1.1 {text}"));
        assert_eq!(parsed(b"250\r\n").to_string(), "250");
        assert_eq!(parsed(b"550 2.0.0 no\r\n").to_string(), "550 2.0.0 no");
    }

    #[test]
    fn text_is_bounded() {
        let long = format!("250 {}\r\n", "\u{e9}".repeat(10_000));
        assert_eq!(parsed(long.as_bytes()).text().len(), MAX_TEXT);
        let many = "250-x\r\n".repeat(10_000) + "250 x\r\n";
        assert_eq!(parsed(many.as_bytes()).text().len(), MAX_TEXT);
    }

    #[test]
    fn a_reply_of_our_own_reads_like_one_of_the_server() {
        let long = "\u{20ac}".repeat(1_000);
        for text in ["", "no route", "two\nlines\r\n250 forged", "\x1b[2J", &long] {
            for (enhanced, code) in [
                (EnhancedCode::transient(4, 2), 451),
                (EnhancedCode::permanent(255, 255), 554),
                (EnhancedCode::of(250, 0, 0), 250),
            ] {
                let reply = Reply::local(enhanced, text);
                assert_eq!((reply.code(), reply.enhanced()), (code, Some(enhanced)));
                assert_eq!(Reply::parse(&reply.raw).as_ref(), Ok(&reply), "{text:?}");
                assert_eq!(reply.deviation(), None);
            }
        }
    }
}
