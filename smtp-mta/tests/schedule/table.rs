//! One situation each, step by step.

use crate::world::{START, id, message, notify, outcome, policy, seconds, to};
use smtp_mta::{
    lane::{Feedback, Limits},
    policy::DomainName,
    queue::{Change, Entry, Final, NewRecipient, State, Timestamp},
    retry::{Retry, RetryPolicy},
    route::Router,
    schedule::{Action, Decision, Ended, Load, Options, Schedule, Step, Verdict, Work},
};
use smtp_proto::ext::Notify;
use std::sync::Arc;

const LATER: Verdict = Verdict::Delayed;
const SENT: Verdict = Verdict::Relayed { dsn_passed_on: false };

fn at(after: u64) -> Timestamp {
    START + seconds(after)
}

fn retry() -> Arc<RetryPolicy> {
    policy(Retry { jitter: 0, ..Retry::default() })
}

/// A schedule that knows that nothing is in the queue.
fn schedule(options: Options) -> Schedule {
    schedule_by(Router::default(), options)
}

fn schedule_by(router: Router, options: Options) -> Schedule {
    let mut schedule = Schedule::new(options, Arc::new(router), retry(), START);
    assert!(matches!(schedule.poll(START), Step::Load(_)));
    schedule.loaded(Vec::new(), START);
    schedule
}

fn one_at_a_time() -> Options {
    Options { lanes: Limits { start: 1, most: 1, ..Limits::default() }, ..Options::default() }
}

fn works(schedule: &mut Schedule, now: Timestamp) -> Vec<Work> {
    std::iter::from_fn(|| match schedule.poll(now) {
        Step::Attempt(work) => Some(work),
        Step::Wait(_) => None,
        other => panic!("{other:?}"),
    })
    .collect()
}

fn work(schedule: &mut Schedule, now: Timestamp) -> Work {
    match schedule.poll(now) {
        Step::Attempt(work) => work,
        other => panic!("{other:?}"),
    }
}

fn end(schedule: &mut Schedule, work: &Work, verdict: Verdict, feedback: Feedback, now: Timestamp) {
    let outcomes = work.recipients.iter().map(|_| outcome(verdict, now)).collect();
    schedule.ended(Ended { work: work.id, outcomes, feedback }, now);
}

fn decision(schedule: &mut Schedule, now: Timestamp) -> Decision {
    match schedule.poll(now) {
        Step::Settle(decision) => decision,
        other => panic!("{other:?}"),
    }
}

fn fresh(schedule: &mut Schedule, entry: Entry, now: Timestamp) {
    schedule.fresh(Arc::new(entry), now);
}

fn many(addresses: impl IntoIterator<Item = String>) -> Vec<NewRecipient> {
    addresses.into_iter().map(|address| to(&address)).collect()
}

#[test]
fn recipients_of_a_message_go_together_by_destination_up_to_a_number() {
    let mut schedule = schedule(Options { recipients: 2, ..Options::default() });
    let recipients = ["1@a.test", "2@b.test", "3@A.test", "4@a.test"].map(to);
    fresh(&mut schedule, message(1, "me@x.test", recipients.into(), START), START);
    let works = works(&mut schedule, START);
    let found: Vec<_> =
        works.iter().map(|it| (it.route.to_string(), it.recipients.clone())).collect();
    let (a, b) = ("mx a.test".to_owned(), "mx b.test".to_owned());
    assert_eq!(found, [(a.clone(), vec![0, 2]), (b, vec![1]), (a, vec![3])]);
}

