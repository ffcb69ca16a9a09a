//! Mail from one server to another, with a name server on loopback.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod aliases;
mod dialogues;
mod far;
mod notices;
#[path = "../site/mod.rs"]
mod site;
mod smarthost;
mod ways;
mod world;
