//! The answers to one connection.

use crate::{
    message_id::{MessageId, MessageIds},
    policy::{DomainName, MailboxName, Recipients},
    spool::Spool,
    store::{NewMessage, Store, StoreError},
    trace::{Trace, protocol},
};
use smtp_driver::{Envelope, Handler, NewHandler, Peer, TlsInfo, Verdict};
use smtp_proto::{
    Class, CloseReason, EnhancedCode, Violation,
    server::{Aborted, Session},
    wire::{Accepted, Hello, HelloName, Mail, Rcpt, Refused},
};
use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

/// What all connections share.
#[derive(Debug)]
pub struct Reception<S> {
    /// Who we are.
    pub hostname: DomainName,
    /// For whom mail is accepted.
    pub recipients: Recipients,
    /// Where messages are while they arrive.
    pub tmp: PathBuf,
    /// Where messages go.
    pub store: S,
    /// Names for messages and sessions.
    pub ids: MessageIds,
}

/// Makes the handler of each connection.
#[derive(Debug)]
pub struct Receiver<S>(pub Arc<Reception<S>>);

impl<S: Store> NewHandler for Receiver<S> {
    type Handler = Reading<S>;

    fn new_handler(&self, peer: &Peer) -> Reading<S> {
        Reading {
            reception: Arc::clone(&self.0),
            id: self.0.ids.next(),
            peer: peer.clone(),
            since: Instant::now(),
            hello: None,
            tls: None,
            message: None,
            stored: None,
            refused: AtomicU32::new(0),
            total: Total::default(),
            outcome: None,
        }
    }
}

/// One connection, from which we read mail.
#[derive(Debug)]
pub struct Reading<S: Store> {
    reception: Arc<Reception<S>>,
    /// Our name for the session.
    id: MessageId,
    peer: Peer,
    since: Instant,
    hello: Option<HelloName<'static>>,
    tls: Option<TlsInfo>,
    /// The message that is arriving.
    message: Option<Arriving>,
    /// The last one that arrived, should its acceptance come too late.
    stored: Option<S::Receipt>,
    /// Recipients refused in the open transaction. Several may be looked up at once.
    refused: AtomicU32,
    total: Total,
    /// How the session ended, once it has.
    outcome: Option<String>,
}

/// A message between DATA and its end.
#[derive(Debug)]
struct Arriving {
    facts: Facts,
    spool: Spool,
}

/// What the log says about a message.
#[derive(Debug)]
struct Facts {
    id: MessageId,
    from: String,
    recipients: usize,
    /// Octets that have arrived.
    size: u64,
    protocol: &'static str,
    since: Instant,
}

/// What a session came to.
#[derive(Debug, Default)]
struct Total {
    stored: u32,
    failed: u32,
    violations: u32,
}

impl<S: Store> Reading<S> {
    fn address(&self) -> String {
        self.peer.remote.map_or_else(|| "-".into(), |remote| remote.to_string())
    }

    /// The line about a message.
    fn log(&self, message: &Facts, outcome: &str, reason: Option<&str>) {
        tracing::info!(
            session = self.id.to_string(),
            peer = self.address(),
            id = message.id.to_string(),
            from = message.from,
            recipients = message.recipients,
            refused = self.refused.load(Ordering::Relaxed),
            size = message.size,
            protocol = message.protocol,
            outcome,
            reason,
            milliseconds = message.since.elapsed().as_millis() as u64,
            "message"
        );
    }

    /// The message could not be stored: somebody must look after the disk.
    fn fail(&mut self, message: &Facts, error: &StoreError) -> Refused<'static> {
        let reason = error.to_string();
        tracing::error!(id = message.id.to_string(), reason, "a message could not be stored");
        self.log(message, "failed", Some(&reason));
        self.total.failed += 1;
        error.reply()
    }

    /// The peer did not complete the message, or the machine refused it.
    fn abort(&mut self, why: &str) {
        if let Some(message) = self.message.take() {
            self.log(&message.facts, "aborted", Some(why));
            self.total.failed += 1;
        }
    }
}

/// 250 2.0.0 with the name of the message, by which sender and receiver can talk about it.
fn stored(id: MessageId) -> Verdict {
    let reply = EnhancedCode::new(Class::Success, 0, 0)
        .and_then(|enhanced| Accepted::new(250, enhanced, format!("Ok: {id}")).ok());
    reply.map_or(Verdict::YES, |reply| Verdict::AcceptWith((), reply))
}

impl<S: Store> Handler for Reading<S> {
    type Recipient = MailboxName;

    fn tls(&mut self, info: &TlsInfo) {
        self.tls = Some(info.clone());
    }

    async fn hello(&mut self, _: Session, _: Hello, name: &HelloName<'_>) -> Verdict {
        self.hello = Some(name.clone().into_static());
        Verdict::YES
    }