/// C-43
#[test]
fn a_recipient_that_failed_for_now_is_tried_at_its_time_and_not_before() {
    let mut schedule = schedule(Options::default());
    fresh(&mut schedule, message(1, "me@x.test", vec![to("a@a.test")], START), START);
    let mut now = START;
    for wait in [60, 300, 900, 1800, 1800] {
        let work = work(&mut schedule, now);
        assert_eq!(work.entry.id, id(1));
        end(&mut schedule, &work, LATER, Feedback::Good, now);
        let decision = decision(&mut schedule, now);
        let until = now + seconds(wait);
        assert!(
            matches!(decision.changes[..], [(0, Change::Wait { until: at, .. })] if at == until)
        );
        let mut entry = Entry::clone(&decision.entry);
        entry.recipients[0].apply(&decision.changes[0].1);
        schedule.settled(decision.ticket, now);
        // A queue that has only this message answers whenever it is asked.
        now = loop {
            match schedule.poll(now) {
                Step::Load(Load { until, .. }) => {
                    let due = (entry.recipients[0].next <= until).then(|| entry.clone());
                    schedule.loaded(due.into_iter().collect(), now);
                }
                Step::Wait(Some(at)) if at < until => now = at,
                Step::Wait(Some(at)) => break at,
                other => panic!("{other:?} at {now}"),
            }
        };
        assert_eq!(now, until);
    }
}

#[test]
fn the_outcome_is_written_before_anything_else_happens_to_a_recipient() {
    let mut schedule = schedule(Options::default());
    let entry = message(1, "me@x.test", vec![to("a@a.test")], START);
    fresh(&mut schedule, entry.clone(), START);
    let work = work(&mut schedule, START);
    // The queue knows it as due until the settlement, and says so.
    schedule.look(at(20));
    assert!(matches!(schedule.poll(at(20)), Step::Load(_)));
    schedule.loaded(vec![entry.clone()], at(20));
    end(&mut schedule, &work, SENT, Feedback::Good, at(20));
    let decision = decision(&mut schedule, at(20));
    assert!(!schedule.is_idle());
    schedule.look(at(22));
    assert!(matches!(schedule.poll(at(22)), Step::Load(_)));
    schedule.settled(decision.ticket, at(22));
    schedule.loaded(vec![entry], at(22));
    assert!(works(&mut schedule, at(22)).is_empty());
    assert!(schedule.is_idle());
}

#[test]
fn a_large_mailing_does_not_hold_up_others() {
    let mut schedule = schedule(one_at_a_time());
    for number in 0..50 {
        fresh(&mut schedule, message(number, "news@x.test", vec![to("a@a.test")], START), START);
    }
    let huge = many((0..1000).map(|user| format!("{user}@a.test")));
    fresh(&mut schedule, message(50, "all@y.test", huge, START), START);
    fresh(&mut schedule, message(51, "me@z.test", vec![to("a@a.test")], START), START);
    fresh(&mut schedule, message(52, "me@z.test", vec![to("a@b.test")], START), START);
    let mut order = Vec::new();
    for _ in 0..6 {
        let works = works(&mut schedule, START);
        for work in works {
            order.push((work.entry.id, work.recipients.len()));
            end(&mut schedule, &work, SENT, Feedback::Good, START);
            let decision = decision(&mut schedule, START);
            schedule.settled(decision.ticket, START);
        }
    }
    let order: Vec<_> = order.into_iter().take(7).collect();
    let expected = [(0, 1), (52, 1), (50, 100), (51, 1), (1, 1), (50, 100), (2, 1)];
    assert_eq!(order, expected.map(|(number, count)| (id(number), count)));
}

#[test]
fn there_is_room_for_who_has_none_beside_who_has_much() {
    let mut schedule = schedule(Options { window: 100, ..one_at_a_time() });
    for number in 0..200 {
        fresh(&mut schedule, message(number, "news@x.test", vec![to("a@a.test")], START), START);
    }
    assert_eq!(schedule.held(), 50);
    fresh(&mut schedule, message(200, "me@z.test", vec![to("a@b.test")], START), START);
    assert_eq!(schedule.held(), 51);
    assert_eq!(works(&mut schedule, START).last().map(|work| work.entry.id), Some(id(200)));
}

