//! The queue, from outside.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod crash;
mod many;
mod model;
mod queued;
mod recent;

use queued::{Given, attempt, done, wait};
use smtp_mta::queue::{
    Change, Cursor, Envelope, Filter, Final, Full, NewRecipient, Options, QueueError, Settlement,
    State, Timestamp,
};
use smtp_proto::{
    ext::{BodyType, Notify, Orcpt, Ret},
    wire::{ForwardPath, ReversePath, Xtext},
};
use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

#[test]
fn all_that_is_known_about_a_message_comes_back() {
    let given = Given::new(Options::default());
    given.run(async {
        let mut message = given.message("<é@xn--4ca.example>", &["<Postmaster>"]);
        message.envelope = Envelope {
            from: ReversePath::parse("<\"a b\"@example.org>").unwrap().0.into_static(),
            ret: Some(Ret::Hdrs),
            envid: Some(Xtext::parse("e+3Dmc2").unwrap().into_static()),
            body: BodyType::EightBitMime,
            smtputf8: true,
            login: Some("alice".into()),
        };
        let on = |success, failure, delay| Some(Notify::On { success, failure, delay });
        for notify in [Some(Notify::Never), on(true, false, true), on(false, true, false)] {
            message.recipients.push(NewRecipient {
                to: ForwardPath::parse("<é@[192.0.2.1]>").unwrap().0.into_static(),
                notify,
                orcpt: Some(Orcpt::parse("rfc822;Bob+40x").unwrap().into_static()),
                is_expanded: false,
            });
        }
        let fresh = given.queue.enqueue(message).await.unwrap();
        assert_eq!(given.all().await, [(*fresh).clone()]);
        assert_eq!(given.octets(fresh.id).await, fresh.id.to_string().as_bytes());

        let attempt = attempt(5);
        let changes = vec![
            (0, wait(7, &attempt)),
            (1, done(Final::Delivered, &attempt)),
            (2, Change::Hold),
            (3, Change::DelayTold),
        ];
        let mut expected = (*fresh).clone();
        for (place, change) in &changes {
            expected.recipients[*place as usize].apply(change);
        }
        let settlement = Settlement { id: fresh.id, changes, reports: Vec::new() };
        assert_eq!(given.queue.settle(settlement).await.unwrap().unfinished, 3);
        assert_eq!(given.all().await, [expected.clone()]);

        let given = given.reopened().await;
        assert_eq!(given.all().await, [expected]);
    });
}

#[test]
fn a_null_sender_stays_one() {
    let given = Given::new(Options::default());
    given.run(async {
        let fresh = given.queue.enqueue(given.message("<>", &["<a@example.org>"])).await.unwrap();
        assert_eq!(fresh.envelope.from, ReversePath::Null);
        assert_eq!(given.all().await, [(*fresh).clone()]);
        let from = |pattern: &str| Filter { from: Some(pattern.into()), ..Filter::default() };
        assert_eq!(given.queue.find(from("<>"), None, 9).await.unwrap().len(), 1);
        assert_eq!(given.queue.find(from("*@*"), None, 9).await.unwrap().len(), 0);
    });
}

#[test]
fn a_message_leaves_with_its_last_recipient_and_its_report_comes_with_that() {
    let given = Given::new(Options::default());
    given.run(async {
        let to = ["<a@example.org>", "<b@example.org>"];
        let fresh = given.queue.enqueue(given.message("<s@example.org>", &to)).await.unwrap();
        let first = vec![(1, done(Final::Relayed, &attempt(1)))];
        let settlement = Settlement { id: fresh.id, changes: first, reports: Vec::new() };
        assert_eq!(given.queue.settle(settlement).await.unwrap().unfinished, 1);

        let commits = given.queue.totals().await.unwrap().commits;
        let report = given.message("<>", &["<s@example.org>"]);
        let (report_id, failed) = (report.id, vec![(0, done(Final::Failed, &attempt(2)))]);
        let settlement = Settlement { id: fresh.id, changes: failed, reports: vec![report] };
        let settled = given.queue.settle(settlement).await.unwrap();
        assert_eq!(settled.unfinished, 0);
        assert_eq!(given.queue.totals().await.unwrap().commits, commits + 1);
        assert_eq!(given.all().await, [(*settled.reports[0]).clone()]);
        assert_eq!(given.octets(report_id).await, report_id.to_string().as_bytes());
        assert!(matches!(given.queue.body(fresh.id).await, Err(QueueError::NoMessage(_))));
    });
}

