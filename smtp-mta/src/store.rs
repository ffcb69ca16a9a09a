//! Where a message goes once it is complete: the seam between receiving and everything behind it.
//!
//! ```text
//! session -> spool -> Store -> 250
//! ```
//!
//! It is [`Intake`](crate::deliver::Intake), which is the queue with whoever delivers from it.

use crate::queue::{NewMessage, QueueError};
use smtp_proto::wire::Refused;
use std::{future::Future, io};

/// Takes messages over.
pub trait Store: Send + Sync + 'static {
    /// What is needed to take a message back.
    type Receipt: Send + Sync + 'static;

    /// Whether a message of `size` octets, 0 if that is unknown, may come.
    ///
    /// # Errors
    /// What to tell the peer.
    fn admits(&self, size: u64) -> Result<(), Refused<'static>>;

    /// Takes `message` over. Done means: it would survive a power cut (RFC 5321 §6.1).
    ///
    /// # Errors
    /// The message is not stored.
    fn store(
        &self,
        message: NewMessage,
    ) -> impl Future<Output = Result<Self::Receipt, QueueError>> + Send;

    /// Takes a message back whose sender was told 451 meanwhile and will send it again. As good as
    /// it goes: a message that was already delivered stays, and comes twice.
    fn retract(&self, receipt: Self::Receipt);
}

/// A message, or a piece of one, could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {source}")]
pub struct StoreError {
    /// What was tried, such as `cannot sync the message`.
    pub doing: &'static str,
    /// What the system said.
    pub source: io::Error,
}

impl StoreError {
    /// Makes an [`io::Error`] one of these.
    pub(crate) fn while_doing(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { doing, source }
    }

    /// What to tell the peer: 452 4.3.1 if there is no room, 451 4.3.0 for everything else. Either
    /// way it may try again.
    pub fn reply(&self) -> Refused<'static> {
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Refused::STORAGE,
            _ => Refused::TRY_LATER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_452_and_a_broken_one_451() {
        // ENOSPC, EDQUOT and EIO as Linux numbers them.
        for (errno, code) in [(28, 452), (122, 452), (5, 451)] {
            let error = StoreError {
                doing: "cannot write the message",
                source: io::Error::from_raw_os_error(errno),
            };
            assert_eq!(error.reply().code(), code, "{error}");
        }
    }
}
