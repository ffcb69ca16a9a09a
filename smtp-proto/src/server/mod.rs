//! The server's side of a connection.

mod config;
mod connection;
mod decision;
mod event;
mod questions;
mod session;

pub use config::{BareLineEnding, Mode, ServerConfig, ServerConfigBuilder, Start};
pub use connection::ServerConnection;
pub use decision::{Pending, Stale, op};
pub use event::{Aborted, AuthAborted, Event, Framing, ResetCause};
pub use session::Session;
