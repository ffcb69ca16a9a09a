//! One connection: the calls of the network, and the loop that turns input into events.

use super::{
    capabilities::Capabilities,
    config::ClientConfig,
    deadlines::Deadline,
    event::{ClientEvent, CommandId},
    phase::{Phase, Trigger},
    queue::{Kind, Queue},
};
use crate::{
    CloseReason, Instant, Misuse, Need, Start, Step,
    body::Encoder,
    ext::BodyType,
    wire::{HelloName, Received, ReplyReader},
};
use alloc::{boxed::Box, sync::Arc};

/// One SMTP or LMTP connection, seen from the client.
///
/// The contract at the top of the [crate] holds for it as it does for the server, with these
/// differences:
///
/// - You give commands; the machine sends them in groups where the server offers PIPELINING
///   (RFC 2920), one by one where it does not, and tells their replies in their order.
/// - [`Need::Decision`]: nothing is awaited, the next move is yours. [`Need::Input`]: write what
///   [`poll_transmit`] has, then read. Call [`poll_event`] again after writing too, so that the
///   timers follow.
/// - A reply must lie whole in your buffer, so the most that is left unread is [`Limits::reply`].
/// - The octets of a message are yours to write: between [`poll_transmit`] and
///   [`poll_transmit_behind`], best all three in one write.
/// - Once [`Step::Closed`] came, every command without a reply has none: what became of it is not
///   known, and nobody may call it done.
///
/// The calls come in four groups. What the network and the clock did: [`poll_event`],
/// [`handle_eof`], [`handle_timeout`], [`establish`], [`abandon`]. What the machine wants:
/// [`poll_transmit`], [`handle_transmitted`], [`poll_timeout`]. What you decide: [`hello`],
/// [`mail`], [`rcpt`] and so on. What you may ask: [`capabilities`], [`is_idle`], [`is_tls`].
///
/// [`Limits::reply`]: super::Limits::reply
/// [`poll_event`]: Self::poll_event
/// [`poll_transmit`]: Self::poll_transmit
/// [`poll_transmit_behind`]: Self::poll_transmit_behind
/// [`handle_transmitted`]: Self::handle_transmitted
/// [`handle_eof`]: Self::handle_eof
/// [`handle_timeout`]: Self::handle_timeout
/// [`poll_timeout`]: Self::poll_timeout
/// [`establish`]: Self::establish
/// [`abandon`]: Self::abandon
/// [`hello`]: Self::hello
/// [`mail`]: Self::mail
/// [`rcpt`]: Self::rcpt
/// [`capabilities`]: Self::capabilities
/// [`is_idle`]: Self::is_idle
/// [`is_tls`]: Self::is_tls
///
/// ```
/// use smtp_proto::{Instant, Misuse, Need, Start, Step};
/// use smtp_proto::client::{ClientConfig, ClientConnection, ClientEvent};
/// use smtp_proto::wire::{HelloName, Mail, ReversePath};
///
/// let mut smtp = ClientConnection::new(ClientConfig::builder().build(), Start::Plain);
/// let mut mail = Mail::new(ReversePath::Null);
/// assert_eq!(smtp.mail(&mail), Err(Misuse::NotNow)); // not before the greeting
///
/// let mut input: &[u8] = b"220 mx.example.test\r\n";
/// let step = smtp.poll_event(&mut input, Instant::ZERO);
/// assert!(matches!(step, Step::Event(ClientEvent::Greeting(reply)) if reply.code() == 220));
/// let hello = smtp.hello(&HelloName::parse("client.example")?)?;
/// assert_eq!(smtp.poll_transmit(), Some(&b"EHLO client.example\r\n"[..])); // your socket takes it
/// smtp.handle_transmitted(21);
///
/// let mut input: &[u8] = b"250-mx.example.test\r\n250 PIPELINING\r\n";
/// let step = smtp.poll_event(&mut input, Instant::ZERO);
/// assert!(matches!(step, Step::Event(ClientEvent::Reply { id, .. }) if id == hello));
/// assert!(smtp.capabilities().pipelining);
/// mail.smtputf8 = true;
/// assert_eq!(smtp.mail(&mail), Err(Misuse::NotOffered("SMTPUTF8"))); // nothing has left
/// assert!(matches!(smtp.poll_event(&mut input, Instant::ZERO), Step::Need(Need::Decision)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ClientConnection {
    pub(super) config: Arc<ClientConfig>,
    pub(super) capabilities: Capabilities,
    pub(super) phase: Phase,
    pub(super) queue: Queue,
    pub(super) replies: ReplyReader,
    pub(super) deadline: Deadline,
    /// The octets of the message that is wanted.
    pub(super) encoder: Option<Encoder>,
    /// The name to repeat in HELO.
    pub(super) name: Option<Box<HelloName<'static>>>,
    /// The transaction that the replies have come to.
    pub(super) transaction: Transaction,
    /// LMTP: replies to the end of the message so far.
    pub(super) delivered: u32,
    /// An AUTH exchange waits for our response.
    pub(super) challenged: bool,
    /// An AUTH exchange was cancelled by us.
    pub(super) cancelled: bool,
    pub(super) esmtp: bool,
    pub(super) tls: bool,
    pub(super) authenticated: bool,
    eof: bool,
    close_reason: CloseReason,
    pub(super) now: Instant,
}

