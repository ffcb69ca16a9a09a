//! What was seen of a client: its sessions, and how it ended; and how a case judges it.

use super::{
    record::{Command, Record},
    script::Point,
    sender::{Ended, Manners},
};
use crate::outcome::{Finding, Outcome, Place, Verdict, fail, inconclusive};

/// A failure's kind, RFC 5321 §4.2.1: to be tried again, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It may be tried again.
    Temporary,
    /// It may not.
    Permanent,
    /// Either.
    Any,
}

/// What a client says about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It was sent.
    Sent,
    /// It was not sent; of which class, if its status tells.
    NotSent(Option<Class>),
    /// It crashed.
    Crashed,
    /// Nothing: it queues, or a person started it.
    Nothing,
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The sessions, in the order in which they began.
    pub records: Vec<Record>,
    /// Sessions in which a client that queues gave the message back.
    pub notifications: Vec<Record>,
    /// How the client ended.
    pub(super) ended: Option<Ended>,
    /// It took too long, and was ended.
    pub(super) expired: bool,
    pub(super) manners: Manners,
    /// The most memory that it has had.
    pub memory: Option<u64>,
    /// What it said to its user.
    pub output: String,
    /// Stands in the message.
    pub token: String,
}

impl Seen {
    /// What the client says about the message.
    pub fn said(&self) -> Said {
        match self.ended {
            Some(Ended::Killed) => Said::Crashed,
            _ if self.manners.queues => Said::Nothing,
            None => Said::Nothing,
            Some(Ended::Exit(0)) => Said::Sent,
            Some(Ended::Exit(n)) if self.manners.temporary.contains(&n) => {
                Said::NotSent(Some(Class::Temporary))
            }
            Some(Ended::Exit(n)) if self.manners.permanent.contains(&n) => {
                Said::NotSent(Some(Class::Permanent))
            }
            Some(Ended::Exit(_)) => Said::NotSent(None),
        }
    }

    /// Whether it neither went on nor ended.
    pub fn is_stuck(&self) -> bool {
        self.expired
    }

    /// How it ended, in words.
    pub fn how_it_ended(&self) -> String {
        match self.ended {
            _ if self.expired => {
                format!("after {} s the client was ended", self.manners.patience.as_secs())
            }
            Some(Ended::Exit(n)) => format!("the client ended with status {n}"),
            Some(Ended::Killed) => "the client was ended by a signal".into(),
            None => "the client has not ended".into(),
        }
    }

    /// The first session.
    ///
    /// # Errors
    /// [`Verdict::Inconclusive`] if there is none.
    pub fn first(&self) -> Result<&Record, Verdict> {
        self.records.first().ok_or_else(|| inconclusive("the client made no connection"))
    }

    /// All commands at `point`, with their sessions.
    pub fn at(&self, point: Point) -> impl Iterator<Item = (&Record, &Command)> {
        self.records.iter().flat_map(move |record| record.at(point).map(move |one| (record, one)))
    }

    /// The way to what is judged leads through `point`: the first command there.
    ///
    /// # Errors
    /// [`Verdict::Inconclusive`] if the client did not come there.
    pub fn reached(&self, point: Point) -> Result<&Command, Verdict> {
        let what = || format!("the client did not come to {point:?}; {}", self.how_it_ended());
        let mut all = self.at(point);
        all.next().map(|(_, one)| one).ok_or_else(|| inconclusive(what()).at(self.last_place()))
    }

    /// The same for the end of a message.
    ///
    /// # Errors
    /// [`Verdict::Inconclusive`] if the client did not come there.
    pub fn reached_end(&self) -> Outcome {
        if self.records.iter().any(|record| record.bodies.iter().any(|body| body.complete)) {
            return Ok(());
        }
        let what = format!("the client did not end a message; {}", self.how_it_ended());
        Err(inconclusive(what).at(self.last_place()))
    }

    /// The end of the last session.
    pub fn last_place(&self) -> Option<Place> {
        let last = self.records.last()?;
        let line = last.commands.last().map_or(0, |command| command.place);
        Some(Place { session: last.number, line })
    }

