//! What the queue costs: measured, not judged.
//!
//! `cargo test --release -p smtp-mta --test queue -- --ignored --nocapture --test-threads 1 cost`

use super::queued::{Given, attempt, done, wait};
use smtp_mta::{
    queue::{Cursor, Filter, Final, Options, Settlement, SqliteQueue, State, Timestamp},
    spool::Spooled,
};
use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

/// CPU seconds of this process, user and system.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |place: usize| fields[place].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

struct Cost {
    what: String,
    since: Instant,
    cpu: f64,
    commits: u64,
}

impl Cost {
    async fn of(what: impl Into<String>, queue: &SqliteQueue) -> Self {
        let commits = queue.totals().await.unwrap().commits;
        Self { what: what.into(), since: Instant::now(), cpu: cpu(), commits }
    }

    async fn print(self, count: usize, queue: &SqliteQueue) {
        let seconds = self.since.elapsed().as_secs_f64();
        let cpu = (cpu() - self.cpu) * 1e6 / count as f64;
        let commits = queue.totals().await.unwrap().commits - self.commits;
        let (each, rate) = (commits as f64 / count as f64, count as f64 / seconds);
        println!("{:32} {rate:9.0}/s {cpu:7.1} us CPU {each:7.4} commits each", self.what);
    }
}

/// Enqueues `count` messages of `size` octets, `at_once` at a time.
async fn enqueue(given: &Given, count: usize, size: usize, at_once: usize) -> Vec<Settlement> {
    let left = Arc::new(Mutex::new(Vec::new()));
    for n in 0..count {
        let to = format!("<user{n}@domain{}.example>", n % 1000);
        let mut message = given.message("<sender@example.org>", &[&to]);
        let Spooled::Memory(_, path) = message.body else { panic!("in memory") };
        message.body = Spooled::Memory(vec![b'x'; size], path);
        left.lock().unwrap().push(message);
    }
    let cost = Cost::of(format!("enqueue, {size} octets, {at_once} at once"), &given.queue).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..at_once {
        let (queue, left) = (given.queue.clone(), Arc::clone(&left));
        tasks.spawn(async move {
            let mut ids = Vec::new();
            while let Some(message) = { left.lock().unwrap().pop() } {
                ids.push(queue.enqueue(message).await.unwrap().id);
            }
            ids
        });
    }
    let ids = tasks.join_all().await.concat();
    cost.print(count, &given.queue).await;
    let relayed = || vec![(0, done(Final::Relayed, &attempt(1)))];
    ids.into_iter().map(|id| Settlement { id, changes: relayed(), reports: vec![] }).collect()
}

async fn settle(given: &Given, settlements: Vec<Settlement>, at_once: usize) {
    let count = settlements.len();
    let left = Arc::new(Mutex::new(settlements));
    let cost = Cost::of(format!("settle, {at_once} at once"), &given.queue).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..at_once {
        let (queue, left) = (given.queue.clone(), Arc::clone(&left));
        tasks.spawn(async move {
            while let Some(settlement) = { left.lock().unwrap().pop() } {
                queue.settle(settlement).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    cost.print(count, &given.queue).await;
}

#[test]
#[ignore = "measures"]
fn cost_of_messages() {
    for (size, inline_limit) in [
        (4 << 10, 64 << 10),
        (32 << 10, 64 << 10),
        (32 << 10, 0),
        (100 << 10, 1 << 20),
        (100 << 10, 0),
    ] {
        println!("{size} octets, {}", if inline_limit == 0 { "in a file" } else { "in the row" });
        let given = Given::new(Options { inline_limit, ..Options::default() });
        given.run(async {
            let scale = if size > 5000 { 10 } else { 1 };
            let settlements = enqueue(&given, 5_000 / scale, size, 1).await;
            settle(&given, settlements, 1).await;
            let settlements = enqueue(&given, 50_000 / scale, size, 32).await;
            let cost = Cost::of("body", &given.queue).await;
            for settlement in &settlements[..1000] {
                let mut body = given.queue.body(settlement.id).await.unwrap();
                while !body.next().await.unwrap().is_empty() {}
            }
            cost.print(1000, &given.queue).await;
            settle(&given, settlements, 32).await;
        });
    }
}

#[test]
#[ignore = "measures"]
fn cost_of_questions_about_100_000_messages() {
    let given = Given::new(Options::default());
    given.run(async {
        let settlements = enqueue(&given, 100_000, 4096, 64).await;
        let later = Timestamp::now() + std::time::Duration::from_secs(3600);
        let waiting: Vec<_> = settlements
            .iter()
            .skip(1000)
            .map(|settlement| {
                let until = wait(later.as_micros(), &attempt(1));
                Settlement { id: settlement.id, changes: vec![(0, until)], reports: vec![] }
            })
            .collect();
        settle(&given, waiting, 64).await;
        let queue = &given.queue;
        let timed = async |what: &str, question: &dyn Fn() -> Filter, limit| {
            let since = Instant::now();
            let found = queue.find(question(), None, limit).await.unwrap().len();
            println!("find {what}: {found} in {:?}", since.elapsed());
        };
        let since = Instant::now();
        let (due, cursor) = queue.due(Cursor::default(), Timestamp::now(), 100).await.unwrap();
        println!("due: {} in {:?}", due.len(), since.elapsed());
        let since = Instant::now();
        let (due, _) = queue.due(cursor, Timestamp::now(), 10_000).await.unwrap();
        println!("due: {} in {:?}", due.len(), since.elapsed());
        let since = Instant::now();
        queue.next_due(cursor).await.unwrap().unwrap();
        println!("next_due: {:?}", since.elapsed());

        let any = Filter::default;
        let id = settlements[50_000].id;
        timed("by id", &|| Filter::id(id), 10).await;
        timed("first page", &any, 100).await;
        timed("by domain", &|| Filter { to: Some("domain7.example".into()), ..any() }, 1000).await;
        let one = || Filter { to: Some("user77777@domain777.example".into()), ..any() };
        timed("by recipient", &one, 10).await;
        timed("by sender, none", &|| Filter { from: Some("x@y.example".into()), ..any() }, 10)
            .await;
        timed("held", &|| Filter { state: Some(State::Held), ..any() }, 10).await;
        timed("all", &any, usize::MAX).await;
        let since = Instant::now();
        println!("totals: {:?} in {:?}", queue.totals().await.unwrap(), since.elapsed());
        let since = Instant::now();
        let given = given.reopened().await;
        println!("close and open: {:?}", since.elapsed());
        let since = Instant::now();
        let held = given.queue.hold(Filter::default()).await.unwrap();
        println!("hold: {held} in {:?}", since.elapsed());
        let since = Instant::now();
        let gone = given.queue.delete(Filter::default()).await.unwrap();
        println!("delete: {gone} in {:?}", since.elapsed());
    });
}
