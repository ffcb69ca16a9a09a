//! Sends mail well, on any runtime.
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod auth;
mod body;
mod connect;
mod connection;
mod delivery;
mod envelope;
mod mailer;
mod message;
pub mod mx;
mod opening;
mod opportunistic;
mod outcome;
mod policy;
mod pool;
pub mod resolve;
pub mod runtime;
pub mod seven_bit;
mod transaction;
mod transcript;

pub use body::{Body, Chunk, IntoBody, Octets};
pub use connect::{Connect, Endpoint};
pub use connection::Connection;
pub use envelope::{Envelope, EnvelopeBuilder, EnvelopeError};
pub use mailer::{Delivery, Hop, Mailer, NoResolver, Policies};
pub use opportunistic::Opportunistic;
pub use outcome::{Cause, Failure, Outcome, Report, Stage, Status};
pub use policy::{EightBit, Policy, Said, Tls, Watch};
pub use pool::{Destination, Lent, Pool, PoolConfig};
/// Logins, TLS, and what a runtime must give.
pub use smtp_driver as driver;
/// The machine, and the words of the protocol.
pub use smtp_proto as proto;
pub use transcript::Transcript;
