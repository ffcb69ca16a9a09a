//! The server as a `Handler`: an async function for each question.

use crate::inbox::{Store, wanted};
use smtp_driver::{Envelope, Handler, Verdict};
use smtp_proto::{
    server::{Aborted, Session},
    wire::{Rcpt, Refused},
};
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
}

impl Handler for Inbox {
    type Recipient = ();

    async fn rcpt(&self, _: Session, rcpt: &Rcpt<'_>) -> Verdict {
        match wanted(&rcpt.to) {
            Ok(()) => Verdict::YES,
            Err(no) => Verdict::Refuse(no),
        }
    }

    async fn body(&mut self, pieces: &[&[u8]]) -> Result<(), Refused<'static>> {
        pieces.iter().for_each(|piece| self.message.extend_from_slice(piece));
        Ok(())
    }

    async fn end(&mut self, _: Session, _: &Envelope<()>, _: u64) -> Verdict {
        self.store.keep(mem::take(&mut self.message));
        Verdict::YES
    }

    fn aborted(&mut self, _: Aborted) {
        self.message.clear();
    }
}
