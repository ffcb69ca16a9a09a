//! Who may get mail, and where it goes: what both forms of the server have in common.

use smtp_proto::wire::{ForwardPath, Refused};
use std::sync::{Arc, Mutex, PoisonError};

/// Whether mail for `to` is taken: ann and bob at `example.test` have mailboxes.
///
/// # Errors
/// The reply that says why not.
pub fn wanted(to: &ForwardPath<'_>) -> Result<(), Refused<'static>> {
    match to.to_string().to_ascii_lowercase().as_str() {
        "<postmaster>" | "<postmaster@example.test>" => Ok(()),
        "<ann@example.test>" | "<bob@example.test>" => Ok(()),
        here if here.ends_with("@example.test>") => Err(Refused::NO_SUCH_USER),
        _ => Err(Refused::RELAY_DENIED),
    }
}

/// Where messages are kept. Clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct Store(Arc<Mutex<Vec<Vec<u8>>>>);

impl Store {
    /// Keeps `message`.
    pub fn keep(&self, message: Vec<u8>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    }

    /// What is kept.
    #[must_use]
    pub fn messages(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
