//! The answers to one connection.

mod arriving;

use crate::{
    config::Role,
    header::Header,
    message_id::{MessageId, MessageIds},
    policy::{Client, Destination, DomainName, Expanded, Policy, expand},
    queue::{self, NewMessage, QueueError, Timestamp},
    spool::Spool,
    store::Store,
    trace::{Trace, protocol},
    users::UserName,
};
use arc_swap::ArcSwap;
use arriving::{Arriving, Facts, NotTaken};
use smtp_driver::{Envelope, Handler, NewHandler, Peer, TlsInfo, Verdict, sasl::Identity};
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
    /// Who may send what to whom, from the next transaction on.
    pub policy: ArcSwap<Policy>,
    /// Where messages are while they arrive.
    pub tmp: PathBuf,
    /// Where messages go.
    pub store: S,
    /// Names for messages and sessions.
    pub ids: Arc<MessageIds>,
}

/// Makes the handler of each connection of a listener.
#[derive(Debug)]
pub struct Receiver<S> {
    /// What all connections share.
    pub reception: Arc<Reception<S>>,
    /// What the listener is for.
    pub role: Role,
}

impl<S: Store> NewHandler for Receiver<S> {
    type Handler = Reading<S>;

    fn new_handler(&self, peer: &Peer) -> Reading<S> {
        Reading {
            reception: Arc::clone(&self.reception),
            role: self.role,
            policy: self.reception.policy.load_full(),
            id: self.reception.ids.next(),
            peer: peer.clone(),
            since: Instant::now(),
            hello: None,
            tls: None,
            login: None,
            message: None,
            delivered: None,
            stored: None,
            refused: AtomicU32::new(0),
            expanded: Expanded::default(),
            total: Total::default(),
            outcome: None,
        }
    }
}

