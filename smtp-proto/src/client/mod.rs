//! The client's side of a connection.
//!
//! | file | what |
//! |---|---|
//! | `connection` | the public calls of the network and the loop |
//! | `commands` | the commands you give |
//! | `replies` | what each reply does |
//! | `phase` | all states and transitions, in one table |
//! | `queue` | commands on their way, grouped or spaced, and their replies in order |
//! | `deadlines` | the timers |
//! | `event`, `config`, `capabilities` | the types an embedder holds |

mod capabilities;
mod commands;
mod config;
mod connection;
mod deadlines;
mod event;
mod phase;
mod queue;
mod replies;

pub use capabilities::Capabilities;
pub use config::{ClientConfig, ClientConfigBuilder, Limits, Mode, Timeouts};
pub use connection::ClientConnection;
pub use event::{ClientEvent, CommandId};
