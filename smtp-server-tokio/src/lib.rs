//! SMTP servers on tokio.
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod server;
mod stream;
mod timer;

pub use server::{Server, TcpListener, UnixListener};
pub use stream::TokioStream;
pub use timer::{Tokio, TokioTimer};

/// The code in the README of the workspace compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
