//! How much mail goes to one destination at a time.
//!
//! A lane opens with a few transactions at once. Each round of successes allows one more, each
//! failure of the destination one less: the feedback that Postfix's queue manager uses, which finds
//! by itself what a destination can bear. When all that was allowed has failed in a row the
//! destination is dead: it is left alone for a pause, then one attempt shows whether it is back,
//! and each pause is twice as long as the one before.

use crate::{queue::Timestamp, route::Rate};
use std::time::Duration;

/// What all lanes have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Transactions at once in the beginning; at least one.
    pub start: u32,
    /// Transactions at once at most; at least one.
    pub most: u32,
    /// Transactions in a time.
    pub rate: Option<Rate>,
    /// The first pause of a dead destination.
    pub pause: Duration,
    /// The longest.
    pub longest_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            start: 5,
            most: 20,
            rate: None,
            // Less than the first wait of a message, and than the last: a message that is alone
            // with its dead destination is tried at all of its times.
            pause: Duration::from_secs(30),
            longest_pause: Duration::from_secs(10 * 60),
        }
    }
}

/// What an attempt says of the destination, whatever became of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feedback {
    /// It talks to us: a transaction came to replies of its own, refusals among them.
    Good,
    /// It lives, and wants less of us: a 421, or a 4yz to the connection, the greeting or MAIL.
    Busy,
    /// It could not be reached, gave no greeting, or let nobody in: nothing was learnt about the
    /// message.
    Down,
}

/// Whether another transaction may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Yes.
    Now,
    /// Not before then.
    At(Timestamp),
    /// Not before one has ended.
    Full,
}

/// The state of one destination.
#[derive(Clone, Debug)]
pub struct Lane {
    limits: Limits,
    /// Transactions at once.
    allowed: u32,
    /// Successes since `allowed` changed.
    successes: u32,
    /// Failures since the last success.
    failures: u32,
    in_flight: u32,
    /// The rate allows none before.
    free_from: Timestamp,
    /// Set while the destination is dead.
    pause: Option<Pause>,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Timestamp,
    length: Duration,
}

impl Lane {
    /// A lane that nothing is known of.
    pub fn new(limits: Limits) -> Self {
        Self {
            allowed: limits.start.clamp(1, limits.most.max(1)),
            limits,
            successes: 0,
            failures: 0,
            in_flight: 0,
            free_from: Timestamp::default(),
            pause: None,
        }
    }

    /// Whether a transaction may begin.
    pub fn room(&self, now: Timestamp) -> Room {
        match self.paused_until(now) {
            Some(until) => Room::At(until),
            None if self.in_flight >= self.allowed() => Room::Full,
            None if now < self.free_from => Room::At(self.free_from),
            None => Room::Now,
        }
    }

