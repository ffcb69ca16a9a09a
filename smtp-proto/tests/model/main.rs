//! The machines beside slow and obvious models, which are written from the RFCs and know nothing of
//! `smtp-proto`: whatever the peer sends, whenever it comes, and whatever the embedder decides.
//!
//! A failure shrinks to a short dialogue, which is printed. `PROPTEST_CASES` sets how many are tried.

#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod client;
mod client_model;
mod client_script;
mod server;
mod server_model;
mod server_script;
