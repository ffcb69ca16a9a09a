//! Random plans against a model of the queue: whatever happens, each recipient is in one state, and
//! nothing happens to it twice.

use crate::world::{Random, START, id, message, notify, outcome, policy, router, seconds, to};
use smtp_mta::{
    lane::{Feedback, Limits},
    message_id::MessageId,
    queue::{Change, Entry, Final, NewRecipient, State, Timestamp},
    retry::Retry,
    route::Route,
    schedule::{Action, Decision, Ended, Options, Schedule, Step, Verdict, Work, WorkId},
};
use smtp_proto::{ext::Notify, wire::ReversePath};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

const PLANS: u64 = 10_000;

/// Threads that share them.
const PARTS: usize = 4;

/// How a destination behaves for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Takes,
    TakesSlowly,
    Mixed,
    Later,
    Never,
    Busy,
    Down,
}

const MOODS: [Mood; 7] =
    [Mood::Takes, Mood::TakesSlowly, Mood::Mixed, Mood::Later, Mood::Never, Mood::Busy, Mood::Down];

enum Event {
    Arrive(usize, &'static str, Vec<NewRecipient>),
    Fresh(Arc<Entry>),
    Answer(Option<Vec<Entry>>),
    Ended(Ended),
    Write(Decision),
    Settled(Decision),
    Hold(MessageId),
    Release(MessageId),
    Resume,
    Reload,
    Crash,
}

type Key = (MessageId, u32);

/// A world with one plan, which the seed decides.
struct World {
    seed: u64,
    random: Random,
    now: Timestamp,
    events: BTreeMap<(Timestamp, u64), Event>,
    count: u64,
    schedule: Schedule,
    options: Options,
    retry: Retry,
    /// What would be on the disk.
    queue: BTreeMap<MessageId, Entry>,
    moods: BTreeMap<String, (Mood, Timestamp)>,
    in_flight: BTreeMap<String, u32>,
    works: BTreeMap<WorkId, Work>,
    /// In an attempt, or with an outcome that is not written.
    busy: BTreeSet<Key>,
    verdicts: BTreeMap<Key, Verdict>,
    ended: BTreeMap<Key, Final>,
    notices: BTreeMap<(Key, Action), u32>,
    arrivals: usize,
    attempts: usize,
    reloads: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let hour = 60 * 60;
        let hours = random.pick(&[1, 1, 1, 2]);
        let expire = hour * if random.one_in(500) { 120 } else { hours };
        let retry = Retry {
            after: random.pick(&["1m 5m 15m 30m*", "10s 1m 7m*", "1m 5m 10m"]).parse().unwrap(),
            expire: seconds(expire),
            jitter: random.pick(&[0, 10, 50]),
            delay_notice: Some(seconds(random.pick(&[60, hour / 2, 4 * hour]))),
        };
        let lanes = Limits { most: random.pick(&[1, 3, 20]), ..Limits::default() };
        let options = Options {
            window: random.pick(&[4, 8, 16, 10_000]),
            attempts: random.pick(&[1, 3, 200]),
            recipients: random.pick(&[1, 2, 100]),
            horizon: seconds(random.pick(&[60, 300, 3600])),
            lanes,
        };
        let mut world = Self {
            seed,
            schedule: begin(&options, &retry, START),
            random,
            now: START,
            events: BTreeMap::new(),
            count: 0,
            options,
            retry,
            queue: BTreeMap::new(),
            moods: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            works: BTreeMap::new(),
            busy: BTreeSet::new(),
            verdicts: BTreeMap::new(),
            ended: BTreeMap::new(),
            notices: BTreeMap::new(),
            arrivals: 0,
            attempts: 0,
            reloads: 0,
        };
        world.plan();
        world
    }

    fn plan(&mut self) {
        self.arrivals = 1 + self.random.below(6) as usize;
        let spread = self.random.pick(&[1, 60, 3000]);
        for number in 0..self.arrivals {
            let after = self.random.below(spread);
            let from = self.random.pick(&["", "a@one.test", "b@one.test", "c@two.test"]);
            let count = 1 + self.random.below(4);
            let mut recipients: Vec<_> = (0..count).map(|_| self.recipient()).collect();
            if self.random.one_in(4) {
                let place = self.random.below(count + 1) as usize;
                recipients.insert(place, NewRecipient { is_expanded: true, ..self.recipient() });
            }
            self.at(after, Event::Arrive(number, from, recipients));
        }
        for _ in 0..self.random.below(3) {
            let (after, message) = (self.random.below(5000), id(self.random.below(6) as usize));
            let until = after + 1 + self.random.below(2000);
            match self.random.below(5) {
                0 => self.at(after, Event::Crash),
                1 => self.at(after, Event::Resume),
                2 => self.at(after, Event::Reload),
                _ => {
                    self.at(after, Event::Hold(message));
                    self.at(until, Event::Release(message));
                }
            }
        }
    }

