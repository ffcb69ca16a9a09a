//! A queue in a folder of its own, and messages for it.

use smtp_mta::{
    message_id::{MessageId, MessageIds},
    queue::{
        Attempt, Change, Entry, Envelope, Filter, Final, NewMessage, NewRecipient, Options,
        QueueError, SqliteQueue, Timestamp,
    },
    spool::{Spool, Spooled},
};
use smtp_proto::wire::{ForwardPath, ReversePath};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub(crate) struct Given {
    folder: Arc<tempfile::TempDir>,
    options: Options,
    pub(crate) queue: SqliteQueue,
    pub(crate) ids: Arc<MessageIds>,
}

impl Given {
    pub(crate) fn new(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let queue = SqliteQueue::open(folder.path().join("queue"), options).unwrap();
        let ids = Arc::new(MessageIds::new().unwrap());
        Self { folder: folder.into(), options, queue, ids }
    }

    pub(crate) fn run<T>(&self, test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
        runtime.unwrap().block_on(test)
    }

    pub(crate) fn queue_folder(&self) -> PathBuf {
        self.folder.path().join("queue")
    }

    pub(crate) fn try_open(&self) -> Result<SqliteQueue, QueueError> {
        SqliteQueue::open(self.queue_folder(), self.options)
    }

    /// The same folder after a restart.
    pub(crate) async fn reopened(&self) -> Self {
        self.queue.close().await.unwrap();
        self.open_again()
    }

    pub(crate) fn open_again(&self) -> Self {
        let queue = self.try_open().unwrap();
        let (folder, ids) = (Arc::clone(&self.folder), Arc::clone(&self.ids));
        Self { folder, options: self.options, queue, ids }
    }

    /// A message whose octets are its name.
    pub(crate) fn message(&self, from: &str, to: &[&str]) -> NewMessage {
        message(self.ids.next(), self.folder.path(), from, to)
    }

    pub(crate) async fn spooled(&self, id: MessageId, octets: &[u8]) -> Spooled {
        let path = self.folder.path().join(format!("{id}.tmp"));
        let mut spool = Spool::new(path, Vec::new());
        spool.write(&[octets]).await.unwrap();
        spool.finish().await.unwrap()
    }

    pub(crate) async fn all(&self) -> Vec<Entry> {
        self.queue.find(Filter::default(), None, usize::MAX).await.unwrap()
    }

    pub(crate) async fn octets(&self, id: MessageId) -> Vec<u8> {
        octets(&self.queue, id).await
    }

    /// Files of messages in the folder.
    pub(crate) fn files(&self) -> usize {
        let entries = std::fs::read_dir(self.queue_folder()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| MessageId::is_one(name)).count()
    }
}

pub(crate) async fn octets(queue: &SqliteQueue, id: MessageId) -> Vec<u8> {
    let mut body = queue.body(id).await.unwrap();
    let mut octets = Vec::new();
    while let chunk = body.next().await.unwrap()
        && !chunk.is_empty()
    {
        octets.extend_from_slice(&chunk);
    }
    octets
}

pub(crate) fn message(id: MessageId, tmp: &Path, from: &str, to: &[&str]) -> NewMessage {
    let forward = |path: &&str| ForwardPath::parse(path).unwrap().0.into_static();
    NewMessage {
        id,
        envelope: Envelope::new(ReversePath::parse(from).unwrap().0.into_static()),
        recipients: to.iter().map(|path| NewRecipient::new(forward(path))).collect(),
        body: Spooled::Memory(id.to_string().into_bytes(), tmp.join(format!("{id}.tmp"))),
        received: Timestamp::now(),
    }
}

pub(crate) fn attempt(at: i64) -> Attempt {
    Attempt {
        at: Timestamp::from_micros(at),
        host: "mx.example".into(),
        reply: "451 4.0.0 later".into(),
        dialogue: Some("C: QUIT".into()),
    }
}

pub(crate) fn wait(until: i64, attempt: &Attempt) -> Change {
    Change::Wait { until: Timestamp::from_micros(until), attempt: Some(attempt.clone()) }
}

pub(crate) fn done(state: Final, attempt: &Attempt) -> Change {
    Change::Done { state, attempt: Some(attempt.clone()) }
}
