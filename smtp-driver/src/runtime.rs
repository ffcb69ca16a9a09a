//! What a runtime must give: a clock and timers.

use smtp_proto::Instant;
use std::task::{Context, Poll};

/// A deadline that can be moved.
pub trait Timer: Send {
    /// Moves the deadline; `None` for none.
    fn set(&mut self, at: Option<Instant>);
    /// Ready when the deadline has passed; pending, with the waker kept, until then and while there
    /// is none.
    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// A runtime: where the time comes from.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// Its timer.
    type Timer: Timer;
    /// The time now, on the clock that the timers use.
    fn now(&self) -> Instant;
    /// A timer without a deadline.
    fn timer(&self) -> Self::Timer;
}