    fn recipient(&mut self) -> NewRecipient {
        let user = self.random.pick(&["x", "y", "z"]);
        let domain = self.random.pick(&["a.test", "b.test", "c.test", "local.test"]);
        let to = to(&format!("{user}@{domain}"));
        let flag = |random: &mut Random| random.one_in(2);
        match self.random.below(4) {
            0 => notify(to, Notify::Never),
            1 => {
                let random = &mut self.random;
                let (success, failure, delay) = (flag(random), flag(random), flag(random));
                notify(to, Notify::On { success, failure, delay })
            }
            _ => to,
        }
    }

    /// An event so many seconds after the current one.
    fn at(&mut self, after: u64, event: Event) {
        self.count += 1;
        let micros = Duration::from_micros(self.random.below(1000));
        self.events.insert((self.now + seconds(after) + micros, self.count), event);
    }

    /// Lives to the end, when nothing is in the queue.
    fn live(mut self) -> usize {
        let end = START + 3 * self.retry.expire + seconds(24 * 60 * 60);
        while !self.is_over() {
            assert!(self.now < end, "stuck: {:#?} {:#?}", self.queue, self.schedule);
            // A clock is set back now and then.
            let back = if self.random.one_in(200) { 30_000_000 } else { 0 };
            let clock = Timestamp::from_micros(self.now.as_micros() - back);
            let wake = loop {
                match self.schedule.poll(clock) {
                    Step::Wait(until) => break until,
                    step => self.step(step),
                }
            };
            assert!(self.schedule.held() <= self.options.window + 4);
            let next = self.events.first_key_value().map(|((at, _), _)| *at);
            let moment = wake.into_iter().chain(next).min().expect("something has to come");
            assert!(
                moment > self.now || next == Some(moment) || back > 0,
                "it waits for what has been"
            );
            self.now = self.now.max(moment);
            while let Some(first) = self.events.first_entry()
                && first.key().0 <= self.now
            {
                let event = first.remove();
                self.happen(event);
            }
        }
        assert_eq!((self.schedule.held(), self.schedule.in_flight()), (0, 0));
        assert!(self.schedule.is_idle());
        self.attempts
    }

