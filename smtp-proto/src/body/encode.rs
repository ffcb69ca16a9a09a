//! Message octets on their way out: line endings checked, dots stuffed, nothing copied.

use super::Framing;

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
#[derive(Clone, Debug)]
pub struct Encoder {
    framing: Framing,
    line_endings: LineEndings,
    eight_bit: bool,
}

impl Encoder {
    /// An encoder for one message. With [`Framing::Dot`] a dot at the start of a line is doubled
    /// (§4.5.2); `eight_bit` lets octets over 127 pass.
    pub fn new(framing: Framing, line_endings: LineEndings, eight_bit: bool) -> Self {
        Self { framing, line_endings, eight_bit }
    }

    /// Consumes from the front of `input` and fills `pieces`, which must have room for at least
    /// three; says how many it filled. Call again until `input` is empty. A CR at the end of the input is kept
    /// back until what follows is known. The same octets leave however the input is cut.
    ///
    /// # Errors
    /// [`ContentFault`]; the message cannot be completed then.
    pub fn encode<'b>(
        &mut self,
        _input: &mut &'b [u8],
        _pieces: &mut [&'b [u8]],
    ) -> Result<usize, ContentFault> {
        todo!()
    }

    /// The octets that end the message: a CRLF if its last line has none, and with
    /// [`Framing::Dot`] the dot line. An empty message is a dot line alone.
    ///
    /// # Errors
    /// [`ContentFault::BareLineEnding`] if the last octet was a CR.
    pub fn finish(self) -> Result<&'static [u8], ContentFault> {
        todo!()
    }
}
