//! The time, and the one timer that a connection needs.

use crate::runtime::{Runtime, Timer};
use smtp_proto::Instant;
use std::{
    task::{Context, Poll, ready},
    time::Duration,
};

/// A runtime's clock with a timer that is moved only where it would fire too late, or has fired too
/// early: most deadlines are moved away again before they come.
pub(crate) struct Clock<R: Runtime> {
    runtime: R,
    timer: R::Timer,
    /// When the timer fires; not after the deadline.
    armed: Option<Instant>,
}

impl<R: Runtime> Clock<R> {
    pub(crate) fn new(runtime: R) -> Self {
        let timer = runtime.timer();
        Self { runtime, timer, armed: None }
    }

    pub(crate) fn now(&self) -> Instant {
        self.runtime.now()
    }

    /// Ready with the time once it is `at` or later.
    pub(crate) fn poll_until(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<Instant> {
        if self.armed.is_none_or(|armed| at < armed) {
            self.arm(at);
        }
        while let Some(armed) = self.armed {
            ready!(self.timer.poll_fired(cx));
            // A timer may fire a little early by the clock; it is due all the same.
            let now = self.runtime.now().max(armed);
            if now >= at {
                self.armed = None;
                return Poll::Ready(now);
            }
            self.arm(at);
        }
        Poll::Pending
    }

    fn arm(&mut self, at: Instant) {
        self.timer.set(Some(at));
        self.armed = Some(at);
    }

    /// A timer of its own that fires after `delay`.
    pub(crate) fn another(&self, delay: Duration) -> R::Timer {
        let mut timer = self.runtime.timer();
        timer.set(Some(self.now() + delay));
        timer
    }
}
