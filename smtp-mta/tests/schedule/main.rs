//! The schedule in virtual time: weeks of retries in a millisecond.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod model;
mod table;
mod world;
