//! The body of DATA: dots unstuffed, its end found (RFC 5321 §4.1.1.4, §4.5.2).
//!
//! The end is `CRLF . CRLF`, or `. CRLF` as the very first line, and nothing else. The reader hands
//! out slices of the caller's buffer; a stuffed dot splits a slice, so nothing is copied. Its whole
//! state is one bool. What it cannot judge yet it leaves unread: at most `. CR`, two octets, which
//! the caller offers again with what follows.

use super::scan::{bare, dot_line, find};
use crate::server::BareLineEnding;

/// What a call of [`DotReader::next`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'b> {
    /// Octets of the message, without stuffed dots.
    Data(&'b [u8]),
    /// A bare CR or LF under [`BareLineEnding::Refuse`]. Reported once; from here on the reader
    /// passes such octets on as data, so that the true end is still found.
    Bare,
    /// The end of the message.
    End,
    /// Nothing more can be said without more input.
    More,
}

/// Reads the body of one DATA.
///
/// ```
/// use smtp_proto::{body::{DotReader, Piece}, server::BareLineEnding};
///
/// let mut reader = DotReader::new(BareLineEnding::Refuse);
/// let mut input: &[u8] = b"a\r\n..b\r\n.\r\nQUIT\r\n";
/// let mut message = Vec::new();
/// loop {
///     match reader.next(&mut input) {
///         Piece::Data(octets) => message.extend_from_slice(octets),
///         Piece::End => break,
///         other => panic!("{other:?}"),
///     }
/// }
/// assert_eq!((&message[..], input), (&b"a\r\n.b\r\n"[..], &b"QUIT\r\n"[..]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DotReader {
    /// The octets before were CRLF, or there were none: a dot here is not data.
    at_line_start: bool,
    bare: BareLineEnding,
}

impl DotReader {
    /// A reader for the octets behind the 354.
    pub fn new(bare: BareLineEnding) -> Self {
        Self { at_line_start: true, bare }
    }

    /// The next piece of `input`, which is consumed from its front.
    ///
    /// Call it until it says [`Piece::More`] or [`Piece::End`].
    pub fn next<'b>(&mut self, input: &mut &'b [u8]) -> Piece<'b> {
        if self.at_line_start {
            match *input {
                [] | [b'.'] | [b'.', b'\r'] => return Piece::More,
                [b'.', b'\r', b'\n', rest @ ..] => {
                    *input = rest;
                    return Piece::End;
                }
                // A stuffed dot, or one that should have been: either way it goes (§4.5.2).
                [b'.', rest @ ..] => {
                    *input = rest;
                    self.at_line_start = false;
                }
                _ => {}
            }
        }
        let octets = *input;
        let (len, stop) = match self.bare {
            BareLineEnding::Pass => to_dot(octets),
            _ => to_dot_or_bare(octets),
        };
        if len > 0 {
            let (data, rest) = octets.split_at(len);
            self.at_line_start = data.ends_with(b"\r\n");
            *input = rest;
            return Piece::Data(data);
        }
        match stop {
            Stop::End | Stop::Dot => Piece::More,
            Stop::Bare => {
                // A bare LF before a dot does not make a line start: the dot stays data.
                self.at_line_start = false;
                *input = &octets[1..];
                if self.bare == BareLineEnding::Normalise {
                    return Piece::Data(b"\r\n");
                }
                *input = octets;
                self.bare = BareLineEnding::Pass;
                Piece::Bare
            }
        }
    }
}

/// Why a run of message octets ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// The octets end, or only a CR is left whose LF may follow.
    End,
    /// A line begins with a dot.
    Dot,
    /// A bare CR or LF is next.
    Bare,
}

/// How many octets come before the next dot at the start of a line, or bare CR or LF; the octet
/// before them is no CR. The first is no such dot.
fn to_dot_or_bare(octets: &[u8]) -> (usize, Stop) {
    if octets.first() == Some(&b'\n') {
        return (0, Stop::Bare);
    }
    let Some(at) = find(octets, |a, b, c| bare(a, b) | dot_line(b, c), |_, _| false) else {
        return (octets.len(), Stop::End);
    };
    match octets[at..] {
        [b'\r', b'\n', ..] => (at + 2, Stop::Dot),
        [b'\r'] => (at, Stop::End),
        [b'\r', ..] => (at, Stop::Bare),
        _ => (at + 1, Stop::Bare),
    }
}

