//! The right to have a connection.

use super::{Destination, Shared, closed};
use crate::{connect::Connect, outcome::Failure};
use std::{future::poll_fn, mem, sync::Arc, task::Poll};

/// The right to have one connection to a destination, until it is dropped.
pub(super) struct Place<R: Connect> {
    pub(super) shared: Arc<Shared<R>>,
    pub(super) to: Destination,
}

impl<R: Connect> Place<R> {
    /// Waits for a free place.
    ///
    /// # Errors
    /// The pool is closed.
    pub(super) async fn wait_for(
        shared: &Arc<Shared<R>>,
        to: &Destination,
    ) -> Result<Self, Failure> {
        let mut waiting = Waiting { shared, to, ticket: None };
        poll_fn(|cx| {
            let mut state = shared.lock();
            if state.closed {
                return Poll::Ready(Err(closed(to)));
            }
            let turns = &mut state.site(to).turns;
            let turn = match waiting.ticket {
                Some(ticket) => turns.poll(ticket, cx.waker()),
                None if turns.try_take(shared.config.connections) => Poll::Ready(()),
                None => {
                    waiting.ticket = Some(turns.queue(cx.waker().clone()));
                    Poll::Pending
                }
            };
            turn.map(|()| {
                waiting.ticket = None;
                Ok(Self { shared: shared.clone(), to: to.clone() })
            })
        })
        .await
    }

    /// A place, if one is free and a connection waits.
    pub(super) fn take_for_idle(shared: &Arc<Shared<R>>, to: &Destination) -> Option<Self> {
        let mut state = shared.lock();
        let site = state.sites.get_mut(to).filter(|site| !site.idle.is_empty())?;
        let taken = site.turns.try_take(shared.config.connections);
        taken.then(|| Self { shared: shared.clone(), to: to.clone() })
    }
}

impl<R: Connect> Drop for Place<R> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let Some(site) = state.sites.get_mut(&self.to) else { return };
        let next = site.turns.give_back();
        if !site.is_used() {
            state.sites.remove(&self.to);
        }
        let closers = mem::take(&mut state.closers);
        drop(state);
        next.into_iter().chain(closers).for_each(|waker| waker.wake());
    }
}

/// Waits for a place; whoever stops waiting leaves the queue.
struct Waiting<'w, R: Connect> {
    shared: &'w Shared<R>,
    to: &'w Destination,
    ticket: Option<u64>,
}

impl<R: Connect> Drop for Waiting<'_, R> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut state = self.shared.lock();
        let Some(site) = state.sites.get_mut(self.to) else { return };
        let next = site.turns.cancel(ticket);
        if !site.is_used() {
            state.sites.remove(self.to);
        }
        let closers = mem::take(&mut state.closers);
        drop(state);
        next.into_iter().chain(closers).for_each(|waker| waker.wake());
    }
}
