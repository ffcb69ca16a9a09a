//! Which reply is owed for what, in the order of the commands.

use crate::replies::Reply;

/// What has become of a question.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The embedder answered: a reply with this code, and its words where it had a say.
    Replied { code: u16, tag: Option<String> },
    /// It did not in its time: the machine refuses for now.
    Late,
}

/// A reply that is owed.
#[derive(Debug)]
enum Entry {
    /// By the machine, which asked nobody.
    Machine,
    /// By the embedder, who has not answered yet.
    Open,
    Settled(Outcome),
    /// By nobody any more: the connection was over first.
    Moot,
}

/// The account of a session.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Where each command that was sent ends in the stream.
    ends: Vec<usize>,
    /// How many of them the machine has taken.
    taken: usize,
    entries: Vec<Entry>,
}

impl Ledger {
    /// Commands that were sent.
    pub(super) fn commands(&self) -> usize {
        self.ends.len()
    }

    /// A command was sent that ends at `end`.
    pub(super) fn sent(&mut self, end: usize) {
        self.ends.push(end);
    }

    /// The machine has taken the stream up to `at`, and asks something or does not. What it took
    /// without asking it owes a reply to; gives the number of the question.
    pub(super) fn taken(&mut self, at: usize, asks: bool) -> Option<usize> {
        let taken = self.ends.iter().filter(|end| **end <= at).count();
        let new = taken - self.taken;
        self.taken = taken;
        // A question about a command comes with it; one about nothing new comes alone.
        let unasked = if asks { new.saturating_sub(1) } else { new };
        self.entries.extend((0..unasked).map(|_| Entry::Machine));
        asks.then(|| {
            self.entries.push(Entry::Open);
            self.entries.len() - 1
        })
    }

    pub(super) fn all_taken(&self) -> bool {
        self.taken == self.ends.len()
    }

    pub(super) fn is_open(&self, number: usize) -> bool {
        matches!(self.entries[number], Entry::Open)
    }

    pub(super) fn settle(&mut self, number: usize, outcome: Outcome) {
        assert!(self.is_open(number), "question {number} was settled before");
        self.entries[number] = Entry::Settled(outcome);
    }

    /// The answer to this question closes the connection.
    pub(super) fn drop_after(&mut self, number: usize) {
        self.entries[number + 1..].iter_mut().for_each(|entry| *entry = Entry::Moot);
    }

    /// The connection is over.
    pub(super) fn close(&mut self) {
        for entry in self.entries.iter_mut().filter(|entry| matches!(entry, Entry::Open)) {
            *entry = Entry::Moot;
        }
    }

    /// Compares what is owed with what was said. What is owed behind a question that is moot never
    /// left; a `farewell` may stand at the end.
    ///
    /// # Panics
    /// If they differ.
    pub(super) fn compare(&self, said: &[Reply], farewell: bool) {
        let mut said = said.iter();
        for (number, entry) in self.entries.iter().enumerate() {
            if matches!(entry, Entry::Moot) {
                break;
            }
            let Some(reply) = said.next() else { panic!("no reply for entry {number}, {entry:?}") };
            let tag = reply.text.split(' ').next_back().filter(|word| word.starts_with('q'));
            match entry {
                Entry::Machine => assert_eq!(tag, None, "a reply of the machine's"),
                Entry::Settled(Outcome::Replied { code, tag: own }) => {
                    assert_eq!((reply.code, tag), (*code, own.as_deref()), "entry {number}");
                }
                Entry::Settled(Outcome::Late) => {
                    assert_eq!((reply.code / 100, tag), (4, None), "entry {number}");
                }
                Entry::Open | Entry::Moot => panic!("entry {number} is open at the end"),
            }
        }
        let rest: Vec<u16> = said.map(|reply| reply.code).collect();
        assert!(rest.is_empty() || farewell && rest == [421], "{rest:?} behind the last reply");
    }
}