#[test]
fn a_recipient_whose_place_others_take_is_there_as_long_as_they_are() {
    let given = Given::new(Options::default());
    given.run(async {
        let to = ["<team@example.org>", "<a@example.org>"];
        let expanded = || {
            let mut message = given.message("<s@example.org>", &to);
            message.recipients[0].is_expanded = true;
            message
        };
        let fresh = given.queue.enqueue(expanded()).await.unwrap();
        let given = given.reopened().await;
        assert_eq!(given.all().await, [(*fresh).clone()]);
        assert_eq!(fresh.recipients[0].state, State::Expanded);
        let of = |state| Filter { state: Some(state), ..Filter::default() };
        assert_eq!(given.queue.find(of(State::Expanded), None, 9).await.unwrap().len(), 1);
        assert_eq!(given.queue.hold(Filter::default()).await.unwrap(), 1);
        let changes = vec![(1, done(Final::Delivered, &attempt(1)))];
        let settlement = Settlement { id: fresh.id, changes, reports: Vec::new() };
        assert_eq!(given.queue.settle(settlement).await.unwrap().unfinished, 0);
        assert!(given.all().await.is_empty());
    });
    given.run(async {
        let given = given.open_again();
        let mut nobody = given.message("<s@example.org>", &["<team@example.org>"]);
        nobody.recipients[0].is_expanded = true;
        let error = given.queue.enqueue(nobody).await.unwrap_err();
        assert!(matches!(error, QueueError::Unacceptable(_)), "{error}");
    });
}

#[test]
fn a_settlement_that_is_wrong_in_part_changes_nothing() {
    let given = Given::new(Options::default());
    given.run(async {
        let to = ["<a@example.org>", "<b@example.org>"];
        let fresh = given.queue.enqueue(given.message("<>", &to)).await.unwrap();
        let before = given.all().await;
        let settle = async |changes, report: Option<_>| {
            let reports = Vec::from_iter(report);
            given.queue.settle(Settlement { id: fresh.id, changes, reports }).await.unwrap_err()
        };
        let finished = (0, done(Final::Failed, &attempt(2)));
        let report = given.message("<>", &["<s@example.org>"]);
        let error = settle(vec![finished.clone(), (2, Change::Hold)], Some(report)).await;
        assert!(matches!(error, QueueError::NoRecipient(_, 2)), "{error}");
        assert_eq!(given.all().await, before);

        let mut twice = given.message("<>", &["<s@example.org>"]);
        twice.id = fresh.id;
        settle(vec![finished], Some(twice)).await;
        assert_eq!(given.all().await, before);
    });
}

#[test]
fn what_is_taken_under_a_name_that_is_there_is_refused_alone() {
    let given = Given::new(Options::default());
    given.run(async {
        let first = given.queue.enqueue(given.message("<>", &["<a@example.org>"])).await.unwrap();
        let mut twice = given.message("<>", &["<b@example.org>"]);
        twice.id = first.id;
        let other = given.message("<>", &["<c@example.org>"]);
        let (twice, other) = tokio::join!(given.queue.enqueue(twice), given.queue.enqueue(other));
        assert!(matches!(twice, Err(QueueError::Unacceptable(_))));
        let all = given.all().await;
        assert_eq!(all, [(*first).clone(), (*other.unwrap()).clone()]);

        let nobody = given.message("<>", &[]);
        assert!(matches!(given.queue.enqueue(nobody).await, Err(QueueError::Unacceptable(_))));
    });
}

#[test]
fn many_at_once_share_a_transaction_and_one_alone_costs_one() {
    let given = Given::new(Options::default());
    given.run(async {
        let before = given.queue.totals().await.unwrap().commits;
        given.queue.enqueue(given.message("<>", &["<a@example.org>"])).await.unwrap();
        assert_eq!(given.queue.totals().await.unwrap().commits, before + 1);

        let rounds = 32;
        for _ in 0..rounds {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..32 {
                let queue = given.queue.clone();
                let message = given.message("<>", &["<a@example.org>"]);
                tasks.spawn(async move { queue.enqueue(message).await.map(drop) });
            }
            while let Some(done) = tasks.join_next().await {
                done.unwrap().unwrap();
            }
        }
        let commits = given.queue.totals().await.unwrap().commits - before - 1;
        assert!(commits <= rounds * 16, "{commits} transactions for {rounds} times 32 messages");
        assert_eq!(given.queue.totals().await.unwrap().messages, 32 * rounds + 1);
    });
}

