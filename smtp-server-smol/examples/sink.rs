//! Accepts every message and forgets it: what to aim a load generator at.
//!
//! `cargo run --example smol-sink -- 127.0.0.1:2525`; without an address the kernel
//! chooses a port of loopback. It prints where it listens, and runs until it is killed.

use smtp_driver::{Envelope, Handler, Limiter, Peer, Service, Verdict};
use smtp_proto::{
    ext::Extensions,
    server::{ServerConfig, Session},
    wire::{Host, Rcpt, Refused},
};
use smtp_server_smol::{Server, Smol, TcpListener};
use std::{env, error::Error};

struct Sink;

impl Handler for Sink {
    type Recipient = ();

    async fn rcpt(&self, _: Session, _: &Rcpt<'_>) -> Verdict {
        Verdict::YES
    }

    async fn body(&mut self, _: &[&[u8]]) -> Result<(), Refused<'static>> {
        Ok(())
    }

    async fn end(&mut self, _: Session, _: &Envelope<()>, _: u64) -> Verdict {
        Verdict::YES
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(async {
        let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
        let extensions = Extensions::new().smtputf8().chunking();
        let config =
            ServerConfig::builder(Host::parse("localhost")?).extensions(extensions).build();
        let listener = TcpListener::bind(address.parse()?)?;
        println!("listening on {}", listener.local_addr()?);
        // A load generator is one address.
        let limiter = Limiter::new(10_000, 10_000);
        let server =
            Server::new(Smol::new(), Service::new(config)?, |_: &Peer| Sink).limiter(limiter);
        server.run(listener).await;
        Ok(())
    })
}
