//! A process that is killed while it takes messages and settles them.

use super::queued;
use smtp_mta::{
    message_id::{MessageId, MessageIds},
    queue::{Filter, Final, NewMessage, Options, Settlement, SqliteQueue},
    spool::Spooled,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    hash::{BuildHasher, RandomState},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

/// Where the child finds its folder.
const FOLDER: &str = "SMTP_MTA_TEST_QUEUE";

const OPTIONS: Options =
    Options { inline_limit: 500, max_messages: u64::MAX, max_bytes: u64::MAX, reserve: 0 };

/// A message whose octets tell whether they are whole.
fn message(id: MessageId, tmp: &Path, length: usize) -> NewMessage {
    let mut message = queued::message(id, tmp, "<>", &["<a@example.org>", "<b@example.org>"]);
    let octets = id.to_string().into_bytes().repeat(length);
    message.body = Spooled::Memory(octets, tmp.join(id.to_string()));
    message
}

/// The child: says what it has been promised. Does nothing when it is run as a test.
#[test]
fn child() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return };
    let queue = SqliteQueue::open(folder.join("queue"), OPTIONS).unwrap();
    let ids = Arc::new(MessageIds::new().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..8 {
            let (queue, ids, folder) = (queue.clone(), Arc::clone(&ids), folder.clone());
            tasks.spawn(async move {
                for round in 0..10_000 {
                    let length = if (task + round) % 3 == 0 { 100 } else { 2 };
                    let id = ids.next();
                    queue.enqueue(message(id, &folder, length)).await.unwrap();
                    println!("\nenqueued {id} {id}");
                    if round % 2 == 0 {
                        let report = ids.next();
                        println!("\nsettling {id} {report}");
                        let attempt = queued::attempt(1);
                        let failed = |place| (place, queued::done(Final::Failed, &attempt));
                        let changes = vec![failed(0), failed(1)];
                        let reports = vec![message(report, &folder, length)];
                        queue.settle(Settlement { id, changes, reports }).await.unwrap();
                        println!("\nsettled {id} {report}");
                    }
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    });
}

/// What the child has said before it died.
#[derive(Default)]
struct Said {
    enqueued: BTreeSet<MessageId>,
    settling: BTreeMap<MessageId, MessageId>,
    settled: BTreeSet<MessageId>,
}

impl Said {
    fn hear(&mut self, line: &str) {
        let mut words = line.split(' ');
        let word = words.next();
        let mut id = || MessageId::parse(words.next()?);
        // A line that was cut says nothing.
        let (Some(one), Some(two)) = (id(), id()) else { return };
        match word {
            Some("enqueued") => drop(self.enqueued.insert(one)),
            Some("settling") => drop(self.settling.insert(one, two)),
            Some("settled") => drop(self.settled.insert(one)),
            _ => {}
        }
    }
}

#[test]
fn what_was_promised_is_there_whole_after_each_of_ten_kills() {
    let folder = tempfile::tempdir().unwrap();
    let mut said = Said::default();
    for _ in 0..10 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["crash::child", "--exact", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut until_kill = 20 + RandomState::new().hash_one(0) % 600;
        for line in lines {
            // A character may be cut as well.
            said.hear(&line.unwrap_or_default());
            until_kill = until_kill.saturating_sub(1);
            if until_kill == 0 {
                child.kill().unwrap();
            }
        }
        assert!(!child.wait().unwrap().success(), "the child ended by itself");
        is_kept(&said, folder.path());
    }
    assert!(said.settled.len() > 10, "nothing was tried: {} settled", said.settled.len());
}

fn is_kept(said: &Said, folder: &Path) {
    let queue = SqliteQueue::open(folder.join("queue"), OPTIONS).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let found = queue.find(Filter::default(), None, usize::MAX).await.unwrap();
        let mut here = BTreeSet::new();
        for entry in found {
            assert_eq!(entry.recipients.len(), 2);
            let octets = queued::octets(&queue, entry.id).await;
            let whole = [2, 100].map(|length| entry.id.to_string().into_bytes().repeat(length));
            assert!(whole.contains(&octets), "{} is torn", entry.id);
            here.insert(entry.id);
        }
        for (id, report) in &said.settling {
            assert!(here.contains(id) != here.contains(report), "half a settlement of {id}");
            assert!(!(said.settled.contains(id) && here.contains(id)), "{id} is back");
        }
        for id in &said.enqueued {
            assert!(here.contains(id) || said.settling.contains_key(id), "{id} is lost");
        }
        queue.close().await.unwrap();
    });
}
