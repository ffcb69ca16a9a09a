//! What the queue holds: messages, their recipients, and what becomes of them.

use super::Timestamp;
use crate::{message_id::MessageId, spool::Spooled};
use smtp_proto::{
    ext::{BodyType, Notify, Orcpt, Ret},
    wire::{ForwardPath, ReversePath, Xtext},
};
use std::{fmt, str::FromStr, sync::Arc};

/// What MAIL said (RFC 5321 §4.1.1.2), as far as the next server has to know it, and who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Where notices about the message go.
    pub from: ReversePath<'static>,
    /// How much of the message a failure notice carries (RFC 3461 §4.3).
    pub ret: Option<Ret>,
    /// The sender's name for the transaction (RFC 3461 §4.4).
    pub envid: Option<Xtext<'static>>,
    /// What octets the message is made of (RFC 6152).
    pub body: BodyType,
    /// Whether it needs SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// The user who submitted it.
    pub login: Option<String>,
}

impl Envelope {
    /// An envelope with a sender and no parameter.
    pub fn new(from: ReversePath<'static>) -> Self {
        let body = BodyType::default();
        Self { from, ret: None, envid: None, body, smtputf8: false, login: None }
    }
}

/// A message that enters the queue.
#[derive(Debug)]
pub struct NewMessage {
    /// Its name. No two may have the same.
    pub id: MessageId,
    /// Its envelope, but for the recipients.
    pub envelope: Envelope,
    /// To whom it goes; at least one whose place is not taken by others.
    pub recipients: Vec<NewRecipient>,
    /// Its octets, exactly as they will be sent on, trace fields included.
    pub body: Spooled,
    /// When it arrived. Its first attempt is due from then on.
    pub received: Timestamp,
}

/// A recipient of a message that enters the queue: what RCPT said (RFC 5321 §4.1.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecipient {
    /// The recipient.
    pub to: ForwardPath<'static>,
    /// When to tell the sender (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// The recipient as the first sender wrote it (RFC 3461 §4.2).
    pub orcpt: Option<Orcpt<'static>>,
    /// Other recipients of the message have taken its place: it is [`State::Expanded`].
    pub is_expanded: bool,
}

impl NewRecipient {
    /// A recipient with no parameter.
    pub fn new(to: ForwardPath<'static>) -> Self {
        Self { to, notify: None, orcpt: None, is_expanded: false }
    }
}

/// A message in the queue, without its octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub id: MessageId,
    /// Its envelope, but for the recipients.
    pub envelope: Envelope,
    /// Its octets.
    pub size: u64,
    /// When it arrived.
    pub received: Timestamp,
    /// All its recipients, the finished ones too. A recipient is named by its place here.
    pub recipients: Vec<Recipient>,
}

impl Entry {
    /// When the first of its recipients is due, if one is waiting.
    pub fn due(&self) -> Option<Timestamp> {
        let waiting = self.recipients.iter().filter(|recipient| recipient.state == State::Waiting);
        waiting.map(|recipient| recipient.next).min()
    }

    /// For how many recipients something is left to do.
    pub fn unfinished(&self) -> usize {
        self.recipients.iter().filter(|recipient| !recipient.state.is_final()).count()
    }

    /// Whether nothing is left to do for any recipient.
    pub fn is_done(&self) -> bool {
        self.unfinished() == 0
    }
}

/// A recipient of a message in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The recipient.
    pub to: ForwardPath<'static>,
    /// When to tell the sender (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// The recipient as the first sender wrote it (RFC 3461 §4.2).
    pub orcpt: Option<Orcpt<'static>>,
    /// How far it is.
    pub state: State,
    /// How many attempts were made.
    pub attempts: u32,
    /// When the next attempt is due, if it is [`Waiting`](State::Waiting).
    pub next: Timestamp,
    /// How the last attempt went.
    pub last: Option<Attempt>,
    /// Whether the sender was told that it is late.
    pub delay_told: bool,
}

impl Recipient {
    /// What `new` is in a message that arrived at `received`.
    pub fn new(new: NewRecipient, received: Timestamp) -> Self {
        Self {
            to: new.to,
            notify: new.notify,
            orcpt: new.orcpt,
            state: if new.is_expanded { State::Expanded } else { State::Waiting },
            attempts: 0,
            next: received,
            last: None,
            delay_told: false,
        }
    }

    /// Makes `change`: all transitions of [`State`]. A final state is never left, and an attempt
    /// that ends does not release what was held meanwhile.
    pub fn apply(&mut self, change: &Change) {
        if self.state.is_final() {
            return;
        }
        match change {
            Change::Wait { until, attempt } => {
                self.next = *until;
                self.tried(attempt.as_ref());
            }
            Change::Done { state, attempt } => {
                self.state = (*state).into();
                self.tried(attempt.as_ref());
            }
            Change::Hold => self.state = State::Held,
            Change::Release { at } => {
                self.state = State::Waiting;
                self.next = *at;
            }
            Change::DelayTold => self.delay_told = true,
        }
    }

    fn tried(&mut self, attempt: Option<&Attempt>) {
        if let Some(attempt) = attempt {
            self.attempts = self.attempts.saturating_add(1);
            self.last = Some(attempt.clone());
        }
    }
}

/// How far a recipient is. The last four are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// An attempt will be made.
    Waiting,
    /// No attempt is made until somebody releases it.
    Held,
    /// It is in the mailbox.
    Delivered,
    /// The next server has it.
    Relayed,
    /// Other recipients of the message have taken its place, from the beginning.
    Expanded,
    /// It was given up.
    Failed,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Held, Self::Delivered, Self::Relayed, Self::Expanded, Self::Failed];

    /// Whether it is the end.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Waiting | Self::Held)
    }

    /// Its word, as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for State {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or("not one of waiting, held, delivered, relayed, expanded, failed")
    }
}

/// A state that is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Final {
    /// It is in the mailbox.
    Delivered,
    /// The next server has it.
    Relayed,
    /// It was given up.
    Failed,
}

impl From<Final> for State {
    fn from(state: Final) -> Self {
        match state {
            Final::Delivered => Self::Delivered,
            Final::Relayed => Self::Relayed,
            Final::Failed => Self::Failed,
        }
    }
}

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it ended.
    pub at: Timestamp,
    /// Who answered, or was asked.
    pub host: String,
    /// The answer: code, enhanced code, text; or what else went wrong.
    pub reply: String,
    /// What was said, line by line, if that is worth keeping. Of recipients that were tried
    /// together the first has it, for all. Only [`find`](super::SqliteQueue::find) gives it back.
    pub dialogue: Option<Arc<str>>,
}

/// What happens to a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The next attempt is due at `until`, after one that failed for now or, with none, because it
    /// was put off.
    Wait {
        /// When.
        until: Timestamp,
        /// What went wrong.
        attempt: Option<Attempt>,
    },
    /// Nothing is left to do.
    Done {
        /// How it ended.
        state: Final,
        /// The attempt that ended it, if there was one.
        attempt: Option<Attempt>,
    },
    /// No attempt is made until it is released.
    Hold,
    /// An attempt is due at `at`, whether it was held or not.
    Release {
        /// When.
        at: Timestamp,
    },
    /// The sender was told that it is late.
    DelayTold,
}

/// What has become of a message. It is written as one: all of it, or nothing.
#[derive(Debug)]
pub struct Settlement {
    /// Which message.
    pub id: MessageId,
    /// What happens to which of its recipients.
    pub changes: Vec<(u32, Change)>,
    /// Notices about it, which enter the queue with the changes, however full that is.
    pub reports: Vec<NewMessage>,
}
