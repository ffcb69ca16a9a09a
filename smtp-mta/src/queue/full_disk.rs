//! A database that cannot grow.

use super::{
    Attempt, Change, Envelope, Filter, NewMessage, NewRecipient, Options, QueueError, Settlement,
    SqliteQueue, Timestamp, open,
};
use crate::{
    message_id::{MessageId, MessageIds},
    spool::Spooled,
};
use smtp_proto::wire::{ForwardPath, ReversePath};
use std::{path::PathBuf, sync::Arc};
use tokio::runtime::{Builder, Runtime};

const OPTIONS: Options =
    Options { inline_limit: 1 << 20, max_messages: u64::MAX, max_bytes: u64::MAX, reserve: 0 };

struct Given {
    runtime: Runtime,
    folder: tempfile::TempDir,
    ids: MessageIds,
}

impl Given {
    fn new() -> Self {
        Self {
            runtime: Builder::new_multi_thread().worker_threads(1).build().unwrap(),
            folder: tempfile::tempdir().unwrap(),
            ids: MessageIds::new().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("queue")
    }

    /// A queue whose database has at most so many pages, as on a disk without room for more.
    fn queue(&self, pages: u32) -> SqliteQueue {
        let opened = open::open(&self.path()).unwrap();
        opened.db.pragma_update(None, "max_page_count", pages).unwrap();
        SqliteQueue::start(self.path(), OPTIONS, opened).unwrap()
    }

    fn message(&self, length: usize) -> NewMessage {
        let id = self.ids.next();
        NewMessage {
            id,
            envelope: Envelope::new(ReversePath::Null),
            recipients: vec![NewRecipient::new(ForwardPath::Postmaster)],
            body: Spooled::Memory(vec![b'x'; length], self.folder.path().join(id.to_string())),
            received: Timestamp::now(),
        }
    }
}

/// Fills the queue; gives what it has taken.
async fn fill(given: &Given, queue: &SqliteQueue) -> Vec<MessageId> {
    let mut taken = Vec::new();
    loop {
        match queue.enqueue(given.message(10_000)).await {
            Ok(entry) => taken.push(entry.id),
            Err(error) => {
                assert_eq!(error.reply().code(), 452, "{error}");
                return taken;
            }
        }
    }
}

async fn names(queue: &SqliteQueue) -> Vec<MessageId> {
    let found = queue.find(Filter::default(), None, usize::MAX).await.unwrap();
    found.into_iter().map(|entry| entry.id).collect()
}

#[test]
fn a_message_without_room_is_refused_and_the_queue_goes_on_when_there_is_room() {
    let given = Given::new();
    given.runtime.block_on(async {
        let queue = given.queue(100);
        let taken = fill(&given, &queue).await;
        assert!(taken.len() > 20, "{}", taken.len());
        let commits = queue.totals().await.unwrap().commits;
        assert_eq!(names(&queue).await, taken);
        assert_eq!(queue.totals().await.unwrap().messages, taken.len() as u64);

        queue.delete(Filter::id(taken[3])).await.unwrap();
        let late = queue.enqueue(given.message(10_000)).await.unwrap().id;
        assert_eq!(queue.totals().await.unwrap().commits, commits + 2);
        queue.close().await.unwrap();

        let queue = given.queue(u32::MAX);
        let mut expected = taken.clone();
        expected.remove(3);
        expected.push(late);
        assert_eq!(names(&queue).await, expected);
        assert_eq!(queue.body(late).await.unwrap().next().await.unwrap().len(), 10_000);
    });
}

#[test]
fn all_who_wait_for_a_commit_that_finds_no_room_are_refused_and_none_is_in() {
    let given = Arc::new(Given::new());
    given.runtime.block_on(async {
        let queue = given.queue(100);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let (queue, message) = (queue.clone(), given.message(10_000));
            tasks.spawn(async move {
                let id = message.id;
                (id, queue.enqueue(message).await.map(drop))
            });
        }
        let mut taken = Vec::new();
        for (id, answer) in tasks.join_all().await {
            match answer {
                Ok(()) => taken.push(id),
                Err(error) => assert_eq!(error.reply().code(), 452, "{error}"),
            }
        }
        taken.sort();
        assert_eq!(names(&queue).await, taken);
    });
}

#[test]
fn a_settlement_waits_for_room_and_is_not_lost() {
    let given = Given::new();
    given.runtime.block_on(async {
        let queue = given.queue(100);
        let taken = fill(&given, &queue).await;
        let attempt = Attempt {
            at: Timestamp::now(),
            host: "mx.example".into(),
            reply: "451 4.0.0 later".into(),
            dialogue: Some("S: 451 4.0.0 later\n".repeat(2000).into()),
        };
        let until = Timestamp::from_micros(i64::MAX);
        let changes = vec![(0, Change::Wait { until, attempt: Some(attempt.clone()) })];
        let settlement = Settlement { id: taken[0], changes, reports: Vec::new() };
        let settling = queue.settle(settlement);
        let others = async {
            // Behind the settlement, so it has failed once when this is answered.
            let refused = queue.enqueue(given.message(10_000)).await.unwrap_err();
            assert!(matches!(refused, QueueError::Full(_)));
            let found = queue.find(Filter::id(taken[0]), None, 1).await.unwrap();
            assert_eq!(found[0].recipients[0].last, None);
            for id in &taken[1..10] {
                queue.delete(Filter::id(*id)).await.unwrap();
            }
        };
        let (settled, ()) = tokio::join!(biased; settling, others);
        assert_eq!(settled.unwrap().unfinished, 1);
        let found = queue.find(Filter::id(taken[0]), None, 1).await.unwrap();
        assert_eq!(found[0].recipients[0].last, Some(attempt));
    });
}

/// `TMPDIR=/a/file/system/of/64/MiB cargo test -p smtp-mta --lib -- --ignored small_disk`
#[test]
#[ignore = "needs a small file system"]
fn a_small_disk_is_filled_and_emptied_again_and_again() {
    let given = Given::new();
    given.runtime.block_on(async {
        let queue = SqliteQueue::open(given.path(), OPTIONS).unwrap();
        for _ in 0..5 {
            let mut taken = Vec::new();
            // Where a copy of the log makes room, it goes on for a while.
            while let more = fill(&given, &queue).await
                && !more.is_empty()
            {
                taken.extend(more);
            }
            println!("{} messages", taken.len());
            assert!(taken.len() > 10);
            for id in &taken {
                let mut body = queue.body(*id).await.unwrap();
                assert_eq!(body.next().await.unwrap().len(), 10_000);
            }
            assert_eq!(queue.delete(Filter::default()).await.unwrap(), taken.len() as u64);
        }
    });
}
