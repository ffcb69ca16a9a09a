//! The server by events: the machine in your own hands.

use crate::inbox::{Store, wanted};
use smtp_proto::server::{Event, ServerConnection, Stale};
use std::mem;

/// Takes mail for one connection.
#[derive(Debug, Default)]
pub struct Inbox {
    store: Store,
    message: Vec<u8>,
}

impl Inbox {
    /// An inbox for one connection.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, message: Vec::new() }
    }

    /// Answers one event of `smtp`.
    ///
    /// # Errors
    /// [`Stale`]: the question was closed before the answer came. Nobody's fault.
    pub fn answer(&mut self, smtp: &mut ServerConnection, event: Event<'_>) -> Result<(), Stale> {
        match event {
            Event::Rcpt { rcpt, pending } => match wanted(&rcpt.to) {
                Ok(()) => smtp.accept(pending)?,
                Err(no) => smtp.refuse(pending, &no)?,
            },
            Event::Body(octets) => self.message.extend_from_slice(octets),
            Event::BodyEnd { pending, .. } => {
                self.store.keep(mem::take(&mut self.message));
                smtp.accept(pending)?;
            }
            Event::BodyAborted(_) => self.message.clear(),
            other => smtp.answer_default(other),
        }
        Ok(())
    }
}
