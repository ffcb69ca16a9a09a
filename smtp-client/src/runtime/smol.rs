//! smol.

mod body;
mod dns;

pub use body::{File, Reader};
pub use dns::DnsRuntime;
/// Sockets and timers.
pub use smtp_server_smol::{Smol, SmolStream};

use crate::connect::{Connect, Endpoint};
use smol::Async;
use smtp_driver::Stream;
use std::{
    io,
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
};

/// Name servers asked on smol.
pub type Dns = crate::resolve::Dns<DnsRuntime>;

/// Connects to `address`, without Nagle's algorithm. How long that may take is the caller's to say;
/// the operating system takes minutes.
///
/// # Errors
/// Those of the socket.
pub async fn connect(address: SocketAddr) -> io::Result<SmolStream<TcpStream>> {
    Async::<TcpStream>::connect(address).await.map(Into::into)
}

/// Connects to the socket at `path`.
///
/// # Errors
/// Those of the socket.
pub async fn connect_unix(path: impl AsRef<Path>) -> io::Result<SmolStream<UnixStream>> {
    Async::<UnixStream>::connect(path).await.map(Into::into)
}

impl Connect for Smol {
    type Stream = Box<dyn Stream>;

    async fn connect(&self, endpoint: &Endpoint) -> io::Result<Self::Stream> {
        Ok(match endpoint {
            Endpoint::Tcp(address) => Box::new(connect(*address).await?),
            Endpoint::Unix(path) => Box::new(connect_unix(path).await?),
        })
    }
}