    async fn mail(&mut self, _: Session, _: &Mail<'_>) -> Verdict {
        self.stored = None;
        *self.refused.get_mut() = 0;
        Verdict::YES
    }

    async fn rcpt(&self, _: Session, rcpt: &Rcpt<'_>) -> Verdict<MailboxName> {
        match self.reception.recipients.find(&rcpt.to) {
            Ok(mailbox) => Verdict::Accept(mailbox),
            Err(reply) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(
                    session = self.id.to_string(),
                    peer = self.address(),
                    to = rcpt.to.to_string(),
                    code = reply.code(),
                    "recipient refused"
                );
                Verdict::Refuse(reply)
            }
        }
    }

    async fn data(&mut self, session: Session, envelope: &Envelope<MailboxName>) -> Verdict {
        let id = self.reception.ids.next();
        let only_recipient = match envelope.recipients.as_slice() {
            [only] => Some(&only.rcpt.to),
            _ => None,
        };
        let head = Trace {
            from: &envelope.mail.from,
            only_recipient,
            hello: self.hello.as_ref(),
            address: self.peer.remote.map(|remote| remote.ip()),
            session,
            cipher: self.tls.as_ref().map(|tls| tls.cipher.as_str()),
            hostname: &self.reception.hostname,
            id,
            date: &jiff::Zoned::now(),
        };
        let file = self.reception.tmp.join(id.to_string());
        let spool = Spool::new(file, head.to_string().into_bytes());
        let facts = Facts {
            id,
            from: envelope.mail.from.to_string(),
            recipients: envelope.recipients.len(),
            size: 0,
            protocol: protocol(&session),
            since: Instant::now(),
        };
        self.message = Some(Arriving { facts, spool });
        Verdict::YES
    }

    async fn body(&mut self, pieces: &[&[u8]]) -> Result<(), Refused<'static>> {
        let Some(message) = &mut self.message else { return Err(Refused::TRY_LATER) };
        message.facts.size += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        let Err(error) = message.spool.write(pieces).await else { return Ok(()) };
        match self.message.take() {
            Some(message) => Err(self.fail(&message.facts, &error)),
            None => Err(error.reply()),
        }
    }

    async fn end(&mut self, _: Session, envelope: &Envelope<MailboxName>, _: u64) -> Verdict {
        let Some(Arriving { facts, spool }) = self.message.take() else {
            return Verdict::Refuse(Refused::TRY_LATER);
        };
        let mut mailboxes: Vec<_> = envelope.recipients.iter().map(|r| r.value.clone()).collect();
        mailboxes.sort_unstable();
        mailboxes.dedup();
        let result = match spool.finish().await {
            Ok(body) => {
                self.reception.store.store(NewMessage { id: facts.id, mailboxes, body }).await
            }
            Err(error) => Err(error),
        };
        match result {
            Ok(receipt) => {
                self.stored = Some(receipt);
                self.total.stored += 1;
                self.log(&facts, "stored", None);
                stored(facts.id)
            }
            Err(error) => Verdict::Refuse(self.fail(&facts, &error)),
        }
    }

    fn aborted(&mut self, why: Aborted) {
        self.abort(&format!("{why:?}"));
    }

    fn stale(&mut self, _: Option<usize>) {
        if let Some(receipt) = self.stored.take() {
            self.reception.store.retract(receipt);
            self.total.stored -= 1;
            self.total.failed += 1;
            tracing::warn!(
                session = self.id.to_string(),
                peer = self.address(),
                outcome = "retracted",
                reason = "the peer was told 451 before the message was stored",
                "message"
            );
        }
    }

    fn violation(&mut self, violation: Violation) {
        self.total.violations += 1;
        tracing::debug!(
            session = self.id.to_string(),
            peer = self.address(),
            violation = format!("{violation:?}"),
            "rule broken"
        );
    }

    fn closed(&mut self, why: &io::Result<CloseReason>) {
        self.outcome = Some(match why {
            Ok(reason) => format!("{reason:?}"),
            Err(error) => error.to_string(),
        });
    }
}

/// The line about the session. Not in `closed`, so that a session that is cut has one as well.
impl<S: Store> Drop for Reading<S> {
    fn drop(&mut self) {
        self.abort("Cut");
        tracing::info!(
            session = self.id.to_string(),
            peer = self.address(),
            hello = self.hello.as_ref().map(ToString::to_string),
            tls = self.tls.as_ref().map(|tls| tls.version),
            stored = self.total.stored,
            failed = self.total.failed,
            violations = self.total.violations,
            outcome = self.outcome.as_deref().unwrap_or("Cut"),
            milliseconds = self.since.elapsed().as_millis() as u64,
            "session"
        );
    }
}
