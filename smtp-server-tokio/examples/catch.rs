//! A mail catcher: takes mail for everybody and prints it.
//!
//! `cargo run --example tokio-catch -- 127.0.0.1:2525`; without an address the kernel
//! chooses a port of loopback.

use smtp_driver::{Envelope, Handler, Peer, Service, Verdict};
use smtp_proto::{
    ext::Extensions,
    server::{Aborted, ServerConfig, Session},
    wire::{Host, Rcpt, Refused},
};
use smtp_server_tokio::{Server, TcpListener, Tokio};
use std::{
    env,
    error::Error,
    io::{self, Write},
};

#[derive(Default)]
struct Catcher {
    message: Vec<u8>,
}

impl Handler for Catcher {
    type Recipient = ();

    async fn rcpt(&self, _: Session, _: &Rcpt<'_>) -> Verdict {
        Verdict::YES
    }

    async fn body(&mut self, pieces: &[&[u8]]) -> Result<(), Refused<'static>> {
        pieces.iter().for_each(|piece| self.message.extend_from_slice(piece));
        Ok(())
    }

    async fn end(&mut self, _: Session, envelope: &Envelope<()>, size: u64) -> Verdict {
        let message = std::mem::take(&mut self.message);
        match print(envelope, size, &message) {
            Ok(()) => Verdict::YES,
            Err(_) => Verdict::Refuse(Refused::TRY_LATER),
        }
    }

    fn aborted(&mut self, _: Aborted) {
        self.message.clear();
    }
}

fn print(envelope: &Envelope<()>, size: u64, message: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "--- {size} octets from {}", envelope.mail.from)?;
    for recipient in &envelope.recipients {
        write!(out, " to {}", recipient.rcpt.to)?;
    }
    writeln!(out)?;
    out.write_all(message)?;
    out.flush()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let extensions = Extensions::new().smtputf8().chunking();
    let config = ServerConfig::builder(Host::parse("localhost")?).extensions(extensions).build();
    let listener = TcpListener::bind(address.parse()?)?;
    println!("listening on {}", listener.local_addr()?);
    let handlers = |_: &Peer| Catcher::default();
    Server::new(Tokio::new(), Service::new(config)?, handlers).run(listener).await;
    Ok(())
}
