//! `smtp-mta queue`, with a server that runs and with none.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod changes;
#[path = "../relay/far.rs"]
mod far;
mod listing;
#[path = "../site/mod.rs"]
mod site;
mod socket;
mod world;
