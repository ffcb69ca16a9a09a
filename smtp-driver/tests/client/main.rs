//! The client's half, in memory and in virtual time; most of the time with our server at the
//! other end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod link;
mod message;
mod sasl;
mod scram;
mod tls;
mod world;
