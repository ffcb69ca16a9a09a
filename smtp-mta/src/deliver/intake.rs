//! Where sessions put messages.

use super::Dispatch;
use crate::{
    message_id::MessageId,
    queue::{Filter, NewMessage, QueueError, SqliteQueue},
    store::Store,
};
use smtp_proto::wire::Refused;

/// The queue, and whoever delivers what is in it.
#[derive(Clone, Debug)]
pub struct Intake {
    /// Where messages are kept.
    pub queue: SqliteQueue,
    /// Who is told of them.
    pub dispatch: Dispatch,
}

impl Store for Intake {
    type Receipt = MessageId;

    fn admits(&self, size: u64) -> Result<(), Refused<'static>> {
        self.queue.admits(size).map_err(|full| full.reply())
    }

    async fn store(&self, message: NewMessage) -> Result<MessageId, QueueError> {
        let entry = self.queue.enqueue(message).await?;
        let id = entry.id;
        self.dispatch.fresh(entry);
        Ok(id)
    }

    fn retract(&self, id: MessageId) {
        let Self { queue, dispatch } = self.clone();
        drop(tokio::spawn(async move {
            if let Err(error) = queue.delete(Filter::id(id)).await {
                let (id, reason) = (id.to_string(), error.to_string());
                tracing::warn!(id, reason, "a message could not be taken back");
            }
            dispatch.forget(id);
        }));
    }
}
