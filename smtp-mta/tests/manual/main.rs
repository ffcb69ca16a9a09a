//! The examples of the manual, run.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod configuration;
mod console;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "../relay/far.rs"]
mod far;
mod first_mail;
mod load_test;
mod queue;
#[path = "../site/mod.rs"]
mod site;
