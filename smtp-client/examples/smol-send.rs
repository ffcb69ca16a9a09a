//! Sends a message from standard input, on smol: see `--help`.

#[path = "send/mod.rs"]
mod send;

use smtp_client::{
    resolve::DnsConfig,
    runtime::smol::{Dns, DnsRuntime, Smol, SmolStream, connect, connect_unix},
};
use std::{
    io,
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
    process::ExitCode,
};

struct Net;

impl send::Net for Net {
    type Runtime = Smol;
    type Tcp = SmolStream<TcpStream>;
    type Unix = SmolStream<UnixStream>;
    type Dns = Dns;

    fn runtime(&self) -> Smol {
        Smol::new()
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
    smol::block_on(send::run(&Net))
}