/// The open transaction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Transaction {
    /// MAIL was accepted.
    pub(super) open: bool,
    /// Recipients that were accepted.
    pub(super) accepted: u32,
    /// MAIL asked for SMTPUTF8.
    pub(super) smtputf8: bool,
    /// What MAIL announced.
    pub(super) body: BodyType,
}

impl ClientConnection {
    /// A connection that has just been made. The first event is [`ClientEvent::Greeting`].
    /// [`Start::Tls`]: the handshake is done already, as on port 465.
    pub fn new(config: Arc<ClientConfig>, start: Start) -> Self {
        Self {
            config,
            capabilities: Capabilities::default(),
            phase: Phase::Start,
            queue: Queue::default(),
            replies: ReplyReader::default(),
            deadline: Deadline::default(),
            encoder: None,
            name: None,
            transaction: Transaction::default(),
            delivered: 0,
            challenged: false,
            cancelled: false,
            esmtp: false,
            tls: start == Start::Tls,
            authenticated: false,
            eof: false,
            close_reason: CloseReason::Eof,
            now: Instant::ZERO,
        }
    }

    /// What happened in `input`, which is consumed from its front.
    ///
    /// Offer the unread input from its first octet at every call, also when it is empty. Each call
    /// gives at most one event.
    pub fn poll_event<'b>(&mut self, input: &mut &'b [u8], now: Instant) -> Step<ClientEvent<'b>> {
        self.now = self.now.max(now);
        let step = loop {
            match self.phase {
                Phase::Closed => break Step::Closed(self.close_reason),
                Phase::Handshake => break Step::Need(Need::Decision),
                Phase::Upgrade if input.is_empty() => {
                    self.go(Trigger::Drained);
                    break Step::Event(ClientEvent::Handshake);
                }
                // RFC 3207 §4.2: what came in clear behind the 220 is nobody's word.
                Phase::Upgrade => self.close(CloseReason::Residue),
                _ => {
                    if let Some(id) = self.skip() {
                        break Step::Event(ClientEvent::Skipped(id));
                    }
                    self.queue.release();
                    match self.replies.next(input, self.config.limits.reply) {
                        Received::Whole(reply) => {
                            if let Some(event) = self.reply(reply) {
                                break Step::Event(event);
                            }
                        }
                        Received::Partial if self.eof => self.close(CloseReason::Eof),
                        Received::Partial => break Step::Need(self.need()),
                        Received::Malformed | Received::TooLong => {
                            self.close(CloseReason::Unintelligible);
                        }
                    }
                }
            }
        };
        self.set_deadline();
        step
    }

    fn need(&self) -> Need {
        let waits = self.phase == Phase::Start
            || self.queue.has_output()
            || (!self.queue.unanswered().is_empty() && !self.challenged);
        if waits { Need::Input } else { Need::Decision }
    }

    /// Nothing will follow what you still offer. Whole replies in it are still told.
    pub fn handle_eof(&mut self) {
        self.eof = true;
    }

    /// What to write, before the octets of a message that were handed out, if any.
    pub fn poll_transmit(&self) -> Option<&[u8]> {
        self.queue.transmit()
    }

    /// What to write behind the octets of a message that were handed out and are not all written;
    /// `None` when there are none.
    pub fn poll_transmit_behind(&self) -> Option<&[u8]> {
        self.queue.transmit_behind()
    }

    /// `n` octets were written: of [`poll_transmit`](Self::poll_transmit), then of the message, then
    /// of [`poll_transmit_behind`](Self::poll_transmit_behind).
    pub fn handle_transmitted(&mut self, n: usize) {
        self.queue.transmitted(n);
    }

    /// Gives back what memory can be given back; call it where you give back your receive buffer.
    pub fn release(&mut self) {
        self.queue.shrink();
    }

    /// TLS is up, after [`ClientEvent::Handshake`]. What the server said before is forgotten
    /// (RFC 3207 §4.2): say EHLO again.
    ///
    /// # Errors
    /// [`Misuse::NotNow`] if no handshake was asked for.
    pub fn establish(&mut self) -> Result<(), Misuse> {
        if self.phase != Phase::Handshake {
            return Err(self.unless_closed(Misuse::NotNow));
        }
        self.go(Trigger::Established);
        self.tls = true;
        self.esmtp = false;
        self.authenticated = false;
        self.capabilities = Capabilities::default();
        self.queue.pipelining = false;
        Ok(())
    }

    /// The TLS handshake failed: the connection is over.
    pub fn abandon(&mut self) {
        self.close(CloseReason::Abandoned);
    }

    /// Gives up at once, in the middle of a message too, which is then not sent. Nothing more is
    /// written: close the stream.
    pub fn abort(&mut self) {
        self.close(CloseReason::Aborted);
    }

    /// What the server offers. Empty before the answer to EHLO, and again when TLS begins.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Whether the connection is up, no transaction is open, and nothing is on its way: it can be
    /// kept for the next message.
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Ready && self.queue.unanswered().is_empty() && !self.queue.has_output()
    }

    /// Whether EHLO or LHLO was accepted, and not only HELO.
    pub fn is_esmtp(&self) -> bool {
        self.esmtp
    }

    /// Whether TLS is up.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Whether an AUTH exchange has succeeded.
    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// Recipients of the open transaction that were accepted so far.
    pub fn accepted_recipients(&self) -> u32 {
        self.transaction.accepted
    }

    /// The configuration.
    pub fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// Moves to where `on` leads; stays where it leads nowhere.
    pub(super) fn go(&mut self, on: Trigger) {
        debug_assert!(self.phase.next(on).is_some(), "{on:?} has no row for {:?}", self.phase);
        self.phase = self.phase.next(on).unwrap_or(self.phase);
    }

    pub(super) fn close(&mut self, why: CloseReason) {
        if self.phase == Phase::Closed {
            return;
        }
        self.go(Trigger::Close);
        self.close_reason = why;
        self.encoder = None;
        self.queue.drop_output();
        self.linger();
    }

    /// Whether the first command would make no sense any more, and has not left.
    pub(super) fn is_first_moot(&self) -> bool {
        let Transaction { open, accepted, .. } = self.transaction;
        self.queue.first().is_some_and(|first| {
            let moot = match first.kind {
                Kind::Rcpt => !open,
                Kind::Data => !open || accepted == 0,
                _ => false,
            };
            moot && !self.queue.is_released(first)
        })
    }

    /// Takes back the first command if it is moot.
    fn skip(&mut self) -> Option<CommandId> {
        let first = self.queue.first().filter(|_| self.is_first_moot())?;
        self.queue.take_back();
        if first.kind == Kind::Data {
            // Without a transaction there is nothing to reset.
            let open = self.transaction.open;
            self.go(if open { Trigger::DataRefused } else { Trigger::NobodyWanted });
        }
        Some(first.id)
    }
}

impl core::fmt::Debug for ClientConnection {
    /// Shows no octets: they may be a password.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ClientConnection")
            .field("phase", &self.phase)
            .field("tls", &self.tls)
            .field("unanswered", &self.queue.unanswered().len())
            .finish_non_exhaustive()
    }
}
