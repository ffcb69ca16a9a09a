//! A submission server (RFC 6409): STARTTLS with a certificate made at the start, then AUTH. It
//! prints who sent how much to how many.
//!
//! `cargo run --example smol-submission -- 127.0.0.1:2587 USER PASSWORD FOLDER`; without an
//! address the kernel chooses a port of loopback, without name and password they are `user1` and
//! `secret1`, and with a folder each recipient gets a Maildir there.

use smtp_driver::{
    Acceptor, Envelope, Handler, Peer, Service, Verdict,
    sasl::{Answer, Checked, Credentials, Identity},
};
use smtp_proto::{
    ext::Extensions,
    server::{Aborted, Mode, ServerConfig, Session},
    wire::{Host, Mechanism, Rcpt, Refused},
};
use smtp_server_smol::{Server, Smol, TcpListener};
use std::{env, error::Error, mem, sync::Arc};
use testkit::mailbox::Mailbox;

struct OneUser {
    name: String,
    password: String,
}

impl Credentials for OneUser {
    fn check<'a>(
        &'a self,
        _: &'a Peer,
        identity: &'a Identity,
        password: &'a str,
    ) -> Answer<'a, Checked> {
        let right = identity.authentication_id == self.name
            && ["", &self.name].contains(&&*identity.authorization_id)
            && password == self.password;
        Box::pin(async move { if right { Checked::Right } else { Checked::Wrong } })
    }
}

struct Submission {
    mailbox: Option<Arc<Mailbox>>,
    user: String,
    message: Vec<u8>,
}

impl Handler for Submission {
    type Recipient = ();

    fn authenticated(&mut self, _: Session, identity: &Identity) {
        self.user.clone_from(&identity.authentication_id);
    }

    async fn rcpt(&self, _: Session, _: &Rcpt<'_>) -> Verdict {
        Verdict::YES
    }

    async fn body(&mut self, pieces: &[&[u8]]) -> Result<(), Refused<'static>> {
        pieces.iter().for_each(|piece| self.message.extend_from_slice(piece));
        Ok(())
    }

    async fn end(&mut self, _: Session, envelope: &Envelope<()>, size: u64) -> Verdict {
        let message = mem::take(&mut self.message);
        let recipients = || envelope.recipients.iter().map(|one| &one.rcpt.to);
        let stored = self.mailbox.as_ref().map(|mailbox| mailbox.deliver(recipients(), &message));
        if matches!(stored, Some(Err(_))) {
            return Verdict::Refuse(Refused::TRY_LATER);
        }
        println!("{}: {size} octets to {} recipients", self.user, recipients().count());
        Verdict::YES
    }

    fn aborted(&mut self, _: Aborted) {
        self.message.clear();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(async {
        let mut args = env::args().skip(1);
        let address = args.next().unwrap_or_else(|| "127.0.0.1:0".into());
        let name = args.next().unwrap_or_else(|| "user1".into());
        let password = args.next().unwrap_or_else(|| "secret1".into());
        let mailbox = args.next().map(Mailbox::new).transpose()?.map(Arc::new);

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
        println!("listening on {}", listener.local_addr()?);
        let service =
            Service::new(config)?.starttls(acceptor).credentials(OneUser { name, password });
        let handlers = move |_: &Peer| Submission {
            mailbox: mailbox.clone(),
            user: String::new(),
            message: Vec::new(),
        };
        Server::new(Smol::new(), service, handlers).run(listener).await;
        Ok(())
    })
}
