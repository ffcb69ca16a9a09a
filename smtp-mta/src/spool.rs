//! A message body on its way in: a buffer first, a file when it grows.

use crate::store::StoreError;
use std::{
    fs::{self, File, OpenOptions},
    future::Future,
    io::{self, Read, Write},
    mem,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use tokio::task::{JoinHandle, spawn_blocking};

/// Octets of a message that are held in memory; what is longer goes to a file.
pub const IN_MEMORY: usize = 64 << 10;

/// Octets after which a file that is being written is synced, so that the last sync, for which a
/// peer waits, has little left to do whatever the size of the message.
const SYNC_EVERY: u64 = 32 << 20;

/// A message that is arriving.
///
/// It holds at most twice [`IN_MEMORY`]: one buffer fills while the one before it is written on
/// another thread. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    buffer: Vec<u8>,
    file: Writer,
}

#[derive(Debug)]
enum Writer {
    /// Nothing is written yet.
    None,
    /// A buffer is being written on another thread.
    Busy(JoinHandle<Result<Written, StoreError>>),
    /// A write has failed; no further one is tried.
    Failed,
}

/// A file with what was written to it, and the emptied buffer.
#[derive(Debug)]
struct Written {
    file: TempFile,
    size: u64,
    buffer: Vec<u8>,
}

/// The octets of a complete message.
#[derive(Debug)]
pub enum Spooled {
    /// A short one, with the path it would have as a file.
    Memory(Vec<u8>, PathBuf),
    /// A long one, written but not yet synced.
    File(TempFile),
}

impl Spool {
    /// A message that starts with `head`, in a file at `path` once it is too long for memory.
    pub fn new(path: PathBuf, head: Vec<u8>) -> Self {
        Self { path, buffer: head, file: Writer::None }
    }

    /// Appends `pieces`. Waits while the buffer before is still being written.
    ///
    /// # Errors
    /// A write failed, perhaps one of an earlier call.
    pub async fn write(&mut self, pieces: &[&[u8]]) -> Result<(), StoreError> {
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let room = IN_MEMORY.saturating_sub(self.buffer.len());
                let (now, later) = rest.split_at(room.min(rest.len()));
                self.buffer.extend_from_slice(now);
                rest = later;
                if self.buffer.len() >= IN_MEMORY {
                    self.flush().await?;
                }
            }
        }
        Ok(())
    }

    /// The complete message.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn finish(mut self) -> Result<Spooled, StoreError> {
        if matches!(self.file, Writer::None) {
            return Ok(Spooled::Memory(mem::take(&mut self.buffer), mem::take(&mut self.path)));
        }
        if !self.buffer.is_empty() {
            self.flush().await?;
        }
        match self.settle().await? {
            Some(written) => Ok(Spooled::File(written.file)),
            None => Err(StoreError {
                doing: "cannot write the message",
                source: io::Error::other("an earlier write failed"),
            }),
        }
    }

    /// Hands the buffer to a thread that may block, once that has done the one before.
    async fn flush(&mut self) -> Result<(), StoreError> {
        let before = match self.file {
            Writer::None => None,
            Writer::Busy(_) | Writer::Failed => {
                Some(self.settle().await?.ok_or_else(|| StoreError {
                    doing: "cannot write the message",
                    source: io::Error::other("an earlier write failed"),
                })?)
            }
        };
        let (file, size, spare) = match before {
            Some(Written { file, size, buffer }) => (Some(file), size, buffer),
            None => (None, 0, Vec::with_capacity(IN_MEMORY)),
        };
        let mut buffer = mem::replace(&mut self.buffer, spare);
        let path = self.path.clone();
        self.file = Writer::Busy(spawn_blocking(move || {
            let mut file = match file {
                Some(file) => file,
                None => TempFile::create(path)?,
            };
            file.append(&buffer)?;
            let after = size + buffer.len() as u64;
            if size / SYNC_EVERY != after / SYNC_EVERY {
                file.sync()?;
            }
            buffer.clear();
            Ok(Written { file, size: after, buffer })
        }));
        Ok(())
    }

    /// Waits for the write that is under way. `None` if there is none, or if one failed before.
    ///
    /// Dropped half-way, it changes nothing: the write is still under way.
    async fn settle(&mut self) -> Result<Option<Written>, StoreError> {
        let Writer::Busy(write) = &mut self.file else { return Ok(None) };
        let result = joined("cannot write the message", write).await;
        self.file = Writer::Failed;
        result.map(Some)
    }
}

/// What a thread that may block has found.
pub(crate) async fn joined<T>(
    doing: &'static str,
    thread: impl Future<Output = Result<Result<T, StoreError>, tokio::task::JoinError>>,
) -> Result<T, StoreError> {
    match thread.await {
        Ok(result) => result,
        Err(error) => Err(StoreError { doing, source: io::Error::other(error) }),
    }
}

impl Spooled {
    /// The message as a file whose octets are on the disk. Blocks.
    ///
    /// # Errors
    /// It could not be written; the file is gone then.
    pub fn into_synced_file(self) -> Result<TempFile, StoreError> {
        let mut file = match self {
            Self::Memory(octets, path) => {
                let mut file = TempFile::create(path)?;
                file.append(&octets)?;
                file
            }
            Self::File(file) => file,
        };
        file.sync()?;
        Ok(file)
    }
}

