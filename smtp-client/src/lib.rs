//! Sends mail well, on any runtime.
#![forbid(unsafe_code)]

pub mod mx;
pub mod resolve;
pub mod runtime;
