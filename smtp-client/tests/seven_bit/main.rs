//! Messages in 7-bit octets: what becomes of small ones, and that another reader sees the same in
//! any before and after.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is how a test fails")]

mod same;
mod table;
