//! A connection in memory: two pipes, one each way. A write arrives as one read.

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

#[derive(Default)]
struct State {
    writes: VecDeque<Vec<u8>>,
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
        if !octets.is_empty() {
            state.writes.push_back(octets.to_vec());
        }
        self.output.changed.notify_all();
        true
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.output.lock().finished = true;
        self.output.changed.notify_all();
        self.input.lock().deaf = true;
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