#[test]
fn what_waits_for_a_dead_destination_is_put_off_by_its_own_schedule() {
    let mut schedule = schedule(one_at_a_time());
    for number in 0..3 {
        fresh(&mut schedule, message(number, "me@x.test", vec![to("a@a.test")], START), START);
    }
    let work = work(&mut schedule, START);
    end(&mut schedule, &work, LATER, Feedback::Down, START);
    for number in 0..3 {
        let decision = decision(&mut schedule, START);
        assert_eq!(decision.entry.id, id(number));
        let [(0, Change::Wait { until, attempt: Some(attempt) })] = &decision.changes[..] else {
            panic!("{decision:?}")
        };
        assert_eq!(*until, at(60));
        assert_eq!(attempt.reply.starts_with("put off"), number > 0);
        assert!(attempt.reply.ends_with("450 4.2.0 later"));
        schedule.settled(decision.ticket, START);
    }
    // The same for what comes meanwhile; then one attempt shows whether it is back.
    fresh(&mut schedule, message(3, "me@x.test", vec![to("a@a.test")], at(5)), at(5));
    assert_eq!(decision(&mut schedule, at(5)).entry.id, id(3));
    assert_eq!(works(&mut schedule, at(60)).len(), 1);
    // Somebody knows better.
    let mut other = self::schedule(one_at_a_time());
    fresh(&mut other, message(0, "me@x.test", vec![to("a@a.test")], START), START);
    let work = self::work(&mut other, START);
    end(&mut other, &work, LATER, Feedback::Down, START);
    decision(&mut other, START);
    other.resume(at(1));
    fresh(&mut other, message(1, "me@x.test", vec![to("a@a.test")], at(1)), at(1));
    assert_eq!(works(&mut other, at(1)).len(), 1);
}

#[test]
fn notices_are_owed_as_notify_says() {
    let on = |success, failure, delay| Some(Notify::On { success, failure, delay });
    let (success, failure, delay) =
        (on(true, false, false), on(false, true, false), on(false, false, true));
    let passed_on = Verdict::Relayed { dsn_passed_on: true };
    let five_days = 5 * 24 * 60 * 60;
    for (from, notify_on, verdict, after, owed) in [
        ("me@x.test", None, SENT, 0, None),
        ("me@x.test", success, SENT, 0, Some(Action::Relayed)),
        ("me@x.test", success, passed_on, 0, None),
        ("me@x.test", success, Verdict::Delivered, 0, Some(Action::Delivered)),
        ("me@x.test", failure, Verdict::Delivered, 0, None),
        ("", success, Verdict::Delivered, 0, None),
        ("me@x.test", None, Verdict::Failed, 0, Some(Action::Failed)),
        ("me@x.test", failure, Verdict::Failed, 0, Some(Action::Failed)),
        ("me@x.test", success, Verdict::Failed, 0, None),
        ("me@x.test", Some(Notify::Never), Verdict::Failed, 0, None),
        ("", None, Verdict::Failed, 0, None),
        ("", failure, Verdict::Failed, 0, None),
        ("me@x.test", None, LATER, 4 * 60 * 60 - 1, None),
        ("me@x.test", None, LATER, 4 * 60 * 60, Some(Action::Delayed)),
        ("me@x.test", delay, LATER, 4 * 60 * 60, Some(Action::Delayed)),
        ("me@x.test", failure, LATER, 4 * 60 * 60, None),
        ("", None, LATER, 4 * 60 * 60, None),
        ("me@x.test", None, LATER, five_days - 1, Some(Action::Delayed)),
        ("me@x.test", None, LATER, five_days, Some(Action::Failed)),
        ("", None, LATER, five_days, None),
    ] {
        let mut schedule = schedule(Options::default());
        let new = match notify_on {
            Some(on) => notify(to("a@a.test"), on),
            None => to("a@a.test"),
        };
        fresh(&mut schedule, message(1, from, vec![new], START), START);
        let work = work(&mut schedule, START);
        end(&mut schedule, &work, verdict, Feedback::Good, at(after));
        let decision = decision(&mut schedule, at(after));
        let found: Vec<_> = decision.notices.iter().map(|notice| notice.action).collect();
        assert_eq!(found, owed.into_iter().collect::<Vec<_>>(), "{from} {notify_on:?} {verdict:?}");
        let told = decision.changes.contains(&(0, Change::DelayTold));
        assert_eq!(told, owed == Some(Action::Delayed));
    }
}

