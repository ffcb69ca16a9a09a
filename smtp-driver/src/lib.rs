//! Drives the SMTP machine over any stream, on any runtime.
#![forbid(unsafe_code)]

mod handler;
mod recv_buffer;
mod runtime;
pub mod sasl;
mod serve;
mod stream;
mod tls;

pub use handler::{Envelope, Handler, NewHandler, Peer, Recipient, TlsInfo, Verdict};
pub use recv_buffer::Pool;
pub use runtime::{Runtime, Timer};
pub use serve::{Service, serve};
pub use stream::Stream;
pub use tls::Acceptor;
