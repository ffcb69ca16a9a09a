//! The client's side of a connection.
//!
//! | file | what |
//! |---|---|
//! | `connection` | the public calls of the network and the loop |
//! | `commands` | the commands you give |
//! | `replies` | what each reply does |
//! | `phase` | all states and transitions, in one table |
//! | `queue` | commands on their way, grouped or spaced, and their replies in order |
//! | `content` | the octets of a message on their way |
//! | `deadlines` | the timers |
//! | `event`, `config`, `capabilities` | the types an embedder holds |

mod capabilities;
mod config;
mod connection;
mod event;

pub use capabilities::Capabilities;
pub use config::{ClientConfig, ClientConfigBuilder, Limits, Mode, Timeouts};
pub use connection::ClientConnection;
pub use event::{ClientEvent, CommandId};
