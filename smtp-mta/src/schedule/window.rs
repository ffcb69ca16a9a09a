//! The part of the queue that is in memory.

use super::{Load, Sender, lanes::LaneId};
use crate::{
    message_id::MessageId,
    queue::{Change, Entry, State, Timestamp},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

/// A fresh message is handed over by whoever took it in; the queue's answers may have it as well.
/// Which of the two counts is decided by its age, so that never both do: younger than this it is
/// fresh, older it is the queue's.
const FRESH: Duration = Duration::from_secs(10);

/// The queue is not asked again sooner when its last answer had nothing new.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What a recipient in memory is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waiting for its time, which is in `times`.
    Timed(Timestamp),
    /// Due, and waiting for room in its lane.
    Ready(LaneId),
    /// In flight, or being settled.
    Busy,
}

/// The messages in memory, and what is known of those in the queue.
#[derive(Debug)]
pub(super) struct Window {
    size: usize,
    horizon: Duration,
    messages: HashMap<MessageId, Held>,
    times: BTreeSet<(Timestamp, MessageId, u32)>,
    /// Recipients in `messages`, and how many of them each sender has.
    held: usize,
    senders: HashMap<Sender, usize>,
    /// Messages that came since then are handed over while they are fresh.
    started: Timestamp,
    /// All that is due before is in memory.
    known: Timestamp,
    ask_from: Timestamp,
    loading: Option<Loading>,
}

#[derive(Debug)]
struct Held {
    entry: Arc<Entry>,
    sender: Sender,
    places: BTreeMap<u32, Phase>,
    /// Nothing is kept for it, for somebody has changed it in the queue.
    is_forgotten: bool,
}

#[derive(Debug)]
struct Loading {
    load: Load,
    /// When it was asked.
    at: Timestamp,
    /// Messages that have changed since: the answer may be older.
    stale: HashSet<MessageId>,
    /// Whether something has to be asked for again.
    again: bool,
}

impl Window {
    pub(super) fn new(size: usize, horizon: Duration, now: Timestamp) -> Self {
        Self {
            size: size.max(4),
            horizon: horizon.max(Duration::from_secs(1)),
            messages: HashMap::new(),
            times: BTreeSet::new(),
            held: 0,
            senders: HashMap::new(),
            started: now,
            known: Timestamp::default(),
            ask_from: now,
            loading: None,
        }
    }

    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// The message and its sender, if it is in memory.
    pub(super) fn entry(&self, id: MessageId) -> Option<(&Arc<Entry>, &Sender)> {
        self.messages.get(&id).map(|held| (&held.entry, &held.sender))
    }

    /// Sets what a recipient in memory is doing.
    pub(super) fn set(&mut self, id: MessageId, place: u32, phase: Phase) {
        if let Some(held) = self.messages.get_mut(&id)
            && let Some(it) = held.places.get_mut(&place)
        {
            *it = phase;
        }
    }

