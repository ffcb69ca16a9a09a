//! A connection in memory: two pipes, one each way. A write arrives as one read, unless it is long.

use smtp_conformance::wire::{Received, Wire};
use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// One direction.
#[derive(Default)]
struct Pipe {
    state: Mutex<State>,
    changed: Condvar,
}

/// Octets of one read.
const READ: usize = 16 << 10;
/// Octets that the server may have written and nobody has read.
const UNREAD: usize = 1 << 20;

#[derive(Default)]
struct State {
    writes: VecDeque<Vec<u8>>,
    /// Octets in them.
    waiting: usize,
    /// The writer says no more.
    finished: bool,
    /// Nobody reads any more.
    deaf: bool,
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One end of a connection.
pub(crate) struct End {
    input: Arc<Pipe>,
    output: Arc<Pipe>,
}

/// A connection: its two ends.
pub(crate) fn connection() -> (End, End) {
    let (a, b) = (Arc::new(Pipe::default()), Arc::new(Pipe::default()));
    (End { input: Arc::clone(&a), output: Arc::clone(&b) }, End { input: b, output: a })
}

impl End {
    /// Takes one write of the other side; `None` when it came not in time, empty at the end.
    pub(crate) fn read(&mut self, patience: Duration) -> Option<Vec<u8>> {
        let deadline = Instant::now() + patience;
        let mut state = self.input.lock();
        loop {
            if let Some(octets) = state.writes.pop_front() {
                state.waiting -= octets.len();
                self.input.changed.notify_all();
                return Some(octets);
            }
            if state.finished {
                return Some(Vec::new());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            let waited = self.input.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes; false if nobody reads.
    pub(crate) fn write(&mut self, octets: &[u8]) -> bool {
        let mut state = self.output.lock();
        if state.deaf || state.finished {
            return false;
        }
        for piece in octets.chunks(READ) {
            state.writes.push_back(piece.to_vec());
        }
        state.waiting += octets.len();
        self.output.changed.notify_all();
        true
    }

    /// Whether far more came than has been read.
    pub(crate) fn is_behind(&self) -> bool {
        self.input.lock().waiting > UNREAD / 4
    }

    /// Waits until most of what was written is read; false if that takes longer than `patience`.
    pub(crate) fn drain(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut state = self.output.lock();
        while state.waiting > UNREAD && !state.deaf {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            let waited = self.output.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        !state.deaf
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.output.lock().finished = true;
        self.output.changed.notify_all();
        self.input.lock().deaf = true;
        self.input.changed.notify_all();
    }
}

/// The client's end, as the suite sees it.
pub(crate) struct ClientEnd {
    end: End,
    rest: Vec<u8>,
}

impl ClientEnd {
    /// Over `end`.
    pub(crate) fn new(end: End) -> Self {
        Self { end, rest: Vec::new() }
    }
}

impl Wire for ClientEnd {
    fn send(&mut self, octets: &[u8]) -> bool {
        self.end.write(octets)
    }

    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> Received {
        if self.rest.is_empty() {
            match self.end.read(patience) {
                None => return Received::Silent,
                Some(octets) if octets.is_empty() => return Received::Closed,
                Some(octets) => self.rest = octets,
            }
        }
        let n = self.rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&self.rest[..n]);
        self.rest.drain(..n);
        Received::Octets(n)
    }

    fn finish(&mut self) {
        self.end.output.lock().finished = true;
        self.end.output.changed.notify_all();
    }
}
