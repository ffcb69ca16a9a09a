//! SMTP servers on smol.
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod server;
mod stream;
mod timer;

pub use server::{Server, TcpListener, UnixListener};
pub use stream::SmolStream;
pub use timer::{Smol, SmolTimer};
