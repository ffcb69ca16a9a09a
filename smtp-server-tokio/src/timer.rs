//! The clock, the timers and the tasks of tokio.

use smtp_driver::{Runtime, Spawn, Timer, proto};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// The tokio runtime in which it is used: with time enabled, and IO for its sockets.
#[derive(Clone, Copy, Debug)]
pub struct Tokio {
    origin: Instant,
}

impl Tokio {
    /// The runtime, with a clock that starts now.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for Tokio {
    fn default() -> Self {
        Self::new()
    }
}

impl Runtime for Tokio {
    type Timer = TokioTimer;

    fn now(&self) -> proto::Instant {
        proto::Instant::ZERO + self.origin.elapsed()
    }

    fn timer(&self) -> TokioTimer {
        let sleep = Box::pin(sleep_until(self.origin + NEVER));
        TokioTimer { origin: self.origin, sleep }
    }
}

impl Spawn for Tokio {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(tokio::spawn(task));
    }
}

/// Further away than any process lives, and near enough for every clock.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// A deadline on tokio's clock. Must be made and used within the runtime.
#[derive(Debug)]
pub struct TokioTimer {
    origin: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Timer for TokioTimer {
    fn set(&mut self, at: Option<proto::Instant>) {
        let after = at.map_or(NEVER, |at| at.saturating_since(proto::Instant::ZERO).min(NEVER));
        // Keeps whom to wake.
        self.sleep.as_mut().reset(self.origin + after);
    }

    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().poll(cx)
    }
}