#[test]
fn a_long_message_is_in_a_file_and_comes_back_in_pieces() {
    let given = Given::new(Options { inline_limit: 10, ..Options::default() });
    given.run(async {
        let octets: Vec<u8> = (0..3_000_001_u32).map(|n| (n % 251) as u8).collect();
        for octets in [&octets[..], &octets[..11]] {
            let mut message = given.message("<>", &["<a@example.org>"]);
            message.body = given.spooled(message.id, octets).await;
            let fresh = given.queue.enqueue(message).await.unwrap();
            assert_eq!(fresh.size, octets.len() as u64);
            let file = given.queue_folder().join(fresh.id.to_string());
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(given.queue.totals().await.unwrap().bytes, fresh.size);

            let mut body = given.queue.body(fresh.id).await.unwrap();
            given.queue.delete(Filter::id(fresh.id)).await.unwrap();
            let mut read = Vec::new();
            while let chunk = body.next().await.unwrap()
                && !chunk.is_empty()
            {
                assert!(chunk.len() <= 256 << 10);
                read.extend_from_slice(&chunk);
            }
            assert!(read == octets);
            assert!(body.next().await.unwrap().is_empty());
        }
        let given = given.reopened().await;
        assert_eq!(given.files(), 0, "the file of a message that is gone stays");
    });
}

#[test]
fn octets_that_changed_on_the_disk_are_not_sent() {
    let given = Given::new(Options { inline_limit: 30, ..Options::default() });
    given.run(async {
        let short = given.queue.enqueue(given.message("<>", &["<a@example.org>"])).await.unwrap();
        let mut long = given.message("<>", &["<a@example.org>"]);
        long.body = given.spooled(long.id, &[b'x'; 1000]).await;
        let long = given.queue.enqueue(long).await.unwrap();
        given.queue.close().await.unwrap();

        let path = given.queue_folder().join(long.id.to_string());
        let mut octets = fs::read(&path).unwrap();
        octets[999] ^= 1;
        fs::write(&path, octets).unwrap();
        let db = rusqlite::Connection::open(given.queue_folder().join("queue.db")).unwrap();
        db.execute("UPDATE body SET octets = CAST('other' AS BLOB)", ()).unwrap();
        drop(db);

        let given = given.open_again();
        let error = given.queue.body(short.id).await.unwrap_err();
        assert!(matches!(error, QueueError::Damaged(id) if id == short.id));
        let mut body = given.queue.body(long.id).await.unwrap();
        assert_eq!(body.next().await.unwrap().len(), 1000);
        let error = body.next().await.unwrap_err();
        assert!(matches!(error, QueueError::Damaged(id) if id == long.id));
        assert!(body.next().await.is_err());
    });
}

#[test]
fn what_a_crash_left_is_put_right_at_the_start() {
    let given = Given::new(Options { inline_limit: 0, ..Options::default() });
    given.run(async {
        let kept = given.queue.enqueue(given.message("<>", &["<a@example.org>"])).await.unwrap();
        let lost = given.queue.enqueue(given.message("<>", &["<a@example.org>"])).await.unwrap();
        given.queue.close().await.unwrap();
        fs::remove_file(given.queue_folder().join(lost.id.to_string())).unwrap();
        let orphan = given.ids.next().to_string();
        fs::write(given.queue_folder().join(&orphan), "not committed").unwrap();

        let given = given.open_again();
        assert_eq!(given.all().await, [(*kept).clone()]);
        assert_eq!(given.queue.totals().await.unwrap().messages, 1);
        assert_eq!(given.files(), 1);
    });
}

