//! The queue beside a model of it in memory.

use super::queued::{Given, attempt, done, wait};
use proptest::{prelude::*, test_runner::Config};
use smtp_mta::{
    message_id::MessageId,
    queue::{
        Change, Cursor, Entry, Filter, Final, Options, Settlement, SqliteQueue, State, Timestamp,
    },
};
use std::{collections::BTreeMap, fs, io, sync::Arc};

const ADDRESSES: [&str; 3] = ["<a@one.example>", "<b@one.example>", "<c@two.example>"];

#[derive(Clone, Debug)]
enum Operation {
    Enqueue {
        to: Vec<usize>,
        long: bool,
        /// Others take the place of the first.
        expanded: bool,
    },
    Settle {
        which: usize,
        changes: Vec<(u32, Change)>,
        report: bool,
    },
    Hold(Option<usize>),
    Release(Option<usize>),
    Retry(Option<usize>),
    Delete(usize),
    Reopen,
    /// What is on the disk now is what a crash would leave.
    Crash,
}

fn change() -> impl Strategy<Value = Change> {
    let until = 0..100_i64;
    let end = prop::sample::select(vec![Final::Delivered, Final::Relayed, Final::Failed]);
    prop_oneof![
        until.clone().prop_map(|until| wait(until, &attempt(until))),
        until.prop_map(|until| {
            Change::Wait { until: Timestamp::from_micros(until), attempt: None }
        }),
        end.prop_map(|state| done(state, &attempt(1))),
        Just(Change::Done { state: Final::Failed, attempt: None }),
        Just(Change::Hold),
        Just(Change::DelayTold),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let address = || 0..ADDRESSES.len();
    let some = || prop::option::of(address());
    prop_oneof![
        4 => (prop::collection::vec(address(), 1..4), any::<bool>(), any::<bool>())
            .prop_map(|(to, long, expanded)| Operation::Enqueue { to, long, expanded }),
        5 => (any::<usize>(), prop::collection::vec((0..3_u32, change()), 0..4), any::<bool>())
            .prop_map(|(which, changes, report)| Operation::Settle { which, changes, report }),
        1 => some().prop_map(Operation::Hold),
        1 => some().prop_map(Operation::Release),
        1 => some().prop_map(Operation::Retry),
        1 => any::<usize>().prop_map(Operation::Delete),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::Crash),
    ]
}

/// What should be in the queue.
#[derive(Default)]
struct Model {
    entries: BTreeMap<MessageId, Entry>,
    octets: BTreeMap<MessageId, Vec<u8>>,
}

impl Model {
    fn pick(&self, which: usize) -> Option<MessageId> {
        let count = self.entries.len();
        (count > 0).then(|| *self.entries.keys().nth(which % count).unwrap())
    }

    /// Makes `change` for those at `address` that are `from`.
    fn change(&mut self, address: Option<usize>, from: State, change: &Change) -> u64 {
        let recipients = self.entries.values_mut().flat_map(|entry| &mut entry.recipients);
        let mut count = 0;
        for recipient in recipients {
            let here = address.is_none_or(|at| recipient.to.to_string() == ADDRESSES[at]);
            if here && recipient.state == from {
                recipient.apply(change);
                count += 1;
            }
        }
        count
    }
}

fn at(address: Option<usize>) -> Filter {
    let bare = |path: &str| path.trim_matches(['<', '>']).to_owned();
    Filter { to: address.map(|at| bare(ADDRESSES[at])), ..Filter::default() }
}

