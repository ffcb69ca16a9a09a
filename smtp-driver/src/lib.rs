//! Drives the SMTP machine over any stream, on any runtime.
#![forbid(unsafe_code)]

mod handler;
mod limiter;
mod recv_buffer;
mod runtime;
pub mod sasl;
mod serve;
mod server;
mod socket;
mod stop;
mod stream;
mod tls;

pub use handler::{Envelope, Handler, NewHandler, Peer, Recipient, TlsInfo, Verdict};
pub use limiter::{Full, Limiter, Permit};
pub use recv_buffer::Pool;
pub use runtime::{Runtime, Timer};
pub use serve::{Service, serve};
pub use server::{Listener, Notice, Server, Spawn};
pub use socket::listen;
pub use stop::{Given, Stop};
pub use stream::Stream;
pub use tls::Acceptor;
/// The machine.
pub use smtp_proto as proto;
