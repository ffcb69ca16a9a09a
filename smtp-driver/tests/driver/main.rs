//! Sessions through the driver, in memory and in virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is how a test fails")]

mod auth;
mod certificates;
mod channel_binding;
mod decisions;
mod extensions;
mod harness;
mod session;
mod tls;
mod vouched;
mod waiting;