/// How many octets come before the next dot at the start of a line, or a last CR.
fn to_dot(octets: &[u8]) -> (usize, Stop) {
    match find(octets, |a, b, c| (a == b'\r') & dot_line(b, c), |_, _| false) {
        Some(at) => (at + 2, Stop::Dot),
        None if octets.ends_with(b"\r") => (octets.len() - 1, Stop::End),
        None => (octets.len(), Stop::End),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{string::String, vec, vec::Vec};

    /// What a reader makes of some octets.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Read {
        data: Vec<u8>,
        bare: bool,
        /// Octets left behind the end, if it was found.
        end: Option<usize>,
    }

    /// Offers `input` in pieces that end at `cuts`, as a driver would.
    fn read(mode: BareLineEnding, input: &[u8], step: usize) -> Read {
        let mut reader = DotReader::new(mode);
        let mut got = Read::default();
        let (mut from, mut to) = (0, 0);
        while got.end.is_none() && to < input.len() {
            to = (to + step).min(input.len());
            let mut unread = &input[from..to];
            loop {
                match reader.next(&mut unread) {
                    Piece::Data(data) => {
                        assert!(!data.is_empty(), "an empty piece says nothing");
                        got.data.extend_from_slice(data);
                    }
                    Piece::Bare => got.bare = true,
                    Piece::End => {
                        got.end = Some(input.len() - (to - unread.len()));
                        break;
                    }
                    Piece::More => break,
                }
            }
            assert!(got.end.is_some() || unread.len() <= 2, "the tail is at most two octets");
            from = to - unread.len();
        }
        got
    }

    /// The slow and obvious reader: one octet at a time, over the whole input.
    fn naive(mode: BareLineEnding, input: &[u8]) -> Read {
        let mut got = Read::default();
        let mut i = 0;
        let mut line_start = true;
        while i < input.len() {
            let rest = &input[i..];
            if line_start && rest.starts_with(b".\r\n") {
                got.end = Some(rest.len() - 3);
                return got;
            }
            if line_start && (rest == b"." || rest == b".\r") {
                return got;
            }
            if line_start && rest[0] == b'.' {
                i += 1;
                line_start = false;
                continue;
            }
            if rest.starts_with(b"\r\n") {
                got.data.extend_from_slice(b"\r\n");
                i += 2;
                line_start = true;
                continue;
            }
            if rest == b"\r" {
                return got;
            }
            line_start = false;
            i += 1;
            match (rest[0], mode) {
                (b'\r' | b'\n', BareLineEnding::Normalise) => got.data.extend_from_slice(b"\r\n"),
                (b'\r' | b'\n', BareLineEnding::Refuse) => {
                    got.bare = true;
                    got.data.push(rest[0]);
                }
                (octet, _) => got.data.push(octet),
            }
        }
        got
    }

    const MODES: [BareLineEnding; 3] =
        [BareLineEnding::Refuse, BareLineEnding::Normalise, BareLineEnding::Pass];

    /// EOD-01 to EOD-21
    #[test]
    fn it_equals_a_naive_reader_on_every_short_string() {
        const ALPHABET: [u8; 4] = *b"\r\n.x";
        for len in 0..=8u32 {
            for n in 0..4usize.pow(len) {
                let input: Vec<u8> = (0..len).map(|k| ALPHABET[n / 4usize.pow(k) % 4]).collect();
                for mode in MODES {
                    let want = naive(mode, &input);
                    for step in [1, 2, 3, 8] {
                        assert_eq!(
                            read(mode, &input, step),
                            want,
                            "{mode:?} by {step}: {:?}",
                            String::from_utf8_lossy(&input)
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn long_lines_and_block_borders_change_nothing() {
        for pad in 0..140 {
            for tail in ["\r\n.\r\n", "\n.\r\n\r\n.\r\n", "\r.\r\n\r\n.\r\n", "\r\n..\r\n.\r\n"] {
                let mut input = vec![b'x'; pad];
                input.extend_from_slice(tail.as_bytes());
                input.extend_from_slice(&[b'y'; 70]);
                for mode in MODES {
                    assert_eq!(read(mode, &input, input.len()), naive(mode, &input));
                }
            }
        }
    }
}
