//! Replies as a client reads them (RFC 5321 §4.2).

use super::{
    MAX_REPLY_LINE, Malformed,
    class::{is_invisible, is_utf8_non_ascii},
    reply::{MAX_TEXT_LINE, write_reply},
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
    raw: Cow<'b, [u8]>,
    code: u16,
    deviation: Option<Deviation>,
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

/// What the input holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received<'b> {
    /// A whole reply, which was consumed.
    Whole(Reply<'b>),
    /// Not yet a whole reply.
    Partial,
    /// A line that is no reply line.
    Malformed,
    /// More octets than a reply may have.
    TooLong,
}

/// Finds replies in what a server sends.
///
/// It remembers how far it has looked, so that input that comes octet by octet is looked at once.
/// What a call leaves unread must lead the input of the next.
///
/// ```
/// use smtp_proto::wire::{Received, ReplyReader};
///
/// let mut reader = ReplyReader::new();
/// let mut input: &[u8] = b"250-mx.example.test\r\n250 SI";
/// assert_eq!(reader.next(&mut input, 4096), Received::Partial); // read more behind it
/// let mut input: &[u8] = b"250-mx.example.test\r\n250 SIZE\r\n";
/// let Received::Whole(reply) = reader.next(&mut input, 4096) else { panic!() };
/// assert_eq!((reply.code(), reply.lines().last()), (250, Some(&b"SIZE"[..])));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplyReader {
    /// Where the running line begins.
    line: usize,
    /// Octets of the input that were looked at; from `line` on there is no LF among them.
    scanned: usize,
    /// The code of the line before, if any.
    code: Option<u16>,
    deviation: Option<Deviation>,
}

impl ReplyReader {
    /// A reader at the start of a reply.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next reply of `input`, consumed if it is whole; nothing is consumed otherwise. `limit`
    /// counts the octets of all lines.
    ///
    /// RFC 5321 §4.2: `Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP
    /// textstring ] CRLF`. What is read although it is not so is a [`Deviation`] of the reply.
    pub fn next<'b>(&mut self, input: &mut &'b [u8], limit: usize) -> Received<'b> {
        let octets = &input[..input.len().min(limit)];
        if self.scanned > octets.len() {
            // Not what was left: begin anew.
            *self = Self::default();
        }
        loop {
            if !is_code_prefix(&octets[self.line..]) {
                return Received::Malformed;
            }
            let Some(lf) = memchr::memchr(b'\n', &octets[self.scanned..]) else {
                self.scanned = octets.len();
                return if octets.len() == limit { Received::TooLong } else { Received::Partial };
            };
            let end = self.scanned + lf + 1;
            let last = self.take_line(&octets[self.line..end]);
            (self.line, self.scanned) = (end, end);
            if let Some(code) = last {
                let raw = Cow::Borrowed(&octets[..end]);
                let reply = Reply { raw, code, deviation: self.deviation };
                *input = &input[end..];
                *self = Self::default();
                return Received::Whole(reply);
            }
        }
    }

    /// Takes a line with its LF; gives its code if it is the last of its reply.
    fn take_line(&mut self, line: &[u8]) -> Option<u16> {
        let digit = |at: usize| line.get(at).map_or(0, |octet| u16::from(octet - b'0'));
        let code = digit(0) * 100 + digit(1) * 10 + digit(2);
        let separator = line.get(3);
        if self.code.is_some_and(|before| before != code) {
            self.note(Deviation::CodesDiffer);
        }
        if !matches!(separator, Some(b' ' | b'-' | b'\n')) && line.get(3..) != Some(b"\r\n") {
            self.note(Deviation::Separator);
        }
        if line.len() > MAX_REPLY_LINE {
            self.note(Deviation::LongLine);
        }
        if !line.ends_with(b"\r\n") {
            self.note(Deviation::BareLineFeed);
        }
        self.code = Some(code);
        (separator != Some(&b'-')).then_some(code)
    }

    fn note(&mut self, deviation: Deviation) {
        self.deviation = self.deviation.or(Some(deviation));
    }
}