    fn is_over(&self) -> bool {
        let matters = |event: &Event| matches!(event, Event::Fresh(_) | Event::Settled(_));
        self.arrivals == 0 && self.queue.is_empty() && !self.events.values().any(matters)
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Load(load) => {
                let is_due = |entry: &&Entry| entry.due().is_some_and(|due| due <= load.until);
                let mut due: Vec<_> = self.queue.values().filter(is_due).cloned().collect();
                due.sort_by_key(Entry::due);
                due.truncate(load.limit);
                let answer = (!self.random.one_in(20)).then_some(due);
                let after = self.random.pick(&[0, 0, 1, 20]);
                self.at(after, Event::Answer(answer));
            }
            Step::Attempt(work) => self.attempt(&work),
            Step::Settle(decision) => {
                let after = self.random.pick(&[0, 0, 0, 3]);
                self.at(after, Event::Write(decision));
            }
            Step::Wait(_) => unreachable!("it ends the loop"),
        }
    }

    fn attempt(&mut self, work: &Work) {
        self.attempts += 1;
        let lane = work.route.to_string();
        let lanes_most = self.options.lanes.most;
        let in_flight = self.in_flight.entry(lane.clone()).or_default();
        *in_flight += 1;
        // After a reload, what was in flight does not count.
        assert!(*in_flight <= lanes_most * (1 + self.reloads), "{lane}");
        assert!(self.works.insert(work.id, work.clone()).is_none());
        let far = self.works.values().filter(|work| *work.route != Route::Local).count();
        assert!(far <= self.options.attempts);
        assert!((1..=self.options.recipients).contains(&work.recipients.len()));

        let mood = self.mood(&lane);
        let mut outcomes = Vec::new();
        for place in &work.recipients {
            let key = (work.entry.id, *place);
            let row = &self.queue[&work.entry.id].recipients[*place as usize];
            assert!(self.busy.insert(key), "attempted twice at once");
            assert_eq!(row.state, State::Waiting, "attempted when it must not be");
            assert!(row.next <= self.now, "attempted before its time");
            assert_eq!(row.to, work.entry.recipients[*place as usize].to);
            let verdict = match mood {
                Mood::Takes | Mood::TakesSlowly => self.random.pick(&[
                    Verdict::Delivered,
                    Verdict::Relayed { dsn_passed_on: true },
                    Verdict::Relayed { dsn_passed_on: false },
                ]),
                Mood::Mixed => self.random.pick(&[
                    Verdict::Delivered,
                    Verdict::Relayed { dsn_passed_on: false },
                    Verdict::Delayed,
                    Verdict::Failed,
                ]),
                Mood::Never => Verdict::Failed,
                Mood::Later | Mood::Busy | Mood::Down => Verdict::Delayed,
            };
            outcomes.push(outcome(verdict, self.now));
        }
        let feedback = match mood {
            Mood::Busy => Feedback::Busy,
            Mood::Down => Feedback::Down,
            _ => Feedback::Good,
        };
        // The task that delivers may come to grief.
        if self.random.one_in(50) {
            outcomes.truncate(self.random.below(2) as usize);
        }
        let slow = if mood == Mood::TakesSlowly { 600 } else { 3 };
        let after = self.random.below(slow);
        self.at(after, Event::Ended(Ended { work: work.id, outcomes, feedback }));
    }

    fn mood(&mut self, lane: &str) -> Mood {
        match self.moods.get(lane) {
            Some((mood, until)) if self.now < *until => *mood,
            _ => {
                let mood = self.random.pick(&MOODS);
                let lasts = self.random.pick(&[10, 600, 20_000, 500_000]);
                self.moods.insert(lane.into(), (mood, self.now + seconds(lasts)));
                mood
            }
        }
    }

    fn happen(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Arrive(number, from, recipients) => {
                self.arrivals -= 1;
                let entry = message(number, from, recipients, now);
                self.queue.insert(entry.id, entry.clone());
                // Sometimes it comes late, sometimes never.
                let late = self.random.pick(&[0, 0, 0, 1, 9, 11, 40]);
                if !self.random.one_in(20) {
                    self.at(late, Event::Fresh(Arc::new(entry)));
                }
            }
            Event::Fresh(entry) => self.schedule.fresh(entry, now),
            Event::Answer(Some(entries)) => self.schedule.loaded(entries, now),
            Event::Answer(None) => self.schedule.not_loaded(now),
            Event::Ended(ended) => {
                let Some(work) = self.works.remove(&ended.work) else { return };
                *self.in_flight.entry(work.route.to_string()).or_default() -= 1;
                for (place, outcome) in work.recipients.iter().zip(&ended.outcomes) {
                    self.verdicts.insert((work.entry.id, *place), outcome.verdict);
                }
                self.schedule.ended(ended, now);
            }
            Event::Write(decision) => {
                self.write(&decision);
                let after = self.random.pick(&[0, 0, 0, 3]);
                self.at(after, Event::Settled(decision));
            }
            Event::Settled(decision) => self.schedule.settled(decision.ticket, now),
            Event::Hold(id) => {
                if self.change(id, &Change::Hold) {
                    self.schedule.forget(id, now);
                }
            }
            Event::Release(id) => {
                if self.change(id, &Change::Release { at: now }) {
                    self.schedule.look(now);
                }
            }
            Event::Resume => self.schedule.resume(now),
            Event::Reload => {
                self.reloads += 1;
                self.schedule.reload(
                    self.options.clone(),
                    router(),
                    policy(self.retry.clone()),
                    now,
                );
            }
            Event::Crash => self.crash(),
        }
    }
    fn write(&mut self, decision: &Decision) {
        let id = decision.entry.id;
        let entry = self.queue.get_mut(&id).expect("settled after its end");
        let late = self.retry.delay_notice.is_some_and(|after| self.now >= entry.received + after);
        for (place, change) in &decision.changes {
            let key = (id, *place);
            let row = &mut entry.recipients[*place as usize];
            assert!(!row.state.is_final(), "settled twice");
            let told: Vec<_> = decision
                .notices
                .iter()
                .filter(|notice| notice.recipient == *place)
                .map(|notice| notice.action)
                .collect();
            let verdict = self.verdicts.get(&key).copied();
            match change {
                Change::Wait { until, attempt } => {
                    assert!(matches!(verdict, None | Some(Verdict::Delayed)));
                    assert!(*until + seconds(10) > self.now);
                    assert!(attempt.is_none() || *until <= entry.received + self.retry.expire);
                }
                Change::Done { state, .. } => {
                    let wanted = |action| wants(&entry.envelope.from, row.notify, action);
                    let expected = match (state, verdict) {
                        (Final::Delivered, Some(Verdict::Delivered)) => Some(Action::Delivered),
                        (Final::Relayed, Some(Verdict::Relayed { dsn_passed_on })) => {
                            (!dsn_passed_on).then_some(Action::Relayed)
                        }
                        (Final::Failed, Some(Verdict::Failed)) => Some(Action::Failed),
                        (Final::Failed, None | Some(Verdict::Delayed)) => {
                            let is_over = self.now >= entry.received + self.retry.expire;
                            let was_last = self.retry.after.to_string().ends_with("10m");
                            assert!(is_over || (was_last && row.attempts >= 3), "given up early");
                            Some(Action::Failed)
                        }
                        other => panic!("{other:?}"),
                    };
                    let expected: Vec<_> = expected.filter(|it| wanted(*it)).into_iter().collect();
                    assert_eq!(told, expected);
                    assert!(self.ended.insert(key, *state).is_none());
                    self.busy.remove(&key);
                }
                Change::DelayTold => {
                    assert!(late && !row.delay_told);
                    assert_eq!(told, [Action::Delayed]);
                    assert!(wants(&entry.envelope.from, row.notify, Action::Delayed));
                }
                other => panic!("{other:?} is nobody's decision here"),
            }
            // A delay is told beside the wait that it is about.
            if *change != Change::DelayTold {
                for action in told {
                    *self.notices.entry((key, action)).or_default() += 1;
                }
            }
            self.busy.remove(&key);
            row.apply(change);
        }
        for (place, _) in &decision.changes {
            self.verdicts.remove(&(id, *place));
        }
        for notice in decision.notices.iter().filter(|it| it.action == Action::Expanded) {
            *self.notices.entry(((id, notice.recipient), Action::Expanded)).or_default() += 1;
        }
        if entry.is_done() {
            for (place, recipient) in (0..).zip(&entry.recipients) {
                let told = self.notices.contains_key(&((id, place), Action::Expanded));
                let is_expanded = recipient.state == State::Expanded;
                let wanted = wants(&entry.envelope.from, recipient.notify, Action::Expanded);
                assert_eq!(told, is_expanded && wanted);
            }
            self.queue.remove(&id);
        }
        assert!(self.notices.values().all(|count| *count == 1), "{:?}", self.notices);
    }

    /// Makes `change` to all recipients; not to a message so young that it may yet be handed over.
    fn change(&mut self, id: MessageId, change: &Change) -> bool {
        let now = self.now;
        let old = |entry: &&mut Entry| entry.received + seconds(60) < now;
        let Some(entry) = self.queue.get_mut(&id).filter(old) else { return false };
        entry.recipients.iter_mut().for_each(|recipient| recipient.apply(change));
        true
    }

    /// What was not on the disk is gone: attempts, and outcomes that were not written.
    fn crash(&mut self) {
        let survives = |event: &Event| {
            matches!(
                event,
                Event::Arrive(..)
                    | Event::Hold(_)
                    | Event::Release(_)
                    | Event::Resume
                    | Event::Reload
                    | Event::Crash
            )
        };
        self.events.retain(|_, event| survives(event));
        self.works.clear();
        self.in_flight.clear();
        self.busy.clear();
        self.verdicts.clear();
        self.schedule = begin(&self.options, &self.retry, self.now);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the plan of seed {}, at {}", self.seed, self.now);
        }
    }
}

