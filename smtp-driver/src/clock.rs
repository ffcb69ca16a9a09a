//! The time, and the one timer that a connection needs.

use crate::runtime::{Runtime, Timer};
use smtp_proto::Instant;
use std::{
    task::{Context, Poll, ready},
    time::Duration,
};

/// A runtime's clock with a timer that is moved only when its deadline changes.
pub(crate) struct Clock<R: Runtime> {
    runtime: R,
    timer: R::Timer,
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
        if self.armed != Some(at) {
            self.timer.set(Some(at));
            self.armed = Some(at);
        }
        ready!(self.timer.poll_fired(cx));
        self.armed = None;
        // A timer may fire a little early by the clock; for the machine it is due all the same.
        Poll::Ready(self.runtime.now().max(at))
    }

    /// A timer of its own that fires after `delay`.
    pub(crate) fn another(&self, delay: Duration) -> R::Timer {
        let mut timer = self.runtime.timer();
        timer.set(Some(self.now() + delay));
        timer
    }
}
