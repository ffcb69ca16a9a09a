//! Where a reply ends in what a server sends (RFC 5321 §4.2).

use super::{
    MAX_REPLY_LINE,
    received::{Deviation, Reply},
};
use alloc::borrow::Cow;

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
    use alloc::{vec, vec::Vec};

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
}
