//! Drives the SMTP machine over any stream, on any runtime.
//!
//! [`smtp_proto`] knows the protocol and does no IO; an adapter knows a runtime and no protocol.
//! Everything between them is here, once: the loop, receive buffers, TLS, SASL, and for servers
//! the [`Handler`] trait, for those who want callbacks instead of events.
//!
//! ```text
//!   Stream, Runtime  <------>  serve       <------>  Handler, Credentials
//!     (an adapter)             ClientLink  <------>  a client, such as smtp-client
//! ```
//!
//! `docs/embedding/` of the repository has chapters with examples: a server, a policy that waits, an
//! adapter for another runtime. [`Handler`] and [`Server`] are where to begin.
//!
//! For servers:
//!
//! - [`serve`] runs one connection, from its first octet to its last; [`Server`] accepts them and
//!   runs each in a task.
//! - [`Service`] is what the connections of a listener share: configuration, certificate,
//!   passwords, receive buffers.
//! - [`Handler`] is your policy: one async function for each question of a peer.
//! - [`Server`] accepts connections from a [`Listener`], bounds them, and ends when it is told to.
//!
//! For clients:
//!
//! - [`client::ClientLink`] is one connection to a server, as async functions.
//!
//! For both:
//!
//! - [`Stream`], [`Runtime`] and [`Timer`] are all that a runtime must give.
//! - [`tls`] and [`sasl`] have a side for each.
//! - [`middleware`] wraps streams: to record them, to cut them up, to break them.
//!
//! An idle connection costs its future, and nothing else: no receive buffer, no send buffer.
#![forbid(unsafe_code)]

mod auth;
pub mod client;
mod clock;
mod decide;
mod handler;
mod limiter;
mod link;
pub mod middleware;
mod proxy;
mod pump;
mod recv_buffer;
mod runtime;
pub mod sasl;
mod serve;
mod server;
mod service;
mod socket;
mod stop;
mod stream;
mod talk;
pub mod tls;

pub use handler::{
    ClientCertificate, Envelope, Handler, NewHandler, Peer, Recipient, TlsInfo, Verdict,
};
pub use limiter::{Full, Limiter, Permit};
pub use recv_buffer::Pool;
pub use runtime::{Runtime, Timer};
pub use serve::serve;
pub use server::{Listener, Notice, Server, Spawn};
pub use service::{ConfigError, Service};
/// The machine.
pub use smtp_proto as proto;
pub use socket::listen;
pub use stop::{Given, Stop};
pub use stream::Stream;
pub use tls::{Acceptor, TlsError, server_config};
