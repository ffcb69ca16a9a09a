//! Accepts every message and forgets it, and ends when so many have arrived:
//! `counting-sink MESSAGES`. It prints where it listens.

use smtp_driver::{Envelope, Handler, Limiter, Peer, Service, Verdict};
use smtp_proto::{
    ext::Extensions,
    server::{ServerConfig, Session},
    wire::{Host, Rcpt, Refused},
};
use smtp_server_tokio::{Server, TcpListener, Tokio};
use std::{
    env,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::Notify;

/// Counts down to the last message.
struct Expected {
    left: AtomicU64,
    none_left: Notify,
}

struct Sink(Arc<Expected>);

impl Handler for Sink {
    type Recipient = ();

    async fn rcpt(&self, _: Session, _: &Rcpt<'_>) -> Verdict {
        Verdict::YES
    }

    async fn body(&mut self, _: &[&[u8]]) -> Result<(), Refused<'static>> {
        Ok(())
    }

    async fn end(&mut self, _: Session, _: &Envelope<()>, _: u64) -> Verdict {
        if self.0.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.none_left.notify_one();
        }
        Verdict::YES
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let messages = env::args().nth(1).ok_or("usage: counting-sink MESSAGES")?.parse()?;
    let expected = Expected { left: AtomicU64::new(messages), none_left: Notify::new() };
    let expected = Arc::new(expected);
    let extensions = Extensions::new().smtputf8().chunking();
    let config = ServerConfig::builder(Host::parse("localhost")?).extensions(extensions).build();
    let listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    println!("listening on {}", listener.local_addr()?);
    let sink = Arc::clone(&expected);
    let server =
        Server::new(Tokio::new(), Service::new(config)?, move |_: &Peer| Sink(Arc::clone(&sink)));
    // A load generator is one address.
    let server = server.limiter(Limiter::new(10_000, 10_000));
    tokio::select! {
        () = server.run(listener) => {}
        () = expected.none_left.notified() => {}
    }
    Ok(())
}
