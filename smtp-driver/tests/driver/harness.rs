//! One connection: the driver at one end, the test at the other.

use smtp_driver::{
    ClientCertificate, Envelope, Handler, Peer, Pool, Recipient, Runtime, Service, Stream, TlsInfo,
    Verdict,
    sasl::{Answer, BearerToken, Checked, Credentials, Identity, ScramKeys, TokenHelp, Vouched},
    serve,
};
use smtp_proto::{
    CloseReason, Instant, Limits, Timeouts, Violation,
    ext::{Extensions, QueueName, Xclient},
    server::{Aborted, ResetCause, ServerConfig, Session},
    wire::{Accepted, Hello, HelloName, Host, Mail, Mechanism, Rcpt, Refused, Text, Verb},
};
use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};
use testkit::{
    clock::{Task, VirtualRuntime},
    memory::{MemoryStream, pair},
};

pub(crate) const PEER: Peer = Peer { remote: None, local: None };

/// What a [`Script`] does, and how long it takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) connect: Duration,
    pub(crate) hello: Duration,
    pub(crate) rcpt: Duration,
    /// Besides, how long RCPT takes for a path.
    pub(crate) each_rcpt: Option<fn(&str) -> Duration>,
    pub(crate) end: Duration,
    pub(crate) data: Option<(Duration, Refused<'static>)>,
    /// Refuse the message when so many of its octets have come.
    pub(crate) body: Option<usize>,
    /// With LMTP, the recipients to refuse.
    pub(crate) undelivered: Vec<usize>,
    /// Offered to this peer alone.
    pub(crate) offer: Option<Extensions>,
}

pub(crate) type Log = Arc<Mutex<Vec<String>>>;

/// A handler that writes down what it is told.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) plan: Plan,
    pub(crate) runtime: VirtualRuntime,
    pub(crate) log: Log,
    pub(crate) octets: usize,
}

impl Script {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.log.lock().unwrap().push(what.into());
    }

    async fn sleep(&self, time: Duration) {
        if !time.is_zero() {
            self.runtime.sleep(time).await;
        }
    }
}

impl Handler for Script {
    type Recipient = usize;

    async fn connect(&mut self, session: Session, _: &Peer) -> Verdict {
        self.sleep(self.plan.connect).await;
        self.note(format!("connect early={}", session.early_talker));
        Verdict::YES
    }

    fn tls(&mut self, info: &TlsInfo) {
        self.note(format!("tls {} {:?}", info.version, info.server_name));
        if let Some(certificate) = &info.client_certificate {
            self.note(format!("certificate {:x?}", certificate.fingerprint()));
        }
    }

    async fn hello(&mut self, _: Session, kind: Hello, name: &HelloName<'_>) -> Verdict {
        self.sleep(self.plan.hello).await;
        self.note(format!("hello {kind:?} {name}"));
        Verdict::YES
    }

    fn offer(&mut self, _: Session, peer: &Peer) -> Option<Arc<Extensions>> {
        self.note(format!("offer to {:?} at {:?}", peer.remote, peer.local));
        self.plan.offer.clone().map(Arc::new)
    }

    async fn xclient(&mut self, _: Session, client: &Xclient<'_>) -> Verdict {
        self.note(format!("xclient {client}"));
        match client.helo {
            Some(_) => Verdict::Refuse(Refused::DENIED),
            None => Verdict::YES,
        }
    }

    async fn etrn(&mut self, _: Session, queue: &QueueName<'_>) -> Verdict {
        self.note(format!("etrn {queue}"));
        Verdict::YES
    }

    async fn command(&mut self, _: Session, verb: &Verb<'_>, args: &Text<'_>) -> Verdict {
        self.note(format!("command {} {args}", verb.as_str()));
        Verdict::YES
    }

    fn authenticated(&mut self, session: Session, identity: &Identity) {
        assert!(session.authenticated);
        self.note(format!("authenticated {}", identity.authentication_id));
    }

    async fn mail(&mut self, _: Session, mail: &Mail<'_>) -> Verdict {
        self.note(format!("mail {}", mail.from));
        Verdict::YES
    }

    /// Accepts names that begin with a letter; the value is the length of the path.
    async fn rcpt(&self, _: Session, rcpt: &Rcpt<'_>) -> Verdict<usize> {
        self.sleep(self.plan.rcpt).await;
        let to = rcpt.to.to_string();
        if let Some(each) = self.plan.each_rcpt {
            self.sleep(each(&to)).await;
        }
        if to.starts_with("<no") {
            return Verdict::Refuse(Refused::NO_SUCH_USER);
        }
        Verdict::Accept(to.len())
    }

