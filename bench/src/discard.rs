//! A server that takes every message and forgets it, made of the public parts of the driver.

use smtp_driver::{Acceptor, Envelope, Handler, Limiter, Service, Verdict};
use smtp_proto::{
    Limits,
    ext::Extensions,
    server::{ServerConfig, Session},
    wire::{Host, Rcpt, Refused},
};
use std::{env, error::Error, net::SocketAddr, sync::Arc};

/// Says yes to everything.
#[derive(Clone, Copy, Debug)]
pub struct Discard;

impl Handler for Discard {
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

/// A configuration of which no bound is reached.
///
/// # Errors
/// Never: the name is one.
pub fn config() -> Result<Arc<ServerConfig>, Box<dyn Error>> {
    let mut limits = Limits::default();
    limits.transactions = u32::MAX;
    let extensions = Extensions::new().smtputf8().chunking().dsn();
    let host = Host::parse("mx.example")?.into_static();
    Ok(ServerConfig::builder(host).extensions(extensions).limits(limits).build())
}

/// As many connections as there are descriptors for.
#[must_use]
pub fn limiter() -> Limiter {
    Limiter::new(usize::MAX, usize::MAX)
}

/// What the command line says: `ADDRESS:PORT [tls]`; with `tls` it begins with the first octet, by
/// a certificate made for this run.
///
/// # Errors
/// What is wrong with the command line.
pub fn of_command_line() -> Result<(SocketAddr, Service), Box<dyn Error>> {
    let mut words = env::args().skip(1);
    let address = words.next().ok_or("usage: discard-RUNTIME ADDRESS:PORT [tls]")?.parse()?;
    let service = Service::new(config()?)?;
    Ok(match words.next().as_deref() {
        None => (address, service),
        Some("tls") => {
            let identity = testkit::tls::Authority::new().identity(&["mx.example"]);
            let (chain, key) = (identity.chain_pem, identity.key_pem);
            let acceptor = Acceptor::from_pem(chain.as_bytes(), key.as_bytes())?;
            (address, service.implicit_tls(acceptor))
        }
        Some(other) => return Err(format!("{other} is unknown").into()),
    })
}
