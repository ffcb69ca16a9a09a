//! Sessions through the driver, in memory and in virtual time.
#![allow(missing_docs, reason = "tests")]

mod auth;
mod decisions;
mod harness;
mod session;
mod tls;
mod waiting;
