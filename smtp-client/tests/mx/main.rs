//! Where mail goes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod dns;
mod order;
mod outcomes;
mod reach;