#[test]
fn the_sender_is_told_once_that_it_is_late() {
    let mut schedule = schedule(Options::default());
    let mut entry = message(1, "me@x.test", vec![to("a@a.test")], START);
    entry.recipients[0].delay_told = true;
    fresh(&mut schedule, entry, START);
    let work = work(&mut schedule, START);
    end(&mut schedule, &work, LATER, Feedback::Good, at(20_000));
    assert!(decision(&mut schedule, at(20_000)).notices.is_empty());
}

#[test]
fn an_attempt_without_outcomes_is_made_again_and_does_not_count() {
    let mut schedule = schedule(Options::default());
    let recipients = ["1@a.test", "2@a.test"].map(to).into();
    fresh(&mut schedule, message(1, "me@x.test", recipients, START), START);
    let work = work(&mut schedule, START);
    let outcomes = vec![outcome(SENT, START)];
    schedule.ended(Ended { work: work.id, outcomes, feedback: Feedback::Good }, START);
    let changes = decision(&mut schedule, START).changes;
    assert!(matches!(changes[0], (0, Change::Done { state: Final::Relayed, .. })));
    assert_eq!(changes[1], (1, Change::Wait { until: at(60), attempt: None }));
}

#[test]
fn nothing_new_begins_for_a_message_that_is_forgotten_nor_for_anything_after_a_stop() {
    let mut schedule = schedule(one_at_a_time());
    for number in 0..3 {
        fresh(&mut schedule, message(number, "me@x.test", vec![to("a@a.test")], START), START);
    }
    let first = work(&mut schedule, START);
    schedule.forget(id(1), START);
    end(&mut schedule, &first, SENT, Feedback::Good, START);
    let settle = decision(&mut schedule, START);
    schedule.settled(settle.ticket, START);
    let next = work(&mut schedule, START);
    assert_eq!(next.entry.id, id(2));

    fresh(&mut schedule, message(4, "me@x.test", vec![to("a@b.test")], START), START);
    schedule.stop();
    assert!(matches!(schedule.poll(START), Step::Wait(None)));
    end(&mut schedule, &next, SENT, Feedback::Good, START);
    let settle = decision(&mut schedule, START);
    assert!(!schedule.is_idle());
    schedule.settled(settle.ticket, START);
    assert!(schedule.is_idle());
    assert!(matches!(schedule.poll(START), Step::Wait(None)));
}

#[test]
fn held_and_finished_recipients_are_left_alone() {
    let mut schedule = schedule(Options::default());
    let recipients = ["1@a.test", "2@a.test", "3@a.test"].map(to).into();
    let mut entry = message(1, "me@x.test", recipients, START);
    entry.recipients[0].state = State::Held;
    entry.recipients[2].state = State::Delivered;
    fresh(&mut schedule, entry, START);
    assert_eq!(work(&mut schedule, START).recipients, [1]);
}

#[test]
fn a_rate_spreads_messages_over_time() {
    let rule = toml::from_str("rate = '6/1m'").unwrap();
    let mut schedule = schedule_by(Router::new(None, vec![rule]), Options::default());
    for number in 0..4 {
        fresh(&mut schedule, message(number, "me@x.test", vec![to("a@a.test")], START), START);
    }
    for (now, begin) in [(0, 1), (0, 0), (9, 0), (10, 1), (19, 0), (25, 1), (34, 0), (35, 1)] {
        assert_eq!(works(&mut schedule, at(now)).len(), begin, "after {now} s");
    }
}

