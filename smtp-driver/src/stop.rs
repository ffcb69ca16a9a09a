//! A signal that is given once and seen by all who wait for it.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// The signal to stop. Clones are the same signal; it cannot be taken back.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Set while `waiting` is locked, so that nobody begins to wait unheard.
    given: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    last_id: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Stop {
    /// A signal that was not given yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the signal. Doing so again has no effect.
    pub fn stop(&self) {
        let wakers = {
            let mut waiting = self.lock();
            self.0.given.store(true, Ordering::Release);
            std::mem::take(&mut waiting.wakers)
        };
        wakers.into_values().for_each(Waker::wake);
    }

    /// Whether the signal was given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.0.given.load(Ordering::Acquire)
    }

    /// Waits for the signal.
    #[must_use]
    pub fn given(&self) -> Given {
        let id = {
            let mut waiting = self.lock();
            waiting.last_id += 1;
            waiting.last_id
        };
        Given { stop: self.clone(), id, waker: None }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing can panic while the lock is held.
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ready once the signal was given; what [`Stop::given`] returns.
#[derive(Debug)]
pub struct Given {
    stop: Stop,
    id: u64,
    /// Whom the signal wakes.
    waker: Option<Waker>,
}

impl Future for Given {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.stop.is_given() {
            return Poll::Ready(());
        }
        // Connections poll this whenever they wake up, mostly for the same task.
        if self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        {
            let mut waiting = self.stop.lock();
            if self.stop.is_given() {
                return Poll::Ready(());
            }
            waiting.wakers.insert(self.id, cx.waker().clone());
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        self.stop.lock().wakers.remove(&self.id);
    }
}
