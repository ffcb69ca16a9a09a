//! From an envelope to the hosts that take its mail: which are tried, in what order, and what is told
//! of each recipient.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this is how a test fails"
)]

mod by_dns;
mod hops;
mod opportunistic;
mod transcripts;
#[path = "../pool/world.rs"]
#[expect(dead_code, reason = "what the pool's tests need is not all needed here")]
mod world;
