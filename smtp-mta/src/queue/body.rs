//! The octets of a message in the queue.

use super::{QueueError, row::Stored};
use crate::{
    maildir::sync_directory,
    message_id::MessageId,
    spool::{Spooled, joined},
    store::StoreError,
};
use bytes::Bytes;
use std::{
    fs::{self, File},
    io::{self, Read},
    mem,
    path::{Path, PathBuf},
};
use tokio::task::spawn_blocking;

/// Octets that are read at once from a file.
const CHUNK: usize = 128 << 10;

/// The octets of a message that is about to enter the queue.
#[derive(Debug)]
pub(super) enum Body {
    /// They go into the database.
    Inline(Bytes),
    /// They are in a file of the queue, and on the disk.
    File(Placed),
}

/// A file in the queue's folder, removed when this is dropped, unless it was kept.
#[derive(Debug)]
pub(super) struct Placed(Option<PathBuf>);

impl Placed {
    /// It belongs to a row from now on.
    pub(super) fn keep(&mut self) {
        self.0 = None;
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // What cannot be removed now is removed at the next start.
            drop(fs::remove_file(path));
        }
    }
}

/// Brings the octets of the message `id` to where the queue in `folder` wants them.
pub(super) async fn place(
    folder: &Path,
    inline_limit: usize,
    id: MessageId,
    body: Spooled,
) -> Result<(Body, Stored), StoreError> {
    let body = match body {
        Spooled::Memory(mut octets, _) if octets.len() <= inline_limit => {
            let (size, crc32c) = (octets.len() as u64, crc32c::crc32c(&octets));
            // They may stay in memory for a while.
            octets.shrink_to_fit();
            return Ok((Body::Inline(octets.into()), Stored { size, crc32c, in_file: false }));
        }
        body => body,
    };
    let folder = folder.to_path_buf();
    let placing = spawn_blocking(move || {
        let file = body.into_synced_file()?;
        let stored = Stored { size: file.size(), crc32c: file.crc32c(), in_file: true };
        let path = folder.join(id.to_string());
        let doing = StoreError::while_doing;
        file.rename(&path)
            .map_err(|(_, error)| doing("cannot put the message into the queue")(error))?;
        let placed = Placed(Some(path));
        sync_directory(&folder).map_err(doing("cannot sync the queue"))?;
        Ok((Body::File(placed), stored))
    });
    joined("cannot put the message into the queue", placing).await
}

fn lost() -> StoreError {
    StoreError { doing: "cannot read the message", source: io::Error::other("cut before") }
}

/// The octets of a stored message, one chunk after the other, in constant memory.
#[derive(Debug)]
pub struct StoredBody {
    size: u64,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// All of it, checked.
    Memory(Bytes),
    /// A file with what was read of it so far.
    File(Box<Reading>),
    /// All of it was handed out.
    End,
    /// A read failed, or was cut.
    Failed,
}

#[derive(Debug)]
struct Reading {
    id: MessageId,
    stored: Stored,
    file: File,
    size: u64,
    crc32c: u32,
}

impl StoredBody {
    /// One whose octets are known to be right.
    pub(super) fn memory(octets: Bytes) -> Self {
        Self { size: octets.len() as u64, source: Source::Memory(octets) }
    }

    pub(super) fn inline(
        id: MessageId,
        stored: Stored,
        octets: Vec<u8>,
    ) -> Result<Self, QueueError> {
        if octets.len() as u64 != stored.size || crc32c::crc32c(&octets) != stored.crc32c {
            return Err(QueueError::Damaged(id));
        }
        Ok(Self::memory(octets.into()))
    }

    pub(super) fn open(folder: &Path, id: MessageId, stored: Stored) -> Result<Self, QueueError> {
        let file = File::open(folder.join(id.to_string()))
            .map_err(StoreError::while_doing("cannot open the message"))?;
        let reading = Box::new(Reading { id, stored, file, size: 0, crc32c: 0 });
        Ok(Self { size: stored.size, source: Source::File(reading) })
    }

    /// All its octets.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The next octets; none at the end.
    ///
    /// # Errors
    /// The disk failed, or the octets are not those that were stored: a long message shows this
    /// only behind its last chunk, so do not call it complete before this has given none.
    pub async fn next(&mut self) -> Result<Bytes, QueueError> {
        match mem::replace(&mut self.source, Source::Failed) {
            Source::Memory(octets) => {
                self.source = Source::End;
                Ok(octets)
            }
            Source::End => {
                self.source = Source::End;
                Ok(Bytes::new())
            }
            Source::Failed => Err(lost().into()),
            Source::File(mut reading) => {
                let read = spawn_blocking(move || {
                    let chunk = reading.read()?;
                    Ok((reading, chunk))
                });
                let (reading, chunk) = joined("cannot read the message", read).await?;
                if !chunk.is_empty() {
                    self.source = Source::File(reading);
                } else if reading.is_whole() {
                    self.source = Source::End;
                } else {
                    return Err(QueueError::Damaged(reading.id));
                }
                Ok(chunk)
            }
        }
    }
}

impl Reading {
    fn read(&mut self) -> Result<Bytes, StoreError> {
        let mut chunk = Vec::with_capacity(CHUNK);
        (&mut self.file)
            .take(CHUNK as u64)
            .read_to_end(&mut chunk)
            .map_err(StoreError::while_doing("cannot read the message"))?;
        self.size += chunk.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, &chunk);
        Ok(chunk.into())
    }

    fn is_whole(&self) -> bool {
        (self.size, self.crc32c) == (self.stored.size, self.stored.crc32c)
    }
}
