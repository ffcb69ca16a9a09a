//! Whether there is room for one more message.

use super::{Full, Options};
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

/// How full the queue and its disk are. Asked for each message, so it asks nobody else: the disk at
/// most once a second.
#[derive(Debug)]
pub(super) struct Room {
    options: Options,
    folder: PathBuf,
    messages: AtomicU64,
    bytes: AtomicU64,
    origin: Instant,
    /// Octets the disk had free when it was asked last.
    free: AtomicU64,
    /// When it may be asked again, in seconds after the origin.
    again: AtomicU64,
}

impl Room {
    pub(super) fn new(folder: PathBuf, options: Options, messages: u64, bytes: u64) -> Self {
        let (messages, bytes) = (messages.into(), bytes.into());
        let free = free(&folder).into();
        Self { options, folder, messages, bytes, origin: Instant::now(), free, again: 1.into() }
    }

    /// Whether a message of `size` octets may enter a queue that has grown by `messages` and
    /// `bytes` since it was last told so.
    pub(super) fn in_queue(&self, messages: i64, bytes: i64, size: u64) -> Result<(), Full> {
        let messages = self.messages().saturating_add_signed(messages);
        let bytes = self.bytes().saturating_add_signed(bytes);
        if messages >= self.options.max_messages {
            Err(Full::Messages)
        } else if bytes.saturating_add(size) > self.options.max_bytes {
            Err(Full::Bytes)
        } else {
            Ok(())
        }
    }

    /// Whether `size` octets may be written to the disk.
    pub(super) fn on_disk(&self, size: u64) -> Result<(), Full> {
        let (now, again) = (self.origin.elapsed().as_secs(), self.again.load(Relaxed));
        if now >= again && self.again.compare_exchange(again, now + 1, Relaxed, Relaxed).is_ok() {
            self.free.store(free(&self.folder), Relaxed);
        }
        let needed = self.options.reserve.saturating_add(size);
        if self.free.load(Relaxed) < needed { Err(Full::Disk) } else { Ok(()) }
    }

    /// The queue has changed by so much.
    pub(super) fn changed(&self, messages: i64, bytes: i64) {
        // Only the writer changes them.
        self.messages.store(self.messages().saturating_add_signed(messages), Relaxed);
        self.bytes.store(self.bytes().saturating_add_signed(bytes), Relaxed);
    }

    pub(super) fn messages(&self) -> u64 {
        self.messages.load(Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

/// Octets that the disk has free for us. A file system that does not say is not full.
fn free(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}