    async fn data(&mut self, _: Session, envelope: &Envelope<usize>) -> Verdict {
        self.note(format!("data for {}", names(envelope)));
        self.octets = 0;
        match self.plan.data.clone() {
            Some((time, reply)) => {
                self.sleep(time).await;
                Verdict::Refuse(reply)
            }
            None => Verdict::YES,
        }
    }

    async fn body(&mut self, pieces: &[&[u8]]) -> Result<(), Refused<'static>> {
        assert!(!pieces.is_empty());
        self.octets += pieces.iter().map(|piece| piece.len()).sum::<usize>();
        match self.plan.body {
            Some(most) if self.octets >= most => Err(Refused::CONTENT),
            _ => Ok(()),
        }
    }

    async fn end(&mut self, _: Session, envelope: &Envelope<usize>, size: u64) -> Verdict {
        assert_eq!(self.octets as u64, size, "each octet came once");
        self.sleep(self.plan.end).await;
        self.note(format!("end {size} for {}", names(envelope)));
        let words = Accepted::new(
            250,
            smtp_proto::EnhancedCode::new(smtp_proto::Class::Success, 6, 0).unwrap(),
            "kept",
        )
        .unwrap();
        Verdict::AcceptWith((), words)
    }

    async fn delivered(
        &mut self,
        _: Session,
        envelope: &Envelope<usize>,
        index: usize,
        size: u64,
    ) -> Verdict {
        self.note(format!("delivered {size} to {}", envelope.recipients[index].rcpt.to));
        match self.plan.undelivered.contains(&index) {
            true => Verdict::Refuse(Refused::STORAGE),
            false => Verdict::YES,
        }
    }

    fn aborted(&mut self, why: Aborted) {
        self.note(format!("aborted {why:?}"));
    }

    fn reset(&mut self, why: ResetCause) {
        self.note(format!("reset {why:?}"));
    }

    fn stale(&mut self, recipient: Option<usize>) {
        self.note(format!("stale {recipient:?}"));
    }

    fn closed(&mut self, why: &io::Result<CloseReason>) {
        self.note(format!("closed {:?}", why.as_ref().map_err(io::Error::kind)));
    }

    fn violation(&mut self, violation: Violation) {
        self.note(format!("violation {violation:?}"));
    }

    fn replied(&mut self, code: u16, latency: Duration) {
        self.note(format!("replied {code} after {} ms", latency.as_millis()));
    }
}

fn names(envelope: &Envelope<usize>) -> String {
    let name = |it: &Recipient<usize>| format!("{}={}", it.rcpt.to, it.value);
    envelope.recipients.iter().map(name).collect::<Vec<_>>().join(",")
}

/// `user` has the password `pass`; checking `slow` takes an hour; `broken` cannot be checked.
pub(crate) struct Passwords(pub(crate) VirtualRuntime);

impl Credentials for Passwords {
    fn check<'a>(
        &'a self,
        _: &'a Peer,
        identity: &'a Identity,
        password: &'a str,
    ) -> Answer<'a, Checked> {
        Box::pin(async move {
            match (&*identity.authentication_id, password) {
                ("user", "pass") => Checked::Right,
                ("broken", _) => Checked::Unavailable,
                ("slow", _) => {
                    self.0.sleep(Duration::from_secs(3600)).await;
                    Checked::Right
                }
                _ => Checked::Wrong,
            }
        })
    }

    fn token<'a>(&'a self, _: &'a Peer, token: &'a BearerToken) -> Answer<'a, Vouched> {
        Box::pin(async move {
            match token.token.expose().as_str() {
                "token" => user(&token.authorization_id),
                "broken" => Vouched::Unavailable,
                _ => Vouched::Nobody,
            }
        })
    }

    fn token_help(&self) -> TokenHelp {
        TokenHelp { scope: Some("mail".into()), ..TokenHelp::default() }
    }

    fn certificate<'a>(
        &'a self,
        _: &'a Peer,
        _: &'a ClientCertificate,
        authorization_id: &'a str,
    ) -> Answer<'a, Vouched> {
        Box::pin(async move { user(authorization_id) })
    }

    fn keys<'a>(&'a self, name: &'a str) -> Answer<'a, Option<ScramKeys>> {
        Box::pin(async move {
            match name {
                "user" => ScramKeys::derive("pass", ScramKeys::ITERATIONS).ok(),
                "broken" => None,
                _ => Some(ScramKeys::unknown(name, b"secret", ScramKeys::ITERATIONS)),
            }
        })
    }
}

