//! The client's half: one connection to a server, as async functions.
//!
//! [`ClientLink`] is what the loop, TLS and timers are for a [`ClientConnection`]; which commands
//! to give when is for a crate above, such as `smtp-client`.
//!
//! [`ClientConnection`]: smtp_proto::client::ClientConnection

mod link;
mod message;

pub use link::{ClientLink, LinkError, Next};
