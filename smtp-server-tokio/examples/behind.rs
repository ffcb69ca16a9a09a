//! A server behind front ends that say who their clients are: one by XCLIENT (Postfix's), one by the
//! PROXY header (HAProxy's). It writes into each message whom it was told.
//!
//! `cargo run --example tokio-behind -- FOLDER`; each recipient has a Maildir in the folder. It
//! listens on two ports of loopback that the kernel chooses, and takes all who come there for a front
//! end of its own: whoever is offered XCLIENT can say that it is anybody.

use smtp_driver::{Envelope, Handler, Peer, Service, Verdict};
use smtp_proto::{
    ext::{Extensions, Xclient},
    server::{Aborted, ServerConfig, Session},
    wire::{Host, Rcpt, Refused},
};
use smtp_server_tokio::{Server, TcpListener, Tokio};
use std::{
    env,
    error::Error,
    mem,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};
use testkit::mailbox::Mailbox;

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

struct Behind {
    mailbox: Arc<Mailbox>,
    /// The client of the front end.
    client: Option<IpAddr>,
    message: Vec<u8>,
}

impl Handler for Behind {
    type Recipient = ();

    async fn xclient(&mut self, _: Session, client: &Xclient<'_>) -> Verdict {
        if let Some(address) = client.addr {
            self.client = address.known();
        }
        Verdict::YES
    }

    async fn rcpt(&self, _: Session, _: &Rcpt<'_>) -> Verdict {
        Verdict::YES
    }

    async fn data(&mut self, _: Session, _: &Envelope<()>) -> Verdict {
        let client = self.client.map_or("unknown".into(), |address| address.to_string());
        self.message = format!("X-Client: {client}\r\n").into_bytes();
        Verdict::YES
    }

    async fn body(&mut self, pieces: &[&[u8]]) -> Result<(), Refused<'static>> {
        pieces.iter().for_each(|piece| self.message.extend_from_slice(piece));
        Ok(())
    }

    async fn end(&mut self, _: Session, envelope: &Envelope<()>, _: u64) -> Verdict {
        let message = mem::take(&mut self.message);
        let recipients = envelope.recipients.iter().map(|one| &one.rcpt.to);
        match self.mailbox.deliver(recipients, &message) {
            Ok(()) => Verdict::YES,
            Err(_) => Verdict::Refuse(Refused::TRY_LATER),
        }
    }

    fn aborted(&mut self, _: Aborted) {
        self.message.clear();
    }
}

/// How those are served who come from a front end of each kind.
fn services() -> Result<[Service; 2], Box<dyn Error>> {
    let service = |extensions| {
        let config = ServerConfig::builder(Host::parse("localhost")?).extensions(extensions);
        Ok::<_, Box<dyn Error>>(Service::new(config.build())?)
    };
    let by_xclient = service(Extensions::new().danger_xclient())?;
    let by_header = service(Extensions::new())?.proxies([LOOPBACK.into()]);
    Ok([by_xclient, by_header])
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args().nth(1).ok_or("where to put the messages?")?;
    let mailbox = Arc::new(Mailbox::new(folder)?);
    let [by_xclient, by_header] = services()?;

    let at = SocketAddr::from((LOOPBACK, 0));
    let [first, second] = [TcpListener::bind(at)?, TcpListener::bind(at)?];
    println!("listening on {}", first.local_addr()?);
    println!("listening on {} for PROXY", second.local_addr()?);
    let handlers = move |peer: &Peer| Behind {
        mailbox: mailbox.clone(),
        client: peer.remote.map(|remote| remote.ip()),
        message: Vec::new(),
    };
    let first_server = Server::new(Tokio::new(), by_xclient, handlers.clone());
    let second_server = Server::new(Tokio::new(), by_header, handlers);
    tokio::join!(first_server.run(first), second_server.run(second));
    Ok(())
}
