//! Message octets on their way out: line endings checked, dots stuffed, nothing copied.

use super::{
    Framing,
    scan::{bare, dot_line, find},
};

/// What becomes of a bare CR or LF in a message that is sent (RFC 5321 §2.3.8: neither may leave).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LineEndings {
    /// [`ContentFault::BareLineEnding`].
    #[default]
    Check,
    /// CRLF is sent in its place.
    Normalise,
}

/// Octets that may not be sent as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ContentFault {
    /// A bare CR or LF under [`LineEndings::Check`].
    #[error("the message has a bare CR or LF")]
    BareLineEnding,
    /// A NUL, which only BINARYMIME could carry (RFC 5321 §4.1.1.4, RFC 3030 §3).
    #[error("the message has a NUL")]
    Nul,
    /// An octet over 127 in a message announced as 7BIT (RFC 6152 §3).
    #[error("the message has 8-bit octets and was announced as 7BIT")]
    EightBit,
}

/// Turns the octets of a message into pieces to send: slices of the input, and between them static
/// dots and line endings.
///
/// ```
/// use smtp_proto::body::{Encoder, Framing, LineEndings};
///
/// let mut encoder = Encoder::new(Framing::Dot, LineEndings::Check, false);
/// let (mut message, mut sent) = (&b"a\r\n.b"[..], Vec::new());
/// let mut pieces = [&[][..]; 4];
/// while !message.is_empty() {
///     let n = encoder.encode(&mut message, &mut pieces)?;
///     sent.extend(pieces[..n].concat()); // or one vectored write
/// }
/// sent.extend_from_slice(encoder.finish()?);
/// assert_eq!(sent, b"a\r\n..b\r\n.\r\n");
/// # Ok::<(), smtp_proto::body::ContentFault>(())
/// ```
#[derive(Clone, Debug)]
pub struct Encoder {
    framing: Framing,
    line_endings: LineEndings,
    eight_bit: bool,
    /// What left last was CRLF, or nothing has left yet.
    at_line_start: bool,
    /// A CR that ended the input is held back.
    held_cr: bool,
}

impl Encoder {
    /// An encoder for one message. With [`Framing::Dot`] a dot at the start of a line is doubled
    /// (§4.5.2); `eight_bit` lets octets over 127 pass.
    pub fn new(framing: Framing, line_endings: LineEndings, eight_bit: bool) -> Self {
        Self { framing, line_endings, eight_bit, at_line_start: true, held_cr: false }
    }

    /// Consumes from the front of `input` and fills `pieces`, which must have room for one at
    /// least; says how many it filled. Call again until `input` is empty.
    ///
    /// A CR at the end of the input is held back until what follows is known. The same octets leave
    /// however the input is cut.
    ///
    /// # Errors
    /// [`ContentFault`], once all pieces before the fault have been given. It stays where it is at
    /// the front of `input`: the message cannot be completed.
    pub fn encode<'b>(
        &mut self,
        input: &mut &'b [u8],
        pieces: &mut [&'b [u8]],
    ) -> Result<usize, ContentFault> {
        let mut filled = 0;
        while let Some(place) = pieces.get_mut(filled) {
            match self.next(input) {
                Ok(Some(piece)) => *place = piece,
                Ok(None) => break,
                Err(fault) if filled == 0 => return Err(fault),
                Err(_) => break,
            }
            filled += 1;
        }
        Ok(filled)
    }

