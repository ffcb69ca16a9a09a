//! Sends a message from standard input, on tokio: see `--help`.

#[path = "send/mod.rs"]
mod send;

use smtp_client::{
    resolve::DnsConfig,
    runtime::tokio::{Dns, DnsRuntime, Tokio, TokioStream, connect, connect_unix},
};
use std::{io, net::SocketAddr, path::Path, process::ExitCode};
use tokio::{
    net::{TcpStream, UnixStream},
    runtime::Builder,
};

struct Net;

impl send::Net for Net {
    type Runtime = Tokio;
    type Tcp = TokioStream<TcpStream>;
    type Unix = TokioStream<UnixStream>;
    type Dns = Dns;

    fn runtime(&self) -> Tokio {
        Tokio::new()
    }

    fn dns(&self, config: &DnsConfig) -> io::Result<Dns> {
        Dns::new(config, DnsRuntime::default())
    }

    async fn tcp(&self, address: SocketAddr) -> io::Result<Self::Tcp> {
        connect(address).await
    }

    async fn unix(&self, path: &Path) -> io::Result<Self::Unix> {
        connect_unix(path).await
    }
}

fn main() -> ExitCode {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(send::run(&Net)),
        Err(error) => send::unusable(&error),
    }
}
