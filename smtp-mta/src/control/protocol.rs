//! What is said on the socket: one JSON object a line, a request by the client and answers to it.
//!
//! ```text
//! C: {"version":1,"ask":{"list":{"filter":{"state":"waiting"}}}}
//! S: {"message":{"id":"…","from":"me@a.example",…}}
//! S: {"message":{…}}
//! S: {"done":{"messages":2,"recipients":2,"after":"…"}}
//! C: {"version":1,"ask":{"list":{"filter":{"state":"waiting"},"after":"…"}}}
//! S: {"done":{"messages":0,"recipients":0}}
//! ```
//!
//! The answers to a request end with `done` or `error`. `after` in `done` says that there may be
//! more: the same request with it goes on. A request that is made again does no harm.
//!
//! [`Message`] and [`Totals`] are what `--json` prints.

use crate::{
    message_id::MessageId,
    queue::{self, Entry, Filter, State, Timestamp},
};
use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use smtp_proto::wire::{ForwardPath, Mailbox};

/// The version of the protocol. Another one is refused.
pub const VERSION: u32 = 1;

/// Octets of a request at most, its line end included: that of 1,000 names is half as long.
pub const REQUEST: usize = 64 << 10;

/// Names in one [`Selection`] at most.
pub const NAMES: usize = 1_000;

/// A line from the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// [`VERSION`].
    pub version: u32,
    /// What is wanted.
    pub ask: Ask,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ask {
    /// The [`Totals`] of the whole queue.
    Totals {},
    /// Each [`Message`] that is meant, without dialogues, the oldest first; those behind `after`.
    List {
        /// Which.
        #[serde(default)]
        filter: Selection,
        /// The last message of the page before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<MessageId>,
    },
    /// One [`Message`], with the dialogues.
    Show {
        /// Which.
        id: MessageId,
    },
    /// The [octets](Answer::Octets) of a message.
    Body {
        /// Which.
        id: MessageId,
        /// Octets at its beginning that are not wanted.
        #[serde(default)]
        skip: u64,
    },
    /// Changes what is meant, behind `after`. Answers with the names of the messages.
    Change {
        /// How.
        change: Change,
        /// Which.
        #[serde(default)]
        filter: Selection,
        /// The last message of the page before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<MessageId>,
    },
}

/// What can be done to messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// No attempt is made until they are released.
    Hold,
    /// What is held waits again, and is due.
    Release,
    /// What waits is due, and no destination is left alone any more.
    Retry,
    /// They are removed. The sender is not told.
    Delete,
}

impl Change {
    /// Its word, as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Retry => "retry",
            Self::Delete => "delete",
        }
    }

    /// The state of the recipients that it changes; `None`: any.
    pub fn from(self) -> Option<State> {
        match self {
            Self::Hold | Self::Retry => Some(State::Waiting),
            Self::Release => Some(State::Held),
            Self::Delete => None,
        }
    }
}

/// Which messages are meant: a [`Filter`]. Without anything: all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// One of these; [`NAMES`] at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<MessageId>,
    /// From a sender like this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// With a recipient like this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// With a recipient in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Received before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Timestamp>,
}

impl From<Selection> for Filter {
    fn from(Selection { ids, from, to, state, before }: Selection) -> Self {
        Self { ids, from, to, state, before }
    }
}

/// A line from the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A message.
    Message(Message),
    /// How much there is.
    Totals(Totals),
    /// Messages that were changed.
    Changed(Vec<MessageId>),
    /// The next octets of a message.
    Octets(Octets),
    /// The end: all went well.
    Done(Done),
    /// The end: something went wrong. A plain sentence.
    Error(String),
}

/// All that was asked for was done, or the first part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Messages that were listed or changed.
    pub messages: u64,
    /// Recipients of these that were listed or changed; 0 if they were deleted.
    pub recipients: u64,
    /// From where to go on, if there may be more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<MessageId>,
}

/// How much is in the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Messages.
    pub messages: u64,
    /// Octets of all messages.
    pub size: u64,
    /// Recipients that wait for an attempt.
    pub waiting: u64,
    /// Recipients that are held.
    pub held: u64,
    /// When the oldest message arrived; `null` if there is none.
    pub oldest: Option<Timestamp>,
}

