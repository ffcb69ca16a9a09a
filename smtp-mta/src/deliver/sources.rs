//! The addresses that connections come from.

use smtp_client::{
    Connect, Endpoint,
    driver::{Runtime, Stream},
    runtime::tokio::{Tokio, TokioStream},
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tokio::net::TcpSocket;

/// tokio, with connections that come from given addresses: the first of the family of where they
/// go; without one of it, the system chooses.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    tokio: Tokio,
    addresses: Arc<[IpAddr]>,
}

impl Sources {
    pub(super) fn new(addresses: &[IpAddr]) -> Self {
        Self { tokio: Tokio::new(), addresses: addresses.into() }
    }
}

impl Runtime for Sources {
    type Timer = <Tokio as Runtime>::Timer;

    fn now(&self) -> smtp_client::proto::Instant {
        self.tokio.now()
    }

    fn timer(&self) -> Self::Timer {
        self.tokio.timer()
    }
}

impl Connect for Sources {
    type Stream = Box<dyn Stream>;

    async fn connect(&self, endpoint: &Endpoint) -> io::Result<Self::Stream> {
        let Endpoint::Tcp(to) = endpoint else { return self.tokio.connect(endpoint).await };
        let same_family = |from: &&IpAddr| from.is_ipv4() == to.is_ipv4();
        let Some(from) = self.addresses.iter().find(same_family) else {
            return self.tokio.connect(endpoint).await;
        };
        let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind(SocketAddr::new(*from, 0))?;
        Ok(Box::new(TokioStream::from(socket.connect(*to).await?)))
    }
}
