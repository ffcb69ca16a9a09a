//! The callback view of the machine: one async function for each question.

use crate::sasl::Identity;
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use rustls::pki_types::CertificateDer;
use smtp_proto::{
    CloseReason, Violation,
    ext::{Extensions, Fact, QueueName, Xclient},
    server::{Aborted, ResetCause, Session},
    wire::{Accepted, Hello, HelloName, Mail, Rcpt, Refused, Text, Verb},
};
use std::{
    fmt,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

/// An answer to a question; `T` is what you want to keep with a yes.
///
/// ```
/// use smtp_driver::{Verdict, proto::{EnhancedCode, wire::Refused}};
///
/// let no: Verdict = Verdict::Refuse(Refused::NO_SUCH_USER);
/// let later: Verdict<u32> = match Refused::new(451, EnhancedCode::transient(7, 1), "Come again") {
///     Ok(reply) => Verdict::Refuse(reply),
///     Err(_) => Verdict::Refuse(Refused::TRY_LATER),
/// };
/// assert!(Verdict::YES.is_yes() && !no.is_yes() && !later.is_yes());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict<T = ()> {
    /// Yes.
    Accept(T),
    /// Yes, in your words. Where the protocol leaves no room for them (EHLO, DATA) this is
    /// [`Accept`](Self::Accept).
    AcceptWith(T, Accepted<'static>),
    /// No.
    Refuse(Refused<'static>),
    /// No, and close the connection.
    Disconnect(Refused<'static>),
}

impl Verdict {
    /// Yes.
    pub const YES: Self = Self::Accept(());
}

impl<T> Verdict<T> {
    /// Whether it is a yes.
    pub fn is_yes(&self) -> bool {
        matches!(self, Self::Accept(_) | Self::AcceptWith(..))
    }

    /// The verdict and the value of a yes.
    pub(crate) fn split(self) -> (Verdict, Option<T>) {
        match self {
            Self::Accept(value) => (Verdict::Accept(()), Some(value)),
            Self::AcceptWith(value, reply) => (Verdict::AcceptWith((), reply), Some(value)),
            Self::Refuse(reply) => (Verdict::Refuse(reply), None),
            Self::Disconnect(reply) => (Verdict::Disconnect(reply), None),
        }
    }
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address; `None` for a stream that has none (a unix socket, a test).
    pub remote: Option<SocketAddr>,
    /// Ours.
    pub local: Option<SocketAddr>,
}

impl Peer {
    /// What XCLIENT says takes the place of what was known; a port that it does not say is 0.
    pub(crate) fn replace(&mut self, client: &Xclient<'_>) {
        let address =
            |old: Option<SocketAddr>, ip: Option<Fact<IpAddr>>, port: Option<Fact<u16>>| {
                let port = port.and_then(Fact::known);
                match ip {
                    Some(ip) => ip.known().map(|ip| SocketAddr::new(ip, port.unwrap_or(0))),
                    None => old.map(|old| SocketAddr::new(old.ip(), port.unwrap_or(old.port()))),
                }
            };
        self.remote = address(self.remote, client.addr, client.port);
        self.local = address(self.local, client.dest_addr, client.dest_port);
    }
}

/// What a TLS handshake agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// Such as `TLSv1.3`.
    pub version: &'static str,
    /// Such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The name the client asked for.
    pub server_name: Option<String>,
    /// The client's own certificate, if it was asked for one and has shown one that the
    /// configuration accepts, and that it has the key of.
    pub client_certificate: Option<ClientCertificate>,
}

/// The certificate of a client, which was verified.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate(pub(crate) CertificateDer<'static>);

impl ClientCertificate {
    /// The certificate, DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    /// Its SHA-256 fingerprint, which `openssl x509 -noout -fingerprint -sha256` shows.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; SHA256_OUTPUT_LEN] {
        let mut fingerprint = [0; SHA256_OUTPUT_LEN];
        fingerprint.copy_from_slice(digest(&SHA256, &self.0).as_ref());
        fingerprint
    }
}

/// Without its names, which may be a person's.
impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}

/// The envelope of the open transaction: what MAIL and the accepted RCPTs said.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Envelope<T> {
    /// MAIL.
    pub mail: Mail<'static>,
    /// The accepted RCPTs, in their order.
    pub recipients: Vec<Recipient<T>>,
}

