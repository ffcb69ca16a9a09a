//! What the server is, what it offers, and what its embedder decides.

/// What the server is and offers.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) mode: Mode,
    pub(crate) bare: Bare,
    pub(crate) offer: Offer,
    /// What some are offered in place of it.
    pub(crate) other: Offer,
    /// Octets of a message, of a text line, and of refused messages that are swallowed.
    pub(crate) message: u64,
    pub(crate) text_line: Option<u64>,
    pub(crate) swallow: u64,
    pub(crate) recipients: usize,
    pub(crate) transactions: usize,
    pub(crate) violations: usize,
    pub(crate) auth_failures: usize,
    pub(crate) in_flight: usize,
    /// Octets of replies that may wait to be read before the server stops reading.
    pub(crate) send_buffer: usize,
    /// The client reads slowly, and is told much.
    pub(crate) slow: bool,
    /// Each octet of a message renews its timer; else none does.
    pub(crate) any_rate: bool,
    /// Seconds of a whole session.
    pub(crate) session: Option<u64>,
    /// What the embedder says to its first questions at once; the list begins anew at its end.
    pub(crate) at_once: Vec<Option<Answer>>,
}

/// The extensions that can be switched off.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) smtputf8: bool,
    pub(crate) chunking: bool,
    pub(crate) binarymime: bool,
    pub(crate) dsn: bool,
    pub(crate) starttls: bool,
    pub(crate) auth: bool,
    pub(crate) auth_in_clear: bool,
    pub(crate) expn: bool,
    pub(crate) etrn: bool,
    pub(crate) xclient: bool,
    /// X-PEACE, one of the embedder's own: X-A of MAIL, X-B of RCPT, and the command XPEACE.
    pub(crate) peace: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Smtp,
    Submission,
    Lmtp,
}

/// What becomes of a bare CR or LF in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bare {
    Refuse,
    Normalise,
    Pass,
}

/// A decision of the embedder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    /// With 251 2.1.5, where the question takes words.
    InWords,
    /// To AUTH: 334. To EHLO: yes, with the other offer. To everything else: yes.
    Challenge,
    /// 451 4.3.2
    NotNow,
    /// 550 5.7.9
    Never,
    /// 554 5.7.9, and close.
    Disconnect,
}
