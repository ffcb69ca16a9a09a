//! How a runtime connects to a server.

use smtp_driver::{Runtime, Stream};
use std::{fmt, future::Future, io, net::SocketAddr, path::PathBuf};

/// A runtime that connects.
pub trait Connect: Runtime {
    /// What it connects by.
    type Stream: Stream + 'static;

    /// Connects to `endpoint`. How long that may take is the caller's to say.
    ///
    /// # Errors
    /// Those of the socket.
    fn connect(&self, endpoint: &Endpoint)
    -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A port of an address.
    Tcp(SocketAddr),
    /// A socket in the file system, as LMTP servers have.
    Unix(PathBuf),
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl From<PathBuf> for Endpoint {
    fn from(path: PathBuf) -> Self {
        Self::Unix(path)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}