#[test]
fn a_database_of_another_version_or_of_nobody_is_not_used() {
    let given = Given::new(Options::default());
    given.run(async { given.queue.close().await.unwrap() });
    let path = given.queue_folder().join("queue.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let error = given.try_open().unwrap_err().to_string();
    assert!(error.contains("version 99") && error.contains("queue.db"), "{error}");
    fs::write(&path, [b'x'; 8192]).unwrap();
    given.try_open().unwrap_err();
}

#[test]
fn a_full_queue_takes_no_more_until_something_leaves() {
    let small = Options { max_messages: 2, max_bytes: 50, ..Options::default() };
    let given = Given::new(small);
    given.run(async {
        assert_eq!(given.queue.admits(50), Ok(()));
        assert_eq!(given.queue.admits(51), Err(Full::Bytes));
        let first = given.queue.enqueue(given.message("<>", &["<a@example.org>"])).await.unwrap();
        assert_eq!(given.queue.admits(27), Ok(()));
        assert_eq!(given.queue.admits(28), Err(Full::Bytes));
        given.queue.enqueue(given.message("<>", &["<a@example.org>"])).await.unwrap();
        assert_eq!(given.queue.admits(0), Err(Full::Messages));
        // Whoever was admitted before it was full.
        let late = given.queue.enqueue(given.message("<>", &["<a@example.org>"])).await;
        let late = late.unwrap_err();
        assert_eq!(late.reply().code(), 452, "{late}");

        // A report is never refused.
        let report = given.message("<>", &["<s@example.org>"]);
        let changes = vec![(0, wait(7, &attempt(1)))];
        let settlement = Settlement { id: first.id, changes, reports: vec![report] };
        given.queue.settle(settlement).await.unwrap();
        assert_eq!(given.queue.totals().await.unwrap().messages, 3);

        let given = given.reopened().await;
        assert_eq!(given.queue.admits(0), Err(Full::Messages));
        assert_eq!(given.queue.delete(Filter::default()).await.unwrap(), 3);
        assert_eq!(given.queue.admits(50), Ok(()));
        given.queue.enqueue(given.message("<>", &["<a@example.org>"])).await.unwrap();
    });
}

#[test]
fn the_reserve_of_the_disk_is_left_alone() {
    let given = Given::new(Options { reserve: u64::MAX / 2, ..Options::default() });
    given.run(async {
        assert_eq!(given.queue.admits(0), Err(Full::Disk));
        let refused = given.queue.enqueue(given.message("<>", &["<a@example.org>"])).await;
        assert_eq!(refused.unwrap_err().reply().code(), 452);
        assert!(given.all().await.is_empty());
    });
}

#[test]
fn a_sender_who_does_not_wait_leaves_nothing() {
    let given = Given::new(Options { inline_limit: 30, ..Options::default() });
    given.run(async {
        for length in [1, 1000] {
            for polls in 1..6 {
                let mut message = given.message("<>", &["<a@example.org>"]);
                message.body = given.spooled(message.id, &vec![b'x'; length]).await;
                {
                    let mut enqueue = std::pin::pin!(given.queue.enqueue(message));
                    for _ in 0..polls {
                        let once = std::future::poll_fn(|cx| {
                            std::task::Poll::Ready(enqueue.as_mut().poll(cx))
                        });
                        if once.await.is_ready() {
                            break;
                        }
                        tokio::task::yield_now().await;
                    }
                }
                // The work before is done once this is.
                let fence = given.queue.enqueue(given.message("<>", &["<f@example.org>"])).await;
                let fence = fence.unwrap().id;
                let others = given.all().await.into_iter().filter(|entry| entry.id != fence);
                assert!(others.count() <= 1, "more than one that was answered in time");
                given.queue.delete(Filter::default()).await.unwrap();
            }
        }
        let given = given.reopened().await;
        assert!(given.all().await.is_empty());
        assert_eq!(given.files(), 0);
    });
}

#[test]
fn messages_are_due_in_order_and_each_comes_once() {
    let given = Given::new(Options::default());
    given.run(async {
        let mut ids = Vec::new();
        for received in [30, 10, 20, 20, 40] {
            let mut message = given.message("<>", &["<a@example.org>", "<b@example.org>"]);
            message.received = Timestamp::from_micros(received);
            ids.push(given.queue.enqueue(message).await.unwrap().id);
        }
        // The second recipient of the first is due later: the message comes by the first.
        let changes = vec![(1, Change::Wait { until: Timestamp::from_micros(35), attempt: None })];
        let settlement = Settlement { id: ids[0], changes, reports: Vec::new() };
        given.queue.settle(settlement).await.unwrap();
        given.queue.hold(Filter::id(ids[1])).await.unwrap();

        let until = Timestamp::from_micros(39);
        let mut cursor = Cursor::default();
        let mut found = Vec::new();
        loop {
            let page;
            (page, cursor) = given.queue.due(cursor, until, 1).await.unwrap();
            let Some(entry) = page.first() else { break };
            found.push(entry.id);
        }
        assert_eq!(found, [ids[2], ids[3], ids[0]]);
        let next = given.queue.next_due(cursor).await.unwrap();
        assert_eq!(next, Some(Timestamp::from_micros(40)));
        let first = given.queue.next_due(Cursor::default()).await.unwrap();
        assert_eq!(first, Some(Timestamp::from_micros(20)));
    });
}

#[test]
fn a_postmaster_finds_holds_releases_and_deletes() {
    let given = Given::new(Options::default());
    given.run(async {
        let mut ids = Vec::new();
        for (from, to) in [
            ("<a@one.example>", ["<x@Two.example>", "<y@three.example>"]),
            ("<b@one.example>", ["<x@three.example>", "<Postmaster>"]),
            ("<c@four.example>", ["<x_y@two.example>", "<z@sub.two.example>"]),
        ] {
            ids.push(given.queue.enqueue(given.message(from, &to)).await.unwrap().id);
        }
        let queue = &given.queue;
        let any = Filter::default;
        let to = |pattern: &str| Filter { to: Some(pattern.into()), ..any() };
        let from = |pattern: &str| Filter { from: Some(pattern.into()), ..any() };
        let find = async |filter| {
            let found = queue.find(filter, None, 9).await.unwrap();
            found.into_iter().map(|entry| entry.id).collect::<Vec<_>>()
        };
        assert_eq!(find(to("two.example")).await, [ids[0], ids[2]]);
        assert_eq!(find(to("x_y@two.example")).await, [ids[2]]);
        assert_eq!(find(to("*three*")).await, [ids[0], ids[1]]);
        assert_eq!(find(to("postmaster")).await, [ids[1]]);
        assert_eq!(find(from("one.example")).await, [ids[0], ids[1]]);
        assert_eq!(find(Filter { ids: vec![ids[2], ids[1]], ..any() }).await, ids[1..]);
        let early = Filter { before: Some(Timestamp::from_micros(0)), ..any() };
        assert!(find(early).await.is_empty());
        let page = queue.find(any(), Some(ids[0]), 1).await.unwrap();
        assert_eq!(page[0].id, ids[1]);

        assert_eq!(queue.hold(to("x@*")).await.unwrap(), 2);
        assert_eq!(queue.hold(to("x@*")).await.unwrap(), 0);
        let held = Filter { state: Some(State::Held), ..any() };
        assert_eq!(find(held.clone()).await, [ids[0], ids[1]]);
        let totals = queue.totals().await.unwrap();
        assert_eq!((totals.waiting, totals.held), (4, 2));
        // What was held during an attempt that failed for now stays held.
        let changes = vec![(0, wait(50, &attempt(1)))];
        queue.settle(Settlement { id: ids[0], changes, reports: vec![] }).await.unwrap();
        assert_eq!(find(held.clone()).await, [ids[0], ids[1]]);

        let now = Timestamp::now() + Duration::from_secs(60);
        assert_eq!(queue.retry(held, now).await.unwrap(), 0);
        assert_eq!(queue.release(any(), now).await.unwrap(), 2);
        assert_eq!(queue.retry(to("two.example"), now).await.unwrap(), 2);
        let due: Vec<_> = given.all().await.iter().map(|entry| entry.recipients[0].next).collect();
        assert_eq!(due, [now, now, now]);

        assert_eq!(queue.delete(from("one.example")).await.unwrap(), 2);
        assert_eq!(find(any()).await, [ids[2]]);
    });
}

#[test]
fn a_closed_queue_has_done_all_it_was_given_and_takes_no_more() {
    let given = Given::new(Options::default());
    given.run(async {
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let queue = given.queue.clone();
                let message = given.message("<>", &["<a@example.org>"]);
                tokio::spawn(async move { queue.enqueue(message).await.is_ok() })
            })
            .collect();
        tokio::task::yield_now().await;
        given.queue.close().await.unwrap();
        let mut accepted = 0;
        for task in tasks {
            accepted += usize::from(task.await.unwrap());
        }
        let late = given.queue.enqueue(given.message("<>", &["<a@example.org>"])).await;
        assert!(matches!(late, Err(QueueError::Closed)));
        assert!(matches!(given.queue.totals().await, Err(QueueError::Closed)));
        assert!(!given.queue_folder().join("queue.db-wal").exists());
        assert_eq!(given.open_again().all().await.len(), accepted);
    });
}
