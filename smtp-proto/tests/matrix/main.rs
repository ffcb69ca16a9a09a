//! Every state by everything that can happen in it, with an outcome written by hand from the RFCs.
//!
//! The tables `server_*.txt` and `client_*.txt` are the matrix; nothing in them comes from the tables
//! of the machines. A test fails when a cell is wrong, when one is missing, and when a machine has a
//! state or a command that no table speaks of.

#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod client;
mod server;
mod table;
