//! The timers of a connection and their defaults.

use core::time::Duration;

/// Which wait a deadline belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timer {
    /// The peer owes the rest of a command line. Armed when the machine begins to wait; single
    /// octets do not renew it.
    Command,
    /// The peer owes message octets: a block in time, and a minimum rate.
    Data,
    /// You owe an answer.
    Decision,
    /// The server owes a reply; [`client::Timeouts`](crate::client::Timeouts) has one bound for each
    /// command.
    Reply,
    /// You owe the end of a TLS handshake.
    Handshake,
    /// The peer must take our output. Partial writes do not renew it.
    Flush,
    /// The whole session, if it was given a bound.
    Session,
    /// After `Closed`: flushing and closing.
    Linger,
}

/// How long each wait may last. The defaults are those of RFC 5321 §4.5.3.2 where it has one.
///
/// The bounds on your own decisions stay below the time a client waits for that reply
/// (§4.5.3.2.1 to .6), so that the peer hears an answer before it gives up: RFC 1047 tells how an
/// answer that comes too late duplicates mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// From the moment the machine waits to the end of the next line. RFC 5321 §4.5.3.2.7 asks for
    /// at least 5 minutes.
    pub command: Duration,
    /// From one block of message octets to the next (§4.5.3.2.5: 3 minutes for the client).
    pub data: Duration,
    /// A decision on CONNECT, EHLO, STARTTLS, AUTH, MAIL, RCPT and everything else not named here.
    pub decision: Duration,
    /// A decision on DATA or the first BDAT: the client waits 2 minutes (§4.5.3.2.4).
    pub data_decision: Duration,
    /// A decision at the end of a message: the client waits 10 minutes (§4.5.3.2.6).
    pub message_decision: Duration,
    /// A TLS handshake.
    pub handshake: Duration,
    /// Until the output has drained below its mark.
    pub flush: Duration,
    /// The whole session; `None` for no bound.
    pub session: Option<Duration>,
    /// Flushing and closing after `Closed`.
    pub linger: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            command: Duration::from_secs(5 * 60),
            data: Duration::from_secs(5 * 60),
            decision: Duration::from_secs(2 * 60),
            data_decision: Duration::from_secs(60),
            message_decision: Duration::from_secs(8 * 60),
            handshake: Duration::from_secs(60),
            flush: Duration::from_secs(5 * 60),
            session: None,
            linger: Duration::from_secs(10),
        }
    }
}
