//! Every bound of a connection, in one place.

/// How much of each thing a connection may use. No bound is a matter of good will: what is over it
/// gets a reply, and memory never grows with what the peer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Octets of a command line, CRLF included. RFC 5321 §4.5.3.1.4: at least 512; extensions add
    /// to it (SIZE 26, 8BITMIME 17, SMTPUTF8 10, DSN 500, AUTH 500), which the default covers.
    pub command_line: usize,
    /// Octets of a line of an AUTH exchange, CRLF included. RFC 4954 §4: at least 12,288.
    pub auth_line: usize,
    /// Octets of a text line, CRLF not included, or `None` for no bound. RFC 5321 §4.5.3.1.6: at
    /// least 998. Over it the message is refused at its end with 554 5.6.0.
    pub text_line: Option<usize>,
    /// Octets of a message, counted after dot-unstuffing. RFC 5321 §4.5.3.1.7: at least 65,536.
    pub message: u64,
    /// Recipients of one transaction. RFC 5321 §4.5.3.1.8: at least 100. Over it RCPT is answered
    /// 452, which is no broken rule (§4.5.3.1.10).
    pub recipients: u32,
    /// Transactions of one session. Over it MAIL is answered 452, which is no broken rule.
    pub transactions: u32,
    /// Broken rules in one session; at this many the reply is 421 and the session ends. What a client
    /// had sent in one group with a MAIL or RCPT that was refused is none, for up to
    /// [`recipients`](Self::recipients) commands.
    pub violations: u16,
    /// Failed AUTH exchanges in one session; at this many the reply is 421 and the session ends.
    pub auth_failures: u16,
    /// Octets of queued replies at which the machine stops taking commands until they are written.
    pub send_buffer: usize,
    /// Message octets swallowed after a refusal before the machine gives up on the peer.
    pub swallow: u64,
    /// Octets a peer must average over a [`Timeouts::data`](crate::Timeouts::data) period while it
    /// sends a message, in octets per second. 0 for no minimum.
    pub data_rate: u32,
    /// RCPT questions that may be open at once; at least 1. Replies stay in command order.
    pub decisions_in_flight: usize,
}

impl Limits {
    /// RFC 5321 §4.5.3.1.4, in octets.
    pub const MIN_COMMAND_LINE: usize = 512;
    /// RFC 4954 §4, in octets.
    pub const MIN_AUTH_LINE: usize = 12_288;
    /// RFC 5321 §4.5.3.1.6, in octets without the CRLF.
    pub const MIN_TEXT_LINE: usize = 998;
    /// RFC 5321 §4.5.3.1.7, in octets.
    pub const MIN_MESSAGE: u64 = 65_536;
    /// RFC 5321 §4.5.3.1.8.
    pub const MIN_RECIPIENTS: u32 = 100;
    /// Room for one reply of the largest size, so that a question can always be answered.
    pub const MIN_SEND_BUFFER: usize = 2 * crate::wire::MAX_REPLY;

    /// The limits with each bound raised to the least that the RFCs allow.
    ///
    /// [`ServerConfig`](crate::server::ServerConfig) applies this, so a running machine never has a
    /// bound below its minimum.
    #[must_use]
    pub fn at_least_rfc(mut self) -> Self {
        self.command_line = self.command_line.max(Self::MIN_COMMAND_LINE);
        self.auth_line = self.auth_line.max(Self::MIN_AUTH_LINE);
        self.text_line = self.text_line.map(|n| n.max(Self::MIN_TEXT_LINE));
        self.message = self.message.max(Self::MIN_MESSAGE);
        self.recipients = self.recipients.max(Self::MIN_RECIPIENTS);
        self.transactions = self.transactions.max(1);
        self.violations = self.violations.max(2);
        self.auth_failures = self.auth_failures.max(1);
        self.send_buffer = self.send_buffer.max(Self::MIN_SEND_BUFFER);
        self.decisions_in_flight = self.decisions_in_flight.max(1);
        self
    }

    /// The most input, in octets, that the machine leaves unread while it waits for more. A receive
    /// buffer must be larger than this.
    pub fn max_unread(&self) -> usize {
        self.command_line.max(self.auth_line)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_line: 2_048,
            auth_line: 12_288,
            text_line: None,
            message: 50 << 20,
            recipients: 1_000,
            transactions: 1_000,
            violations: 20,
            auth_failures: 3,
            send_buffer: 16 << 10,
            swallow: 64 << 20,
            data_rate: 100,
            decisions_in_flight: 1,
        }
    }
}
