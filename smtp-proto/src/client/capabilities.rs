//! What a server said it can do (RFC 5321 §4.1.1.1).

use crate::wire::{Mechanism, Reply};
use alloc::vec::Vec;

/// The extensions of a server, from its answer to EHLO or LHLO. Empty after HELO, before any of
/// them, and again after TLS has begun (RFC 3207 §4.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// SIZE (RFC 1870).
    pub size: bool,
    /// The largest message, in octets, that SIZE announced; `None` if it did not say, or said 0.
    pub max_size: Option<u64>,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// BINARYMIME (RFC 3030).
    pub binary_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034).
    pub enhanced_status_codes: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// The mechanisms of AUTH (RFC 4954), in the server's order; at most 32.
    pub auth: Vec<Mechanism<'static>>,
    /// LIMITS (RFC 9422): transactions of a session.
    pub max_transactions: Option<u32>,
    /// LIMITS (RFC 9422): recipients of a transaction.
    pub max_recipients: Option<u32>,
    /// LIMITS (RFC 9422): domains among the recipients of a transaction.
    pub max_recipient_domains: Option<u32>,
}

impl Capabilities {
    /// Reads the positive answer to EHLO or LHLO. Keywords that nobody here knows, and parameters
    /// that do not parse, are passed over: an extension with a broken parameter is not offered.
    pub fn parse(_answer: &Reply<'_>) -> Self {
        todo!()
    }
}
