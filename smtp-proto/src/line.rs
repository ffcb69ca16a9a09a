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

/// Finds lines; remembers how far it has looked, so that input that comes octet by octet is looked
/// at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LineReader {
    /// Octets of the unread input known to hold no CRLF.
    scanned: usize,
    /// Inside a line that is already too long.
    skipping: bool,
}

impl LineReader {
    /// The next line of `input`, which is consumed if it is whole or too long. `limit` counts the
    /// CRLF.
    pub(crate) fn next<'b>(&mut self, input: &mut &'b [u8], limit: usize) -> Line<'b> {
        let octets = *input;
        let mut from = self.scanned.min(octets.len());
        while let Some(lf) = memchr::memchr(b'\n', &octets[from..]).map(|at| from + at) {
            if lf > 0 && octets[lf - 1] == b'\r' {
                *input = &octets[lf + 1..];
                self.scanned = 0;
                let line = &octets[..lf - 1];
                if core::mem::take(&mut self.skipping) || line.len() + 2 > limit {
                    return Line::TooLong;
                }
                let bad = memchr::memchr3(b'\r', b'\n', 0, line).is_some();
                return if bad { Line::Bad } else { Line::Whole(line) };
            }
            from = lf + 1;
        }
        self.scanned = octets.len();
        if self.skipping || octets.len() >= limit {
            // A CR at the end may be the first half of the CRLF that ends the line.
            let keep = usize::from(octets.ends_with(b"\r"));
            *input = &octets[octets.len() - keep..];
            self.scanned = keep;
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
