//! The programs that the chapters of this folder speak of. Each chapter shows parts of these files
//! and says which; a test compares them.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "this is how a test fails")
)]

pub mod by_events;
pub mod by_handler;
pub mod greylisting;
pub mod inbox;
pub mod limits;
pub mod mio_runtime;
pub mod pipelining;
pub mod sending;
pub mod waiting;