async fn step(given: &mut Given, model: &mut Model, operation: Operation) {
    let now = Timestamp::from_micros(50);
    match operation {
        Operation::Enqueue { to, long, expanded } => {
            let to: Vec<_> = to.into_iter().map(|at| ADDRESSES[at]).collect();
            let mut message = given.message("<>", &to);
            message.recipients[0].is_expanded = expanded && to.len() > 1;
            let octets = message.id.to_string().into_bytes().repeat(if long { 9 } else { 1 });
            message.body = given.spooled(message.id, &octets).await;
            let entry = given.queue.enqueue(message).await.unwrap();
            model.octets.insert(entry.id, octets);
            model.entries.insert(entry.id, Arc::unwrap_or_clone(entry));
        }
        Operation::Settle { which, mut changes, report } => {
            let Some(id) = model.pick(which) else { return };
            let entry = model.entries.get_mut(&id).unwrap();
            changes.retain(|(place, _)| (*place as usize) < entry.recipients.len());
            for (place, change) in &changes {
                entry.recipients[*place as usize].apply(change);
            }
            let unfinished = entry.recipients.iter().filter(|r| !r.state.is_final()).count();
            if unfinished == 0 {
                model.entries.remove(&id);
            }
            let report = report.then(|| given.message("<>", &["<s@one.example>"]));
            let settlement = Settlement { id, changes, reports: Vec::from_iter(report) };
            let settled = given.queue.settle(settlement).await.unwrap();
            assert_eq!(settled.unfinished, unfinished as u64);
            for report in settled.reports {
                model.octets.insert(report.id, report.id.to_string().into_bytes());
                model.entries.insert(report.id, Arc::unwrap_or_clone(report));
            }
        }
        Operation::Hold(address) => {
            let count = model.change(address, State::Waiting, &Change::Hold);
            assert_eq!(given.queue.hold(at(address)).await.unwrap(), count);
        }
        Operation::Release(address) => {
            let count = model.change(address, State::Held, &Change::Release { at: now });
            assert_eq!(given.queue.release(at(address), now).await.unwrap(), count);
        }
        Operation::Retry(address) => {
            let count = model.change(address, State::Waiting, &Change::Release { at: now });
            assert_eq!(given.queue.retry(at(address), now).await.unwrap(), count);
        }
        Operation::Delete(which) => {
            let Some(id) = model.pick(which) else { return };
            model.entries.remove(&id);
            assert_eq!(given.queue.delete(Filter::id(id)).await.unwrap(), 1);
        }
        Operation::Reopen => *given = given.reopened().await,
        Operation::Crash => crash(given, model).await,
    }
}

/// Opens a copy of the files as they are.
async fn crash(given: &Given, model: &Model) {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(given.queue_folder()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() == "ballast" {
            continue;
        }
        match fs::copy(entry.path(), copy.path().join(entry.file_name())) {
            // The file of a message that is gone goes a little later.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            copied => drop(copied.unwrap()),
        }
    }
    let queue = SqliteQueue::open(copy.path().to_path_buf(), Options::default()).unwrap();
    let found = queue.find(Filter::default(), None, usize::MAX).await.unwrap();
    assert_eq!(found, model.entries.values().cloned().collect::<Vec<_>>());
    queue.close().await.unwrap();
}

async fn compare(given: &Given, model: &Model) {
    let expected: Vec<_> = model.entries.values().cloned().collect();
    assert_eq!(given.all().await, expected);

    let count = |state| {
        let recipients = expected.iter().flat_map(|entry| &entry.recipients);
        recipients.filter(|recipient| recipient.state == state).count() as u64
    };
    let totals = given.queue.totals().await.unwrap();
    assert_eq!(totals.messages, expected.len() as u64);
    assert_eq!(totals.bytes, expected.iter().map(|entry| entry.size).sum::<u64>());
    assert_eq!(totals.waiting, count(State::Waiting));
    assert_eq!(totals.held, count(State::Held));

    let mut due: Vec<_> = expected.iter().filter_map(Entry::due).collect();
    due.sort();
    assert_eq!(given.queue.next_due(Cursor::default()).await.unwrap(), due.first().copied());
    let end = Timestamp::from_micros(i64::MAX);
    let (found, _) = given.queue.due(Cursor::default(), end, usize::MAX).await.unwrap();
    assert_eq!(found.iter().filter_map(Entry::due).collect::<Vec<_>>(), due);
}

proptest! {
    #![proptest_config(Config { cases: 48, ..Config::default() })]

    #[test]
    fn the_queue_holds_what_a_model_of_it_holds(
        operations in prop::collection::vec(operation(), 1..30),
    ) {
        let mut given = Given::new(Options { inline_limit: 100, ..Options::default() });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::default();
            for operation in operations {
                step(&mut given, &mut model, operation).await;
                compare(&given, &model).await;
            }
            for id in model.entries.keys() {
                assert_eq!(given.octets(*id).await, model.octets[id]);
            }
            let given = given.reopened().await;
            compare(&given, &model).await;
            assert_eq!(given.files(), model.entries.values().filter(|e| e.size > 100).count());
        });
    }
}