/// A file that is removed when it is dropped.
#[derive(Debug)]
pub struct TempFile {
    file: File,
    path: Unlink,
    /// Of what was written to it.
    size: u64,
    crc32c: u32,
}

/// A path that is removed when this is dropped; the empty one is not.
#[derive(Debug)]
struct Unlink(PathBuf);

impl Drop for Unlink {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            // What cannot be removed now is removed at the next start.
            drop(fs::remove_file(&self.0));
        }
    }
}

impl TempFile {
    /// A new, empty file at `path`, for its owner's eyes only.
    pub(crate) fn create(path: PathBuf) -> Result<Self, StoreError> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(StoreError::while_doing("cannot create a file for the message"))?;
        Ok(Self { file, path: Unlink(path), size: 0, crc32c: 0 })
    }

    pub(crate) fn append(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        self.size += octets.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, octets);
        self.file.write_all(octets).map_err(StoreError::while_doing("cannot write the message"))
    }

    pub(crate) fn append_from(&mut self, from: &mut File) -> Result<(), StoreError> {
        let mut buffer = vec![0; IN_MEMORY];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => self.append(&buffer[..length])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(StoreError::while_doing("cannot read the message back")(error));
                }
            }
        }
    }

    /// Octets that were written to it.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The CRC-32C (RFC 3720 §12.1) of the octets that were written to it.
    pub(crate) fn crc32c(&self) -> u32 {
        self.crc32c
    }

    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        self.file.sync_all().map_err(StoreError::while_doing("cannot sync the message"))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path.0
    }

    /// Moves it to `target`, where it stays. Atomic, and within one file system only.
    pub(crate) fn rename(mut self, target: &Path) -> Result<(), (Self, io::Error)> {
        match fs::rename(&self.path.0, target) {
            Ok(()) => {
                self.path.0 = PathBuf::new();
                Ok(())
            }
            Err(error) => Err((self, error)),
        }
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let path = Unlink(mem::take(&mut self.path.0));
        if path.0.as_os_str().is_empty() {
            return;
        }
        // To remove a long file takes a while, and a session may end on a thread that must not
        // block. A runtime that is shutting down drops the closure, which removes it as well.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn_blocking(move || drop(path)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `test` on a runtime and waits for the threads that may block, removals included.
    fn on_a_runtime(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(test);
        drop(runtime);
    }

    fn entries(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn a_short_message_touches_no_file() {
        let folder = tempfile::tempdir().unwrap();
        on_a_runtime(async {
            let mut spool = Spool::new(folder.path().join("m"), b"A: b\r\n".to_vec());
            spool.write(&[b"\r\n", b"text\r\n"]).await.unwrap();
            let Spooled::Memory(octets, _) = spool.finish().await.unwrap() else {
                panic!("went to a file")
            };
            assert_eq!(octets, b"A: b\r\n\r\ntext\r\n");
        });
        assert_eq!(entries(folder.path()), 0);
    }

    #[test]
    fn a_long_message_arrives_whole_and_in_order_with_bounded_memory() {
        let folder = tempfile::tempdir().unwrap();
        let octets: Vec<u8> = (0..1_000_003_u32).map(|n| (n % 251) as u8).collect();
        on_a_runtime(async {
            let mut spool = Spool::new(folder.path().join("m"), b"head".to_vec());
            for piece in octets.chunks(77_777) {
                let (one, two) = piece.split_at(piece.len() / 3);
                spool.write(&[one, two]).await.unwrap();
                assert!(spool.buffer.capacity() <= IN_MEMORY);
            }
            let file = spool.finish().await.unwrap().into_synced_file().unwrap();
            let read = fs::read(file.path()).unwrap();
            assert_eq!(read[..4], *b"head");
            assert!(read[4..] == octets);
        });
        assert_eq!(entries(folder.path()), 0, "a dropped message leaves a file");
    }

    #[test]
    fn a_dropped_message_leaves_nothing_even_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        on_a_runtime(async {
            let mut spool = Spool::new(folder.path().join("m"), Vec::new());
            spool.write(&[&[b'x'; 3 * IN_MEMORY]]).await.unwrap();
            assert!(matches!(spool.file, Writer::Busy(_)));
        });
        assert_eq!(entries(folder.path()), 0);
    }

    #[test]
    fn a_failed_write_is_told_once_it_is_known_and_from_then_on() {
        let folder = tempfile::tempdir().unwrap();
        on_a_runtime(async {
            let mut spool = Spool::new(folder.path().join("no/such/folder"), Vec::new());
            let mut failed = false;
            for _ in 0..3 {
                failed |= spool.write(&[&[b'x'; IN_MEMORY]]).await.is_err();
            }
            assert!(failed);
            assert!(spool.finish().await.is_err());
        });
    }

    #[test]
    fn a_file_that_is_there_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m");
        fs::write(&path, "old").unwrap();
        assert!(Spooled::Memory(b"new".to_vec(), path.clone()).into_synced_file().is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }
}
