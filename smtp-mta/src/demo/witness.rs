//! What the servers of the demonstration do, as their log tells it.

use super::zone::Asked;
use crate::{
    config::{Log, LogFormat, LogLevel},
    log,
};
use serde::Deserialize;
use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Lines of the log that are kept; the last ones say why something failed.
const LINES: usize = 200;

/// Events that wait to be told; the demonstration makes about ten.
const EVENTS: usize = 256;

/// Something that has happened.
#[derive(Debug)]
pub(super) enum Event {
    /// The name server was asked.
    Asked(Asked),
    /// A server has decided about a recipient.
    Delivery(Delivery),
}

impl From<Asked> for Event {
    fn from(asked: Asked) -> Self {
        Self::Asked(asked)
    }
}

/// The line of the log about an attempt to deliver to one recipient.
#[derive(Debug, Deserialize)]
pub(super) struct Delivery {
    message: String,
    /// In angle brackets.
    pub(super) to: String,
    /// `local`, or the way to another server.
    pub(super) route: String,
    /// Who decided.
    pub(super) host: String,
    /// `delivered`, `relayed`, `delayed` or `failed`.
    pub(super) outcome: String,
    pub(super) reply: String,
    /// How long the attempt took.
    pub(super) milliseconds: u64,
}

/// The log of this process, in memory.
#[derive(Clone, Debug)]
pub(super) struct Witness {
    lines: Arc<Mutex<VecDeque<String>>>,
    events: Sender<Event>,
}

impl Witness {
    /// Takes the place of the log for the rest of the process, and tells of what happens.
    pub(super) fn install() -> (Self, Receiver<Event>) {
        let (events, told) = channel(EVENTS);
        let witness = Self { lines: Arc::default(), events };
        let log = Log { format: LogFormat::Json, level: LogLevel::Info };
        let writer = witness.clone();
        let subscriber = log::subscriber(log, false, move || writer.clone());
        drop(tracing::subscriber::set_global_default(subscriber));
        (witness, told)
    }

    /// Where events go.
    pub(super) fn events(&self) -> Sender<Event> {
        self.events.clone()
    }

    /// The last lines of the log.
    pub(super) fn log(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect()
    }
}

/// Each write is one line: so the log writes them.
impl io::Write for Witness {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match serde_json::from_slice(line) {
            // Should nobody listen any more, nobody misses it.
            Ok(delivery @ Delivery { .. }) if delivery.message == "delivery" => {
                let _ = self.events.try_send(Event::Delivery(delivery));
            }
            // A line about something else.
            _ => {}
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
