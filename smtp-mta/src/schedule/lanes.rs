//! All lanes, and what is ready in them.

use super::{Sender, turns::Turns};
use crate::{
    lane::{Feedback, Lane, Limits, Room},
    message_id::MessageId,
    queue::{Attempt, Timestamp},
    route::Route,
};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// Names a lane.
pub(super) type LaneId = u64;

/// How long is remembered what was learnt about a destination that gets no mail.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);

/// Lanes that are remembered only; a stranger can make us learn about many.
const MOST_REMEMBERED: usize = 10_000;

/// All lanes.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    ids: HashMap<Arc<Route>, LaneId>,
    lanes: HashMap<LaneId, State>,
    count: LaneId,
    /// Those that may have room for what is ready in them: each once, they take turns.
    order: VecDeque<LaneId>,
    /// Those of them that lead to mailboxes. Their turns come first: they are few, and each has a
    /// bound of its own.
    near: VecDeque<LaneId>,
    /// When to look at a lane again.
    times: BTreeSet<(Timestamp, LaneId)>,
}

#[derive(Debug)]
struct State {
    route: Arc<Route>,
    lane: Lane,
    /// Messages with recipients in `ready`, or without since they were taken away.
    turns: Turns<Sender, MessageId>,
    ready: HashMap<MessageId, VecDeque<u32>>,
    is_in_order: bool,
    /// Its time in `times`.
    time: Option<Timestamp>,
    /// Why it is dead, if it is.
    reason: Option<Attempt>,
}

/// Recipients of one message that go together.
pub(super) struct Batch {
    pub(super) lane: LaneId,
    pub(super) route: Arc<Route>,
    pub(super) id: MessageId,
    pub(super) places: Vec<u32>,
    /// It goes to mailboxes.
    pub(super) is_near: bool,
}

impl Lanes {
    /// The lane of `route`, which begins with `limits` if it is new.
    pub(super) fn lane(&mut self, route: Route, limits: &Limits) -> LaneId {
        if let Some(id) = self.ids.get(&route) {
            return *id;
        }
        let mut limits = *limits;
        if let Some(way) = route.way() {
            limits.most = way.connections.unwrap_or(limits.most);
            limits.rate = way.rate.or(limits.rate);
        }
        let (id, route) = (self.count, Arc::new(route));
        self.count += 1;
        self.ids.insert(route.clone(), id);
        let state = State {
            route,
            lane: Lane::new(limits),
            turns: Turns::default(),
            ready: HashMap::new(),
            is_in_order: false,
            time: None,
            reason: None,
        };
        self.lanes.insert(id, state);
        id
    }

    /// A recipient is ready to go.
    pub(super) fn push(&mut self, lane: LaneId, sender: &Sender, id: MessageId, place: u32) {
        if let Some(state) = self.lanes.get_mut(&lane) {
            let places = state.ready.entry(id).or_default();
            if places.is_empty() {
                state.turns.push(sender.clone(), id);
            }
            places.push_back(place);
        }
        self.enlist(lane);
    }

    /// A recipient is not to go.
    pub(super) fn remove(&mut self, lane: LaneId, id: MessageId, place: u32) {
        if let Some(state) = self.lanes.get_mut(&lane)
            && let Some(places) = state.ready.get_mut(&id)
        {
            places.retain(|ready| *ready != place);
            if places.is_empty() {
                state.ready.remove(&id);
            }
        }
    }

    /// Why the destination is left alone, if it is.
    pub(super) fn suspended(&self, lane: LaneId, now: Timestamp) -> Option<&Attempt> {
        let state = self.lanes.get(&lane)?;
        state.lane.paused_until(now)?;
        state.reason.as_ref()
    }

    /// The route of a lane.
    pub(super) fn route(&self, lane: LaneId) -> Option<&Arc<Route>> {
        self.lanes.get(&lane).map(|state| &state.route)
    }

    /// Takes at most `most` recipients of the message whose turn it is, in the lane whose turn it
    /// is; they are in flight from now on. Only to mailboxes, unless `far`.
    pub(super) fn pop(&mut self, now: Timestamp, most: usize, far: bool) -> Option<Batch> {
        while let Some(lane) = self.next(far) {
            let Some(state) = self.lanes.get_mut(&lane) else {
                continue;
            };
            state.is_in_order = false;
            match state.lane.room(now) {
                Room::Full => {}
                Room::At(at) => self.look_at(lane, at),
                Room::Now => {
                    let Some((id, places)) = state.take(most) else {
                        self.retire(lane, now);
                        continue;
                    };
                    state.lane.begin(now);
                    let (route, is_near) = (state.route.clone(), state.is_near());
                    self.enlist(lane);
                    return Some(Batch { lane, route, id, places, is_near });
                }
            }
        }
        None
    }