impl From<queue::Totals> for Totals {
    fn from(totals: queue::Totals) -> Self {
        let queue::Totals { messages, bytes, waiting, held, oldest, .. } = totals;
        Self { messages, size: bytes, waiting, held, oldest }
    }
}

/// A message in the queue. Times are in UTC (RFC 3339).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its name: in the 250, in `Received`, in the log.
    pub id: MessageId,
    /// The reverse path without brackets; empty: the null sender.
    pub from: String,
    /// The user who submitted it.
    pub login: Option<String>,
    /// When it arrived.
    pub received: Timestamp,
    /// Its octets.
    pub size: u64,
    /// What octets it is made of: `7BIT` or `8BITMIME`.
    pub body: String,
    /// Whether it needs SMTPUTF8.
    pub smtputf8: bool,
    /// RET of the sender: `FULL` or `HDRS`.
    pub ret: Option<String>,
    /// ENVID of the sender, as xtext.
    pub envid: Option<String>,
    /// All its recipients, the finished ones too.
    pub recipients: Vec<Recipient>,
}

/// A recipient of a message in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// The forward path without brackets.
    pub to: String,
    /// `waiting`, `held`, `delivered`, `relayed`, `expanded` or `failed`.
    pub state: State,
    /// How many attempts were made.
    pub attempts: u32,
    /// When the next one is due; `null` unless it is waiting.
    pub next: Option<Timestamp>,
    /// NOTIFY of the sender.
    pub notify: Option<String>,
    /// ORCPT of the sender.
    pub orcpt: Option<String>,
    /// Whether the sender was told that it is late.
    pub delay_told: bool,
    /// How the last attempt went.
    pub last: Option<Attempt>,
}

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it ended.
    pub at: Timestamp,
    /// Who answered, or was asked.
    pub host: String,
    /// The answer, or what else went wrong.
    pub reply: String,
    /// What was said, line by line; only for `show`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialogue: Option<String>,
}

impl From<&Entry> for Message {
    fn from(entry: &Entry) -> Self {
        let envelope = &entry.envelope;
        Self {
            id: entry.id,
            from: envelope.from.mailbox().map(Mailbox::to_string).unwrap_or_default(),
            login: envelope.login.clone(),
            received: entry.received,
            size: entry.size,
            body: envelope.body.to_string(),
            smtputf8: envelope.smtputf8,
            ret: envelope.ret.map(|ret| ret.to_string()),
            envid: envelope.envid.as_ref().map(|envid| envid.as_str().to_owned()),
            recipients: entry.recipients.iter().map(Recipient::from).collect(),
        }
    }
}

impl From<&queue::Recipient> for Recipient {
    fn from(recipient: &queue::Recipient) -> Self {
        Self {
            to: match &recipient.to {
                ForwardPath::Postmaster => "postmaster".to_owned(),
                to => to.mailbox().map(Mailbox::to_string).unwrap_or_default(),
            },
            state: recipient.state,
            attempts: recipient.attempts,
            next: (recipient.state == State::Waiting).then_some(recipient.next),
            notify: recipient.notify.map(|notify| notify.to_string()),
            orcpt: recipient.orcpt.as_ref().map(ToString::to_string),
            delay_told: recipient.delay_told,
            last: recipient.last.as_ref().map(Attempt::from),
        }
    }
}

impl From<&queue::Attempt> for Attempt {
    fn from(attempt: &queue::Attempt) -> Self {
        let queue::Attempt { at, host, reply, dialogue } = attempt.clone();
        Self { at, host, reply, dialogue: dialogue.map(|it| it.to_string()) }
    }
}

/// Octets that may be no text: in base 64 on the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Octets(pub Vec<u8>);

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&BASE64.encode_display(&self.0))
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        BASE64.decode(text.as_bytes()).map(Self).map_err(de::Error::custom)
    }
}

/// Those that are written as they are shown.
macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

as_text!(MessageId, Timestamp, State);
