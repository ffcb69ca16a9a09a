//! Replies as a client reads them (RFC 5321 §4.2).

use crate::status::{Class, EnhancedCode};
use alloc::borrow::Cow;

/// A reply of a server, all its lines.
///
/// What it says goes by its code, and by the code's first digit where the rest is not known
/// (RFC 5321 §4.2, §4.3.2). Where lines have different codes, the last line counts (§4.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply<'b> {
    /// All lines with their line endings, or what another part of the session made up.
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
        todo!()
    }

    /// The text of each line, without code, separator and line ending. It is the server's: show
    /// it by [`text`](Self::text).
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.raw.split(|&b| b == b'\n')
    }

    /// The text for people and logs: the lines without their enhanced codes, joined by a space;
    /// what is not printable replaced, so that it cannot forge a log line.
    pub fn text(&self) -> alloc::string::String {
        todo!()
    }

    /// The same reply, owned.
    pub fn into_static(self) -> Reply<'static> {
        Reply { raw: Cow::Owned(self.raw.into_owned()), ..self }
    }
}

/// What the input holds.
#[derive(Debug)]
pub(crate) enum Received<'b> {
    /// A whole reply, which was consumed.
    Whole(Reply<'b>),
    /// Not yet a whole reply.
    Partial,
    /// A line that is no reply line.
    Malformed,
    /// More octets than a reply may have.
    TooLong,
}

/// Finds replies; remembers how far it has looked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReplyReader {
    scanned: usize,
}

impl ReplyReader {
    /// The next reply of `input`, consumed if it is whole. `limit` counts the octets of all lines.
    pub(crate) fn next<'b>(&mut self, _input: &mut &'b [u8], _limit: usize) -> Received<'b> {
        todo!()
    }
}
