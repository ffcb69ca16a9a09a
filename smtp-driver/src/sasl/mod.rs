//! AUTH (RFC 4954): SASL exchanges by rsasl.
//!
//! Server: [`Credentials`] checks what a client brought. Client: a [`Login`] is what it brings, a
//! [`ClientExchange`] how.

mod client;
mod scram;
mod server;

pub use client::{ClientExchange, Login, SaslError};
pub use server::{Checked, Credentials, Identity};
pub(crate) use server::{Exchange, Progress};
