//! The octets of messages that have just come.

use crate::message_id::MessageId;
use bytes::Bytes;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Messages that are kept at most.
const MESSAGES: usize = 16 << 10;

/// Octets of all messages that are kept at most.
const OCTETS: usize = 64 << 20;

/// How long a message is kept at most. The first attempt begins sooner, unless there is too much
/// else to do.
const AGE: Duration = Duration::from_secs(10);

/// Short messages as they came, so that their first attempts need not read them back. Whichever is
/// not here any more is in the database all the same.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    messages: HashMap<MessageId, (Instant, Bytes)>,
    /// The same, the oldest first.
    ages: BTreeSet<(Instant, MessageId)>,
    octets: usize,
}

impl Recent {
    /// The octets of a message, if they are here. Several may want them.
    pub(super) fn octets(&self, id: MessageId) -> Option<Bytes> {
        self.kept().messages.get(&id).map(|(_, octets)| octets.clone())
    }

    /// Takes in what has `arrived`, and lets go of what is `done`, of what is too old, and of the
    /// oldest of what is too much.
    pub(super) fn change(
        &self,
        arrived: impl IntoIterator<Item = (MessageId, Bytes)>,
        done: impl IntoIterator<Item = MessageId>,
        now: Instant,
    ) {
        let mut kept = self.kept();
        for (id, octets) in arrived {
            kept.insert(id, octets, now);
        }
        for id in done {
            kept.remove(id);
        }
        while let Some(&(since, id)) = kept.ages.first()
            && (now.duration_since(since) >= AGE
                || kept.octets > OCTETS
                || kept.messages.len() > MESSAGES)
        {
            kept.remove(id);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn insert(&mut self, id: MessageId, octets: Bytes, now: Instant) {
        self.octets += octets.len();
        self.ages.insert((now, id));
        self.messages.insert(id, (now, octets));
    }

    fn remove(&mut self, id: MessageId) {
        if let Some((since, octets)) = self.messages.remove(&id) {
            self.octets -= octets.len();
            self.ages.remove(&(since, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message_id::MessageIds;

    fn octets(count: usize) -> Bytes {
        vec![b'x'; count].into()
    }

    #[test]
    fn a_message_is_here_until_it_is_done() {
        let (recent, ids, now) = (Recent::default(), MessageIds::new().unwrap(), Instant::now());
        let (one, two) = (ids.next(), ids.next());
        recent.change([(one, octets(1)), (two, octets(2))], [one], now);
        assert_eq!((recent.octets(one), recent.octets(two)), (None, Some(octets(2))));
        recent.change([], [two, two], now);
        let kept = recent.kept();
        assert_eq!((kept.messages.len(), kept.ages.len(), kept.octets), (0, 0, 0));
    }

    #[test]
    fn a_message_is_here_for_ten_seconds() {
        let (recent, ids, now) = (Recent::default(), MessageIds::new().unwrap(), Instant::now());
        let (old, new) = (ids.next(), ids.next());
        recent.change([(old, octets(1))], [], now);
        recent.change([(new, octets(1))], [], now + AGE - Duration::from_millis(1));
        assert!(recent.octets(old).is_some());
        recent.change([], [], now + AGE);
        assert!(recent.octets(old).is_none() && recent.octets(new).is_some());
    }

    #[test]
    fn the_oldest_go_where_there_are_too_many_or_too_long_ones() {
        let ids = MessageIds::new().unwrap();
        for (count, size, kept) in [(MESSAGES + 3, 1, MESSAGES), (100, OCTETS / 50, 50)] {
            let (recent, now) = (Recent::default(), Instant::now());
            let all: Vec<_> = (0..count).map(|_| ids.next()).collect();
            for (after, id) in (0..).zip(&all) {
                let at = now + Duration::from_micros(after);
                recent.change([(*id, octets(size))], [], at);
                assert!(recent.kept().octets <= OCTETS);
            }
            let here = |id: &&MessageId| recent.octets(**id).is_some();
            assert_eq!(all.iter().filter(here).count(), kept);
            assert_eq!(all.iter().skip(count - kept).filter(here).count(), kept);
        }
    }
}
