//! One connection, one message: what the server hears, and what is told of each recipient.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is how a test fails")]

mod chunks;
mod content;
mod cuts;
mod kept;
mod limits;
mod opening;
mod outcomes;
mod seven_bit;
mod sockets;
mod world;
mod writes;
