//! A bounded number of places, taken in turn.

use std::{
    collections::BTreeMap,
    task::{Poll, Waker},
};

/// Who has a place, and who waits for one: the first to ask is the first to have one.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Places in use, those of called tickets among them.
    pub(super) taken: usize,
    last_ticket: u64,
    waiting: BTreeMap<u64, Ticket>,
}

/// One who waits.
#[derive(Debug)]
enum Ticket {
    Waiting(Waker),
    /// It has a place, and does not know yet.
    Called,
}

impl Turns {
    /// Takes a place if one is free; nobody who comes later passes those who wait, as they are
    /// given each place that comes free.
    pub(super) fn try_take(&mut self, places: usize) -> bool {
        let free = self.taken < places;
        self.taken += usize::from(free);
        free
    }

    /// A ticket for who waits, to be polled until its turn, or cancelled.
    pub(super) fn queue(&mut self, waker: Waker) -> u64 {
        self.last_ticket += 1;
        self.waiting.insert(self.last_ticket, Ticket::Waiting(waker));
        self.last_ticket
    }

    /// Ready when it is `ticket`'s turn: it has a place then, and is no ticket any more.
    pub(super) fn poll(&mut self, ticket: u64, waker: &Waker) -> Poll<()> {
        match self.waiting.get_mut(&ticket) {
            Some(Ticket::Waiting(kept)) => {
                kept.clone_from(waker);
                Poll::Pending
            }
            _ => {
                self.waiting.remove(&ticket);
                Poll::Ready(())
            }
        }
    }

    /// Nobody waits with `ticket` any more. The next to be called, if it had been.
    #[must_use]
    pub(super) fn cancel(&mut self, ticket: u64) -> Option<Waker> {
        match self.waiting.remove(&ticket) {
            Some(Ticket::Called) => self.give_back(),
            _ => None,
        }
    }

    /// A place is free: it is the first's who waits, whom to wake.
    #[must_use]
    pub(super) fn give_back(&mut self) -> Option<Waker> {
        for ticket in self.waiting.values_mut() {
            if let Ticket::Waiting(waker) = std::mem::replace(ticket, Ticket::Called) {
                return Some(waker);
            }
        }
        self.taken -= 1;
        None
    }

    /// Wakes all who wait: there will be no more turns.
    pub(super) fn wake_all(&self) {
        for ticket in self.waiting.values() {
            if let Ticket::Waiting(waker) = ticket {
                waker.wake_by_ref();
            }
        }
    }

    pub(super) fn is_unused(&self) -> bool {
        self.taken == 0 && self.waiting.is_empty()
    }
}
