//! Command lines: framing before grammar.
//!
//! A line ends at CRLF and nowhere else (RFC 5321 §2.3.8). A line that is too long is swallowed to
//! its true end and reported once, so a bad command never loses the place.

/// What the input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line<'b> {
    /// A whole line, without its CRLF.
    Whole(&'b [u8]),
    /// A whole line with a bare CR, a bare LF or a NUL in it.
    Bad,
    /// The end of a line over its limit.
    TooLong,
    /// Not yet a whole line.
    Partial,
}

/// Finds lines; remembers how far it has looked and what it has seen there, so that input that comes
/// octet by octet is looked at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LineReader {
    /// Octets of the unread input in which the line does not end.
    scanned: usize,
    /// Something stands in them that may not stand in a line.
    bad: bool,
    /// Inside a line that is already too long.
    skipping: bool,
}

impl LineReader {
    /// The next line of `input`, which is consumed if it is whole or too long. `limit` counts the
    /// CRLF.
    #[inline]
    pub(crate) fn next<'b>(&mut self, input: &mut &'b [u8], limit: usize) -> Line<'b> {
        let octets = *input;
        let mut from = self.scanned.min(octets.len());
        // One pass: but in a bad line, the first of the three is the CR of the line's end.
        while let Some(at) = memchr::memchr3(b'\r', b'\n', 0, &octets[from..]) {
            from += at;
            match octets[from..] {
                [b'\r', b'\n', ref rest @ ..] => {
                    let Self { bad, skipping, .. } = core::mem::take(self);
                    *input = rest;
                    return match &octets[..from] {
                        line if skipping || line.len() + 2 > limit => Line::TooLong,
                        _ if bad => Line::Bad,
                        line => Line::Whole(line),
                    };
                }
                [b'\r'] => return self.partial(input, from, limit),
                _ => self.bad = true,
            }
            from += 1;
        }
        self.partial(input, octets.len(), limit)
    }

    /// The line does not end in the first `scanned` octets; what follows is nothing, or a CR that
    /// may be the first half of its end.
    fn partial<'b>(&mut self, input: &mut &'b [u8], scanned: usize, limit: usize) -> Line<'b> {
        self.scanned = scanned;
        if self.skipping || input.len() >= limit {
            *input = &input[scanned..];
            self.scanned = 0;
            self.skipping = true;
        }
        Line::Partial
    }

    /// Whether the octets offered next belong to a line that is already too long.
    pub(crate) fn is_skipping(&self) -> bool {
        self.skipping
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{vec, vec::Vec};

    fn lines(input: &[u8], step: usize, limit: usize) -> Vec<(&'static str, Vec<u8>)> {
        let mut reader = LineReader::default();
        let mut got = vec![];
        let (mut from, mut to) = (0, 0);
        while to < input.len() {
            to = (to + step).min(input.len());
            let mut unread = &input[from..to];
            loop {
                match reader.next(&mut unread, limit) {
                    Line::Whole(line) => got.push(("whole", line.to_vec())),
                    Line::Bad => got.push(("bad", vec![])),
                    Line::TooLong => got.push(("long", vec![])),
                    Line::Partial => break,
                }
            }
            assert!(unread.len() < limit, "the unread tail is bounded");
            from = to - unread.len();
        }
        got
    }

    #[test]
    fn lines_are_the_same_however_the_input_is_cut() {
        let input =
            b"NOOP\r\nNO\nOP\r\nNO\rOP\r\r\n\0\r\nxxxxxxxxxxxxxxx\r\nxxxxxxxx\rx\r\r\nQUIT\r\n";
        let whole = lines(input, input.len(), 10);
        assert_eq!(
            whole.iter().map(|l| l.0).collect::<Vec<_>>(),
            ["whole", "bad", "bad", "bad", "long", "long", "whole"]
        );
        for step in 1..input.len() {
            assert_eq!(lines(input, step, 10), whole, "by {step}");
        }
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_whole() {
        assert_eq!(lines(b"12345678\r\n", 1, 10), [("whole", b"12345678".to_vec())]);
        assert_eq!(lines(b"123456789\r\n", 1, 10), [("long", vec![])]);
    }
}
