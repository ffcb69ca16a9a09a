//! The questions that are open, and replies in the order of their commands.
//!
//! All replies live in one buffer, in command order: first what may leave, then the replies of
//! answered questions that wait for an earlier answer. A reply that comes out of turn is put in its
//! place among them.

use super::decision::Ticket;
use crate::{
    Instant,
    status::EnhancedCode,
    wire::{MAX_REPLY, MAX_REPLY_LINE, write_reply},
};
use alloc::{collections::VecDeque, vec::Vec};
use core::sync::atomic::{AtomicUsize, Ordering};

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Connect,
    Hello,
    StartTls,
    Handshake,
    Auth,
    Mail,
    Rcpt,
    Data,
    Message,
    Delivery,
    Verify,
    Expand,
    Etrn,
    Xclient,
    Help,
    Command,
}

impl Kind {
    /// The most octets its reply may have. Those of RCPT are bounded so that many of them fit the
    /// buffer together.
    fn most(self) -> usize {
        if self == Kind::Rcpt { MAX_REPLY_LINE } else { MAX_REPLY }
    }
}

#[derive(Clone, Copy, Debug)]
enum Turn {
    /// A question that waits for its answer until the deadline.
    Open { kind: Kind, deadline: Instant },
    /// The machine's own reply, waiting for the end of a body.
    Held,
    /// Answered.
    Done,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    sequence: u32,
    turn: Turn,
    /// Octets of its reply in the buffer.
    len: u32,
}

/// The reply buffer and the questions whose replies are missing in it.
pub(super) struct Replies {
    buffer: Vec<u8>,
    /// Octets already written to the stream.
    sent: usize,
    /// End of what may leave; behind it lie the replies of `slots`.
    ready: usize,
    slots: VecDeque<Slot>,
    connection: usize,
    sequence: u32,
    /// The most octets that are ever queued.
    most: u32,
}

/// Gives each connection a number, so that a ticket of one fits no other.
static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);

impl Replies {
    /// For a machine that takes no command while more than `mark` octets may leave.
    pub(super) fn new(mark: usize) -> Self {
        // The reply that passes the mark, and one that is held.
        let most = mark.saturating_add(2 * MAX_REPLY);
        Self {
            buffer: Vec::new(),
            sent: 0,
            ready: 0,
            slots: VecDeque::new(),
            connection: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
            sequence: 0,
            most: u32::try_from(most).unwrap_or(u32::MAX),
        }
    }

    /// Opens a question.
    #[inline]
    pub(super) fn ask(&mut self, kind: Kind, deadline: Instant) -> Ticket {
        self.sequence = self.sequence.wrapping_add(1);
        let turn = Turn::Open { kind, deadline };
        self.slots.push_back(Slot { sequence: self.sequence, turn, len: 0 });
        Ticket { connection: self.connection, sequence: self.sequence }
    }

    fn position(&self, ticket: Ticket) -> Option<usize> {
        if ticket.connection != self.connection {
            return None;
        }
        self.slots
            .iter()
            .position(|s| s.sequence == ticket.sequence && matches!(s.turn, Turn::Open { .. }))
    }

    pub(super) fn is_open(&self, ticket: Ticket) -> bool {
        self.position(ticket).is_some()
    }

    /// The oldest open question.
    #[inline]
    pub(super) fn first_open(&self) -> Option<(Ticket, Kind, Instant)> {
        if self.slots.is_empty() {
            return None;
        }
        self.slots.iter().find_map(|slot| match slot.turn {
            Turn::Open { kind, deadline } => {
                let ticket = Ticket { connection: self.connection, sequence: slot.sequence };
                Some((ticket, kind, deadline))
            }
            _ => None,
        })
    }

    /// How many questions are open.
    pub(super) fn open(&self) -> usize {
        self.slots.iter().filter(|slot| matches!(slot.turn, Turn::Open { .. })).count()
    }

    /// Writes the answer to a question in its place; `write` is told how long it may be.
    pub(super) fn answer(&mut self, ticket: Ticket, write: impl FnOnce(&mut Vec<u8>, usize)) {
        let Some(at) = self.position(ticket) else { return };
        let most = match self.slots[at].turn {
            Turn::Open { kind, .. } => kind.most(),
            _ => MAX_REPLY,
        };
        self.put(at, |buffer| write(buffer, most));
        self.slots[at].turn = Turn::Done;
        self.flush_done();
    }

    /// Closes a question that has no reply.
    pub(super) fn answer_silently(&mut self, ticket: Ticket) {
        self.answer(ticket, |_, _| {});
    }