/// Who may act as `name`, being `user`.
fn user(name: &str) -> Vouched {
    match name {
        "" | "user" => Vouched::For(Identity::new("user", name)),
        _ => Vouched::Nobody,
    }
}

pub(crate) fn extensions() -> Extensions {
    Extensions::new().starttls().chunking().auth([
        Mechanism::PLAIN,
        Mechanism::LOGIN,
        Mechanism::SCRAM_SHA_256,
    ])
}

/// A service called `mx.example.test`.
pub(crate) fn service(extensions: Extensions, limits: Limits, timeouts: Timeouts) -> Service {
    let config = ServerConfig::builder(Host::parse("mx.example.test").unwrap())
        .extensions(extensions)
        .limits(limits)
        .timeouts(timeouts)
        .build();
    Service::new(config).unwrap()
}

pub(crate) fn plain_service() -> Service {
    service(extensions(), Limits::default(), Timeouts::default())
}

/// A connection that is being served.
pub(crate) struct Connection {
    pub(crate) runtime: VirtualRuntime,
    pub(crate) peer: MemoryStream,
    pub(crate) task: Task<io::Result<CloseReason>>,
    pub(crate) pool: Pool,
    pub(crate) log: Log,
    pub(crate) stop: smtp_driver::Stop,
}

impl Connection {
    /// Serves a connection in clear by `plan`, up to its greeting if that comes at once.
    pub(crate) fn open(plan: Plan) -> Self {
        Self::with(plan, plain_service(), 1 << 20, |stream| stream)
    }

    /// The same with a service, octets in flight each way, and streams around the server's end.
    pub(crate) fn with<S: Stream + 'static>(
        plan: Plan,
        service: Service,
        capacity: usize,
        wrap: impl FnOnce(MemoryStream) -> S,
    ) -> Self {
        let runtime = VirtualRuntime::new();
        let (peer, stream) = pair(capacity);
        let log = Log::default();
        let script = Script { plan, runtime: runtime.clone(), log: log.clone(), octets: 0 };
        let service = service.credentials(Passwords(runtime.clone()));
        let pool = service.buffers().clone();
        let stop = smtp_driver::Stop::new();
        let stream = wrap(stream);
        let task =
            runtime.spawn(serve(stream, PEER, runtime.clone(), service, script, stop.given()));
        runtime.run_ready();
        Self { runtime, peer, task, pool, log, stop }
    }

    /// Sends `octets` in one piece, lets everything run that can, and returns what came back.
    pub(crate) fn send(&self, octets: impl AsRef<[u8]>) -> String {
        let octets = octets.as_ref();
        assert_eq!(self.peer.put(octets), octets.len());
        self.runtime.run_ready();
        self.receive()
    }

    /// What has come back.
    pub(crate) fn receive(&self) -> String {
        String::from_utf8(self.peer.take()).unwrap()
    }

    /// Lets time pass, and returns what came back.
    pub(crate) fn pass(&self, time: Duration) -> String {
        self.runtime.run_for(time);
        self.receive()
    }

    /// The notes of the handler so far, but for replies and the last.
    pub(crate) fn notes(&self) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter()
            .filter(|note| !["replied", "closed", "offer"].iter().any(|it| note.starts_with(it)))
            .cloned()
            .collect()
    }

    pub(crate) fn noted(&self, what: &str) -> bool {
        self.log.lock().unwrap().iter().any(|note| note == what)
    }

    pub(crate) fn now(&self) -> Instant {
        self.runtime.now()
    }

    /// How the connection ended.
    pub(crate) fn end(self) -> io::Result<CloseReason> {
        self.peer.close();
        self.runtime.run_until(self.task)
    }
}

/// EHLO, MAIL, and the replies eaten.
pub(crate) fn begin(connection: &Connection) {
    let replies = connection.send("EHLO client.example\r\nMAIL FROM:<a@example.test>\r\n");
    assert!(replies.contains("\r\n250 2.1.0 "), "{replies}");
}
