//! One connection: the calls of its embedder, and the loop that turns input into events.

use super::{
    commands::TOO_MANY_ERRORS,
    config::ServerConfig,
    deadlines::Deadlines,
    decision::{Pending, op},
    event::{Aborted, AuthAborted, Event, ResetCause},
    message::Message,
    notices::Notices,
    phase::{Phase, Trigger},
    questions::{Kind, Replies},
    session::Session,
};
use crate::{
    CloseReason, Instant, Need, Start, Step, Timer,
    ext::{Extensions, Offer},
    line::{Line, LineReader},
    violation::Violation,
    wire::{Hello, Refused},
};
use alloc::{boxed::Box, sync::Arc};

/// One SMTP or LMTP connection, seen from the server.
///
/// The contract stands at the top of the [crate]; the answers to its questions are further down
/// this page. Its memory is this value and, while there is something to send, one buffer of at most
/// [`Limits::send_buffer`](crate::Limits::send_buffer) and two replies.
///
/// The calls come in four groups. What the network and the clock did: [`poll_event`],
/// [`handle_eof`], [`handle_timeout`]. What the machine wants: [`poll_transmit`],
/// [`handle_transmitted`], [`poll_timeout`]. What you decide: [`accept`] and its kin,
/// [`discard_body`], [`shutdown`]. What you may ask: [`session`], [`is_waiting`], [`config`].
///
/// [`poll_event`]: Self::poll_event
/// [`handle_eof`]: Self::handle_eof
/// [`handle_timeout`]: Self::handle_timeout
/// [`poll_transmit`]: Self::poll_transmit
/// [`handle_transmitted`]: Self::handle_transmitted
/// [`poll_timeout`]: Self::poll_timeout
/// [`accept`]: Self::accept
/// [`discard_body`]: Self::discard_body
/// [`shutdown`]: Self::shutdown
/// [`session`]: Self::session
/// [`is_waiting`]: Self::is_waiting
/// [`config`]: Self::config
///
/// ```
/// use smtp_proto::{Instant, Need, Step, server::{Event, ServerConfig, ServerConnection, Start}};
/// use smtp_proto::wire::{Host, Refused};
///
/// let config = ServerConfig::builder(Host::parse("mx.example.test")?).build();
/// let mut smtp = ServerConnection::new(config, Start::Plain);
/// let mut input: &[u8] = b"EHLO a.test\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@example.test>\r\n";
/// let need = loop {
///     match smtp.poll_event(&mut input, Instant::ZERO) {
///         Step::Event(Event::Rcpt { rcpt, pending }) => {
///             assert_eq!(rcpt.to.to_string(), "<nobody@example.test>");
///             smtp.refuse(pending, &Refused::NO_SUCH_USER)?;
///         }
///         Step::Event(event) => smtp.answer_default(event),
///         Step::Need(need) => break need,
///         Step::Closed(why) => panic!("{why:?}"),
///     }
/// };
/// assert_eq!((need, input, smtp.session().recipients), (Need::Input, &b""[..], 0));
/// let output = smtp.poll_transmit().unwrap_or_default(); // your socket takes it
/// assert!(output.ends_with(b"\r\n550 5.1.1 No such user here\r\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ServerConnection {
    pub(super) config: Arc<ServerConfig>,
    /// What this peer is offered, if not what all are.
    pub(super) advertised: Option<Arc<Extensions>>,
    pub(super) phase: Phase,
    pub(super) session: Session,
    pub(super) replies: Replies,
    pub(super) message: Message,
    pub(super) notices: Notices,
    pub(super) deadlines: Deadlines,
    pub(super) lines: LineReader,
    /// What the open EHLO, MAIL or XCLIENT question will make true.
    pub(super) asked: Asked,
    /// An AUTH exchange has begun and not ended.
    pub(super) in_auth: bool,
    /// A MAIL or RCPT was refused: so many commands, sent behind it in the same group, may yet be
    /// out of sequence through no fault of the client's (RFC 2920 §3.1).
    pub(super) excused: u32,
    /// Octets followed a DATA whose question is open.
    pub(super) past_data: bool,
    /// Nothing follows the input still offered.
    pub(super) eof: bool,
    /// The connection closes as soon as the questions in hand are answered.
    pub(super) closing: Option<CloseReason>,
    /// The reply with which to shut down, as soon as nothing is in hand.
    pub(super) shutdown: Option<Box<Refused<'static>>>,
    pub(super) close_reason: CloseReason,
    pub(super) now: Instant,
}

