//! Greylisting (RFC 6647): a stranger is asked to come again, and who comes again is let in.

use crate::{by_handler::Inbox, inbox::Store};
use smtp_driver::{Envelope, Handler, NewHandler, Peer, Verdict};
use smtp_proto::{
    EnhancedCode,
    server::{Aborted, Session},
    wire::{Mail, Rcpt, Refused},
};
use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

/// Remembers who has tried, outside this process as a rule: the answer may take its time.
pub trait Memory: Send + Sync + 'static {
    /// Notes an attempt of `who`, and says how long ago the first one was.
    fn attempt(&self, who: &str) -> impl Future<Output = io::Result<Duration>> + Send;
}

/// A stranger may come in after this long.
pub const DELAY: Duration = Duration::from_secs(300);

/// Makes a handler for each connection.
#[derive(Debug)]
pub struct Greylisting<M> {
    memory: Arc<M>,
    store: Store,
}

impl<M: Memory> Greylisting<M> {
    /// Greylisting in front of `store`.
    pub fn new(memory: Arc<M>, store: Store) -> Self {
        Self { memory, store }
    }
}

impl<M: Memory> NewHandler for Greylisting<M> {
    type Handler = Greylisted<M>;

    fn new_handler(&self, peer: &Peer) -> Greylisted<M> {
        let network = peer.remote.map(|address| network(address.ip()));
        let inbox = Inbox::new(self.store.clone());
        Greylisted { memory: self.memory.clone(), network, from: String::new(), inbox }
    }
}

/// One connection.
#[derive(Debug)]
pub struct Greylisted<M> {
    memory: Arc<M>,
    network: Option<IpAddr>,
    from: String,
    /// Answers for whom is let in.
    inbox: Inbox,
}

impl<M: Memory> Handler for Greylisted<M> {
    type Recipient = ();

    async fn mail(&mut self, _: Session, mail: &Mail<'_>) -> Verdict {
        self.from = mail.from.to_string();
        Verdict::YES
    }

    async fn rcpt(&self, session: Session, rcpt: &Rcpt<'_>) -> Verdict {
        let verdict = self.inbox.rcpt(session, rcpt).await;
        let Some(network) = self.network.filter(|_| verdict.is_yes() && !session.authenticated)
        else {
            return verdict; // a 550 needs no second attempt, nor does a user who logged in
        };
        let who = format!("{network} {} {}", self.from, rcpt.to);
        match self.memory.attempt(&who).await {
            Ok(since) if since < DELAY => later(),
            // A memory that is gone must not keep mail out.
            Ok(_) | Err(_) => verdict,
        }
    }

    async fn body(&mut self, pieces: &[&[u8]]) -> Result<(), Refused<'static>> {
        self.inbox.body(pieces).await
    }

    async fn end(&mut self, session: Session, envelope: &Envelope<()>, size: u64) -> Verdict {
        self.inbox.end(session, envelope, size).await
    }

    fn aborted(&mut self, why: Aborted) {
        self.inbox.aborted(why);
    }
}

/// 451 4.7.1: a failure of now. A client keeps the message and tries again (RFC 5321 §4.5.4.1).
fn later() -> Verdict {
    let reply =
        Refused::new(451, EnhancedCode::transient(7, 1), "Greylisted, try again in 5 minutes");
    Verdict::Refuse(reply.unwrap_or(Refused::TRY_LATER))
}

/// The network of an address: who sends much mail does not try again from the same host.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & !0xff).into()),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}
