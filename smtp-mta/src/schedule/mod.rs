//! What is to be done, and when: a state machine between the queue and the deliveries.
//!
//! It does nothing itself and knows no clock: it is told what has happened, and asked for the next
//! [`Step`] until there is nothing but to wait. Whoever drives it needs one loop:
//!
//! ```text
//! loop {
//!     match schedule.poll(now) {
//!         Step::Load(load)    => ask the queue for what is due; then loaded() or not_loaded()
//!         Step::Attempt(work) => deliver; then ended()
//!         Step::Settle(what)  => write it to the queue, with the notices; then settled()
//!         Step::Wait(until)   => wait for one of these to end, a fresh message, or the time
//!     }
//! }
//! ```
//!
//! In memory is what is due now or soon, in a window of bounded size; all else stays in the queue
//! until its time has come. While an attempt goes on, and until its outcome is in the queue,
//! nothing else happens to its recipients: that holds also when what the queue gives is older than
//! what has happened since, and when a fresh message comes late to the schedule. So no recipient is
//! attempted twice at once, nor after it is done, as long as the server does not crash between an
//! attempt and its settlement.

mod decide;
mod lanes;
mod turns;
mod window;

pub use decide::{Action, Notice, Outcome, Verdict};

use crate::{
    lane::{Feedback, Limits},
    message_id::MessageId,
    queue::{Attempt, Change, Entry, Timestamp},
    retry::RetryPolicy,
    route::{Route, Router},
};
use decide::Verdicts;
use lanes::{Batch, LaneId, Lanes};
use smtp_proto::wire::ReversePath;
use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};
use window::{Phase, Window};

/// By how much a clock may be set back and be waited for.
const SET_BACK: Duration = Duration::from_secs(60);

/// What can be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Recipients in memory; the last message that fits may exceed it.
    pub window: usize,
    /// Attempts at once, over all lanes but those to mailboxes, here or behind LMTP: these are
    /// bounded each for itself, and wait for no other server.
    pub attempts: usize,
    /// Recipients of an attempt; RFC 5321 §4.5.3.1.8 has every server take 100.
    pub recipients: usize,
    /// What is due within this time is kept in memory, and asked for once in it.
    pub horizon: Duration,
    /// For each destination.
    pub lanes: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            window: 10_000,
            attempts: 200,
            recipients: 100,
            horizon: Duration::from_secs(5 * 60),
            lanes: Limits::default(),
        }
    }
}

/// What is to be done now.
#[derive(Debug)]
pub enum Step {
    /// Ask the queue, then tell by [`loaded`](Schedule::loaded) or
    /// [`not_loaded`](Schedule::not_loaded). There is one of these at a time.
    Load(Load),
    /// Make an attempt, then tell by [`ended`](Schedule::ended).
    Attempt(Work),
    /// Write to the queue, then tell by [`settled`](Schedule::settled).
    Settle(Decision),
    /// Nothing, before this time, if there is one, or before something happens.
    Wait(Option<Timestamp>),
}

/// A question to the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Messages with a recipient that waits for a time up to this one, the earliest first.
    pub until: Timestamp,
    /// At most so many.
    pub limit: usize,
}

/// Names an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkId(u64);

/// An attempt to be made: one transaction, or as many as the next server wants.
#[derive(Clone, Debug)]
pub struct Work {
    /// Its name.
    pub id: WorkId,
    /// The message.
    pub entry: Arc<Entry>,
    /// The places of the recipients who are to get it; at least one.
    pub recipients: Vec<u32>,
    /// Where it goes.
    pub route: Arc<Route>,
}

/// How an attempt went.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Which.
    pub work: WorkId,
    /// One for each recipient of the work, in their order. Those who have none are tried again
    /// soon, and it does not count.
    pub outcomes: Vec<Outcome>,
    /// What it says of the destination.
    pub feedback: Feedback,
}

/// Names a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// What is to be written to the queue, all of it or nothing.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Its name.
    pub ticket: Ticket,
    /// The message as it was before.
    pub entry: Arc<Entry>,
    /// What happens to which of its recipients.
    pub changes: Vec<(u32, Change)>,
    /// Notices that are owed to the sender; they go into the queue with the changes.
    pub notices: Vec<Notice>,
}

/// Whose mail takes turns with that of others: a user, or the domain of a reverse path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Sender {
    User(Arc<str>),
    Domain(Arc<str>),
    /// Nobody: a notice.
    Null,
}

impl Sender {
    fn of(entry: &Entry) -> Self {
        match (&entry.envelope.login, &entry.envelope.from) {
            (Some(user), _) => Self::User(user.as_str().into()),
            (None, ReversePath::Mailbox(mailbox)) => {
                Self::Domain(mailbox.host.to_string().to_ascii_lowercase().into())
            }
            (None, ReversePath::Null) => Self::Null,
        }
    }
}