    /// Takes a recipient whose time has come.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(MessageId, u32)> {
        let &(at, id, place) = self.times.first().filter(|(at, ..)| *at <= now)?;
        self.times.remove(&(at, id, place));
        Some((id, place))
    }

    /// Whether a message that has just entered the queue is taken in now. It is left to the queue
    /// if it is late, if there is no room, or if its sender has as much room as is left for all
    /// others: so there is always some for those who have none.
    pub(super) fn admits_fresh(&mut self, entry: &Entry, now: Timestamp) -> bool {
        let room = self.size.saturating_sub(self.held);
        let sender = self.senders.get(&Sender::of(entry)).copied().unwrap_or_default();
        let admits = is_fresh(entry, now) && sender < room;
        if !admits {
            self.look(now);
        }
        admits
    }

    /// Takes in what is due soon of `entry` and not in memory. Gives what is due now; the rest gets
    /// its time.
    pub(super) fn admit(&mut self, entry: Arc<Entry>, sender: Sender, now: Timestamp) -> Vec<u32> {
        let soon = self.known.max(now);
        let mut due = Vec::new();
        let id = entry.id;
        let held = self.messages.entry(id).or_insert_with(|| Held {
            entry: entry.clone(),
            sender: sender.clone(),
            places: BTreeMap::new(),
            is_forgotten: false,
        });
        for (place, recipient) in (0..).zip(&entry.recipients) {
            let is_due = recipient.state == State::Waiting && recipient.next <= soon;
            if !is_due || held.places.contains_key(&place) {
                continue;
            }
            // A message that is in memory in part: of the rest the newcomer knows better.
            if held.entry.recipients.get(place as usize) != Some(recipient)
                && let Some(known) =
                    Arc::make_mut(&mut held.entry).recipients.get_mut(place as usize)
            {
                known.clone_from(recipient);
            }
            held.places.insert(place, Phase::Timed(recipient.next));
            self.held += 1;
            *self.senders.entry(sender.clone()).or_default() += 1;
            if recipient.next <= now {
                due.push(place);
            } else {
                self.times.insert((recipient.next, id, place));
            }
        }
        self.drop_if_empty(id);
        due
    }

    /// What the changes that are in the queue mean for what is in memory.
    pub(super) fn settled(&mut self, id: MessageId, changes: &[(u32, Change)], now: Timestamp) {
        self.touch(id);
        // Half is left for what is due.
        let has_room = self.held <= self.size / 2;
        let Some(held) = self.messages.get_mut(&id) else {
            return;
        };
        let mut leaves = Vec::new();
        for (place, change) in changes {
            match change {
                Change::Wait { until, .. }
                    if *until < self.known && has_room && !held.is_forgotten =>
                {
                    held.places.insert(*place, Phase::Timed((*until).max(now)));
                    self.times.insert(((*until).max(now), id, *place));
                }
                Change::Wait { until, .. } => {
                    leaves.push(*place);
                    self.known = self.known.min(*until);
                }
                Change::Done { .. } | Change::Hold => leaves.push(*place),
                Change::Release { .. } | Change::DelayTold => {}
            }
        }
        if leaves.len() < held.places.len() {
            let entry = Arc::make_mut(&mut held.entry);
            for (place, change) in changes {
                if let Some(recipient) = entry.recipients.get_mut(*place as usize) {
                    recipient.apply(change);
                    // That is for people, who ask the queue.
                    if let Some(last) = &mut recipient.last {
                        last.dialogue = None;
                    }
                }
            }
        }
        for place in leaves {
            self.leave(id, place);
        }
        self.drop_if_empty(id);
    }

    /// Lets go of all that is not busy. Gives what was ready.
    pub(super) fn forget(&mut self, id: MessageId) -> Vec<(u32, LaneId)> {
        self.touch(id);
        let Some(held) = self.messages.get_mut(&id) else {
            return Vec::new();
        };
        held.is_forgotten = true;
        let places: Vec<_> = held.places.iter().map(|(place, phase)| (*place, *phase)).collect();
        let mut ready = Vec::new();
        for (place, phase) in places {
            match phase {
                Phase::Busy => continue,
                Phase::Ready(lane) => ready.push((place, lane)),
                Phase::Timed(at) => {
                    self.times.remove(&(at, id, place));
                }
            }
            self.leave(id, place);
        }
        self.drop_if_empty(id);
        ready
    }

    /// Lets go of all messages that are not busy, and asks the queue anew.
    pub(super) fn clear(&mut self, size: usize, horizon: Duration, now: Timestamp) {
        let ids: Vec<_> = self.messages.keys().copied().collect();
        for id in ids {
            self.forget(id);
        }
        (self.size, self.horizon) = (size.max(4), horizon.max(Duration::from_secs(1)));
        self.look(now);
    }

    /// The clock was set back to `now`: no wait becomes longer by it. In the queue are times of
    /// before, so it is asked anew.
    pub(super) fn set_back(&mut self, by: Duration, now: Timestamp) {
        self.times = self.times.iter().map(|(at, id, place)| (*at - by, *id, *place)).collect();
        let phases = self.messages.values_mut().flat_map(|held| held.places.values_mut());
        for phase in phases {
            if let Phase::Timed(at) = phase {
                *at = *at - by;
            }
        }
        self.started = self.started.min(now);
        self.ask_from = now;
        self.look(now);
    }

    /// What to ask the queue now, if anything.
    pub(super) fn load(&mut self, now: Timestamp) -> Option<Load> {
        if self.loading.is_some() || self.ask_at() > now {
            return None;
        }
        let load = Load { until: now + self.horizon, limit: self.size };
        self.loading = Some(Loading { load, at: now, stale: HashSet::new(), again: false });
        Some(load)
    }

    /// When there is something to do.
    pub(super) fn wake(&self) -> Option<Timestamp> {
        let time = self.times.first().map(|(at, ..)| *at);
        let ask = self.loading.is_none().then(|| self.ask_at());
        time.into_iter().chain(ask).min()
    }

    /// When to ask the queue; never while there is no room for the answer.
    fn ask_at(&self) -> Timestamp {
        if self.held > self.size / 2 {
            return Timestamp::from_micros(i64::MAX);
        }
        self.known.max(self.ask_from)
    }

    /// Asks the queue again at `at`.
    pub(super) fn look(&mut self, at: Timestamp) {
        self.known = self.known.min(at);
        if let Some(loading) = &mut self.loading {
            loading.again = true;
        }
    }

    pub(super) fn not_loaded(&mut self, now: Timestamp) {
        self.loading = None;
        self.ask_from = now + ASK_AGAIN;
    }

    /// What is to be taken in of the queue's answer.
    pub(super) fn loaded(&mut self, entries: Vec<Entry>, now: Timestamp) -> Vec<Entry> {
        let Some(Loading { load, at, stale, again }) = self.loading.take() else {
            return Vec::new();
        };
        let is_all = entries.len() < load.limit;
        // All that is due before is in the answer.
        let mut known = if is_all { load.until } else { at };
        known = entries.last().and_then(Entry::due).filter(|_| !is_all).unwrap_or(known);
        if again {
            known = known.min(now);
        }
        let mut room = (self.size - self.size / 4).saturating_sub(self.held);
        let mut taken = Vec::new();
        for entry in entries {
            let Some(due) = entry.due() else {
                continue;
            };
            let is_young = entry.received >= self.started && is_fresh(&entry, at);
            if stale.contains(&entry.id) || (is_young && is_untouched(&entry)) {
                known = known.min(now + FRESH);
            } else if room == 0 {
                known = known.min(due);
                break;
            } else if !self.is_all_held(&entry, load.until) {
                room = room.saturating_sub(entry.recipients.len());
                taken.push(entry);
            }
        }
        self.known = known;
        self.ask_from = if taken.is_empty() { now + ASK_AGAIN } else { now };
        taken
    }

    /// Whether nothing of `entry` that is due would be new.
    fn is_all_held(&self, entry: &Entry, until: Timestamp) -> bool {
        self.messages.get(&entry.id).is_some_and(|held| {
            (0..).zip(&entry.recipients).all(|(place, it)| {
                it.state != State::Waiting || it.next > until || held.places.contains_key(&place)
            })
        })
    }

    /// What is being asked may answer with an older state of the message.
    fn touch(&mut self, id: MessageId) {
        if let Some(loading) = &mut self.loading {
            loading.stale.insert(id);
        }
    }

    fn leave(&mut self, id: MessageId, place: u32) {
        let Some(held) = self.messages.get_mut(&id) else {
            return;
        };
        if held.places.remove(&place).is_none() {
            return;
        }
        self.held -= 1;
        if let Some(count) = self.senders.get_mut(&held.sender) {
            *count -= 1;
            if *count == 0 {
                self.senders.remove(&held.sender);
            }
        }
    }

    fn drop_if_empty(&mut self, id: MessageId) {
        if self.messages.get(&id).is_some_and(|held| held.places.is_empty()) {
            self.messages.remove(&id);
        }
    }
}

/// Whether the message is so young that it may yet be handed over. One of the future is older than
/// the clock, which was set back.
fn is_fresh(entry: &Entry, now: Timestamp) -> bool {
    (entry.received..entry.received + FRESH).contains(&now)
}

/// Whether no attempt was made.
fn is_untouched(entry: &Entry) -> bool {
    entry.recipients.iter().all(|it| it.attempts == 0)
}
