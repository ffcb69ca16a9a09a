//! Attacks that need a test of their own, and the table of all of them: `docs/attacks.md`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod arguments;
mod backscatter;
#[path = "../site/mod.rs"]
mod site;
mod table;
mod tickets;
