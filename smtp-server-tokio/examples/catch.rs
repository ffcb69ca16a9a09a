//! A mail catcher: takes mail for everybody, in clear or with STARTTLS, and prints it.
//!
//! It offers what it can obey because every message is in its folder before it says yes: any
//! octets, a time to deliver by (two seconds are enough to write a file), TLS all the way, priorities
//! (which change nothing, and strangers have none above 0), and ETRN, for which nothing ever waits.
//!
//! `cargo run --example tokio-catch -- 127.0.0.1:2525 FOLDER`; without an address the kernel
//! chooses a port of loopback. With a folder each recipient has a Maildir there, too, with the
//! octets of the messages as they came.

use smtp_driver::{Acceptor, Envelope, Handler, Peer, Service, Verdict};
use smtp_proto::{
    Class, EnhancedCode, Limits,
    ext::{Extensions, Priority, QueueName},
    server::{Aborted, ServerConfig, Session},
    wire::{Accepted, Host, InvalidReply, Mail, Rcpt, Refused},
};
use smtp_server_tokio::{Server, TcpListener, Tokio};
use std::{
    env,
    error::Error,
    io::{self, Write},
    mem,
    sync::Arc,
};
use testkit::mailbox::Mailbox;

struct Catcher {
    mailbox: Option<Arc<Mailbox>>,
    message: Vec<u8>,
}

impl Catcher {
    fn take(&mut self, envelope: &Envelope<()>, message: &[u8]) -> io::Result<()> {
        if let Some(mailbox) = &self.mailbox {
            mailbox.deliver(envelope.recipients.iter().map(|one| &one.rcpt.to), message)?;
        }
        let mut out = io::stdout().lock();
        write!(out, "--- {} octets from {}", message.len(), envelope.mail.from)?;
        for recipient in &envelope.recipients {
            write!(out, " to {}", recipient.rcpt.to)?;
        }
        writeln!(out)?;
        out.write_all(message)?;
        out.flush()
    }
}

/// A yes with a code of its own.
fn yes(code: u16, subject: u16, detail: u16, text: &'static str) -> Result<Verdict, InvalidReply> {
    let enhanced = EnhancedCode::new(Class::Success, subject, detail).ok_or(InvalidReply::Class)?;
    Ok(Verdict::AcceptWith((), Accepted::new(code, enhanced, text)?))
}

/// A no to a parameter.
fn no(enhanced: EnhancedCode, text: &'static str) -> Result<Verdict, InvalidReply> {
    Ok(Verdict::Refuse(Refused::new(555, enhanced, text)?))
}

impl Handler for Catcher {
    type Recipient = ();

    async fn mail(&mut self, _: Session, mail: &Mail<'_>) -> Verdict {
        // RFC 2852 §4.1.3 wants a notice for a message that is late already; nobody here writes one.
        let late = mail.deliver_by.is_some_and(|by| by.seconds() <= 0);
        // RFC 6710 §4.1: none above 0 for those who have not been authenticated.
        let urgent = mail.priority > Some(Priority::default());
        let verdict = match (late, urgent) {
            (true, _) => no(EnhancedCode::permanent(4, 7), "The time to deliver by is over"),
            (false, true) => yes(250, 3, 6, "0 is the priority of strangers"),
            (false, false) => Ok(Verdict::YES),
        };
        verdict.unwrap_or(Verdict::Refuse(Refused::TRY_LATER))
    }

    async fn etrn(&mut self, _: Session, _: &QueueName<'_>) -> Verdict {
        let nothing = yes(251, 0, 0, "Ok, no messages waiting for this node");
        nothing.unwrap_or(Verdict::Refuse(Refused::TRY_LATER))
    }

    async fn rcpt(&self, _: Session, _: &Rcpt<'_>) -> Verdict {
        Verdict::YES
    }

    async fn body(&mut self, pieces: &[&[u8]]) -> Result<(), Refused<'static>> {
        pieces.iter().for_each(|piece| self.message.extend_from_slice(piece));
        Ok(())
    }

    async fn end(&mut self, _: Session, envelope: &Envelope<()>, _: u64) -> Verdict {
        let message = mem::take(&mut self.message);
        match self.take(envelope, &message) {
            Ok(()) => Verdict::YES,
            Err(_) => Verdict::Refuse(Refused::TRY_LATER),
        }
    }

    fn aborted(&mut self, _: Aborted) {
        self.message.clear();
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:0".into());
    let mailbox = args.next().map(Mailbox::new).transpose()?.map(Arc::new);

    let made = rcgen::generate_simple_self_signed(["localhost".into()])?;
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let acceptor = Acceptor::from_pem(chain.as_bytes(), key.as_bytes())?;
    let extensions = Extensions::new()
        .smtputf8()
        .binarymime()
        .deliver_by(2)
        .mt_priority()
        .requiretls()
        .starttls()
        .limits()
        .etrn();
    let mut limits = Limits::default();
    (limits.recipients, limits.transactions) = (100, 200);
    let config = ServerConfig::builder(Host::parse("localhost")?)
        .extensions(extensions)
        .limits(limits)
        .build();

    let listener = TcpListener::bind(address.parse()?)?;
    println!("listening on {}", listener.local_addr()?);
    let service = Service::new(config)?.starttls(acceptor);
    let handlers = move |_: &Peer| Catcher { mailbox: mailbox.clone(), message: Vec::new() };
    Server::new(Tokio::new(), service, handlers).run(listener).await;
    Ok(())
}
