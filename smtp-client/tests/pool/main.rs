//! A pool in memory, in virtual time: how long it keeps a connection, whom it lends it to, and what
//! it does when the server is gone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this is how a test fails"
)]

mod again;
mod keeping;
mod places;
#[expect(dead_code, reason = "shared with the mailer's tests")]
mod world;
