//! SMTP smuggling (CVE-2023-51764, -51765, -51766): what a relay lets through and a receiver splits.
//!
//! A message with something that is almost the end of one, and a transaction of its own behind that,
//! is handed to a sender, which relays it to a receiver. If the receiver takes the false end for a true
//! one, there is a second message, which the sender has never seen and has put its name to. The judge
//! is the mailbox: a second message with the smuggled envelope. How often somebody says 250 proves
//! nothing.
//!
//! Between the two is a [`Tap`], which shows who did what.

pub mod form;
mod hand_over;
mod judge;
mod report;
mod tap;
mod wire;

pub use report::{Document, SCHEMA, Server, json, text};
pub use tap::Tap;

use crate::{cooperation::Mailbox, mailbox, outcome::Verdict, tester, transcript::Line};
use form::{Form, PLAIN};
use hand_over::Attempt;
use judge::{Boxes, Seen, Settled};
use serde::Serialize;
use std::{
    io,
    num::NonZeroUsize,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use wire::Relay;

/// Messages handed over at once, and sessions through the tap at once.
pub const JOBS: NonZeroUsize = NonZeroUsize::new(4).unwrap();
/// Between two looks at the tap and the mailboxes.
const SLICE: Duration = Duration::from_millis(100);

/// What the sender did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "detail", rename_all = "kebab-case")]
pub enum Passed {
    /// It refused the message: its reply.
    Refused(String),
    /// It closed the connection.
    Closed,
    /// It did not answer.
    Silent,
    /// It cannot be handed over like that: why.
    NotApplicable(String),
    /// It took the message, which did not come to the tap in time.
    NotRelayed,
    /// It offered the message to the receiver, and sent no text.
    EnvelopeOnly,
    /// It took the false end for a true one: what is behind it was never a part of the message.
    Split,
    /// It relayed what is in front of the false end, and lost the rest.
    Cut,
    /// It encoded the text, so that there is no false end in it.
    Encoded,
    /// It wrote the octets anew: what came of the false end.
    Rewritten(String),
    /// It let the octets through as they were.
    LetThrough,
}

/// What the receiver did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "detail", rename_all = "kebab-case")]
pub enum Received {
    /// What might be smuggled did not come to it.
    NotReached,
    /// It stored a second message, with the smuggled envelope.
    Smuggled,
    /// It stored one message, with the octets that came.
    Whole,
    /// It stored one message with other octets: what became of the false end.
    Altered(String),
    /// It stored what is in front of the false end only: what it replied to all of it.
    Cut(String),
    /// It refused the message: its reply.
    Refused(String),
    /// It refused it for now: its reply.
    Deferred(String),
    /// It closed the connection.
    Closed,
    /// It did not answer.
    Silent,
    /// It took the message, and stored none.
    NotStored,
}

/// What became of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The form's name.
    pub form: &'static str,
    /// What the sender did.
    pub sender: Passed,
    /// What the receiver did.
    pub receiver: Received,
    /// The dialogue with the sender, then, if there was one, the sender's with the receiver.
    pub sessions: Vec<Vec<Line>>,
}

impl Row {
    /// Whether there is a second message.
    pub fn is_smuggled(&self) -> bool {
        self.receiver == Received::Smuggled
    }
}

/// A sender, the tap that it relays to, and the mailboxes behind that.
pub struct Pair {
    /// The sender.
    pub sender: tester::Run,
    /// Where it relays to.
    pub tap: Tap,
    /// The receiver's mailboxes.
    pub mailbox: Mailbox,
    /// The one that the message is for.
    pub recipient: String,
    /// The one that the smuggled message is for.
    pub smuggled_recipient: String,
    /// How long a message may take from the sender's reply to the mailbox.
    pub patience: Duration,
}

impl Pair {
    /// Sends a message with nothing odd in it: does it arrive?
    ///
    /// # Errors
    /// The mailbox cannot be read.
    pub fn check(&self) -> io::Result<Row> {
        let rows = self.run_numbered(&[(0, PLAIN)], NonZeroUsize::MIN)?;
        rows.into_iter().next().ok_or_else(|| io::Error::other("no row for the message"))
    }

    /// Sends a message for each of `forms`, `jobs` at once; a row for each, in their order.
    ///
    /// # Errors
    /// A mailbox cannot be read.
    pub fn run(&self, forms: &[Form], jobs: NonZeroUsize) -> io::Result<Vec<Row>> {
        let numbered: Vec<_> = (1..).zip(forms.iter().copied()).collect();
        self.run_numbered(&numbered, jobs)
    }

    fn run_numbered(&self, forms: &[(usize, Form)], jobs: NonZeroUsize) -> io::Result<Vec<Row>> {
        let attempts = self.hand_over(forms, jobs);
        let mut seen = self.wait(&attempts)?;
        if seen.iter().any(|one| one.settled != Settled::Yes) {
            // What should not arrive is given a moment.
            thread::sleep(self.sender.pause);
            seen = self.look(&attempts)?;
        }
        let rows = attempts.into_iter().zip(seen).map(|(attempt, seen)| Row {
            form: attempt.form.name,
            sender: seen.passed,
            receiver: seen.received,
            sessions: attempt.sessions.into_iter().chain(seen.session).collect(),
        });
        Ok(rows.collect())
    }

    fn hand_over(&self, forms: &[(usize, Form)], jobs: NonZeroUsize) -> Vec<Attempt> {
        let next = AtomicUsize::new(0);
        let done: Vec<Mutex<Option<Attempt>>> = forms.iter().map(|_| Mutex::default()).collect();
        thread::scope(|scope| {
            for _ in 0..jobs.get().min(forms.len()) {
                scope.spawn(|| {
                    loop {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let Some((number, form)) = forms.get(place) else { return };
                        let attempt = Attempt::hand_over(self, *number, *form);
                        *done[place].lock().unwrap_or_else(PoisonError::into_inner) = Some(attempt);
                    }
                });
            }
        });
        let done = done.into_iter();
        done.filter_map(|one| one.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
    }

    /// Waits until all is clear, or until nothing has happened for as long as a message may take.
    fn wait(&self, attempts: &[Attempt]) -> io::Result<Vec<Seen>> {
        let began = Instant::now();
        loop {
            let seen = self.look(attempts)?;
            let last = self.tap.last_said().map_or(began, |last| last.max(began));
            // A pair that never falls silent ends too.
            let late = last.elapsed() > self.patience || began.elapsed() > 4 * self.patience;
            if late || seen.iter().all(|one| one.settled != Settled::No) {
                return Ok(seen);
            }
            thread::sleep(SLICE);
        }
    }

    fn look(&self, attempts: &[Attempt]) -> io::Result<Vec<Seen>> {
        let boxes = Boxes {
            first: self.messages(&self.recipient)?,
            second: self.messages(&self.smuggled_recipient)?,
        };
        Ok(self.tap.look(|sessions| {
            let relays = Relay::all(sessions, self.sender.seed);
            attempts.iter().map(|attempt| judge::judge(attempt, &relays, &boxes)).collect()
        }))
    }

    fn messages(&self, recipient: &str) -> io::Result<Vec<Vec<u8>>> {
        mailbox::messages(&self.mailbox, recipient, &hand_over::mark(self.sender.seed))
    }
}

/// Why the sender did not get the message.
fn undelivered(verdict: &Verdict) -> Passed {
    match verdict {
        Verdict::NotApplicable(why) => Passed::NotApplicable(why.clone()),
        other => Passed::Refused(other.reason().to_owned()),
    }
}
