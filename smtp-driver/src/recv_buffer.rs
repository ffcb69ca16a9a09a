//! Receive buffers, lent to connections that have something to read.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

/// A pool of receive buffers of one size, shared by all connections of a listener.
///
/// A connection holds a buffer only while there is something to read. Clones are the same pool.
#[derive(Clone, Debug)]
pub struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Octets of each buffer.
    size: usize,
    /// How many buffers to keep that nobody uses.
    keep: usize,
    free: Mutex<Vec<Box<[u8]>>>,
    lent: AtomicUsize,
}

impl Pool {
    /// Octets of a buffer of the default pool.
    pub const DEFAULT_SIZE: usize = 16 << 10;
    /// Unused buffers that the default pool keeps.
    pub const DEFAULT_KEEP: usize = 64;

    /// A pool of buffers of `size` octets each. It keeps at most `keep` that are not in use; the
    /// number in use is bounded by that of the connections only.
    #[must_use]
    pub fn new(size: usize, keep: usize) -> Self {
        let free = Mutex::new(Vec::new());
        Self(Arc::new(Shared { size, keep, free, lent: AtomicUsize::new(0) }))
    }

    /// Octets of each buffer.
    #[must_use]
    pub fn buffer_size(&self) -> usize {
        self.0.size
    }

    /// How many buffers are in use now.
    #[must_use]
    pub fn lent(&self) -> usize {
        self.0.lent.load(Ordering::Relaxed)
    }

    /// An empty buffer, given back when it is dropped.
    pub(crate) fn lend(&self) -> RecvBuffer {
        let octets = self.0.free().pop().unwrap_or_else(|| vec![0; self.0.size].into());
        self.0.lent.fetch_add(1, Ordering::Relaxed);
        RecvBuffer { octets, start: 0, end: 0, ended: false, pool: self.0.clone() }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new(Self::DEFAULT_SIZE, Self::DEFAULT_KEEP)
    }
}

impl Shared {
    fn free(&self) -> MutexGuard<'_, Vec<Box<[u8]>>> {
        // A list of spare buffers is right whatever panicked while holding it.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer on loan: `start..end` holds what the machine has not consumed.
pub(crate) struct RecvBuffer {
    octets: Box<[u8]>,
    start: usize,
    end: usize,
    /// The stream has ended: nothing follows what is here.
    ended: bool,
    pool: Arc<Shared>,
}

impl RecvBuffer {
    /// The filled part, for the machine's events to borrow, and the spare part, to read ahead into
    /// while they do.
    pub(crate) fn split(&mut self) -> (&[u8], Ahead<'_>) {
        let (filled, spare) = self.octets.split_at_mut(self.end);
        (&filled[self.start..], Ahead { spare, got: 0, ended: self.ended })
    }

    /// After a [`split`](Self::split): `left` octets were not consumed, `got` were read ahead.
    pub(crate) fn settle(&mut self, left: usize, got: usize, ended: bool) {
        self.start = self.end - left;
        self.end += got;
        self.ended = ended;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Moves what was not consumed to the front, so that all the rest is spare.
    pub(crate) fn compact(&mut self) {
        self.octets.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
    }

    /// Where to read into; nothing once the stream has ended.
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        let from = if self.ended { self.octets.len() } else { self.end };
        &mut self.octets[from..]
    }

    /// `n` octets were read into the spare part.
    pub(crate) fn fill(&mut self, n: usize) {
        self.end += n;
    }

    /// The stream has ended.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Nothing is unread.
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

impl Drop for RecvBuffer {
    fn drop(&mut self) {
        self.pool.lent.fetch_sub(1, Ordering::Relaxed);
        let octets = std::mem::take(&mut self.octets);
        let mut free = self.pool.free();
        if free.len() < self.pool.keep {
            free.push(octets);
        }
    }
}

/// The spare part of a buffer whose filled part is borrowed.
pub(crate) struct Ahead<'b> {
    spare: &'b mut [u8],
    got: usize,
    ended: bool,
}

impl Ahead<'_> {
    /// Where to read more; empty when there is no room or nothing to come.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        let from = if self.ended { self.spare.len() } else { self.got };
        &mut self.spare[from..]
    }

    /// A read into [`room`](Self::room) brought `n` octets; 0 is the end of the stream.
    pub(crate) fn read(&mut self, n: usize) {
        self.got += n;
        self.ended |= n == 0;
    }

    /// What was read ahead.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.spare[..self.got]
    }

    /// The stream has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::Pool;

    #[test]
    fn a_buffer_goes_back_to_the_pool_which_keeps_no_more_than_it_was_told() {
        let pool = Pool::new(8, 1);
        let (first, second) = (pool.lend(), pool.lend());
        assert_eq!(pool.lent(), 2);
        drop((first, second));
        assert_eq!(pool.lent(), 0);
        assert_eq!(pool.0.free().len(), 1);
    }

    #[test]
    fn what_was_read_ahead_follows_what_was_left() {
        let pool = Pool::new(8, 1);
        let mut buffer = pool.lend();
        buffer.spare()[..4].copy_from_slice(b"abcd");
        buffer.fill(4);
        let (filled, mut ahead) = buffer.split();
        assert_eq!(filled, b"abcd");
        ahead.room()[..2].copy_from_slice(b"ef");
        ahead.read(2);
        assert_eq!(ahead.octets(), b"ef");
        buffer.settle(1, 2, false);
        assert_eq!(buffer.split().0, b"def");
        buffer.compact();
        assert_eq!(buffer.spare().len(), 5);
        assert_eq!(buffer.split().0, b"def");
    }

    #[test]
    fn after_the_end_of_the_stream_there_is_nowhere_to_read_into() {
        let pool = Pool::new(8, 1);
        let mut buffer = pool.lend();
        let (_, mut ahead) = buffer.split();
        ahead.read(0);
        assert!(ahead.has_ended());
        assert!(ahead.room().is_empty());
        buffer.settle(0, 0, true);
        assert!(buffer.spare().is_empty());
        assert!(buffer.split().1.room().is_empty());
    }
}