    /// The octets that end the message: a CRLF if its last line has none, and with
    /// [`Framing::Dot`] the dot line. An empty message is a dot line alone.
    ///
    /// # Errors
    /// [`ContentFault::BareLineEnding`] if the last octet was a CR.
    pub fn finish(self) -> Result<&'static [u8], ContentFault> {
        if self.held_cr && self.line_endings == LineEndings::Check {
            return Err(ContentFault::BareLineEnding);
        }
        Ok(match (self.framing, self.at_line_start) {
            (Framing::Dot, true) => b".\r\n",
            (Framing::Dot, false) => b"\r\n.\r\n",
            (Framing::Chunked, true) => b"",
            (Framing::Chunked, false) => b"\r\n",
        })
    }

    /// The next piece of `input`; `None` at its end. A fault changes nothing.
    fn next<'b>(&mut self, input: &mut &'b [u8]) -> Result<Option<&'b [u8]>, ContentFault> {
        let octets = *input;
        let Some((&first, rest)) = octets.split_first() else { return Ok(None) };
        if self.held_cr {
            if first == b'\n' {
                *input = rest;
            } else {
                self.check_bare()?;
            }
            return Ok(Some(self.end_line()));
        }
        if self.at_line_start && first == b'.' && self.framing == Framing::Dot {
            self.at_line_start = false;
            return Ok(Some(b"."));
        }
        let (run, after) = octets.split_at(self.plain(octets));
        if !run.is_empty() {
            self.at_line_start = run.ends_with(b"\r\n");
            *input = after;
            return Ok(Some(run));
        }
        match octets {
            [0, ..] => Err(ContentFault::Nul),
            [octet, ..] if !octet.is_ascii() => Err(ContentFault::EightBit),
            [b'\r'] => {
                (self.held_cr, self.at_line_start) = (true, false);
                *input = rest;
                Ok(None)
            }
            _ => {
                self.check_bare()?;
                *input = rest;
                Ok(Some(self.end_line()))
            }
        }
    }

    fn check_bare(&self) -> Result<(), ContentFault> {
        match self.line_endings {
            LineEndings::Check => Err(ContentFault::BareLineEnding),
            LineEndings::Normalise => Ok(()),
        }
    }

    /// The CRLF in place of a CR or LF, or of both.
    fn end_line(&mut self) -> &'static [u8] {
        (self.held_cr, self.at_line_start) = (false, true);
        b"\r\n"
    }

    /// The length of the longest prefix that leaves as it is: no octet that may not leave is in it,
    /// no bare CR or LF, no dot at the start of a line but perhaps its first octet, no CR at its
    /// end. The octet before it is no CR.
    fn plain(&self, octets: &[u8]) -> usize {
        match (self.framing, self.eight_bit) {
            (Framing::Dot, true) => plain(octets, is_nul, dot_line),
            (Framing::Dot, false) => plain(octets, is_nul_or_eight_bit, dot_line),
            (Framing::Chunked, true) => plain(octets, is_nul, |_, _| false),
            (Framing::Chunked, false) => plain(octets, is_nul_or_eight_bit, |_, _| false),
        }
    }
}

#[inline(always)]
fn is_nul(least: u8, _: u8) -> bool {
    least == 0
}

#[inline(always)]
fn is_nul_or_eight_bit(least: u8, union: u8) -> bool {
    (least == 0) | (union > 127)
}

