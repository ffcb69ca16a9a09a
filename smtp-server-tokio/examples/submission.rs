//! A submission server (RFC 6409): STARTTLS with a certificate made at the start, then AUTH. It
//! prints who sent how much to whom.
//!
//! `cargo run --example tokio-submission -- 127.0.0.1:2587 USER PASSWORD`; without
//! arguments the kernel chooses a port of loopback, and name and password are printed.

use smtp_driver::{
    Acceptor, Envelope, Handler, Peer, Service, Verdict,
    sasl::{Checked, Credentials, Identity},
};
use smtp_proto::{
    ext::Extensions,
    server::{Mode, ServerConfig, Session},
    wire::{Host, Mechanism, Rcpt, Refused},
};
use smtp_server_tokio::{Server, TcpListener, Tokio};
use std::{env, error::Error, future::Future, pin::Pin};

struct OneUser {
    name: String,
    password: String,
}

impl Credentials for OneUser {
    fn check<'a>(
        &'a self,
        identity: &'a Identity,
        password: &'a str,
    ) -> Pin<Box<dyn Future<Output = Checked> + Send + 'a>> {
        let right = identity.authentication_id == self.name
            && ["", &self.name].contains(&&*identity.authorization_id)
            && password == self.password;
        Box::pin(async move { if right { Checked::Right } else { Checked::Wrong } })
    }
}

#[derive(Default)]
struct Submission {
    user: String,
}

impl Handler for Submission {
    type Recipient = ();

    fn authenticated(&mut self, _: Session, identity: &Identity) {
        self.user.clone_from(&identity.authentication_id);
    }

    async fn rcpt(&self, _: Session, _: &Rcpt<'_>) -> Verdict {
        Verdict::YES
    }

    async fn body(&mut self, _: &[&[u8]]) -> Result<(), Refused<'static>> {
        Ok(())
    }

    async fn end(&mut self, _: Session, envelope: &Envelope<()>, size: u64) -> Verdict {
        let recipients = envelope.recipients.len();
        println!("{}: {size} octets to {recipients} recipients", self.user);
        Verdict::YES
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:0".into());
    let name = args.next().unwrap_or_else(|| "user1".into());
    let password = args.next().unwrap_or_else(|| "secret1".into());

    let made = rcgen::generate_simple_self_signed(["localhost".into()])?;
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let acceptor = Acceptor::from_pem(chain.as_bytes(), key.as_bytes())?;
    let extensions = Extensions::new()
        .smtputf8()
        .chunking()
        .starttls()
        .auth([Mechanism::PLAIN, Mechanism::LOGIN]);
    let config = ServerConfig::builder(Host::parse("localhost")?)
        .mode(Mode::Submission)
        .extensions(extensions)
        .build();

    let listener = TcpListener::bind(address.parse()?)?;
    println!("listening on {}: user {name}, password {password}", listener.local_addr()?);
    let service = Service::new(config)?.starttls(acceptor).credentials(OneUser { name, password });
    let handlers = |_: &Peer| Submission::default();
    Server::new(Tokio::new(), service, handlers).run(listener).await;
    Ok(())
}
