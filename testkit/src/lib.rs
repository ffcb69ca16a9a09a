//! Servers, clients and time for the tests of programs that speak SMTP.
#![doc = include_str!("../README.md")]
#![allow(clippy::expect_used, clippy::panic, reason = "this is how a test kit fails a test")]

pub mod bare;
pub mod clock;
pub mod dialogue;
#[cfg(feature = "dns")]
pub mod dns;
pub mod line;
pub mod mail_catcher;
pub mod mailbox;
pub mod memory;
pub mod policy;
pub mod scripted_peer;
pub mod suite;
pub mod threads;
pub mod tls;
pub mod virtual_server;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`; a test that panicked elsewhere has left it usable.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
