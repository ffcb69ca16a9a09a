//! The timers of a server connection.
//!
//! The peer's waits run only while the machine waits for the peer. An open question carries its own
//! deadline, set when it was handed out.

use super::{
    connection::ServerConnection,
    event::{Aborted, AuthAborted},
    phase::Trigger,
    questions::Kind,
};
use crate::{CloseReason, Instant, Timeouts, Timer, wire::Refused};
use core::time::Duration;

/// What the machine waits for besides answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// The wait that is running.
    wait: Option<(Timer, Instant)>,
    session: Option<Instant>,
    /// When the running wait for message octets began.
    data_since: Option<Instant>,
    /// How long the peer may still let us wait before it has sent a period's worth of octets.
    data_left: Duration,
    /// Octets of this period.
    data_octets: u64,
}

impl Deadlines {
    pub(super) fn new(timeouts: &Timeouts) -> Self {
        Self {
            wait: None,
            session: None,
            data_since: None,
            data_left: timeouts.data,
            data_octets: 0,
        }
    }

    pub(super) fn start_session(&mut self, timeouts: &Timeouts, now: Instant) {
        self.session = timeouts.session.map(|most| now + most);
    }

    /// How long a question may stay open.
    pub(super) fn for_answer(kind: Kind, timeouts: &Timeouts) -> Duration {
        match kind {
            Kind::Handshake => timeouts.handshake,
            Kind::Data => timeouts.data_decision,
            Kind::Message | Kind::Delivery => timeouts.message_decision,
            _ => timeouts.decision,
        }
    }

    /// The machine waits. A wait of the same kind that is running goes on: nothing renews it but
    /// what ends it.
    pub(super) fn wait(&mut self, timer: Timer, now: Instant, timeouts: &Timeouts) {
        if self.wait.is_some_and(|(running, _)| running == timer) {
            return;
        }
        let most = match timer {
            Timer::Data => {
                self.data_since = Some(now);
                self.data_left
            }
            Timer::Flush => timeouts.flush,
            _ => timeouts.command,
        };
        self.wait = Some((timer, now + most));
    }

    /// A whole line came, or a question opened.
    pub(super) fn stop(&mut self) {
        self.wait = None;
        self.data_since = None;
    }

    pub(super) fn stop_all(&mut self) {
        self.stop();
        self.session = None;
    }

    pub(super) fn clear(&mut self, timer: Timer) {
        if self.wait.is_some_and(|(running, _)| running == timer) {
            self.stop();
        }
    }

    /// A message begins: a new period.
    pub(super) fn start_data(&mut self, timeouts: &Timeouts) {
        self.stop();
        self.data_left = timeouts.data;
        self.data_octets = 0;
    }

    /// `n` message octets came. The time spent waiting for them counts until the peer has sent what
    /// the least rate asks of a whole period.
    pub(super) fn data(&mut self, n: usize, now: Instant, timeouts: &Timeouts, rate: u32) {
        if let Some(since) = self.data_since.take() {
            self.data_left = self.data_left.saturating_sub(now.saturating_since(since));
            self.wait = None;
        }
        self.data_octets = self.data_octets.saturating_add(n as u64);
        if self.data_octets >= u64::from(rate).saturating_mul(timeouts.data.as_secs()) {
            self.start_data(timeouts);
        }
    }
}

impl ServerConnection {
    /// The next deadline; it may change after any call.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due().map(|(_, at)| at)
    }

    /// Which wait the next deadline belongs to.
    pub fn timer(&self) -> Option<Timer> {
        self.due().map(|(timer, _)| timer)
    }

    fn due(&self) -> Option<(Timer, Instant)> {
        let question = self.replies.first_open().map(|(_, kind, at)| match kind {
            Kind::Handshake => (Timer::Handshake, at),
            _ => (Timer::Decision, at),
        });
        let session = self.deadlines.session.map(|at| (Timer::Session, at));
        [question, self.deadlines.wait, session].into_iter().flatten().min_by_key(|&(_, at)| at)
    }

    /// Fires the timers that are due at `now`. Nothing else does: in
    /// [`poll_event`](Self::poll_event) the input in hand wins.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some((timer, at)) = self.due() {
            if now < at {
                return;
            }
            match (timer, self.replies.first_open()) {
                (Timer::Decision, Some((ticket, kind, _))) => match kind {
                    Kind::Connect => {
                        const BUSY: Refused<'static> = Refused::known(421, 3, 0, "Try again later");
                        self.refuse_ticket(ticket, kind, &BUSY);
                        self.closing = Some(CloseReason::Timeout(timer));
                    }
                    Kind::Auth => {
                        // The exchange was not refused for what the peer said: no failure counts.
                        self.notices.auth_aborted = Some(AuthAborted::Timeout);
                        self.in_auth = false;
                        self.answer_refused(ticket, &Refused::AUTH_TRY_LATER);
                        self.go(Trigger::AuthEnded);
                    }
                    Kind::StartTls => self.refuse_ticket(ticket, kind, &Refused::TLS_UNAVAILABLE),
                    _ => self.refuse_ticket(ticket, kind, &Refused::TRY_LATER),
                },
                // In the middle of a handshake, and to a peer that does not read, nothing is said.
                (timer, _) if timer == Timer::Flush || self.phase.in_handshake() => {
                    self.close(CloseReason::Timeout(timer), Aborted::Timeout);
                }
                _ => {
                    const SLOW: Refused<'static> = Refused::known(421, 4, 2, "Timeout, closing");
                    self.close(CloseReason::Timeout(timer), Aborted::Timeout);
                    self.say(&SLOW);
                }
            }
        }
    }
}
