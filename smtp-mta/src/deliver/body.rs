//! The octets of a queued message, as the client reads them.

use crate::{
    message_id::MessageId,
    queue::{QueueError, SqliteQueue, StoredBody},
};
use bytes::Bytes;
use smtp_client::{Body, Chunk};
use std::{
    future::Future,
    io, mem,
    pin::Pin,
    task::{Context, Poll},
};

/// A queued message that can be sent any number of times, in constant memory. It is read when it is
/// wanted, and a short one only once.
pub(super) struct QueuedBody {
    queue: SqliteQueue,
    id: MessageId,
    source: Source,
    octets: Bytes,
    /// `octets` are the last of the message.
    last: bool,
    /// `octets` are all of it.
    whole: bool,
    /// `octets` were asked for.
    shown: bool,
}

enum Source {
    /// The first octet comes next.
    Start,
    Reading(Reading),
    /// What comes next, behind so many octets.
    Open(StoredBody, u64),
    /// Nothing comes any more.
    End,
}

type Reading = Pin<Box<dyn Future<Output = Result<Piece, QueueError>> + Send>>;

struct Piece {
    body: StoredBody,
    octets: Bytes,
    /// Octets up to the end of the piece.
    read: u64,
    last: bool,
}

impl QueuedBody {
    pub(super) fn new(queue: SqliteQueue, id: MessageId) -> Self {
        let (octets, source) = (Bytes::new(), Source::Start);
        Self { queue, id, source, octets, last: false, whole: false, shown: false }
    }

    fn take(&mut self, Piece { body, octets, read, last }: Piece) {
        self.whole = last && octets.len() as u64 == body.size();
        (self.octets, self.last, self.shown) = (octets, last, true);
        self.source = if last { Source::End } else { Source::Open(body, read) };
    }
}

async fn open(queue: SqliteQueue, id: MessageId) -> Result<Piece, QueueError> {
    read(queue.body(id).await?, 0).await
}

/// The piece behind `before` octets. It is the last only if the whole message was found right.
async fn read(mut body: StoredBody, before: u64) -> Result<Piece, QueueError> {
    let octets = body.next().await?;
    let read = before + octets.len() as u64;
    let last = octets.is_empty() || (read == body.size() && body.next().await?.is_empty());
    Ok(Piece { body, octets, read, last })
}

impl Body for QueuedBody {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.whole {
            self.shown = true;
            return Poll::Ready(Ok(()));
        }
        let mut reading: Reading = match mem::replace(&mut self.source, Source::End) {
            Source::Start => Box::pin(open(self.queue.clone(), self.id)),
            Source::Open(body, before) => Box::pin(read(body, before)),
            Source::Reading(reading) => reading,
            Source::End => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
        };
        match reading.as_mut().poll(cx) {
            Poll::Pending => self.source = Source::Reading(reading),
            Poll::Ready(piece) => {
                self.take(piece.map_err(io::Error::other)?);
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }

    fn chunk(&self) -> Chunk<'_> {
        match self.shown {
            true => Chunk { octets: &self.octets, last: self.last },
            false => Chunk::default(),
        }
    }

    fn poll_rewind(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shown = false;
        if !self.whole {
            (self.source, self.octets) = (Source::Start, Bytes::new());
        }
        Poll::Ready(Ok(()))
    }

    fn can_rewind(&self) -> bool {
        true
    }
}
