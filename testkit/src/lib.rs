//! What the tests of the workspace share. A dev-dependency only: nothing here runs in a server.
//!
//! - [`memory`]: a pair of streams without a network.
//! - [`clock`]: an executor in virtual time.
//! - [`dialogue`]: sessions written as `C:` and `S:` lines, and what runs them.
//! - [`scripted_peer`]: a server that says what is written down.
//! - [`mod@line`]: the client's end of a dialogue: a stream in virtual time, or a socket.
//! - [`mailbox`]: a folder that takes messages.
//! - `dns`, with the feature of that name: a name server on loopback.
//! - [`tls`]: throw-away certificates.
//! - [`policy`]: one small mail policy, for the driver and for the bare machine.
//! - [`bare`]: the machine without a driver, as the other end of a dialogue.
//! - [`suite`]: the dialogues in `dialogues/`, run against a listening server.
#![doc = include_str!("../README.md")]
#![allow(clippy::expect_used, clippy::panic, reason = "this is how a test kit fails a test")]

pub mod bare;
pub mod clock;
pub mod dialogue;
#[cfg(feature = "dns")]
pub mod dns;
pub mod line;
pub mod mailbox;
pub mod memory;
pub mod policy;
pub mod scripted_peer;
pub mod suite;
pub mod tls;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`; a test that panicked elsewhere has left it usable.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
