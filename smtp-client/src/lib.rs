//! Sends mail well, on any runtime.
#![forbid(unsafe_code)]
