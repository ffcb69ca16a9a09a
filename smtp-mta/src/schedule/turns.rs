//! Queues that take turns.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// Queues that take turns: the first item of one, then the first of the next. Who has many items
/// waits longer for them than who has one.
#[derive(Debug)]
pub(super) struct Turns<K, T> {
    queues: HashMap<K, VecDeque<T>>,
    /// The keys of the queues, none of which is empty, each once.
    order: VecDeque<K>,
}

impl<K, T> Default for Turns<K, T> {
    fn default() -> Self {
        Self { queues: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Clone + Eq + Hash, T> Turns<K, T> {
    /// Adds `item` to the end of the queue of `key`.
    pub(super) fn push(&mut self, key: K, item: T) {
        let queue = self.queues.entry(key.clone()).or_default();
        if queue.is_empty() {
            self.order.push_back(key);
        }
        queue.push_back(item);
    }

    /// Takes the first item of the queue whose turn it is.
    pub(super) fn pop(&mut self) -> Option<(K, T)> {
        let key = self.order.pop_front()?;
        let queue = self.queues.get_mut(&key)?;
        let item = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(&key);
        } else {
            self.order.push_back(key.clone());
        }
        item.map(|item| (key, item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_take_turns_and_each_is_in_order() {
        let mut turns = Turns::default();
        for (key, item) in [('a', 1), ('a', 2), ('a', 3), ('b', 4), ('c', 5), ('b', 6)] {
            turns.push(key, item);
        }
        let first: Vec<_> = (0..4).filter_map(|_| turns.pop()).collect();
        assert_eq!(first, [('a', 1), ('b', 4), ('c', 5), ('a', 2)]);
        turns.push('c', 7);
        let rest: Vec<_> = std::iter::from_fn(|| turns.pop()).collect();
        assert_eq!(rest, [('b', 6), ('a', 3), ('c', 7)]);
    }
}
