//! The octets of a message: where they end, and which of them are structure.

mod dot;
mod encode;
mod scan;
mod text_line;

pub use dot::{DotReader, Piece};
pub use encode::{ContentFault, Encoder, LineEndings};
pub(crate) use text_line::TextLines;

/// How the octets of a message are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// DATA: to the line with one dot.
    Dot,
    /// BDAT: by counts (RFC 3030).
    Chunked,
}