/// See [`Encoder::plain`]; a loop of its own for each framing and kind of octets.
fn plain(
    octets: &[u8],
    refused: impl Fn(u8, u8) -> bool,
    dot_line: impl Fn(u8, u8) -> bool,
) -> usize {
    if octets.first() == Some(&b'\n') {
        return 0;
    }
    match find(octets, |a, b, c| bare(a, b) | dot_line(b, c), &refused) {
        None => octets.len(),
        Some(at) => match octets[at..] {
            // A dot behind it.
            [b'\r', b'\n', ..] => at + 2,
            [octet, ..] if octet == b'\r' || refused(octet, octet) => at,
            // A bare LF is next.
            _ => at + 1,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        body::{DotReader, Piece},
        server::BareLineEnding,
    };
    use std::{vec, vec::Vec};

    /// What leaves before the end or the fault.
    type Sent = (Vec<u8>, Result<(), ContentFault>);

    /// What leaves if the message comes in these pieces, with `room` for so many at a call.
    fn sent(mut encoder: Encoder, message: &[&[u8]], room: usize) -> Sent {
        let mut out = vec![];
        for mut unread in message.iter().copied() {
            while !unread.is_empty() {
                let mut pieces = [&b""[..]; 8];
                match encoder.encode(&mut unread, &mut pieces[..room]) {
                    Ok(filled) => pieces[..filled].iter().for_each(|piece| {
                        assert!(!piece.is_empty(), "an empty piece says nothing");
                        out.extend_from_slice(piece);
                    }),
                    Err(fault) => return (out, Err(fault)),
                }
            }
        }
        let end = encoder.finish().map(|end| out.extend_from_slice(end));
        (out, end)
    }

    /// The slow and obvious encoder: one octet at a time, over the whole input.
    fn naive(encoder: &Encoder, input: &[u8]) -> Sent {
        let dot = encoder.framing == Framing::Dot;
        let mut out = vec![];
        let mut i = 0;
        while i < input.len() {
            let line_start = out.is_empty() || out.ends_with(b"\r\n");
            match input[i] {
                b'\r' if input.get(i + 1) == Some(&b'\n') => {
                    out.extend_from_slice(b"\r\n");
                    i += 1;
                }
                b'\r' | b'\n' if encoder.line_endings == LineEndings::Check => {
                    return (out, Err(ContentFault::BareLineEnding));
                }
                b'\r' | b'\n' => out.extend_from_slice(b"\r\n"),
                0 => return (out, Err(ContentFault::Nul)),
                128.. if !encoder.eight_bit => return (out, Err(ContentFault::EightBit)),
                b'.' if line_start && dot => out.extend_from_slice(b".."),
                octet => out.push(octet),
            }
            i += 1;
        }
        if !out.is_empty() && !out.ends_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
        }
        if dot {
            out.extend_from_slice(b".\r\n");
        }
        (out, Ok(()))
    }

    /// An encoder of each kind.
    fn encoders() -> impl Iterator<Item = Encoder> {
        [Framing::Dot, Framing::Chunked].into_iter().flat_map(|framing| {
            [LineEndings::Check, LineEndings::Normalise].into_iter().flat_map(move |endings| {
                [false, true].map(|eight_bit| Encoder::new(framing, endings, eight_bit))
            })
        })
    }

    #[test]
    fn it_equals_a_naive_encoder_on_every_short_string_however_it_is_cut() {
        const ALPHABET: [u8; 6] = *b"\r\n.x\0\x80";
        for encoder in encoders() {
            for len in 0..=6u32 {
                for n in 0..6usize.pow(len) {
                    let input: Vec<u8> =
                        (0..len).map(|k| ALPHABET[n / 6usize.pow(k) % 6]).collect();
                    let want = naive(&encoder, &input);
                    let agrees = |message: &[&[u8]], room| {
                        let got = sent(encoder.clone(), message, room);
                        assert_eq!(got, want, "{encoder:?} {}", input.escape_ascii());
                    };
                    for cut in 0..input.len().min(5) {
                        let (front, back) = input.split_at(cut);
                        agrees(&[front, back], 1 + cut);
                    }
                    agrees(&input.chunks(1).collect::<Vec<_>>(), 1);
                }
            }
        }
    }

    #[test]
    fn long_lines_and_block_borders_change_nothing() {
        for encoder in encoders() {
            for pad in 0..140 {
                for tail in ["\r\n.\r\n", "\n.x", "\r.x", "\r\n..\r\n", "\0", "é", "\r", "\n"] {
                    let mut input = vec![b'x'; pad];
                    input.extend_from_slice(tail.as_bytes());
                    for behind in [0, 70] {
                        input.extend_from_slice(&vec![b'y'; behind]);
                        let want = naive(&encoder, &input);
                        assert_eq!(sent(encoder.clone(), &[&input], 3), want);
                    }
                }
            }
        }
    }

    #[test]
    fn what_it_sends_by_data_is_read_as_the_message_again() {
        const ALPHABET: [&[u8]; 4] = [b"\r\n", b".", b"x", b"\xe9"];
        for n in 0..4usize.pow(7) {
            let lines = (0..7).map(|k| ALPHABET[n / 4usize.pow(k) % 4]);
            let mut message = lines.collect::<Vec<_>>().concat();
            let encoder = Encoder::new(Framing::Dot, LineEndings::Check, true);
            let (out, end) = sent(encoder, &[&message], 3);
            assert_eq!(end, Ok(()));
            let mut reader = DotReader::new(BareLineEnding::Refuse);
            let mut unread = &out[..];
            let mut read = vec![];
            loop {
                match reader.next(&mut unread) {
                    Piece::Data(data) => read.extend_from_slice(data),
                    Piece::End => break,
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(unread, b"");
            if !message.ends_with(b"\r\n") {
                message.extend_from_slice(b"\r\n");
            }
            assert_eq!(read, message);
        }
    }
}
