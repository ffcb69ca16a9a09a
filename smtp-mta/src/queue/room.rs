//! Whether there is room for one more message.

use super::{Full, Options};
use rustix::{fs::FallocateFlags, io::Errno};
use std::{
    fs::{self, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::Instant,
};

/// How full the queue and its disk are. Asked for each message, so it asks nobody else: the disk at
/// most once a second.
#[derive(Debug)]
pub(super) struct Room {
    max_messages: AtomicU64,
    max_bytes: AtomicU64,
    reserve: AtomicU64,
    folder: PathBuf,
    messages: AtomicU64,
    bytes: AtomicU64,
    origin: Instant,
    /// Octets the disk had free when it was asked last.
    free: AtomicU64,
    /// When it may be asked again, in seconds after the origin.
    again: AtomicU64,
    has_ballast: AtomicBool,
    /// Octets within the database that are free. Its file never becomes shorter, so what leaves the
    /// queue is found here and not on the disk.
    spare: AtomicU64,
}

/// Octets that the queue occupies only to give them up when the disk is full: a log of the database
/// that cannot grow is emptied into the database then, and so messages can still leave.
const BALLAST: u64 = 16 << 20;

const BALLAST_FILE: &str = "ballast";

impl Room {
    pub(super) fn new(folder: PathBuf, options: Options, messages: u64, bytes: u64) -> Self {
        let (messages, bytes) = (messages.into(), bytes.into());
        let has_ballast = take_ballast(&folder).is_ok().into();
        let free = free(&folder).into();
        let (origin, again, spare) = (Instant::now(), 1.into(), 0.into());
        let Options { max_messages, max_bytes, reserve, .. } = options;
        Self {
            max_messages: max_messages.into(),
            max_bytes: max_bytes.into(),
            reserve: reserve.into(),
            folder,
            messages,
            bytes,
            origin,
            free,
            again,
            has_ballast,
            spare,
        }
    }

    /// Has the limits of `options` from now on.
    pub(super) fn limit(&self, options: &Options) {
        self.max_messages.store(options.max_messages, Relaxed);
        self.max_bytes.store(options.max_bytes, Relaxed);
        self.reserve.store(options.reserve, Relaxed);
    }

    /// Whether a message of `size` octets may enter a queue that has grown by `messages` and
    /// `bytes` since it was last told so.
    pub(super) fn in_queue(&self, messages: i64, bytes: i64, size: u64) -> Result<(), Full> {
        let messages = self.messages().saturating_add_signed(messages);
        let bytes = self.bytes().saturating_add_signed(bytes);
        if messages >= self.max_messages.load(Relaxed) {
            Err(Full::Messages)
        } else if bytes.saturating_add(size) > self.max_bytes.load(Relaxed) {
            Err(Full::Bytes)
        } else {
            Ok(())
        }
    }

    /// Whether `size` octets may be written to the disk.
    pub(super) fn on_disk(&self, size: u64) -> Result<(), Full> {
        let (now, again) = (self.origin.elapsed().as_secs(), self.again.load(Relaxed));
        if now >= again && self.again.compare_exchange(again, now + 1, Relaxed, Relaxed).is_ok() {
            self.free.store(self.ask_disk(), Relaxed);
        }
        let needed = self.reserve.load(Relaxed).saturating_add(size);
        let spare = self.spare.load(Relaxed);
        let can_empty_log = self.has_ballast() || spare >= BALLAST;
        let has_room = can_empty_log && self.free.load(Relaxed).saturating_add(spare) >= needed;
        if has_room { Ok(()) } else { Err(Full::Disk) }
    }

    /// Whether the ballast is there.
    pub(super) fn has_ballast(&self) -> bool {
        self.has_ballast.load(Relaxed)
    }

    /// The database has so many octets in it that are free.
    pub(super) fn has_spare(&self, octets: u64) {
        self.spare.store(octets, Relaxed);
    }

    /// Octets that are free beside the ballast; none while that is missing.
    fn ask_disk(&self) -> u64 {
        if !self.has_ballast() {
            if free(&self.folder) < self.reserve.load(Relaxed).saturating_add(BALLAST)
                || take_ballast(&self.folder).is_err()
            {
                return 0;
            }
            self.has_ballast.store(true, Relaxed);
        }
        free(&self.folder)
    }

    /// The disk is full: gives up the ballast. Gives whether there was any. No message is let in
    /// before it is there again.
    pub(super) fn drop_ballast(&self) -> bool {
        self.free.store(0, Relaxed);
        self.again.store(0, Relaxed);
        let had = self.has_ballast.swap(false, Relaxed);
        had && fs::remove_file(self.folder.join(BALLAST_FILE)).is_ok()
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

/// Makes the ballast, all of it or nothing.
fn take_ballast(folder: &Path) -> io::Result<()> {
    let path = folder.join(BALLAST_FILE);
    let made = ballast(&path);
    if made.is_err() {
        // What cannot be removed now is written over the next time.
        drop(fs::remove_file(path));
    }
    made
}

fn ballast(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(path)?;
    match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, BALLAST) {
        Err(Errno::OPNOTSUPP) => {
            io::copy(&mut io::repeat(0).take(BALLAST), &mut &file)?;
            file.sync_all()
        }
        done => Ok(done?),
    }
}
