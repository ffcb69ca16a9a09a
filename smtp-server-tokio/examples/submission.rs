//! A submission server (RFC 6409): STARTTLS with a certificate made at the start, then AUTH. It
//! prints who sent how much to how many. With a folder a message can wait in it for up to a week
//! (FUTURERELEASE).
//!
//! `cargo run --example tokio-submission -- 127.0.0.1:2587 USER PASSWORD FOLDER TOKEN`; without an
//! address the kernel chooses a port of loopback, without name and password they are `user1` and
//! `secret1`, and with a folder each recipient gets a Maildir there. With a token the user may log in
//! by that, too (OAUTHBEARER, RFC 7628, and XOAUTH2).

use smtp_driver::{
    Acceptor, Envelope, Handler, Peer, Service, Verdict,
    sasl::{Answer, BearerToken, Checked, Credentials, Identity, Vouched},
};
use smtp_proto::{
    ext::{Extensions, FutureRelease, Hold},
    server::{Aborted, Mode, ServerConfig, Session},
    wire::{DateTime, Host, Mechanism, Rcpt, Refused},
};
use smtp_server_tokio::{Server, TcpListener, Tokio};
use std::{
    env,
    error::Error,
    mem,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use testkit::mailbox::Mailbox;

struct OneUser {
    name: String,
    password: String,
    token: Option<String>,
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

    /// Whoever issues tokens says whom one is for, and until when; here there is one for ever.
    fn token<'a>(&'a self, _: &'a Peer, token: &'a BearerToken) -> Answer<'a, Vouched> {
        let right = self.token.as_ref() == Some(token.token.expose())
            && ["", &self.name].contains(&&*token.authorization_id);
        let vouched = match right {
            true => Vouched::For(Identity::new(&self.name, &token.authorization_id)),
            false => Vouched::Nobody,
        };
        Box::pin(async { vouched })
    }
}

/// The longest that a message may wait, in seconds.
const LONGEST_HOLD: u32 = 7 * 24 * 60 * 60;

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs())
}

struct Submission {
    extensions: Extensions,
    mailbox: Option<Arc<Mailbox>>,
    user: String,
    message: Vec<u8>,
}

impl Handler for Submission {
    type Recipient = ();

    /// The latest moment of a release moves with the clock.
    fn offer(&mut self, _: Session, _: &Peer) -> Option<Arc<Extensions>> {
        let latest = DateTime::from_unix(now() + u64::from(LONGEST_HOLD))?;
        let most = FutureRelease { longest: LONGEST_HOLD, latest };
        self.mailbox.as_ref().map(|_| Arc::new(self.extensions.clone().future_release(most)))
    }

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
        let due = match envelope.mail.hold {
            None => 0,
            Some(Hold::For(seconds)) => now() + u64::from(seconds),
            Some(Hold::Until(moment)) => moment.as_unix(),
        };
        let stored = self.mailbox.as_ref().map(|mailbox| match due > now() {
            true => mailbox.hold(due, recipients(), &message),
            false => mailbox.deliver(recipients(), &message),
        });
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

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:0".into());
    let name = args.next().unwrap_or_else(|| "user1".into());
    let password = args.next().unwrap_or_else(|| "secret1".into());
    let mailbox = args.next().map(Mailbox::new).transpose()?.map(Arc::new);
    let token = args.next();

    let made = rcgen::generate_simple_self_signed(["localhost".into()])?;
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let acceptor = Acceptor::from_pem(chain.as_bytes(), key.as_bytes())?;
    let mut mechanisms = vec![Mechanism::PLAIN, Mechanism::LOGIN];
    if token.is_some() {
        mechanisms.extend([Mechanism::OAUTHBEARER, Mechanism::XOAUTH2]);
    }
    let extensions =
        Extensions::new().smtputf8().binarymime().requiretls().starttls().auth(mechanisms);
    let config = ServerConfig::builder(Host::parse("localhost")?)
        .mode(Mode::Submission)
        .extensions(extensions.clone())
        .build();

    let listener = TcpListener::bind(address.parse()?)?;
    println!("listening on {}", listener.local_addr()?);
    let service =
        Service::new(config)?.starttls(acceptor).credentials(OneUser { name, password, token });
    if let Some(mailbox) = mailbox.clone() {
        // A message that is released a second late is released in time.
        tokio::spawn(async move {
            loop {
                if let Err(error) = mailbox.release(now()) {
                    eprintln!("a message waits on: {error}");
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    }
    let handlers = move |_: &Peer| Submission {
        extensions: extensions.clone(),
        mailbox: mailbox.clone(),
        user: String::new(),
        message: Vec::new(),
    };
    Server::new(Tokio::new(), service, handlers).run(listener).await;
    Ok(())
}