/// Whether a line that starts so can be a reply line.
///
/// RFC 5321 §4.2: `Reply-code = %x32-35 %x30-35 %x30-39`. Deviation: any second digit.
fn is_code_prefix(line: &[u8]) -> bool {
    line.iter().take(4).enumerate().all(|(at, octet)| match at {
        0 => matches!(octet, b'2'..=b'5'),
        1 | 2 => octet.is_ascii_digit(),
        _ => !octet.is_ascii_digit(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString, vec};

    /// What a reader makes of `input` that comes in pieces which end at `cuts`, and how much of it
    /// it leaves.
    fn read(input: &[u8], cuts: &[usize], limit: usize) -> (Vec<Received<'static>>, usize) {
        let mut reader = ReplyReader::new();
        let mut got = vec![];
        let mut from = 0;
        for &to in cuts.iter().chain([&input.len()]) {
            let mut unread = &input[from..to];
            loop {
                match reader.next(&mut unread, limit) {
                    Received::Partial => break,
                    Received::Whole(reply) => got.push(Received::Whole(reply.into_static())),
                    Received::Malformed => return (vec![Received::Malformed], 0),
                    Received::TooLong => return (vec![Received::TooLong], 0),
                }
            }
            from = to - unread.len();
        }
        (got, input.len() - from)
    }

    const INPUTS: &[&[u8]] = &[
        b"250\r\n",
        b"250 \r\n",
        b"250-\r\n250\r\n",
        b"220 a\r\n250-b\r\n250-\r\n250 c\r\n550 5.1.1 d\r\n",
        b"250 a\n250 b\r\n\r\n",
        b"250\n250-a\n550 b\n",
        b"250\r\r\n250\rx\r\n250_x\r\n",
        b"250-a\r\n25\r\n",
        b"2500 a\r\n",
        b"150 a\r\n",
        b"650 a\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"250-a\r\n250-b\r\n250-c\r\n250-d\r\n250 e\r\n",
        b"250 \xff\0\x1b[2J\r\n299\tx\r\n",
    ];

    #[test]
    fn replies_are_the_same_however_the_input_is_cut() {
        for &input in INPUTS {
            for limit in 1..=input.len() + 1 {
                let whole = read(input, &[], limit);
                let every: Vec<usize> = (1..input.len()).collect();
                assert_eq!(read(input, &every, limit), whole, "{}", input.escape_ascii());
                for a in 0..=input.len() {
                    for b in a..=input.len() {
                        assert_eq!(read(input, &[a, b], limit), whole, "{}", input.escape_ascii());
                    }
                }
            }
        }
    }

    #[test]
    fn a_reply_of_exactly_the_limit_is_whole() {
        for octets in ["250-a\r\n250 b\r\n", "250 abcdefgh\r\n"] {
            let octets = octets.as_bytes();
            for cuts in [vec![], (1..octets.len()).collect()] {
                assert!(matches!(&read(octets, &cuts, 14).0[..], [Received::Whole(_)]));
                assert_eq!(read(octets, &cuts, 13).0, [Received::TooLong]);
                assert_eq!(read(&octets[..13], &cuts[..cuts.len().min(12)], 14).0, []);
            }
        }
    }

    #[test]
    fn every_short_input_is_read_the_same_octet_by_octet() {
        const ALPHABET: [u8; 6] = *b"2\r\n- x";
        for n in 0..6usize.pow(6) {
            let middle: Vec<u8> = (0..6).map(|k| ALPHABET[n / 6usize.pow(k) % 6]).collect();
            let input = [b"250", &middle[..], b"\n250 \n"].concat();
            let every: Vec<usize> = (1..input.len()).collect();
            assert_eq!(read(&input, &every, 20), read(&input, &[], 20), "{}", input.escape_ascii());
        }
    }

    #[test]
    fn input_without_what_was_left_is_read_anew() {
        let mut reader = ReplyReader::new();
        let left = b"250-mx.example.test\n250 SIZE";
        assert_eq!(reader.next(&mut &left[..], 4096), Received::Partial);
        let mut other = &b"220 mx\r\n"[..];
        let Received::Whole(reply) = reader.next(&mut other, 4096) else { panic!() };
        assert_eq!((reply.code(), reply.deviation(), other), (220, None, &b""[..]));
    }

    #[test]
    fn input_that_comes_octet_by_octet_is_looked_at_once() {
        // 4 MiB in 128 Ki calls would be 256 GiB to look at if each call began anew.
        let input = [&b"250-x\r\n250 "[..], &vec![b'x'; 4 << 20]].concat();
        let mut reader = ReplyReader::new();
        for to in (0..input.len()).step_by(32) {
            assert_eq!(reader.next(&mut &input[..to], usize::MAX), Received::Partial);
            assert_eq!(reader.scanned, to);
        }
    }

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