    fn next(&mut self, far: bool) -> Option<LaneId> {
        self.near.pop_front().or_else(|| self.order.pop_front_if(|_| far))
    }

    /// What was in flight has ended. Gives all that was ready if the destination is found dead,
    /// for `reason`.
    pub(super) fn end(
        &mut self,
        lane: LaneId,
        feedback: Feedback,
        reason: &Attempt,
        now: Timestamp,
    ) -> Vec<(MessageId, Vec<u32>)> {
        let mut stranded = Vec::new();
        if let Some(state) = self.lanes.get_mut(&lane)
            && state.lane.end(feedback, now)
        {
            state.reason = Some(reason.clone());
            stranded.extend(std::iter::from_fn(|| state.take(usize::MAX)));
        }
        self.enlist(lane);
        self.retire(lane, now);
        stranded
    }

    /// Looks at all lanes whose time has come.
    pub(super) fn advance(&mut self, now: Timestamp) {
        while let Some(&(at, lane)) = self.times.first()
            && at <= now
        {
            self.times.pop_first();
            if let Some(state) = self.lanes.get_mut(&lane) {
                state.time = None;
                if state.is_idle() {
                    self.forget(lane);
                } else {
                    self.enlist(lane);
                }
            }
        }
    }

    /// When [`advance`](Self::advance) has something to do.
    pub(super) fn wake(&self) -> Option<Timestamp> {
        self.times.first().map(|(at, _)| *at)
    }

    /// Ends all pauses.
    pub(super) fn resume(&mut self) {
        self.lanes.values_mut().for_each(|state| state.lane.resume());
        let waiting: Vec<_> = self.times.iter().map(|(_, lane)| *lane).collect();
        waiting.into_iter().for_each(|lane| self.enlist(lane));
    }

    /// The clock was set back: no wait becomes longer by it.
    pub(super) fn set_back(&mut self, by: Duration) {
        self.times = self.times.iter().map(|(at, lane)| (*at - by, *lane)).collect();
        for state in self.lanes.values_mut() {
            state.lane.set_back(by);
            state.time = state.time.map(|at| at - by);
        }
    }

    /// Begins anew: what is in flight ends as if it had never been, and nothing is ready.
    pub(super) fn clear(&mut self) {
        *self = Self { count: self.count, ..Self::default() };
    }

    /// Has the lane take its turn if something is ready in it.
    fn enlist(&mut self, lane: LaneId) {
        if let Some(state) = self.lanes.get_mut(&lane)
            && !state.is_in_order
            && !state.ready.is_empty()
        {
            state.is_in_order = true;
            let order = if state.is_near() { &mut self.near } else { &mut self.order };
            order.push_back(lane);
        }
    }

    fn look_at(&mut self, lane: LaneId, at: Timestamp) {
        if let Some(state) = self.lanes.get_mut(&lane) {
            if let Some(before) = state.time.replace(at) {
                self.times.remove(&(before, lane));
            }
            self.times.insert((at, lane));
        }
    }

    /// Forgets a lane that is idle: at once if nothing was learnt, else later.
    fn retire(&mut self, lane: LaneId, now: Timestamp) {
        if let Some(state) = self.lanes.get(&lane)
            && state.is_idle()
        {
            if state.lane.is_fresh(now) || self.times.len() >= MOST_REMEMBERED {
                self.forget(lane);
            } else {
                self.look_at(lane, now + REMEMBERED);
            }
        }
    }

    fn forget(&mut self, lane: LaneId) {
        if let Some(state) = self.lanes.remove(&lane) {
            self.ids.remove(&state.route);
            if let Some(at) = state.time {
                self.times.remove(&(at, lane));
            }
        }
    }
}

impl State {
    fn is_near(&self) -> bool {
        matches!(*self.route, Route::Local | Route::Lmtp { .. })
    }

    fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.lane.in_flight() == 0
    }

    fn take(&mut self, most: usize) -> Option<(MessageId, Vec<u32>)> {
        while let Some((sender, id)) = self.turns.pop() {
            let Some(places) = self.ready.get_mut(&id) else {
                continue;
            };
            let taken: Vec<_> = places.drain(..places.len().min(most.max(1))).collect();
            if places.is_empty() {
                self.ready.remove(&id);
            } else {
                self.turns.push(sender, id);
            }
            return Some((id, taken));
        }
        None
    }
}
