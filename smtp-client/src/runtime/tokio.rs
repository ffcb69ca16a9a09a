//! tokio.

mod body;

pub use body::{File, Reader};
/// hickory's own sockets and timers. A resolver must be used within one runtime.
pub use hickory_resolver::net::runtime::TokioRuntimeProvider as DnsRuntime;
/// Sockets and timers.
pub use smtp_server_tokio::{Tokio, TokioStream};

use crate::connect::{Connect, Endpoint};
use smtp_driver::Stream;
use std::{io, net::SocketAddr, path::Path};
use tokio::net::{TcpStream, UnixStream};

/// Name servers asked on tokio.
pub type Dns = crate::resolve::Dns<DnsRuntime>;

/// Connects to `address`, without Nagle's algorithm. How long that may take is the caller's to say;
/// the operating system takes minutes.
///
/// # Errors
/// Those of the socket.
pub async fn connect(address: SocketAddr) -> io::Result<TokioStream<TcpStream>> {
    TcpStream::connect(address).await.map(Into::into)
}

/// Connects to the socket at `path`.
///
/// # Errors
/// Those of the socket.
pub async fn connect_unix(path: impl AsRef<Path>) -> io::Result<TokioStream<UnixStream>> {
    UnixStream::connect(path).await.map(Into::into)
}

impl Connect for Tokio {
    type Stream = Box<dyn Stream>;

    async fn connect(&self, endpoint: &Endpoint) -> io::Result<Self::Stream> {
        Ok(match endpoint {
            Endpoint::Tcp(address) => Box::new(connect(*address).await?),
            Endpoint::Unix(path) => Box::new(connect_unix(path).await?),
        })
    }
}