    /// Whether the server took the message.
    pub fn is_delivered(&self) -> bool {
        self.records.iter().any(|record| {
            record
                .bodies
                .iter()
                .any(|body| body.is_taken() && super::record::contains(&body.octets, &self.token))
        })
    }

    /// The client must not say any command at `point`.
    ///
    /// # Errors
    /// [`Verdict::Fail`] at that command.
    pub fn never(&self, point: Point, why: &str) -> Outcome {
        match self.at(point).next() {
            None => Ok(()),
            Some((record, command)) => Err(at(record, command, why)),
        }
    }

    /// No octet of the message's content may leave the client.
    ///
    /// # Errors
    /// [`Verdict::Fail`] at what it said last.
    pub fn content_stays(&self, why: &str) -> Outcome {
        let Some(record) = self.records.iter().find(|record| record.heard(&self.token)) else {
            return Ok(());
        };
        let line = record.bodies.first().map(|body| body.place);
        let line = line.or(record.commands.last().map(|command| command.place));
        let place = line.map(|line| Place { session: record.number, line });
        Err(fail(why).at(place))
    }

    /// The client must say that the message was not sent, and of which class that is, if its
    /// status tells classes apart.
    ///
    /// # Errors
    /// [`Verdict::Fail`] if it says otherwise; [`Verdict::Inconclusive`] if it does not say.
    pub fn not_sent(&self, class: Class) -> Outcome {
        let place = self.last_place();
        let otherwise =
            |what: &str| Err(fail(format!("{what}; {}", self.how_it_ended())).at(place));
        let tries = self.records.iter().filter(|one| one.at(Point::Mail).next().is_some()).count();
        match (self.said(), class) {
            (Said::Sent, _) => otherwise("the client says that the message was sent"),
            (Said::NotSent(Some(Class::Permanent)), Class::Temporary) => {
                otherwise("a failure for now is reported as one for ever")
            }
            (Said::NotSent(Some(Class::Temporary)), Class::Permanent) => {
                otherwise("a failure for ever is reported as one for now")
            }
            (Said::NotSent(_), _) => Ok(()),
            (Said::Crashed, _) => otherwise("the client crashed"),
            (Said::Nothing, Class::Temporary) if !self.notifications.is_empty() => {
                otherwise("a message that was refused for now is given up")
            }
            // The last session shows what it is about; it may be the first, kept open.
            (Said::Nothing, Class::Temporary) if self.records.len() > 1 && tries > 0 => Ok(()),
            (Said::Nothing, Class::Temporary) if self.at(Point::Mail).nth(1).is_some() => Ok(()),
            (Said::Nothing, _) if self.is_delivered() => {
                otherwise("the message was sent in spite of it")
            }
            // Nobody was told that it was sent.
            (Said::Nothing, Class::Any) => Ok(()),
            (Said::Nothing, Class::Permanent) if tries > 1 => {
                otherwise("a message that was refused for ever is tried again")
            }
            (Said::Nothing, Class::Permanent) if !self.notifications.is_empty() => Ok(()),
            (Said::Nothing, _) => Err(inconclusive(
                "whether it will be tried again or was given up cannot be told from outside",
            )),
        }
    }

    /// The message must have been taken by the server, and the client must say so.
    ///
    /// # Errors
    /// [`Verdict::Fail`] if not.
    pub fn sent(&self) -> Outcome {
        let place = self.last_place();
        if !self.is_delivered() {
            let what = format!("the message was not sent; {}", self.how_it_ended());
            return Err(fail(what).at(place));
        }
        match self.said() {
            Said::Sent => Ok(()),
            Said::Nothing if self.records.len() < 2 => Ok(()),
            Said::Nothing => Err(fail("the message was taken and is sent again").at(place)),
            Said::NotSent(_) | Said::Crashed => {
                let what = format!("the message was taken; {}", self.how_it_ended());
                Err(fail(what).at(place))
            }
        }
    }
}

/// A failure at `command`.
pub fn at(record: &Record, command: &Command, why: &str) -> Verdict {
    let place = Some(Place { session: record.number, line: command.place });
    let said = crate::transcript::visible(&command.line);
    Verdict::Fail(Finding { what: format!("{why}; got \"{said}\""), place })
}