    /// Makes every question behind this one moot.
    pub(super) fn drop_after(&mut self, ticket: Ticket) {
        let Some(at) = self.position(ticket) else { return };
        let kept: u32 = self.slots.iter().take(at + 1).map(|slot| slot.len).sum();
        self.slots.truncate(at + 1);
        self.buffer.truncate(self.ready + kept as usize);
    }

    /// Makes every question moot; replies that waited for one are dropped.
    pub(super) fn drop_all(&mut self) {
        self.slots.clear();
        self.buffer.truncate(self.ready);
    }

    /// Queues a reply of the machine's own.
    pub(super) fn say(&mut self, code: u16, enhanced: Option<EnhancedCode>, text: &str) {
        self.push(Turn::Done, code, enhanced, text);
    }

    /// Keeps a reply until [`release_held`](Self::release_held); one at a time.
    pub(super) fn hold(&mut self, code: u16, enhanced: Option<EnhancedCode>, text: &str) {
        self.push(Turn::Held, code, enhanced, text);
    }

    /// Lets the held reply go; false if there was none.
    pub(super) fn release_held(&mut self) -> bool {
        let held = self.slots.iter_mut().find(|slot| matches!(slot.turn, Turn::Held));
        let found = held.map(|slot| slot.turn = Turn::Done).is_some();
        self.flush_done();
        found
    }

    /// Lets a copy of the held reply go; nothing is queued behind one.
    pub(super) fn repeat_held(&mut self) {
        if let Some(Slot { turn: Turn::Held, len, .. }) = self.slots.front().copied() {
            let end = self.ready + len as usize;
            self.buffer.extend_from_within(self.ready..end);
            self.ready = end;
        }
    }

    fn push(&mut self, turn: Turn, code: u16, enhanced: Option<EnhancedCode>, text: &str) {
        self.slots.push_back(Slot { sequence: 0, turn, len: 0 });
        let at = self.slots.len() - 1;
        self.put(at, |buffer| write_reply(buffer, code, enhanced, text, MAX_REPLY));
        self.flush_done();
    }

    /// Writes the reply of slot `at` behind those of the slots before it.
    fn put(&mut self, at: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let before: u32 = self.slots.iter().take(at).map(|slot| slot.len).sum();
        let place = self.ready + before as usize;
        self.grow();
        let old_len = self.buffer.len();
        write(&mut self.buffer);
        let len = self.buffer.len() - old_len;
        self.buffer[place..].rotate_right(len);
        self.slots[at].len = len as u32;
    }

    /// Makes room for a short reply: little for a peer that waits for each reply, then at once the
    /// most that is ever queued.
    fn grow(&mut self) {
        let (len, capacity) = (self.buffer.len(), self.buffer.capacity());
        if capacity - len < MAX_REPLY_LINE {
            let most = self.most as usize;
            let wanted = if capacity < MAX_REPLY { 2 * capacity } else { most };
            self.buffer.reserve_exact(wanted.clamp(2 * MAX_REPLY_LINE, most).saturating_sub(len));
        }
    }

    /// Moves the end of what may leave up to the first reply that is missing or held.
    fn flush_done(&mut self) {
        while let Some(Slot { turn: Turn::Done, len, .. }) = self.slots.front().copied() {
            self.ready += len as usize;
            self.slots.pop_front();
        }
    }

    /// Octets not yet written to the stream, those that may not leave yet included.
    pub(super) fn queued(&self) -> usize {
        self.buffer.len() - self.sent
    }

    /// Whether one more reply to a RCPT is sure to fit below `mark`.
    pub(super) fn room_for_rcpt(&self, mark: usize) -> bool {
        self.queued() + (self.open() + 1) * Kind::Rcpt.most() <= mark
    }

    pub(super) fn transmit(&self) -> Option<&[u8]> {
        (self.sent < self.ready).then(|| &self.buffer[self.sent..self.ready])
    }

    pub(super) fn transmitted(&mut self, n: usize) {
        self.sent = self.sent.saturating_add(n).min(self.ready);
        if self.sent == self.buffer.len() {
            self.buffer.clear();
            (self.sent, self.ready) = (0, 0);
        } else if self.sent >= MAX_REPLY {
            // A peer that always leaves a little unread must not make the buffer grow.
            self.buffer.drain(..self.sent);
            self.ready -= self.sent;
            self.sent = 0;
        }
    }

    /// Gives memory back where nothing is kept in it.
    pub(super) fn release(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = Vec::new();
        }
        if self.slots.is_empty() {
            self.slots = VecDeque::new();
        }
    }
}
