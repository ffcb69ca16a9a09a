//! The client machine, as dialogues: what it sends, what it is told, and what it tells.

#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod auth;
mod body;
mod chunking;
mod desk;
mod extensions;
mod greeting;
mod lmtp;
mod memory;
mod pipelining;
mod replies;
mod settings;
mod starttls;
mod time;
mod transaction;
