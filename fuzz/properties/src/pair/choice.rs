//! What an input chooses: what the server is, what the client does, who the recipients are.

use smtp_proto::body::LineEndings;

/// Bits of the first octet: what the server is.
pub(super) const LMTP: u8 = 1;
pub(super) const CHUNKING: u8 = 2;
pub(super) const SMTPUTF8: u8 = 4;
pub(super) const DSN: u8 = 8;
pub(super) const AUTH: u8 = 16;
pub(super) const REFUSES_MESSAGE: u8 = 32;
pub(super) const LIMITS: u8 = 64;
pub(super) const ANSWERS_LATE: u8 = 128;

/// Bits of the second octet: what the client does.
pub(super) const PIPELINING: u8 = 1;
pub(super) const BDAT: u8 = 2;
pub(super) const NORMALISE: u8 = 4;
pub(super) const EIGHT_BIT: u8 = 8;
pub(super) const PARAMETERS: u8 = 16;
pub(super) const CUT_OFF: u8 = 32;
pub(super) const IN_CHUNKS: u8 = 64;
pub(super) const TWICE: u8 = 128;

/// The octets that choose.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    pub(super) offer: u8,
    pub(super) ask: u8,
    pub(super) recipients: u8,
}

impl Choice {
    /// Whether the server is so.
    pub(super) fn offers(self, bit: u8) -> bool {
        self.offer & bit != 0
    }

    /// Whether the client does so.
    pub(super) fn asks(self, bit: u8) -> bool {
        self.ask & bit != 0
    }

    /// One to eight recipients; every bit that is set is one who is refused.
    pub(super) fn names(self) -> Vec<String> {
        let many = 1 + usize::from(self.offer >> 5);
        let refused = |place: usize| self.recipients >> place & 1 == 1;
        (0..many)
            .map(|place| format!("<{}{place}@b.example>", if refused(place) { "x" } else { "r" }))
            .collect()
    }

    /// What must arrive; `None` if nothing may.
    pub(super) fn canonical(self, message: &[u8]) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        let mut octets = message.iter().copied().peekable();
        while let Some(octet) = octets.next() {
            match octet {
                0 => return None,
                128.. if !self.asks(EIGHT_BIT) => return None,
                b'\r' if octets.next_if_eq(&b'\n').is_some() => text.extend_from_slice(b"\r\n"),
                b'\r' | b'\n' if self.asks(NORMALISE) => text.extend_from_slice(b"\r\n"),
                b'\r' | b'\n' => return None,
                octet => text.push(octet),
            }
        }
        if !text.is_empty() && !text.ends_with(b"\r\n") {
            text.extend_from_slice(b"\r\n");
        }
        Some(text)
    }

    /// What the client makes of line endings.
    pub(super) fn line_endings(self) -> LineEndings {
        if self.asks(NORMALISE) { LineEndings::Normalise } else { LineEndings::Check }
    }
}