/// One connection, from which we read mail.
#[derive(Debug)]
pub struct Reading<S: Store> {
    reception: Arc<Reception<S>>,
    role: Role,
    /// What holds for the transaction.
    policy: Arc<Policy>,
    /// Our name for the session.
    id: MessageId,
    peer: Peer,
    since: Instant,
    hello: Option<HelloName<'static>>,
    tls: Option<TlsInfo>,
    /// As whom the peer has logged in.
    login: Option<UserName>,
    /// The message that is arriving.
    message: Option<Arriving>,
    /// LMTP: what became of the last one, for all its recipients.
    delivered: Option<Verdict>,
    /// The last one that arrived, should its acceptance come too late.
    stored: Option<(MessageId, S::Receipt)>,
    /// Recipients refused in the open transaction. Several may be looked up at once.
    refused: AtomicU32,
    /// Recipients to whom aliases of the open transaction lead.
    expanded: Expanded,
    total: Total,
    /// How the session ended, once it has.
    outcome: Option<String>,
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
            login = self.login.as_ref().map(UserName::as_str),
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
    fn fail(&mut self, message: &Facts, error: &QueueError) -> Refused<'static> {
        let reason = error.to_string();
        tracing::error!(id = message.id.to_string(), reason, "a message could not be stored");
        self.log(message, "failed", Some(&reason));
        self.total.failed += 1;
        error.reply()
    }

    /// The message cannot be taken as it is.
    fn refuse(&mut self, message: &Facts, reply: &Refused<'static>) {
        self.log(message, "refused", Some(reply.text()));
        self.total.failed += 1;
    }

    fn client(&self) -> Client<'_> {
        let address = self.peer.remote.map(|remote| remote.ip());
        Client { role: self.role, address, login: self.login.as_ref() }
    }

    /// Stores the message that has arrived, for all its recipients.
    async fn store(&mut self, envelope: &Envelope<Destination>) -> Verdict {
        let Some(message) = self.message.take() else {
            return Verdict::Refuse(Refused::TRY_LATER);
        };
        let facts = message.facts.clone();
        let body = match self.finish(message).await {
            Ok(body) => body,
            Err(error) => return Verdict::Refuse(self.not_taken(&facts, error)),
        };
        let message = NewMessage {
            id: facts.id,
            envelope: self.envelope(envelope),
            recipients: expand(envelope.recipients.iter().map(|it| (&it.rcpt, &it.value))),
            body,
            received: Timestamp::now(),
        };
        match self.reception.store.store(message).await {
            Ok(receipt) => {
                self.stored = Some((facts.id, receipt));
                self.total.stored += 1;
                self.log(&facts, "stored", None);
                for recipient in &envelope.recipients {
                    tracing::debug!(
                        id = facts.id.to_string(),
                        to = recipient.rcpt.to.to_string(),
                        "recipient"
                    );
                }
                stored(facts.id)
            }
            Err(error) => Verdict::Refuse(self.fail(&facts, &error)),
        }
    }

    /// What is kept of the envelope.
    fn envelope(&self, envelope: &Envelope<Destination>) -> queue::Envelope {
        let mail = &envelope.mail;
        queue::Envelope {
            from: mail.from.clone(),
            ret: mail.ret,
            envid: mail.envid.clone(),
            body: mail.body,
            smtputf8: mail.smtputf8,
            login: self.login.as_ref().map(|login| login.as_str().to_owned()),
        }
    }

    fn not_taken(&mut self, facts: &Facts, why: NotTaken) -> Refused<'static> {
        match why {
            NotTaken::Refused(reply) => {
                self.refuse(facts, &reply);
                reply
            }
            NotTaken::Failed(error) => self.fail(facts, &error),
        }
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
    type Recipient = Destination;

    fn tls(&mut self, info: &TlsInfo) {
        self.tls = Some(info.clone());
    }

    async fn hello(&mut self, _: Session, _: Hello, name: &HelloName<'_>) -> Verdict {
        self.hello = Some(name.clone().into_static());
        Verdict::YES
    }

    fn authenticated(&mut self, _: Session, identity: &Identity) {
        self.login = UserName::new(&identity.authentication_id);
    }

    async fn mail(&mut self, _: Session, mail: &Mail<'_>) -> Verdict {
        self.policy = self.reception.policy.load_full();
        self.stored = None;
        self.delivered = None;
        *self.refused.get_mut() = 0;
        self.expanded = Expanded::default();
        let admitted = self.reception.store.admits(mail.size.unwrap_or_default());
        let allowed = || self.policy.sender(&self.client(), &mail.from);
        match admitted.and_then(|()| allowed()) {
            Ok(()) => Verdict::YES,
            Err(reply) => Verdict::Refuse(reply),
        }
    }

    async fn rcpt(&self, _: Session, rcpt: &Rcpt<'_>) -> Verdict<Destination> {
        let destination = self.policy.recipient(&self.client(), &rcpt.to);
        match destination.and_then(|destination| self.expanded.admit(destination)) {
            Ok(destination) => Verdict::Accept(destination),
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

    async fn data(&mut self, session: Session, envelope: &Envelope<Destination>) -> Verdict {
        let id = self.reception.ids.next();
        let only_recipient = match envelope.recipients.as_slice() {
            [only] => Some(&only.rcpt.to),
            _ => None,
        };
        let head = Trace {
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
        let text_only = self.role.is_submission()
            || envelope.recipients.iter().any(|it| !matches!(it.value, Destination::Mailbox(_)));
        self.message = Some(Arriving { facts, text_only, header: Some(Header::default()), spool });
        Verdict::YES
    }

    async fn body(&mut self, pieces: &[&[u8]]) -> Result<(), Refused<'static>> {
        let Some(mut message) = self.message.take() else { return Err(Refused::TRY_LATER) };
        match self.take(&mut message, pieces).await {
            Ok(()) => {
                self.message = Some(message);
                Ok(())
            }
            Err(why) => Err(self.not_taken(&message.facts, why)),
        }
    }

    async fn end(&mut self, _: Session, envelope: &Envelope<Destination>, _: u64) -> Verdict {
        self.store(envelope).await
    }

    async fn delivered(
        &mut self,
        _: Session,
        envelope: &Envelope<Destination>,
        _: usize,
        _: u64,
    ) -> Verdict {
        if let Some(verdict) = &self.delivered {
            return verdict.clone();
        }
        let verdict = self.store(envelope).await;
        self.delivered = Some(verdict.clone());
        verdict
    }

    fn aborted(&mut self, why: Aborted) {
        self.abort(&format!("{why:?}"));
    }

    fn stale(&mut self, recipient: Option<usize>) {
        // LMTP: others may have been told 250. Twice is better than not at all.
        if recipient.is_some() {
            return;
        }
        if let Some((id, receipt)) = self.stored.take() {
            self.reception.store.retract(receipt);
            self.total.stored -= 1;
            self.total.failed += 1;
            tracing::warn!(
                session = self.id.to_string(),
                peer = self.address(),
                id = id.to_string(),
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
