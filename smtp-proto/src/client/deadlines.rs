//! The timers of a connection (RFC 5321 §4.5.3.2).

use super::{config::Timeouts, connection::ClientConnection, phase::Phase, queue::Kind};
use crate::{CloseReason, Instant, timer::Timer};
use core::time::Duration;

/// The wait that runs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Deadline {
    wait: Option<(Wait, Instant)>,
}

/// What is waited for; another one begins another wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Greeting,
    /// The reply to the command with this number, after so many octets were sent and so many LMTP
    /// deliveries were told: a line of an AUTH exchange and a delivery begin the wait anew.
    Reply(Kind, u32, u64, u32),
    /// The server must take octets; it has taken so many.
    Flush(u64),
    Handshake,
    Linger,
}

impl Wait {
    fn timer(self) -> Timer {
        match self {
            Self::Greeting | Self::Reply(..) => Timer::Reply,
            Self::Flush(_) => Timer::Flush,
            Self::Handshake => Timer::Handshake,
            Self::Linger => Timer::Linger,
        }
    }

    fn bound(self, timeouts: &Timeouts) -> Duration {
        match self {
            Self::Greeting => timeouts.greeting,
            Self::Reply(kind, ..) => match kind {
                Kind::Mail => timeouts.mail,
                Kind::Rcpt => timeouts.rcpt,
                Kind::Data => timeouts.data,
                Kind::End | Kind::LoneDot | Kind::Chunk { .. } => timeouts.message,
                Kind::Quit => timeouts.quit,
                _ => timeouts.command,
            },
            Self::Flush(_) => timeouts.block,
            Self::Handshake => timeouts.handshake,
            Self::Linger => timeouts.linger,
        }
    }
}

impl ClientConnection {
    /// The next deadline; it may change after any call. None while the next move is yours.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline.wait.map(|(_, at)| at)
    }

    /// Which wait the next deadline belongs to.
    pub fn timer(&self) -> Option<Timer> {
        self.deadline.wait.map(|(wait, _)| wait.timer())
    }

    /// Ends the connection if its deadline has passed. Nothing else does: in
    /// [`poll_event`](Self::poll_event) the input in hand wins.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if let Some((wait, _)) = self.deadline.wait.take_if(|(_, at)| *at <= self.now) {
            // After `Closed` this changes nothing.
            self.close(CloseReason::Timeout(wait.timer()));
        }
    }

    /// Starts the wait for the end of a connection that is over.
    pub(super) fn linger(&mut self) {
        self.deadline.wait = Some((Wait::Linger, self.now + self.config.timeouts.linger));
    }

    /// Starts the wait that fits the moment, or lets it run.
    pub(super) fn set_deadline(&mut self) {
        let wait = match self.phase {
            Phase::Closed => return,
            Phase::Start => Some(Wait::Greeting),
            Phase::Upgrade | Phase::Handshake => Some(Wait::Handshake),
            _ if self.queue.has_output() => Some(Wait::Flush(self.queue.progress())),
            _ => self.queue.first().filter(|_| !self.challenged).map(|first| {
                Wait::Reply(first.kind, first.id.0, self.queue.progress(), self.delivered)
            }),
        };
        self.deadline.wait = match (wait, self.deadline.wait) {
            (None, _) => None,
            (Some(new), Some((old, at))) if new == old => Some((old, at)),
            (Some(new), _) => Some((new, self.now + new.bound(&self.config.timeouts))),
        };
    }
}