/// An accepted recipient, with the value its verdict carried.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Recipient<T> {
    /// RCPT.
    pub rcpt: Rcpt<'static>,
    /// The value.
    pub value: T,
}

/// The policy of a server: what to say to each question, and what to do with messages.
///
/// One handler serves one connection, from its first octet to its last. All but
/// [`rcpt`](Self::rcpt), [`body`](Self::body) and [`end`](Self::end) have defaults.
///
/// ```
/// use smtp_driver::{Envelope, Handler, Verdict, proto::{server::Session, wire::{Rcpt, Refused}}};
///
/// /// Takes mail for everybody, and counts it.
/// #[derive(Default)]
/// struct Counter {
///     octets: u64,
/// }
///
/// impl Handler for Counter {
///     type Recipient = ();
///
///     async fn rcpt(&self, _: Session, _: &Rcpt<'_>) -> Verdict {
///         Verdict::YES
///     }
///
///     async fn body(&mut self, pieces: &[&[u8]]) -> Result<(), Refused<'static>> {
///         self.octets += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
///         Ok(())
///     }
///
///     async fn end(&mut self, _: Session, envelope: &Envelope<()>, size: u64) -> Verdict {
///         println!("{size} octets for {}, {} in all", envelope.recipients.len(), self.octets);
///         Verdict::YES
///     }
/// }
/// ```
pub trait Handler: Send + Sync {
    /// What you keep with each accepted recipient; `()` if nothing.
    type Recipient: Clone + Send + Sync;

    /// A peer has connected. A no takes the place of the greeting, which never has an enhanced code
    /// (RFC 2034 §4).
    fn connect(&mut self, session: Session, peer: &Peer) -> impl Future<Output = Verdict> + Send {
        let _ = (session, peer);
        async { Verdict::YES }
    }

    /// TLS is up.
    fn tls(&mut self, info: &TlsInfo) {
        let _ = info;
    }

    /// EHLO, HELO or LHLO.
    fn hello(
        &mut self,
        session: Session,
        kind: Hello,
        name: &HelloName<'_>,
    ) -> impl Future<Output = Verdict> + Send {
        let _ = (session, kind, name);
        async { Verdict::YES }
    }

    /// What this peer is offered in place of what all are, once its greeting is accepted; `None` for
    /// no difference. STARTTLS and AUTH need the certificate and the credentials of the service all
    /// the same.
    fn offer(&mut self, session: Session, peer: &Peer) -> Option<Arc<Extensions>> {
        let _ = (session, peer);
        None
    }

    /// XCLIENT, if offered: a proxy says who its client is. After a yes the session begins again, and
    /// `peer` is that client wherever the driver names one; you will not be asked to
    /// [`connect`](Self::connect) again. A no leaves the client nothing but QUIT.
    fn xclient(
        &mut self,
        session: Session,
        client: &Xclient<'_>,
    ) -> impl Future<Output = Verdict> + Send {
        let _ = (session, client);
        async { Verdict::Refuse(Refused::UNAUTHORIZED) }
    }

    /// AUTH has succeeded, with credentials that [`Credentials`](crate::sasl::Credentials) checked.
    fn authenticated(&mut self, session: Session, identity: &Identity) {
        let _ = (session, identity);
    }

    /// MAIL.
    fn mail(&mut self, session: Session, mail: &Mail<'_>) -> impl Future<Output = Verdict> + Send {
        let _ = (session, mail);
        async { Verdict::YES }
    }

    /// RCPT. Takes `&self` because several of these run at once.
    fn rcpt(
        &self,
        session: Session,
        rcpt: &Rcpt<'_>,
    ) -> impl Future<Output = Verdict<Self::Recipient>> + Send;

    /// DATA or the first BDAT.
    fn data(
        &mut self,
        session: Session,
        envelope: &Envelope<Self::Recipient>,
    ) -> impl Future<Output = Verdict> + Send {
        let _ = (session, envelope);
        async { Verdict::YES }
    }

    /// Some octets of the message: what one read brought, in pieces of the receive buffer. A read
    /// that brought very many pieces takes several calls.
    ///
    /// No timer runs while this does: it holds up the peer for as long as it takes.
    ///
    /// # Errors
    /// The reply with which to refuse the message; its remaining octets are swallowed, and
    /// neither `end` nor `delivered` is called for it.
    fn body(
        &mut self,
        pieces: &[&[u8]],
    ) -> impl Future<Output = Result<(), Refused<'static>>> + Send;

