//! The message of a session, between DATA and its end.

use super::Reading;
use crate::{
    header::{Header, has_nul, loops, too_many_hops},
    message_id::MessageId,
    queue::QueueError,
    spool::{Spool, Spooled},
    store::{Store, StoreError},
    submission,
};
use smtp_proto::wire::Refused;
use std::time::Instant;

/// A message between DATA and its end.
#[derive(Debug)]
pub(super) struct Arriving {
    pub(super) facts: Facts,
    /// Not all recipients are mailboxes here, and other servers take no NUL (RFC 5321 §4.1.1.4).
    /// It is refused now: later there would be a sender to tell, who may be forged.
    pub(super) text_only: bool,
    /// The header, until it is whole.
    pub(super) header: Option<Header>,
    pub(super) spool: Spool,
}

/// Why a message that arrives is not taken.
pub(super) enum NotTaken {
    /// It is not as it should be.
    Refused(Refused<'static>),
    /// It cannot be written.
    Failed(QueueError),
}

impl From<StoreError> for NotTaken {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// What the log says about a message.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) id: MessageId,
    pub(super) from: String,
    pub(super) recipients: usize,
    /// Octets that have arrived.
    pub(super) size: u64,
    pub(super) protocol: &'static str,
    pub(super) since: Instant,
}

impl<S: Store> Reading<S> {
    /// Judges and completes the header, which is whole, and lets it into the spool.
    async fn pass(
        &self,
        header: &Header,
        facts: &Facts,
        spool: &mut Spool,
    ) -> Result<(), NotTaken> {
        if loops(header) {
            return Err(NotTaken::Refused(too_many_hops()));
        }
        if self.role.is_submission() {
            let Some(login) = &self.login else {
                return Err(NotTaken::Refused(Refused::AUTH_REQUIRED));
            };
            let missing = submission::complete(
                header,
                &submission::Facts {
                    from: &facts.from,
                    id: facts.id,
                    hostname: &self.reception.hostname,
                    date: &jiff::Zoned::now(),
                },
                |author| self.policy.author(login, author),
            );
            spool.write(&[missing.map_err(NotTaken::Refused)?.as_bytes()]).await?;
        }
        Ok(spool.write(&[header.octets()]).await?)
    }

    /// Takes some octets of the message.
    pub(super) async fn take(
        &self,
        message: &mut Arriving,
        pieces: &[&[u8]],
    ) -> Result<(), NotTaken> {
        let Arriving { facts, text_only, header, spool } = message;
        if *text_only && pieces.iter().any(|piece| piece.contains(&0)) {
            return Err(NotTaken::Refused(has_nul()));
        }
        let mut pieces = pieces.iter();
        while let Some(open) = header {
            let Some(piece) = pieces.next() else { return Ok(()) };
            facts.size += piece.len() as u64;
            if let Some(rest) = open.take(piece) {
                self.pass(open, facts, spool).await?;
                *header = None;
                spool.write(&[rest]).await?;
            }
        }
        let pieces = pieces.as_slice();
        facts.size += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        Ok(spool.write(pieces).await?)
    }

    /// All of the message is there.
    pub(super) async fn finish(&self, message: Arriving) -> Result<Spooled, NotTaken> {
        let Arriving { facts, header, mut spool, .. } = message;
        if let Some(header) = &header {
            self.pass(header, &facts, &mut spool).await?;
        }
        Ok(spool.finish().await?)
    }
}
