//! The server's side of a connection.
//!
//! | file | what |
//! |---|---|
//! | `connection` | the public calls and the loop |
//! | `phase` | all states and transitions, in one table |
//! | `commands` | what each command does |
//! | `answers` | what each answer of the embedder does |
//! | `message` | the octets of a message |
//! | `deadlines` | the timers |
//! | `questions` | open questions, and replies in command order |
//! | `notices` | facts waiting to be told |
//! | `event`, `decision`, `session`, `config` | the types an embedder holds |

mod answers;
mod commands;
mod config;
mod connection;
mod deadlines;
mod decision;
mod event;
mod message;
mod notices;
mod phase;
mod questions;
mod session;

pub use crate::{body::Framing, step::Start};
pub use config::{BareLineEnding, Mode, ServerConfig, ServerConfigBuilder};
pub use connection::ServerConnection;
pub use decision::{Pending, Stale, op};
pub use event::{Aborted, AuthAborted, Event, ResetCause};
pub use session::Session;