/// The state machine.
#[derive(Debug)]
pub struct Schedule {
    options: Options,
    router: Arc<Router>,
    retry: Arc<RetryPolicy>,
    window: Window,
    lanes: Lanes,
    flights: HashMap<WorkId, Flight>,
    /// Those of them that go to other servers.
    far: usize,
    settling: HashMap<Ticket, Settling>,
    decisions: VecDeque<Decision>,
    count: u64,
    is_stopped: bool,
    /// The time it was told last. A clock that was set back a little is waited for; one that was
    /// set back further is followed, with all that waits.
    now: Timestamp,
}

#[derive(Debug)]
struct Flight {
    lane: LaneId,
    id: MessageId,
    places: Vec<u32>,
    is_near: bool,
}

#[derive(Debug)]
struct Settling {
    id: MessageId,
    changes: Vec<(u32, Change)>,
}

impl Schedule {
    /// A schedule that begins by asking the queue.
    pub fn new(
        options: Options,
        router: Arc<Router>,
        retry: Arc<RetryPolicy>,
        now: Timestamp,
    ) -> Self {
        Self {
            window: Window::new(options.window, options.horizon, now),
            options,
            router,
            retry,
            lanes: Lanes::default(),
            flights: HashMap::new(),
            far: 0,
            settling: HashMap::new(),
            decisions: VecDeque::new(),
            count: 0,
            is_stopped: false,
            now,
        }
    }

    /// What is to be done.
    pub fn poll(&mut self, now: Timestamp) -> Step {
        let now = self.advance(now);
        if let Some(decision) = self.decisions.pop_front() {
            return Step::Settle(decision);
        }
        if self.is_stopped {
            return Step::Wait(None);
        }
        if let Some(work) = self.work(now) {
            return Step::Attempt(work);
        }
        match self.window.load(now) {
            Some(load) => Step::Load(load),
            None => Step::Wait(self.lanes.wake().into_iter().chain(self.window.wake()).min()),
        }
    }

    /// Begins nothing new. What goes on is to be told to the end, and settled.
    pub fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// Whether nothing goes on: no attempt, and no decision that is not in the queue.
    pub fn is_idle(&self) -> bool {
        self.flights.is_empty() && self.settling.is_empty()
    }

    /// A message has entered the queue, just now. Where there is no room for it, it is asked for
    /// later.
    pub fn fresh(&mut self, entry: Arc<Entry>, now: Timestamp) {
        let now = self.advance(now);
        if self.window.admits_fresh(&entry, now) {
            self.admit(entry, now);
        }
    }

    /// The queue has answered a [`Load`].
    pub fn loaded(&mut self, entries: Vec<Entry>, now: Timestamp) {
        let now = self.advance(now);
        for entry in self.window.loaded(entries, now) {
            self.admit(Arc::new(entry), now);
        }
    }

    /// The queue has not answered a [`Load`]. It is asked again after a second.
    pub fn not_loaded(&mut self, now: Timestamp) {
        let now = self.advance(now);
        self.window.not_loaded(now);
    }

    /// An attempt has ended.
    pub fn ended(&mut self, ended: Ended, now: Timestamp) {
        let now = self.advance(now);
        let Some(Flight { lane, id, places, is_near }) = self.flights.remove(&ended.work) else {
            return;
        };
        self.far -= usize::from(!is_near);
        let reason = ended.outcomes.iter().find(|it| it.verdict == Verdict::Delayed);
        let reason = reason.or(ended.outcomes.first());
        let reason = reason.map(|it| Attempt { dialogue: None, ..it.attempt.clone() });
        let reason = reason.unwrap_or_else(|| self.no_answer(lane, now));
        let mut outcomes = ended.outcomes.into_iter();
        let outcomes = places.into_iter().map(|place| (place, outcomes.next())).collect();
        self.decide(lane, id, outcomes, now);
        for (id, places) in self.lanes.end(lane, ended.feedback, &reason, now) {
            self.put_off(lane, id, places, &reason, now);
        }
    }

    /// A decision is in the queue.
    pub fn settled(&mut self, ticket: Ticket, now: Timestamp) {
        let now = self.advance(now);
        let Some(Settling { id, changes }) = self.settling.remove(&ticket) else {
            return;
        };
        self.window.settled(id, &changes, now);
    }

    /// Somebody has held or deleted a message: nothing new is begun for it. Attempts that go on end
    /// as they end.
    pub fn forget(&mut self, id: MessageId, now: Timestamp) {
        self.advance(now);
        for (place, lane) in self.window.forget(id) {
            self.lanes.remove(lane, id, place);
        }
    }

    /// Somebody has changed times in the queue: asks it at once.
    pub fn look(&mut self, now: Timestamp) {
        let now = self.advance(now);
        self.window.look(now);
    }

    /// Somebody knows that destinations are back: no pause goes on.
    pub fn resume(&mut self, now: Timestamp) {
        self.advance(now);
        self.lanes.resume();
    }