    /// The message is complete. A yes makes you responsible for it (RFC 5321 §6.1). With LMTP this
    /// is not called; `delivered` is.
    ///
    /// It runs to its end even if the peer is told 451 meanwhile; then `stale` follows.
    fn end(
        &mut self,
        session: Session,
        envelope: &Envelope<Self::Recipient>,
        size: u64,
    ) -> impl Future<Output = Verdict> + Send;

    /// LMTP: the message is complete; what became of it for the recipient `index` of the envelope?
    fn delivered(
        &mut self,
        session: Session,
        envelope: &Envelope<Self::Recipient>,
        index: usize,
        size: u64,
    ) -> impl Future<Output = Verdict> + Send {
        let _ = (session, envelope, index, size);
        async { Verdict::Refuse(Refused::TRY_LATER) }
    }

    /// The body will not be completed, or was refused: drop what you kept of it.
    fn aborted(&mut self, why: Aborted) {
        let _ = why;
    }

    /// The transaction is gone.
    fn reset(&mut self, why: ResetCause) {
        let _ = why;
    }

    /// The yes that `end` (`None`) or `delivered` (the recipient) gave came too late: the peer was
    /// told 451, or was gone, and will send the message again. Undo what can be undone, or it
    /// arrives twice (RFC 1047).
    fn stale(&mut self, recipient: Option<usize>) {
        let _ = recipient;
    }

    /// VRFY. The default says 252: cannot verify, will try (RFC 5321 §3.5.3, §7.3).
    fn verify(
        &mut self,
        session: Session,
        what: &Text<'_>,
    ) -> impl Future<Output = Verdict> + Send {
        let _ = (session, what);
        async { Verdict::YES }
    }

    /// EXPN, if switched on.
    fn expand(
        &mut self,
        session: Session,
        what: &Text<'_>,
    ) -> impl Future<Output = Verdict> + Send {
        let _ = (session, what);
        async { Verdict::Refuse(Refused::NOT_IMPLEMENTED) }
    }

    /// ETRN, if offered: send what waits for the peer, or say why not.
    fn etrn(
        &mut self,
        session: Session,
        queue: &QueueName<'_>,
    ) -> impl Future<Output = Verdict> + Send {
        let _ = (session, queue);
        async { Verdict::Refuse(Refused::NOT_IMPLEMENTED) }
    }

    /// A command of one of your own extensions ([`CustomExtension`](smtp_proto::ext::CustomExtension)).
    fn command(
        &mut self,
        session: Session,
        verb: &Verb<'_>,
        args: &Text<'_>,
    ) -> impl Future<Output = Verdict> + Send {
        let _ = (session, verb, args);
        async { Verdict::Refuse(Refused::NOT_IMPLEMENTED) }
    }

    /// The peer broke a rule; it has been told.
    fn violation(&mut self, violation: Violation) {
        let _ = violation;
    }

    /// The conversation is over, and why; nothing else follows. It is not called when the future of
    /// [`serve`](crate::serve) is dropped.
    fn closed(&mut self, why: &io::Result<CloseReason>) {
        let _ = why;
    }

    /// An answer of yours was given, `latency` after its question. For metrics.
    fn replied(&mut self, code: u16, latency: Duration) {
        let _ = (code, latency);
    }
}

/// A shared value that makes the handler of each connection.
pub trait NewHandler: Send + Sync + 'static {
    /// The handler it makes.
    type Handler: Handler + 'static;
    /// A handler for the connection of `peer`.
    fn new_handler(&self, peer: &Peer) -> Self::Handler;
}

impl<H: Handler + 'static, F: Fn(&Peer) -> H + Send + Sync + 'static> NewHandler for F {
    type Handler = H;
    fn new_handler(&self, peer: &Peer) -> H {
        self(peer)
    }
}

/// The same for a value that is shared already.
impl<N: NewHandler> NewHandler for Arc<N> {
    type Handler = N::Handler;
    fn new_handler(&self, peer: &Peer) -> N::Handler {
        (**self).new_handler(peer)
    }
}
