//! Why the queue did not do what it was asked for.

use crate::{message_id::MessageId, store::StoreError};
use smtp_proto::wire::Refused;
use std::{path::PathBuf, sync::Arc};

/// The queue takes no more messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// `max_messages` are there.
    #[error("the queue has as many messages as it may")]
    Messages,
    /// With it, the messages would be longer than `max_bytes`.
    #[error("the queue has as many octets as it may")]
    Bytes,
    /// The disk has no room beyond the reserve.
    #[error("the disk is full")]
    Disk,
}

impl Full {
    /// What to tell the peer: 452 4.3.1.
    pub fn reply(self) -> Refused<'static> {
        Refused::STORAGE
    }
}

/// The queue did not do what it was asked for. It is as it was before.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// There is no room.
    #[error(transparent)]
    Full(#[from] Full),
    /// The octets of a message could not be written to a file, or read from it.
    #[error(transparent)]
    File(Arc<StoreError>),
    /// The database failed.
    #[error("the queue's database: {0}")]
    Database(Arc<rusqlite::Error>),
    /// The database is damaged, or was made by something else. Only at the start.
    #[error("{path}: {what}", path = path.display())]
    Unusable {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// What is stored of the message is not what was put there.
    #[error("the message {0} is damaged on the disk")]
    Damaged(MessageId),
    /// There is no such message, or no longer.
    #[error("no message {0}")]
    NoMessage(MessageId),
    /// The message has no recipient at that place.
    #[error("the message {0} has no recipient number {1}")]
    NoRecipient(MessageId, u32),
    /// A new message has the name of one that is there, or no recipient.
    #[error("the message {0} cannot enter the queue: it is there already, or for nobody")]
    Unacceptable(MessageId),
    /// The queue was closed.
    #[error("the queue is closed")]
    Closed,
}

impl QueueError {
    /// What to tell the peer: 452 4.3.1 if there is no room, 451 4.3.0 for everything else. Either
    /// way it may try again.
    pub fn reply(&self) -> Refused<'static> {
        match self {
            Self::Full(full) => full.reply(),
            Self::File(error) => error.reply(),
            _ => Refused::TRY_LATER,
        }
    }
}

impl From<StoreError> for QueueError {
    fn from(error: StoreError) -> Self {
        Self::File(Arc::new(error))
    }
}

impl From<rusqlite::Error> for QueueError {
    fn from(error: rusqlite::Error) -> Self {
        if is_disk_full(&error) { Self::Full(Full::Disk) } else { Self::Database(Arc::new(error)) }
    }
}

/// Whether the database could not grow.
pub(super) fn is_disk_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
}