    /// The configuration may have changed. If it has, what is not in flight is routed anew, and
    /// what was learnt about destinations is forgotten.
    pub fn reload(
        &mut self,
        options: Options,
        router: Arc<Router>,
        retry: Arc<RetryPolicy>,
        now: Timestamp,
    ) {
        let now = self.advance(now);
        if options == self.options && router == self.router && retry == self.retry {
            return;
        }
        self.window.clear(options.window, options.horizon, now);
        self.lanes.clear();
        (self.options, self.router, self.retry) = (options, router, retry);
    }

    /// Attempts that go on.
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// Recipients in memory.
    pub fn held(&self) -> usize {
        self.window.held()
    }

    fn advance(&mut self, now: Timestamp) -> Timestamp {
        let back = self.now.since(now);
        if back > SET_BACK {
            self.window.set_back(back, now);
            self.lanes.set_back(back);
            self.now = now;
        }
        self.now = self.now.max(now);
        let now = self.now;
        self.lanes.advance(now);
        while let Some((id, place)) = self.window.pop_due(now) {
            self.make_ready(id, place, now);
        }
        now
    }

    /// Takes in all recipients of `entry` that are due soon, and not known.
    fn admit(&mut self, entry: Arc<Entry>, now: Timestamp) {
        let id = entry.id;
        let sender = Sender::of(&entry);
        for place in self.window.admit(entry, sender, now) {
            self.make_ready(id, place, now);
        }
    }

    fn make_ready(&mut self, id: MessageId, place: u32, now: Timestamp) {
        let Some((entry, sender)) = self.window.entry(id) else {
            return;
        };
        let Some(recipient) = entry.recipients.get(place as usize) else {
            return;
        };
        let route = self.router.route(&entry.envelope.from, &recipient.to);
        let lane = self.lanes.lane(route, &self.options.lanes);
        let sender = sender.clone();
        self.window.set(id, place, Phase::Ready(lane));
        match self.lanes.suspended(lane, now).cloned() {
            Some(reason) => self.put_off(lane, id, vec![place], &reason, now),
            None => self.lanes.push(lane, &sender, id, place),
        }
    }

    fn work(&mut self, now: Timestamp) -> Option<Work> {
        loop {
            let has_room = self.far < self.options.attempts;
            let batch = self.lanes.pop(now, self.options.recipients, has_room)?;
            let work = WorkId(self.next_count());
            for place in &batch.places {
                self.window.set(batch.id, *place, Phase::Busy);
            }
            // What is ready is in the window.
            let Some(entry) = self.window.entry(batch.id).map(|(entry, _)| entry.clone()) else {
                self.lanes.end(batch.lane, Feedback::Good, &self.no_answer(batch.lane, now), now);
                continue;
            };
            let Batch { lane, route, id, places, is_near } = batch;
            self.far += usize::from(!is_near);
            self.flights.insert(work, Flight { lane, id, places: places.clone(), is_near });
            return Some(Work { id: work, entry, recipients: places, route });
        }
    }

    fn no_answer(&self, lane: LaneId, now: Timestamp) -> Attempt {
        let host = self.lanes.route(lane).map(ToString::to_string).unwrap_or_default();
        Attempt { at: now, host, reply: "no answer".into(), dialogue: None }
    }

    /// Recipients of a dead destination are not tried: it is as if they had been.
    fn put_off(
        &mut self,
        lane: LaneId,
        id: MessageId,
        places: Vec<u32>,
        reason: &Attempt,
        now: Timestamp,
    ) {
        let attempt = Attempt {
            at: now,
            host: reason.host.clone(),
            reply: format!("put off, for the last attempts there failed: {}", reason.reply),
            dialogue: None,
        };
        let outcome = Outcome { verdict: Verdict::Delayed, attempt };
        let outcomes = places.into_iter().map(|place| (place, Some(outcome.clone()))).collect();
        self.decide(lane, id, outcomes, now);
    }

    fn decide(
        &mut self,
        lane: LaneId,
        id: MessageId,
        outcomes: Vec<(u32, Option<Outcome>)>,
        now: Timestamp,
    ) {
        let Some((entry, _)) = self.window.entry(id) else {
            return;
        };
        let entry = entry.clone();
        let retry = self.retry.clone();
        let mut verdicts = Verdicts::new(&retry, &entry, now);
        for (place, outcome) in outcomes {
            self.window.set(id, place, Phase::Busy);
            let attempts = entry.recipients.get(place as usize).map(|it| it.attempts);
            verdicts.add(place, outcome, self.seed(lane, id, attempts));
        }
        let Verdicts { changes, notices, .. } = verdicts;
        let ticket = Ticket(self.next_count());
        self.settling.insert(ticket, Settling { id, changes: changes.clone() });
        self.decisions.push_back(Decision { ticket, entry, changes, notices });
    }

    /// The same for all recipients of a message that go together.
    fn seed(&self, lane: LaneId, id: MessageId, attempts: Option<u32>) -> u64 {
        let mut hasher = DefaultHasher::new();
        (id, self.lanes.route(lane), attempts).hash(&mut hasher);
        hasher.finish()
    }

    fn next_count(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}