    /// How long the destination is left alone, if it is.
    pub fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.pause.map(|pause| pause.until).filter(|until| now < *until)
    }

    /// Transactions that may go on at once; one, when it is to be seen whether the destination is
    /// back.
    pub fn allowed(&self) -> u32 {
        if self.pause.is_some() { 1 } else { self.allowed }
    }

    /// Transactions that have begun and not ended.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// A transaction begins; there must be [`Room::Now`].
    pub fn begin(&mut self, now: Timestamp) {
        self.in_flight += 1;
        if let Some(rate) = self.limits.rate {
            self.free_from = rate.after(now);
        }
    }

    /// A transaction has ended. Says whether the destination is found dead by it.
    pub fn end(&mut self, feedback: Feedback, now: Timestamp) -> bool {
        self.in_flight = self.in_flight.saturating_sub(1);
        match feedback {
            Feedback::Good => self.good(),
            Feedback::Busy => self.shrink(),
            Feedback::Down => return self.down(now),
        }
        false
    }

    fn good(&mut self) {
        self.failures = 0;
        if self.pause.take().is_some() {
            *self = Self {
                in_flight: self.in_flight,
                free_from: self.free_from,
                ..Self::new(self.limits)
            };
        }
        self.successes += 1;
        if self.successes >= self.allowed {
            self.successes = 0;
            self.allowed = (self.allowed + 1).min(self.limits.most.max(1));
        }
    }

    fn shrink(&mut self) {
        self.successes = 0;
        self.allowed = (self.allowed - 1).max(1);
    }

    fn down(&mut self, now: Timestamp) -> bool {
        // What began before the pause says nothing new.
        if self.paused_until(now).is_some() {
            return false;
        }
        self.failures += 1;
        let length = match self.pause {
            Some(before) => (before.length * 2).min(self.limits.longest_pause),
            None if self.failures >= self.allowed => self.limits.pause,
            None => {
                self.shrink();
                return false;
            }
        };
        self.pause = Some(Pause { until: now + length, length });
        true
    }

    /// Ends the pause, because somebody knows better.
    pub fn resume(&mut self) {
        if let Some(pause) = &mut self.pause {
            pause.until = Timestamp::default();
        }
    }

    /// The clock was set back: what was to end ends as soon as it would have.
    pub fn set_back(&mut self, by: Duration) {
        self.free_from = self.free_from - by;
        if let Some(pause) = &mut self.pause {
            pause.until = pause.until - by;
        }
    }

    /// Whether nothing is worth remembering.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.in_flight == 0
            && self.pause.is_none()
            && self.failures == 0
            && self.allowed == Self::new(self.limits).allowed
            && self.free_from <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Feedback::{Busy, Down, Good};

    const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn at(seconds: u64) -> Timestamp {
        START + Duration::from_secs(seconds)
    }

    fn once(lane: &mut Lane, feedback: Feedback, now: Timestamp) -> bool {
        assert_eq!(lane.room(now), Room::Now);
        lane.begin(now);
        lane.end(feedback, now)
    }

    /// As many as fit, and how many those are.
    fn fill(lane: &mut Lane, now: Timestamp) -> u32 {
        let before = lane.in_flight();
        while lane.room(now) == Room::Now {
            lane.begin(now);
        }
        lane.in_flight() - before
    }

    #[test]
    fn a_round_of_successes_allows_one_more_up_to_the_most() {
        let mut lane = Lane::new(Limits::default());
        assert_eq!(fill(&mut lane, START), 5);
        assert_eq!(lane.room(START), Room::Full);
        for allowed in 5..20 {
            assert_eq!(lane.allowed(), allowed);
            for _ in 0..allowed {
                assert!(!lane.end(Good, START));
                lane.begin(START);
            }
        }
        for _ in 0..100 {
            lane.end(Good, START);
            lane.begin(START);
        }
        assert_eq!(lane.allowed(), 20);
    }

    #[test]
    fn a_destination_that_wants_less_gets_less_and_never_nothing() {
        let mut lane = Lane::new(Limits::default());
        let allowed = std::iter::repeat_with(|| {
            assert!(!once(&mut lane, Busy, START));
            lane.allowed()
        });
        assert_eq!(allowed.take(6).collect::<Vec<_>>(), [4, 3, 2, 1, 1, 1]);
        once(&mut lane, Good, START);
        assert_eq!(lane.allowed(), 2);
    }

    #[test]
    fn a_few_failures_make_it_smaller_and_a_row_of_them_dead() {
        let mut lane = Lane::new(Limits::default());
        assert_eq!([Down, Down, Good, Down].map(|what| once(&mut lane, what, START)), [false; 4]);
        let mut lane = Lane::new(Limits::default());
        assert_eq!(
            [Down, Down, Down].map(|what| once(&mut lane, what, START)),
            [false, false, true]
        );
        assert_eq!(lane.room(START), Room::At(at(30)));
        assert_eq!(lane.room(at(29)), Room::At(at(30)));
        assert_eq!(fill(&mut lane, at(30)), 1);
    }

    #[test]
    fn pauses_double_to_the_longest() {
        let mut lane = Lane::new(Limits { start: 1, ..Limits::default() });
        let mut now = START;
        let pauses = std::iter::repeat_with(|| {
            assert!(once(&mut lane, Down, now));
            let pause = lane.paused_until(now).unwrap().since(now);
            now = now + pause;
            pause.as_secs()
        });
        assert_eq!(pauses.take(7).collect::<Vec<_>>(), [30, 60, 120, 240, 480, 600, 600]);
    }

    #[test]
    fn a_dead_destination_that_is_back_begins_anew() {
        let mut lane = Lane::new(Limits::default());
        for _ in 0..3 {
            once(&mut lane, Down, START);
        }
        once(&mut lane, Down, at(30));
        assert_eq!(lane.paused_until(at(31)), Some(at(90)));
        once(&mut lane, Good, at(90));
        assert_eq!((lane.allowed(), lane.paused_until(at(90))), (5, None));
        for _ in 0..3 {
            once(&mut lane, Down, at(90));
        }
        assert_eq!(lane.paused_until(at(90)), Some(at(120)));
    }

    #[test]
    fn what_was_on_its_way_when_it_died_does_not_make_the_pause_longer() {
        let mut lane = Lane::new(Limits::default());
        fill(&mut lane, START);
        let ends = [1, 2, 3, 4, 5].map(|second| lane.end(Down, at(second)));
        assert_eq!(ends, [false, false, true, false, false]);
        assert_eq!(lane.paused_until(at(5)), Some(at(33)));
        assert_eq!(lane.in_flight(), 0);
    }

    #[test]
    fn a_success_of_what_was_on_its_way_ends_the_pause() {
        let mut lane = Lane::new(Limits::default());
        fill(&mut lane, START);
        for _ in 0..4 {
            lane.end(Down, at(1));
        }
        assert!(lane.paused_until(at(1)).is_some());
        lane.end(Good, at(2));
        assert_eq!(lane.room(at(2)), Room::Now);
    }

    #[test]
    fn somebody_can_end_a_pause() {
        let mut lane = Lane::new(Limits { start: 1, ..Limits::default() });
        once(&mut lane, Down, START);
        lane.resume();
        assert_eq!(fill(&mut lane, START), 1);
    }

    #[test]
    fn a_rate_spreads_transactions_evenly() {
        let rate = Rate { count: 4, per: Duration::from_secs(60) };
        let mut lane = Lane::new(Limits { rate: Some(rate), ..Limits::default() });
        once(&mut lane, Good, START);
        assert_eq!(lane.room(START), Room::At(at(15)));
        once(&mut lane, Good, at(20));
        assert_eq!(lane.room(at(20)), Room::At(at(35)));
        assert!(!lane.is_fresh(at(20)));
        assert!(lane.is_fresh(at(35)));
    }
}