fn begin(options: &Options, retry: &Retry, now: Timestamp) -> Schedule {
    Schedule::new(options.clone(), router(), policy(retry.clone()), now)
}

/// RFC 3461 §4.1, RFC 5321 §6.1.
fn wants(from: &ReversePath<'_>, notify: Option<Notify>, action: Action) -> bool {
    let (success, failure, delay) = match notify {
        None => (false, true, true),
        Some(Notify::Never) => (false, false, false),
        Some(Notify::On { success, failure, delay }) => (success, failure, delay),
    };
    let wanted = match action {
        Action::Failed => failure,
        Action::Delayed => delay,
        Action::Delivered | Action::Relayed | Action::Expanded => success,
    };
    wanted && *from != ReversePath::Null
}

#[test]
fn each_recipient_of_ten_thousand_plans_ends_in_one_state_and_nothing_happens_twice() {
    let run =
        |part| -> usize { (part..PLANS).step_by(PARTS).map(|seed| World::new(seed).live()).sum() };
    let attempts: usize = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..PARTS as u64).map(|part| scope.spawn(move || run(part))).collect();
        parts.into_iter().map(|part| part.join().unwrap()).sum()
    });
    assert!(attempts > 20 * PLANS as usize, "{attempts} attempts are too few to mean anything");
}