#[test]
fn an_attempt_that_ends_after_its_message_was_held_is_not_followed_by_another() {
    let mut schedule = schedule(Options::default());
    fresh(&mut schedule, message(1, "me@x.test", vec![to("a@a.test")], START), START);
    let work = work(&mut schedule, START);
    schedule.forget(id(1), START);
    end(&mut schedule, &work, LATER, Feedback::Good, START);
    let decision = decision(&mut schedule, START);
    schedule.settled(decision.ticket, START);
    assert_eq!(schedule.held(), 0);
    // Only the queue knows.
    assert!(matches!(schedule.poll(at(60)), Step::Load(_)));
}

#[test]
fn what_has_to_leave_the_memory_is_asked_for_at_its_time() {
    let mut schedule = schedule(Options { window: 4, ..Options::default() });
    for (number, sender) in ["a@a.test", "b@b.test", "c@c.test"].into_iter().enumerate() {
        fresh(&mut schedule, message(number, sender, vec![to("a@a.test")], START), START);
    }
    for (work, verdict) in works(&mut schedule, START).iter().zip([LATER, SENT, SENT]) {
        end(&mut schedule, work, verdict, Feedback::Good, START);
        let decision = decision(&mut schedule, START);
        schedule.settled(decision.ticket, START);
    }
    assert_eq!(schedule.held(), 0);
    assert!(matches!(schedule.poll(at(59)), Step::Wait(Some(until)) if until == at(60)));
    assert!(matches!(schedule.poll(at(60)), Step::Load(_)));
}

#[test]
fn the_queue_is_not_asked_over_and_over_for_what_is_not_due() {
    let mut schedule =
        Schedule::new(Options { window: 8, ..Options::default() }, Arc::default(), retry(), START);
    let Step::Load(load) = schedule.poll(START) else { panic!() };
    let entries = (0..load.limit).map(|number| {
        let mut entry = message(number, "me@x.test", vec![to("a@a.test")], START);
        (entry.recipients[0].next, entry.recipients[0].attempts) = (at(60 + number as u64), 1);
        entry
    });
    schedule.loaded(entries.collect(), START);
    assert_eq!(schedule.held(), 6);
    assert!(matches!(schedule.poll(START), Step::Wait(Some(until)) if until == at(60)));
    // What there was no room for is asked for when there is.
    for now in 60..66 {
        let work = work(&mut schedule, at(now));
        assert_eq!(work.entry.id, id(now as usize - 60));
        end(&mut schedule, &work, SENT, Feedback::Good, at(now));
        let decision = decision(&mut schedule, at(now));
        schedule.settled(decision.ticket, at(now));
    }
    assert!(matches!(schedule.poll(at(65)), Step::Wait(Some(until)) if until == at(66)));
    assert!(matches!(schedule.poll(at(66)), Step::Load(_)));
}

#[test]
fn a_message_that_comes_late_from_who_took_it_in_is_the_queues_whatever_the_clock_says() {
    let mut schedule = schedule(Options::default());
    let entry = message(1, "me@x.test", vec![to("a@a.test")], at(1));
    schedule.look(at(20));
    assert!(matches!(schedule.poll(at(20)), Step::Load(_)));
    schedule.loaded(vec![entry.clone()], at(20));
    let work = work(&mut schedule, at(20));
    end(&mut schedule, &work, SENT, Feedback::Good, at(20));
    let decision = decision(&mut schedule, at(20));
    schedule.settled(decision.ticket, at(20));
    fresh(&mut schedule, entry, at(2));
    assert_eq!(schedule.held(), 0);
}

