//! The clock, the timers and the tasks of smol.

use smol::{Executor, Timer as Sleep};
use smtp_driver::{Runtime, Spawn, Timer, proto};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// smol: its global executor, or one of your own.
#[derive(Clone)]
pub struct Smol {
    origin: Instant,
    executor: Option<Arc<Executor<'static>>>,
}

impl Smol {
    /// Tasks run on smol's global executor, whose threads `SMOL_THREADS` counts.
    #[must_use]
    pub fn new() -> Self {
        // smol starts them with its first task. They need descriptors of their own, so that must not
        // be the first connection of a flood.
        smol::spawn(async {}).detach();
        Self { origin: Instant::now(), executor: None }
    }

    /// Tasks run on `executor`, which somebody must run.
    #[must_use]
    pub fn on(executor: Arc<Executor<'static>>) -> Self {
        Self { origin: Instant::now(), executor: Some(executor) }
    }
}

impl Default for Smol {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Smol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smol").field("global", &self.executor.is_none()).finish_non_exhaustive()
    }
}

impl Runtime for Smol {
    type Timer = SmolTimer;

    fn now(&self) -> proto::Instant {
        proto::Instant::ZERO + self.origin.elapsed()
    }

    fn timer(&self) -> SmolTimer {
        let deadline = self.origin + NEVER;
        SmolTimer { origin: self.origin, deadline, sleep: Sleep::at(deadline) }
    }
}

impl Spawn for Smol {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.executor {
            Some(executor) => executor.spawn(task).detach(),
            None => smol::spawn(task).detach(),
        }
    }
}

/// Further away than any process lives, and near enough for every clock.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// A deadline on smol's clock.
#[derive(Debug)]
pub struct SmolTimer {
    origin: Instant,
    deadline: Instant,
    sleep: Sleep,
}

impl Timer for SmolTimer {
    fn set(&mut self, at: Option<proto::Instant>) {
        let after = at.map_or(NEVER, |at| at.saturating_since(proto::Instant::ZERO).min(NEVER));
        self.deadline = self.origin + after;
        // Keeps whom to wake.
        self.sleep.set_at(self.deadline);
    }

    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // The sleep says so only once.
        if self.deadline <= Instant::now() {
            return Poll::Ready(());
        }
        Pin::new(&mut self.sleep).poll(cx).map(drop)
    }
}
