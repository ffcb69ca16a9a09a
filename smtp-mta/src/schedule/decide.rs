//! What an attempt means for a recipient, and what the sender is owed.

use crate::{
    policy::DomainName,
    queue::{Attempt, Change, Entry, Final, Recipient, State, Timestamp},
    retry::{Next, RetryPolicy},
};
use smtp_proto::{
    ext::Notify,
    wire::{ForwardPath, Host, ReversePath},
};
use std::time::Duration;

/// When a recipient is due again whose attempt came to nothing through no fault of its own.
const UNTRIED: Duration = Duration::from_secs(60);

/// What became of a recipient in an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// In short.
    pub verdict: Verdict,
    /// In full.
    pub attempt: Attempt,
}

/// What became of a recipient in an attempt, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is in the mailbox: here, or behind an LMTP server.
    Delivered,
    /// The next server has it.
    Relayed {
        /// Whether that server was told when notices are wanted, and so has that duty, too
        /// (RFC 3461 §5.2.2).
        dsn_passed_on: bool,
    },
    /// Not now (RFC 5321 §4.2.1: 4yz, and all that is not clear).
    Delayed,
    /// Never (5yz).
    Failed,
}

/// A notice that the sender is owed about a recipient (RFC 3461 §4.1). NOTIFY wants it, and there
/// is a sender: nobody is told about a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Notice {
    /// Its place in the message.
    pub recipient: u32,
    /// What there is to tell.
    pub action: Action,
}

/// What a notice tells (RFC 3464 §2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It was given up.
    Failed,
    /// It takes long, and goes on.
    Delayed,
    /// It is in the mailbox.
    Delivered,
    /// It is with a server that does not tell.
    Relayed,
    /// Several others have taken its place.
    Expanded,
}

/// What follows for one recipient.
pub(super) struct Verdicts<'a> {
    pub(super) retry: &'a RetryPolicy,
    pub(super) entry: &'a Entry,
    pub(super) now: Timestamp,
    pub(super) changes: Vec<(u32, Change)>,
    pub(super) notices: Vec<Notice>,
}

impl<'a> Verdicts<'a> {
    pub(super) fn new(retry: &'a RetryPolicy, entry: &'a Entry, now: Timestamp) -> Self {
        Self { retry, entry, now, changes: Vec::new(), notices: Vec::new() }
    }

    /// Adds what follows from `outcome`; none: nothing was tried, and it will be. The same `seed`
    /// for recipients that were tried together has them tried together again.
    pub(super) fn add(&mut self, place: u32, outcome: Option<Outcome>, seed: u64) {
        let Some(recipient) = self.entry.recipients.get(place as usize) else {
            return;
        };
        let Some(Outcome { verdict, attempt }) = outcome else {
            let until = self.now + UNTRIED;
            return self.changes.push((place, Change::Wait { until, attempt: None }));
        };
        if recipient.attempts == 0 {
            self.tell_of_expanded(place);
        }
        match verdict {
            Verdict::Delivered => {
                self.done(place, Final::Delivered, attempt, Some(Action::Delivered));
            }
            Verdict::Relayed { dsn_passed_on } => {
                let told = (!dsn_passed_on).then_some(Action::Relayed);
                self.done(place, Final::Relayed, attempt, told);
            }
            Verdict::Failed => self.done(place, Final::Failed, attempt, Some(Action::Failed)),
            Verdict::Delayed => {
                match self.next(recipient, recipient.attempts.saturating_add(1), seed) {
                    Next::Expire => self.done(place, Final::Failed, attempt, Some(Action::Failed)),
                    Next::Retry(until) => {
                        self.changes.push((place, Change::Wait { until, attempt: Some(attempt) }));
                        let retry = self.retry.of(domain(&recipient.to).as_ref());
                        let is_late = retry.is_late(self.entry.received, self.now);
                        if is_late && !recipient.delay_told && self.tell(place, Action::Delayed) {
                            self.changes.push((place, Change::DelayTold));
                        }
                    }
                }
            }
        }
    }

    fn next(&self, recipient: &Recipient, attempts: u32, seed: u64) -> Next {
        let retry = self.retry.of(domain(&recipient.to).as_ref());
        retry.next(attempts, self.entry.received, self.now, seed)
    }

    fn done(&mut self, place: u32, state: Final, attempt: Attempt, action: Option<Action>) {
        self.changes.push((place, Change::Done { state, attempt: Some(attempt) }));
        if let Some(action) = action {
            self.tell(place, action);
        }
    }

    /// Adds a notice for each recipient whose place others have taken, with the first attempt for the
    /// first that is none of them. That attempt is written down with the notices, so that they are
    /// never written twice.
    fn tell_of_expanded(&mut self, place: u32) {
        let is_expanded = |it: &Recipient| it.state == State::Expanded;
        let recipients = &self.entry.recipients;
        if recipients.iter().position(|it| !is_expanded(it)) != Some(place as usize) {
            return;
        }
        for (place, _) in (0..).zip(recipients).filter(|(_, it)| is_expanded(it)) {
            self.tell(place, Action::Expanded);
        }
    }

    /// Adds a notice if it is wanted, and says whether.
    fn tell(&mut self, recipient: u32, action: Action) -> bool {
        let Some(about) = self.entry.recipients.get(recipient as usize) else {
            return false;
        };
        let wanted = is_wanted(&self.entry.envelope.from, about.notify, action);
        if wanted {
            self.notices.push(Notice { recipient, action });
        }
        wanted
    }
}

/// Whether the sender wants to be told. Without NOTIFY that is of failures and delays
/// (RFC 3461 §4.1).
fn is_wanted(from: &ReversePath<'_>, notify: Option<Notify>, action: Action) -> bool {
    // RFC 5321 §4.5.5, §6.1: a notice about a notice might never end.
    if *from == ReversePath::Null {
        return false;
    }
    match (notify, action) {
        (None, Action::Failed | Action::Delayed) => true,
        (Some(Notify::On { failure, .. }), Action::Failed) => failure,
        (Some(Notify::On { delay, .. }), Action::Delayed) => delay,
        (Some(Notify::On { success, .. }), _) => success,
        (None | Some(Notify::Never), _) => false,
    }
}

fn domain(to: &ForwardPath<'_>) -> Option<DomainName> {
    match &to.mailbox()?.host {
        Host::Domain(domain) => DomainName::new(domain.as_str()),
        Host::Literal(_) => None,
    }
}
