//! The octets of a message: where they end, and which of them are structure.

mod dot;
mod scan;
mod text_line;

pub use dot::{DotReader, Piece};
pub(crate) use text_line::TextLines;