/// What an open question will make true if it is accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) hello: Hello,
    pub(super) smtputf8: bool,
    pub(super) body: crate::ext::BodyType,
    pub(super) login: bool,
}

impl ServerConnection {
    /// A connection that has just been accepted. The first event is [`Event::Connect`].
    pub fn new(config: Arc<ServerConfig>, start: Start) -> Self {
        let message = Message::new(config.bare);
        let deadlines = Deadlines::new(&config.timeouts);
        let replies = Replies::new(config.limits.send_buffer);
        Self {
            config,
            advertised: None,
            phase: Phase::Start,
            session: Session { tls: start == Start::Tls, ..Session::default() },
            replies,
            message,
            notices: Notices::default(),
            deadlines,
            lines: LineReader::default(),
            asked: Asked {
                hello: Hello::Helo,
                smtputf8: false,
                body: Default::default(),
                login: false,
            },
            in_auth: false,
            excused: 0,
            past_data: false,
            eof: false,
            closing: None,
            shutdown: None,
            close_reason: CloseReason::Eof,
            now: Instant::ZERO,
        }
    }

    /// What happened in `input`, which is consumed from its front.
    ///
    /// Offer the unread input from its first octet at every call, also when it is empty. Each call
    /// gives at most one event. Its work is linear in the input consumed.
    pub fn poll_event<'b>(&mut self, input: &mut &'b [u8], now: Instant) -> Step<Event<'b>> {
        self.now = self.now.max(now);
        loop {
            if let Some(event) = self.notices.next() {
                return Step::Event(event);
            }
            if self.phase == Phase::Closed {
                return Step::Closed(self.close_reason);
            }
            if self.replies.transmit().map_or(0, <[u8]>::len) > self.config.limits.send_buffer {
                return self.need(Need::Flush);
            }
            if let Some(step) = self.advance(input) {
                return step;
            }
        }
    }

    /// One step of the machine; `None` if it must be called again.
    fn advance<'b>(&mut self, input: &mut &'b [u8]) -> Option<Step<Event<'b>>> {
        if let Some((_, kind, _)) = self.replies.first_open() {
            return self.wait_for_answer(kind, input);
        }
        match self.phase {
            Phase::Start => {
                self.deadlines.start_session(&self.config.timeouts, self.now);
                self.go(Trigger::Begin);
                Some(Step::Event(Event::Connect(self.ask(Kind::Connect))))
            }
            Phase::Dot => self.poll_dot(input),
            Phase::Chunk => self.poll_chunk(input),
            _ if self.message.is_swallowing() => self.poll_swallow(input),
            _ if self.closing.is_some() => {
                let why = self.closing.take().unwrap_or(CloseReason::Refused);
                self.close(why, Aborted::Closed);
                None
            }
            Phase::Upgrade => self.poll_upgrade(input),
            Phase::Delivery => self.poll_delivery(),
            _ => self.poll_line(input),
        }
    }

    /// A question is open: what may happen meanwhile.
    fn wait_for_answer<'b>(&mut self, kind: Kind, input: &mut &'b [u8]) -> Option<Step<Event<'b>>> {
        match kind {
            Kind::Connect if !input.is_empty() && !self.session.early_talker => {
                self.session.early_talker = true;
                return Some(Step::Event(Event::Violation(Violation::EarlyTalker)));
            }
            Kind::Data => self.past_data |= !input.is_empty(),
            Kind::Rcpt if self.may_look_ahead(input) => {
                // The line is a RCPT, or none at all: it ends no group of commands.
                return match self.next_line(input) {
                    Line::Partial => Some(Step::Need(Need::Decision)),
                    line => self.take_line(line, input),
                };
            }
            _ => {}
        }
        Some(Step::Need(Need::Decision))
    }

    /// Whether the next command may be taken although a RCPT is undecided: only another RCPT, only
    /// while its reply is sure to have room, and none that the recipient limit could concern.
    fn may_look_ahead(&self, input: &[u8]) -> bool {
        let open = self.replies.open();
        let limits = &self.config.limits;
        open < limits.decisions_in_flight
            && self.closing.is_none()
            && self.shutdown.is_none()
            && (self.session.recipients as usize).saturating_add(open) < limits.recipients as usize
            && self.replies.room_for_rcpt(limits.send_buffer)
            && !self.lines.is_skipping()
            && input.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"RCPT "))
    }

    /// Between commands: the next line, or the reason to wait.
    #[inline]
    fn poll_line<'b>(&mut self, input: &mut &'b [u8]) -> Option<Step<Event<'b>>> {
        if let Some(reply) = self.shutdown.take() {
            self.say(&reply);
            self.close(CloseReason::Shutdown, Aborted::Closed);
            return None;
        }
        match self.next_line(input) {
            Line::Partial if self.eof => {
                self.close(CloseReason::Eof, Aborted::Eof);
                None
            }
            Line::Partial => Some(self.need(Need::Input)),
            line => self.take_line(line, input),
        }
    }

    #[inline]
    fn next_line<'b>(&mut self, input: &mut &'b [u8]) -> Line<'b> {
        let limits = &self.config.limits;
        let long = self.phase == Phase::Auth
            || input.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH"));
        self.lines.next(input, if long { limits.max_unread() } else { limits.command_line })
    }

    /// STARTTLS was accepted: nothing may be left, on either side.
    fn poll_upgrade<'b>(&mut self, input: &mut &'b [u8]) -> Option<Step<Event<'b>>> {
        if !input.is_empty() {
            self.count_violation(Violation::Residue);
            self.close(CloseReason::Residue, Aborted::Closed);
            return None;
        }
        if self.replies.transmit().is_some() {
            return Some(self.need(Need::Flush));
        }
        self.go(Trigger::Drained);
        Some(Step::Event(Event::Handshake(self.ask(Kind::Handshake))))
    }

    /// Nothing will follow what you still offer. Whole commands in it still run and open questions
    /// stay valid; half a line is dropped.
    pub fn handle_eof(&mut self) {
        self.eof = true;
    }

    /// What to write. Empty it with [`handle_transmitted`](Self::handle_transmitted), best when
    /// [`poll_event`](Self::poll_event) had no event: the replies to a group of commands then leave
    /// together (RFC 2920 §3.2).
    pub fn poll_transmit(&self) -> Option<&[u8]> {
        self.replies.transmit()
    }

    /// The first `n` octets of [`poll_transmit`](Self::poll_transmit) were written.
    pub fn handle_transmitted(&mut self, n: usize) {
        self.replies.transmitted(n);
        if self.replies.transmit().is_none() {
            self.deadlines.clear(Timer::Flush);
        }
    }

    /// Gives back what memory can be given back; call it where you give back your receive buffer.
    pub fn release(&mut self) {
        self.replies.release();
    }

    /// Ends the session: open questions and a running body first, then `reply` and
    /// [`CloseReason::Shutdown`]. Between two BDATs of a message the message is lost.
    pub fn shutdown(&mut self, reply: &Refused<'_>) {
        if self.phase != Phase::Closed {
            self.shutdown = Some(Box::new(reply.clone().into_static()));
        }
    }

    /// A copy of the facts of the session.
    pub fn session(&self) -> Session {
        self.session
    }

    /// The configuration.
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// What may be offered to this peer: the configured extensions, or those that were
    /// [advertised](Self::advertise) to it.
    pub fn extensions(&self) -> &Extensions {
        self.offer().extensions
    }

    /// Whether the question still waits for its answer.
    pub fn is_waiting<O: op::Op>(&self, pending: &Pending<O>) -> bool {
        self.replies.is_open(pending.ticket)
    }

    /// Moves to where `on` leads; stays where it leads nowhere.
    pub(super) fn go(&mut self, on: Trigger) {
        debug_assert!(self.phase.next(on).is_some(), "{on:?} has no row for {:?}", self.phase);
        self.phase = self.phase.next(on).unwrap_or(self.phase);
    }

    /// Opens a question; the peer's timers stand still until it is answered.
    pub(super) fn ask<O>(&mut self, kind: Kind) -> Pending<O> {
        let deadline = self.now + Deadlines::for_answer(kind, &self.config.timeouts);
        self.deadlines.stop();
        Pending::new(self.replies.ask(kind, deadline))
    }

    /// Says what is needed, and starts the timer of that wait.
    pub(super) fn need<E>(&mut self, need: Need) -> Step<E> {
        let timer = match (need, self.phase) {
            (Need::Decision, _) => return Step::Need(need),
            (Need::Flush, _) => Timer::Flush,
            (Need::Input, Phase::Dot | Phase::Chunk) => Timer::Data,
            (Need::Input, _) if self.message.is_swallowing() => Timer::Data,
            (Need::Input, _) => Timer::Command,
        };
        self.deadlines.wait(timer, self.now, &self.config.timeouts);
        Step::Need(need)
    }

    /// What this peer is offered now.
    pub(super) fn offer(&self) -> Offer<'_> {
        let offer = self.session.offer(&self.config);
        match self.advertised.as_deref() {
            Some(extensions) => Offer { extensions, ..offer },
            None => offer,
        }
    }

    /// Queues a reply of the machine's own. It has an enhanced code whether the peer said EHLO or
    /// not (RFC 2034 §4).
    pub(super) fn say(&mut self, reply: &Refused<'_>) {
        self.replies.say(reply.code, Some(reply.enhanced), reply.text.as_str());
    }

    /// Notes a broken rule; true if it was one too many.
    pub(super) fn count_violation(&mut self, violation: Violation) -> bool {
        self.session.violations = self.session.violations.saturating_add(1);
        self.notices.violation = Some(violation);
        self.session.violations >= self.config.limits.violations
    }

    /// The answer to a broken rule: `reply`, or 421 to the one too many, with which the connection
    /// closes (RFC 5321 §3.8: not without 421).
    pub(super) fn judge<'r>(
        &mut self,
        reply: &'r Refused<'r>,
        violation: Violation,
    ) -> &'r Refused<'r> {
        static TOO_MANY: Refused<'static> = TOO_MANY_ERRORS;
        if self.excused > 0 && violation == Violation::Sequence {
            self.excused -= 1;
            return reply;
        }
        if self.count_violation(violation) {
            self.closing = Some(CloseReason::Violations);
            return &TOO_MANY;
        }
        reply
    }

    /// A MAIL or RCPT was refused. Behind it in the same group may be as many RCPTs as a transaction
    /// takes; more excuse nobody, so that a flood of them ends.
    pub(super) fn excuse_group(&mut self) {
        self.excused = self.config.limits.recipients;
    }

    /// Answers a broken rule.
    pub(super) fn fault(&mut self, reply: &Refused<'_>, violation: Violation) {
        let reply = self.judge(reply, violation);
        self.say(reply);
    }

    /// Ends the transaction, if one is open.
    pub(super) fn end_transaction(&mut self, cause: ResetCause) {
        self.go(Trigger::TransactionEnds);
        self.forget_transaction(cause);
    }

    pub(super) fn forget_transaction(&mut self, cause: ResetCause) {
        self.notices.reset = Some(cause);
        self.session.recipients = 0;
        self.session.size = 0;
        self.session.smtputf8 = false;
        self.session.body = Default::default();
    }

    /// Ends the connection: every question is moot, and what was running is told to be over.
    pub(super) fn close(&mut self, why: CloseReason, body: Aborted) {
        self.close_by(Trigger::Close, why, body);
    }

    pub(super) fn close_by(&mut self, trigger: Trigger, why: CloseReason, body: Aborted) {
        if self.phase == Phase::Closed {
            return;
        }
        if self.message.take_open() {
            self.notices.body_aborted = Some(body);
        }
        if core::mem::take(&mut self.in_auth) {
            self.notices.auth_aborted.get_or_insert(AuthAborted::Closed);
        }
        if self.phase.in_transaction() {
            self.forget_transaction(ResetCause::Closed);
        }
        self.replies.drop_all();
        self.deadlines.stop_all();
        self.go(trigger);
        self.close_reason = why;
    }
}

impl core::fmt::Debug for ServerConnection {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ServerConnection")
            .field("phase", &self.phase)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}
