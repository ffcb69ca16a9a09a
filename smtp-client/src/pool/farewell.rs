//! QUITs that are said beside other work.

use super::{Shared, State};
use crate::connect::Connect;
use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Poll, Waker},
};

/// A QUIT, until its reply has come and the connection is closed.
pub(super) type Farewell = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<R: Connect> Shared<R> {
    /// Does `work`, and the QUITs that are under way beside it.
    pub(super) async fn with_farewells<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut farewells = Farewells { shared: self, under_way: Vec::new() };
        poll_fn(|cx| {
            let done = work.as_mut().poll(cx);
            farewells.take();
            farewells.under_way.retain_mut(|farewell| farewell.as_mut().poll(cx).is_pending());
            done
        })
        .await
    }

    /// Does the QUITs that are under way until there are none, and `others` is ready.
    pub(super) async fn last_farewell(&self, others: impl Fn(&mut State<R>, &Waker) -> Poll<()>) {
        let mut farewells = Farewells { shared: self, under_way: Vec::new() };
        poll_fn(|cx| {
            let others = farewells.take_and(|state| others(state, cx.waker()));
            farewells.under_way.retain_mut(|farewell| farewell.as_mut().poll(cx).is_pending());
            if farewells.under_way.is_empty() { others } else { Poll::Pending }
        })
        .await;
    }
}

/// QUITs that somebody drives; the pool has them again if that somebody is dropped.
struct Farewells<'p, R: Connect> {
    shared: &'p Shared<R>,
    under_way: Vec<Farewell>,
}

impl<R: Connect> Farewells<'_, R> {
    /// Takes those that have begun since.
    fn take(&mut self) {
        self.take_and(|_| ());
    }

    fn take_and<T>(&mut self, with: impl FnOnce(&mut State<R>) -> T) -> T {
        let mut state = self.shared.lock();
        self.under_way.append(&mut state.farewells);
        with(&mut state)
    }
}

impl<R: Connect> Drop for Farewells<'_, R> {
    fn drop(&mut self) {
        if !self.under_way.is_empty() {
            self.shared.lock().farewells.append(&mut self.under_way);
        }
    }
}
