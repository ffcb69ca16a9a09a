//! What a request comes to.

use super::protocol::{Answer, Ask, Change, Done, Message, Selection};
use crate::{
    deliver::Dispatch,
    message_id::MessageId,
    queue::{Filter, QueueError, SqliteQueue, StoredBody, Timestamp},
};
use bytes::{Buf, Bytes};

/// Recipients after which a page of a list ends.
const PAGE: u64 = 500;

/// The same without a server, where each page opens the queue.
const PAGE_ALONE: u64 = 5_000;

/// Messages that are read at once for it: one may have many recipients.
const READ: usize = 20;

/// Messages that one request changes at most.
const CHANGES: usize = 256;

/// Does what is asked for, with a queue and whoever delivers what is in it.
#[derive(Clone, Debug)]
pub struct Handler {
    /// Where the messages are.
    pub queue: SqliteQueue,
    /// Who is told that they have changed; nobody if no server runs.
    pub dispatch: Option<Dispatch>,
}

/// The answers to a request.
#[derive(Debug)]
pub(super) enum Reply {
    /// These, with the last.
    Answers(Vec<Answer>),
    /// The octets of a message, and then the last.
    Body(Body),
}

/// What is wanted of the octets of a message.
#[derive(Debug)]
pub(super) struct Body {
    stored: StoredBody,
    skip: u64,
}

impl Body {
    /// The next octets, in constant memory; none at the end.
    pub(super) async fn next(&mut self) -> Result<Bytes, QueueError> {
        loop {
            let mut octets = self.stored.next().await?;
            let skipped = self.skip.min(octets.len() as u64);
            if octets.is_empty() || skipped < octets.len() as u64 {
                self.skip = 0;
                octets.advance(skipped as usize);
                return Ok(octets);
            }
            self.skip -= skipped;
        }
    }
}

impl Handler {
    /// Answers a request, or does a part of what it wants and says from where to go on.
    pub(super) async fn reply(&self, ask: Ask) -> Reply {
        let answers = match ask {
            Ask::Totals {} => self.totals().await,
            Ask::List { filter, after } => self.list(filter, after).await,
            Ask::Show { id } => self.show(id).await,
            Ask::Change { change, filter, after } => self.change(change, filter, after).await,
            Ask::Body { id, skip } => match self.queue.body(id).await {
                Ok(stored) => return Reply::Body(Body { stored, skip }),
                Err(error) => Err(error),
            },
        };
        Reply::Answers(answers.unwrap_or_else(|error| vec![Answer::Error(error.to_string())]))
    }

    async fn totals(&self) -> Result<Vec<Answer>, QueueError> {
        let totals = self.queue.totals().await?;
        Ok(vec![Answer::Totals(totals.into()), Answer::Done(Done::default())])
    }

    async fn list(
        &self,
        filter: Selection,
        mut after: Option<MessageId>,
    ) -> Result<Vec<Answer>, QueueError> {
        let filter = Filter::from(filter);
        let (mut answers, mut done) = (Vec::new(), Done::default());
        let page = if self.dispatch.is_some() { PAGE } else { PAGE_ALONE };
        while done.recipients < page {
            let entries = self.queue.find(filter.clone(), after, READ).await?;
            let Some(last) = entries.last() else {
                after = None;
                break;
            };
            after = Some(last.id);
            for entry in &entries {
                done.messages += 1;
                done.recipients += entry.recipients.len() as u64;
                answers.push(Answer::Message(without_dialogues(entry.into())));
            }
        }
        answers.push(Answer::Done(Done { after, ..done }));
        Ok(answers)
    }

    async fn show(&self, id: MessageId) -> Result<Vec<Answer>, QueueError> {
        let found = self.queue.find(Filter::id(id), None, 1).await?;
        let entry = found.first().ok_or(QueueError::NoMessage(id))?;
        let done = Done { messages: 1, recipients: entry.recipients.len() as u64, after: None };
        Ok(vec![Answer::Message(entry.into()), Answer::Done(done)])
    }

    async fn change(
        &self,
        change: Change,
        filter: Selection,
        after: Option<MessageId>,
    ) -> Result<Vec<Answer>, QueueError> {
        let mut filter = Filter::from(filter);
        if let Some(from) = change.from()
            && *filter.state.get_or_insert(from) != from
        {
            return Ok(vec![Answer::Done(Done::default())]);
        }
        let ids = self.queue.names(filter.clone(), after, CHANGES).await?;
        let Some(last) = ids.last().copied() else {
            return Ok(vec![Answer::Done(Done::default())]);
        };
        // What is changed is what was found, whatever came meanwhile.
        filter.ids.clone_from(&ids);
        let now = Timestamp::now();
        let recipients = match change {
            Change::Hold => self.queue.hold(filter).await?,
            Change::Release => self.queue.release(filter, now).await?,
            Change::Retry => self.queue.retry(filter, now).await?,
            Change::Delete => self.queue.delete(filter).await.map(|_| 0)?,
        };
        self.tell(change, &ids);
        let messages = ids.len() as u64;
        let change = change.as_str();
        for id in &ids {
            tracing::info!(id = id.to_string(), change, "queue");
        }
        tracing::info!(change, messages, recipients, "queue changed by hand");
        let after = (ids.len() == CHANGES).then_some(last);
        Ok(vec![Answer::Changed(ids), Answer::Done(Done { messages, recipients, after })])
    }

    /// What is in memory of these messages is no longer true: it is read from the queue again.
    fn tell(&self, change: Change, ids: &[MessageId]) {
        let Some(dispatch) = &self.dispatch else { return };
        if change == Change::Retry {
            dispatch.resume();
        }
        for id in ids {
            dispatch.forget(*id);
        }
        if change != Change::Delete {
            dispatch.look();
        }
    }
}

fn without_dialogues(mut message: Message) -> Message {
    for last in message.recipients.iter_mut().filter_map(|recipient| recipient.last.as_mut()) {
        last.dialogue = None;
    }
    message
}
