//! Delivery into the mailboxes of this server.

use super::Delivered;
use crate::{
    lane::Feedback,
    maildir::Maildirs,
    message_id::{MessageId, MessageIds},
    policy::{MailboxName, Recipients},
    queue::{Attempt, Entry, QueueError, SqliteQueue, Timestamp},
    schedule::{Outcome, Verdict, Work},
    spool::{Spool, Spooled, joined},
    store::StoreError,
    trace::ReturnPath,
};
use arc_swap::ArcSwap;
use smtp_proto::wire::Refused;
use std::{path::PathBuf, sync::Arc};
use tokio::task::spawn_blocking;

/// The mailboxes of this server, by the addresses of their owners.
#[derive(Debug)]
pub struct Local {
    /// Who has which.
    pub recipients: ArcSwap<Recipients>,
    /// Where they are.
    pub maildirs: Maildirs,
    /// Where a message is while it is copied.
    pub tmp: PathBuf,
    /// Names for files there.
    pub ids: Arc<MessageIds>,
    /// What outcomes call us.
    pub host: String,
}

impl Local {
    /// Delivers the message of `work` to its recipients, each mailbox once.
    ///
    /// The name of the file is that of the message. So a message that is delivered again, because
    /// the server has died before it was written down, takes the place of itself, unless a mail
    /// reader has moved it meanwhile: then it is there twice, and never not at all.
    pub(super) async fn deliver(&self, queue: &SqliteQueue, work: &Work) -> Delivered {
        let recipients = self.recipients.load_full();
        let found: Vec<_> =
            work.recipients.iter().map(|place| find(&recipients, &work.entry, *place)).collect();
        let mut mailboxes: Vec<_> =
            found.iter().filter_map(|it| it.as_ref().ok()).cloned().collect();
        mailboxes.sort_unstable();
        mailboxes.dedup();
        let delivered = match mailboxes.is_empty() {
            true => Ok(Vec::new()),
            false => self.store(queue, &work.entry, mailboxes.clone()).await,
        };
        let (delivered, feedback) = match delivered {
            Ok(delivered) => (delivered, Feedback::Good),
            // It was removed from the queue.
            Err(QueueError::NoMessage(_)) => return Delivered::untried(Feedback::Good),
            Err(QueueError::Damaged(_)) => {
                let outcome =
                    self.outcome(Verdict::Failed, "554 5.6.0 the message is damaged on our disk");
                return Delivered::all(outcome, work, Feedback::Good);
            }
            Err(error) => {
                let outcome = self.outcome(Verdict::Delayed, &format!("451 4.3.0 {error}"));
                return Delivered::all(outcome, work, Feedback::Down);
            }
        };
        let outcome = |found: Result<MailboxName, Refused<'_>>| match found {
            // It was when this began: the next attempt goes where its mail goes now.
            Err(reply) if reply == Refused::RELAY_DENIED => {
                self.outcome(Verdict::Delayed, "451 4.3.5 the domain is not local any more")
            }
            Err(reply) => {
                let text = format!("{} {} {}", reply.code(), reply.enhanced(), reply.text());
                self.outcome(Verdict::Failed, &text)
            }
            Ok(mailbox) => {
                match mailboxes.binary_search(&mailbox).ok().and_then(|at| delivered.get(at)) {
                    Some(Ok(())) => self.outcome(Verdict::Delivered, "250 2.1.5 delivered"),
                    Some(Err(error)) => {
                        self.outcome(Verdict::Delayed, &format!("451 4.2.0 {error}"))
                    }
                    None => self.outcome(Verdict::Delayed, "451 4.3.0 not delivered"),
                }
            }
        };
        Delivered { outcomes: found.into_iter().map(outcome).collect(), feedback }
    }

    async fn store(
        &self,
        queue: &SqliteQueue,
        entry: &Entry,
        mailboxes: Vec<MailboxName>,
    ) -> Result<Vec<Result<(), StoreError>>, QueueError> {
        let message = self.copy(queue, entry).await?;
        let (maildirs, id): (_, MessageId) = (self.maildirs.clone(), entry.id);
        let delivery = spawn_blocking(move || maildirs.deliver(id, message, &mailboxes));
        Ok(joined("cannot deliver the message", delivery).await?)
    }

    /// The message as it will be in a mailbox (RFC 5321 §4.4: the last server writes Return-Path).
    async fn copy(&self, queue: &SqliteQueue, entry: &Entry) -> Result<Spooled, QueueError> {
        let mut body = queue.body(entry.id).await?;
        let path = self.tmp.join(self.ids.next().to_string());
        let head = ReturnPath(&entry.envelope.from).to_string().into_bytes();
        let mut spool = Spool::new(path, head);
        loop {
            let octets = body.next().await?;
            if octets.is_empty() {
                return Ok(spool.finish().await?);
            }
            spool.write(&[&octets]).await?;
        }
    }

    fn outcome(&self, verdict: Verdict, reply: &str) -> Outcome {
        let (at, host, reply) = (Timestamp::now(), self.host.clone(), reply.to_owned());
        Outcome { verdict, attempt: Attempt { at, host, reply, dialogue: None } }
    }
}

fn find(
    recipients: &Recipients,
    entry: &Entry,
    place: u32,
) -> Result<MailboxName, Refused<'static>> {
    match entry.recipients.get(place as usize) {
        Some(recipient) => recipients.mailbox(&recipient.to),
        None => Err(Refused::NO_SUCH_USER),
    }
}
