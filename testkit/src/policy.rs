//! One small mail policy: for the driver, as a [`Handler`], and for the machine without a driver,
//! as an [`Embedder`](crate::bare::Embedder).
//!
//! - `example.test` is local, with user1, user2, user.three and postmaster; any other name there
//!   is refused with 550 5.1.1, any other domain with 550 5.7.1 unless the peer authenticated.
//! - user1 has the password `secret1`; nobody else has one.
//! - Every message is accepted and kept.

use crate::lock;
use smtp_driver::{
    Envelope, Handler, NewHandler, Peer, Verdict,
    sasl::{Answer, Checked, Credentials, Identity},
};
use smtp_proto::{
    server::{Aborted, Session},
    wire::{ForwardPath, Host, Rcpt, Refused},
};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};

/// The local domain.
pub const DOMAIN: &str = "example.test";
/// Who has a mailbox there.
pub const USERS: [&str; 4] = ["user1", "user2", "user.three", "postmaster"];

/// A message that was accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// The reverse path, as in `<a@example.test>`.
    pub from: String,
    /// The forward paths; one with LMTP.
    pub recipients: Vec<String>,
    /// The message.
    pub octets: Vec<u8>,
    /// Who had authenticated.
    pub identity: Option<String>,
}

type Wait = dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// The policy, and the messages it accepted. Clones share them.
#[derive(Clone, Default)]
pub struct Policy {
    delivered: Arc<Mutex<Vec<Delivered>>>,
    before_rcpt: Option<Arc<Wait>>,
}

impl Policy {
    /// The policy, with nothing delivered yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, but each decision on RCPT waits for what `wait` makes. The bare machine does not.
    #[must_use]
    pub fn before_rcpt<F>(mut self, wait: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.before_rcpt = Some(Arc::new(move || Box::pin(wait())));
        self
    }

    /// The messages accepted so far.
    #[must_use]
    pub fn delivered(&self) -> Vec<Delivered> {
        lock(&self.delivered).clone()
    }

    pub(crate) fn deliver(&self, message: Delivered) {
        lock(&self.delivered).push(message);
    }

    /// Whether mail for `to` is taken.
    ///
    /// # Errors
    /// The reply that says why not.
    pub fn recipient(
        &self,
        session: Session,
        to: &ForwardPath<'_>,
    ) -> Result<(), Refused<'static>> {
        let mailbox = match to {
            ForwardPath::Postmaster => return Ok(()),
            ForwardPath::Mailbox(mailbox) => mailbox,
        };
        let local = matches!(&mailbox.host,
            Host::Domain(domain) if domain.as_str().eq_ignore_ascii_case(DOMAIN));
        let name = mailbox.local_part.unquoted();
        match local {
            true if USERS.iter().any(|user| user.eq_ignore_ascii_case(&name)) => Ok(()),
            true => Err(Refused::NO_SUCH_USER),
            false if session.authenticated => Ok(()),
            false => Err(Refused::RELAY_DENIED),
        }
    }

    /// Whether `password` is that of `user`.
    #[must_use]
    pub fn password_is_right(&self, user: &str, password: &str) -> bool {
        user == "user1" && password == "secret1"
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("delivered", &self.delivered).finish_non_exhaustive()
    }
}

impl NewHandler for Policy {
    type Handler = PolicyHandler;

    fn new_handler(&self, _: &Peer) -> PolicyHandler {
        PolicyHandler { policy: self.clone(), octets: Vec::new(), identity: None }
    }
}

impl Credentials for Policy {
    fn check<'a>(
        &'a self,
        _: &'a Peer,
        identity: &'a Identity,
        password: &'a str,
    ) -> Answer<'a, Checked> {
        let right = self.password_is_right(&identity.authentication_id, password)
            && [&*identity.authentication_id, ""].contains(&&*identity.authorization_id);
        Box::pin(async move { if right { Checked::Right } else { Checked::Wrong } })
    }
}

/// The policy for one connection.
#[derive(Debug)]
pub struct PolicyHandler {
    policy: Policy,
    octets: Vec<u8>,
    identity: Option<String>,
}

impl PolicyHandler {
    fn message(&mut self, envelope: &Envelope<()>) -> Delivered {
        Delivered {
            from: envelope.mail.from.to_string(),
            recipients: envelope.recipients.iter().map(|it| it.rcpt.to.to_string()).collect(),
            octets: self.octets.clone(),
            identity: self.identity.clone(),
        }
    }
}

impl Handler for PolicyHandler {
    type Recipient = ();

    fn authenticated(&mut self, _: Session, identity: &Identity) {
        self.identity = Some(identity.authentication_id.clone());
    }

    async fn rcpt(&self, session: Session, rcpt: &Rcpt<'_>) -> Verdict {
        if let Some(wait) = &self.policy.before_rcpt {
            wait().await;
        }
        match self.policy.recipient(session, &rcpt.to) {
            Ok(()) => Verdict::YES,
            Err(reply) => Verdict::Refuse(reply),
        }
    }

    async fn data(&mut self, _: Session, _: &Envelope<()>) -> Verdict {
        self.octets.clear();
        Verdict::YES
    }

    async fn body(&mut self, pieces: &[&[u8]]) -> Result<(), Refused<'static>> {
        pieces.iter().for_each(|piece| self.octets.extend_from_slice(piece));
        Ok(())
    }

    async fn end(&mut self, _: Session, envelope: &Envelope<()>, _: u64) -> Verdict {
        let message = self.message(envelope);
        self.policy.deliver(message);
        Verdict::YES
    }

    async fn delivered(
        &mut self,
        _: Session,
        envelope: &Envelope<()>,
        index: usize,
        _: u64,
    ) -> Verdict {
        let mut message = self.message(envelope);
        message.recipients = vec![message.recipients.swap_remove(index)];
        self.policy.deliver(message);
        Verdict::YES
    }

    fn aborted(&mut self, _: Aborted) {
        self.octets.clear();
    }
}
