//! A signal that is given once and seen by all who wait for it.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// The signal to stop. Clones are the same signal; it cannot be taken back.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    given: bool,
    last_id: u64,
    waiting: BTreeMap<u64, Waker>,
}

impl Stop {
    /// A signal that was not given yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the signal. Doing so again has no effect.
    pub fn stop(&self) {
        let waiting = {
            let mut state = self.lock();
            state.given = true;
            std::mem::take(&mut state.waiting)
        };
        waiting.into_values().for_each(Waker::wake);
    }

    /// Whether the signal was given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.lock().given
    }

    /// Waits for the signal.
    #[must_use]
    pub fn given(&self) -> Given {
        let id = {
            let mut state = self.lock();
            state.last_id += 1;
            state.last_id
        };
        Given { stop: self.clone(), id }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing can panic while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ready once the signal was given; what [`Stop::given`] returns.
#[derive(Debug)]
pub struct Given {
    stop: Stop,
    id: u64,
}

impl Future for Given {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.stop.lock();
        if state.given {
            return Poll::Ready(());
        }
        state.waiting.entry(self.id).or_insert_with(|| cx.waker().clone()).clone_from(cx.waker());
        Poll::Pending
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        self.stop.lock().waiting.remove(&self.id);
    }
}
