//! The octets of a message in the queue.

use super::{QueueError, row::Stored};
use crate::{
    maildir::sync_directory,
    message_id::MessageId,
    spool::{Spooled, joined},
    store::StoreError,
};
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
    Inline(Vec<u8>),
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
        Spooled::Memory(octets, _) if octets.len() <= inline_limit => {
            let (size, crc32c) = (octets.len() as u64, crc32c::crc32c(&octets));
            return Ok((Body::Inline(octets), Stored { size, crc32c, in_file: false }));
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
    id: MessageId,
    stored: Stored,
    source: Source,
    chunk: Vec<u8>,
}

#[derive(Debug)]
enum Source {
    /// All of it is in the chunk, checked, and was not handed out.
    Memory,
    /// A file with what was read of it so far.
    File(Box<Reading>),
    /// All of it was handed out.
    End,
    /// A read failed, or was cut.
    Failed,
}

#[derive(Debug)]
struct Reading {
    file: File,
    size: u64,
    crc32c: u32,
}

impl StoredBody {
    pub(super) fn inline(
        id: MessageId,
        stored: Stored,
        octets: Vec<u8>,
    ) -> Result<Self, QueueError> {
        if octets.len() as u64 != stored.size || crc32c::crc32c(&octets) != stored.crc32c {
            return Err(QueueError::Damaged(id));
        }
        Ok(Self { id, stored, source: Source::Memory, chunk: octets })
    }

    pub(super) fn open(folder: &Path, id: MessageId, stored: Stored) -> Result<Self, QueueError> {
        let file = File::open(folder.join(id.to_string()))
            .map_err(StoreError::while_doing("cannot open the message"))?;
        let reading = Box::new(Reading { file, size: 0, crc32c: 0 });
        Ok(Self { id, stored, source: Source::File(reading), chunk: Vec::new() })
    }

    /// All its octets.
    pub fn size(&self) -> u64 {
        self.stored.size
    }

    /// The next octets; none at the end.
    ///
    /// # Errors
    /// The disk failed, or the octets are not those that were stored: a long message shows this
    /// only behind its last chunk, so do not call it complete before this has given none.
    pub async fn next(&mut self) -> Result<&[u8], QueueError> {
        match mem::replace(&mut self.source, Source::Failed) {
            Source::Memory => self.source = Source::End,
            Source::End => {
                self.source = Source::End;
                self.chunk = Vec::new();
            }
            Source::Failed => return Err(lost().into()),
            Source::File(mut reading) => {
                let mut chunk = mem::take(&mut self.chunk);
                let read = spawn_blocking(move || {
                    reading.fill(&mut chunk)?;
                    Ok((reading, chunk))
                });
                let (reading, chunk) = joined("cannot read the message", read).await?;
                self.chunk = chunk;
                if !self.chunk.is_empty() {
                    self.source = Source::File(reading);
                } else if (reading.size, reading.crc32c) == (self.stored.size, self.stored.crc32c) {
                    self.source = Source::End;
                } else {
                    return Err(QueueError::Damaged(self.id));
                }
            }
        }
        Ok(&self.chunk)
    }
}

impl Reading {
    fn fill(&mut self, chunk: &mut Vec<u8>) -> Result<(), StoreError> {
        chunk.clear();
        (&mut self.file)
            .take(CHUNK as u64)
            .read_to_end(chunk)
            .map_err(StoreError::while_doing("cannot read the message"))?;
        self.size += chunk.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, chunk);
        Ok(())
    }
}