#[test]
fn a_young_message_is_left_by_the_queue_to_who_took_it_in() {
    let mut schedule = schedule(Options::default());
    let entry = message(1, "me@x.test", vec![to("a@a.test")], at(1));
    schedule.look(at(2));
    assert!(matches!(schedule.poll(at(2)), Step::Load(_)));
    schedule.loaded(vec![entry.clone()], at(2));
    assert_eq!(schedule.held(), 0);
    // Should it never be handed over, the queue is asked again.
    assert!(matches!(schedule.poll(at(2)), Step::Wait(Some(until)) if until == at(12)));
    fresh(&mut schedule, entry, at(3));
    assert_eq!(works(&mut schedule, at(3)).len(), 1);
}

#[test]
fn a_clock_that_is_set_back_holds_up_neither_what_comes_nor_what_waits() {
    let mut schedule = schedule(one_at_a_time());
    for (number, to_whom, feedback) in
        [(1, "a@a.test", Feedback::Good), (2, "b@b.test", Feedback::Down)]
    {
        fresh(&mut schedule, message(number, "me@x.test", vec![to(to_whom)], START), START);
        let work = work(&mut schedule, START);
        end(&mut schedule, &work, LATER, feedback, START);
        let settle = decision(&mut schedule, START);
        schedule.settled(settle.ticket, START);
    }
    let now = START - seconds(3600);
    fresh(&mut schedule, message(3, "me@x.test", vec![to("c@c.test")], now), now);
    assert_eq!(work(&mut schedule, now).entry.id, id(3));
    assert!(matches!(schedule.poll(now), Step::Load(_)), "the queue is asked anew");
    schedule.loaded(Vec::new(), now);

    // The pause of b.test is as long as before, and so is the wait of the first message.
    let next = message(4, "me@x.test", vec![to("b@b.test")], now + seconds(30));
    fresh(&mut schedule, next, now + seconds(30));
    let mut begun = Vec::new();
    for second in 30..70 {
        let now = now + seconds(second);
        loop {
            match schedule.poll(now) {
                Step::Attempt(work) => begun.push((second, work.entry.id)),
                Step::Load(_) => schedule.loaded(Vec::new(), now),
                Step::Settle(_) => {}
                Step::Wait(_) => break,
            }
        }
    }
    assert_eq!(begun, [(30, id(4)), (60, id(1))]);
}

#[test]
fn what_comes_late_over_a_clock_that_was_set_back_far_is_the_queues() {
    let mut schedule = schedule(Options::default());
    let now = START - seconds(3600);
    fresh(&mut schedule, message(1, "me@x.test", vec![to("a@a.test")], START), now);
    assert_eq!(schedule.held(), 0);
    assert!(matches!(schedule.poll(now), Step::Load(_)));
}

#[test]
fn mailboxes_wait_for_no_other_server() {
    let local = DomainName::new("here.test").unwrap();
    let lmtp = toml::from_str("recipients = ['lmtp.test']\nlmtp = '192.0.2.1:24'").unwrap();
    let router = Router::new(Some(local), vec![lmtp]);
    let mut schedule = schedule_by(router, Options { attempts: 2, ..Options::default() });
    let others = many((0..9).map(|number| format!("a@{number}.test")));
    fresh(&mut schedule, message(1, "me@x.test", others, START), START);
    let slow = works(&mut schedule, START);
    assert_eq!(slow.len(), 2);
    let here = ["a@here.test", "a@lmtp.test"].map(to).into();
    fresh(&mut schedule, message(2, "you@x.test", here, START), START);
    let routes = works(&mut schedule, START).into_iter().map(|work| work.route.to_string());
    assert_eq!(routes.collect::<Vec<_>>(), ["local", "lmtp 192.0.2.1:24"]);
    // The others go on as soon as one of them has ended, and not before.
    end(&mut schedule, &slow[0], SENT, Feedback::Good, START);
    decision(&mut schedule, START);
    assert_eq!(works(&mut schedule, START).len(), 1);
}
