//! Servers that play a script each, in the order in which they are connected to.

use smtp_client::{
    Connect, Destination, Endpoint, Envelope, Policy, Pool, PoolConfig, Report, driver::Runtime,
    proto::wire::HelloName,
};
use smtp_proto::Instant;
use std::{
    collections::VecDeque,
    future, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};
use testkit::{
    clock::{Task, VirtualRuntime, VirtualTimer},
    line::StreamLine,
    memory::{MemoryStream, pair},
    scripted_peer::{Heard, ScriptedPeer, Surprise},
};

pub(crate) const WELCOME: &str = "S: 220 mx
    C: EHLO client.example.test
    S: 250-mx
    S: 250 PIPELINING\n";
pub(crate) const MESSAGE: &str = "C: MAIL FROM:<a@example.test>
    C: RCPT TO:<b@example.test>
    C: DATA
    S: 250 ok
    S: 250 ok
    S: 354 go
    C: <MESSAGE>
    S: 250 taken\n";
pub(crate) const BYE: &str = "C: QUIT
    S: 221 bye
    C: <CLOSED>\n";
/// Not a script: the server never accepts.
pub(crate) const DEAF: &str = "deaf";
/// Not a script: the server refuses the connection.
pub(crate) const REFUSES: &str = "refuses";

/// Where a connection is expected, if that matters, and what the server says there.
type Script = (Option<IpAddr>, String);

/// A server that is playing its script.
type Peer = Task<Result<Heard, Surprise>>;

/// The network.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) runtime: VirtualRuntime,
    scripts: Arc<Mutex<VecDeque<Script>>>,
    peers: Arc<Mutex<Vec<Peer>>>,
}

impl Runtime for World {
    type Timer = VirtualTimer;

    fn now(&self) -> Instant {
        self.runtime.now()
    }

    fn timer(&self) -> VirtualTimer {
        self.runtime.timer()
    }
}

impl Connect for World {
    type Stream = MemoryStream;

    async fn connect(&self, endpoint: &Endpoint) -> io::Result<MemoryStream> {
        let next = self.scripts.lock().unwrap().pop_front();
        let (address, script) = next.expect("one connection too many");
        if let Some(address) = address {
            assert_eq!(*endpoint, Endpoint::Tcp((address, 25).into()));
        }
        match &*script {
            DEAF => return future::pending().await,
            REFUSES => return Err(io::ErrorKind::ConnectionRefused.into()),
            _ => {}
        }
        let script: ScriptedPeer = script.parse().unwrap();
        let (client, server) = pair(1 << 16);
        let mut line = StreamLine::new(server, self.runtime.clone());
        let peer = self.runtime.spawn(async move { script.play(&mut line).await });
        self.peers.lock().unwrap().push(peer);
        Ok(client)
    }
}

impl World {
    pub(crate) fn new<S: Into<String>>(scripts: impl IntoIterator<Item = S>) -> Self {
        Self::with(scripts.into_iter().map(|script| (None, script.into())).collect())
    }

    /// Each connection is made to the address that stands before its script.
    pub(crate) fn at<S: Into<String>>(scripts: impl IntoIterator<Item = (IpAddr, S)>) -> Self {
        Self::with(scripts.into_iter().map(|(at, script)| (Some(at), script.into())).collect())
    }

    fn with(scripts: VecDeque<Script>) -> Self {
        let scripts = Arc::new(Mutex::new(scripts));
        Self { runtime: VirtualRuntime::new(), scripts, peers: Arc::default() }
    }

    pub(crate) fn pool(&self, config: PoolConfig) -> Pool<Self> {
        Pool::new(self.clone(), config)
    }

    /// Every server was connected to, and has come to the end of its script.
    #[track_caller]
    pub(crate) fn check(self) {
        assert_eq!(*self.scripts.lock().unwrap(), [], "not connected to");
        let peers = std::mem::take(&mut *self.peers.lock().unwrap());
        for (at, peer) in peers.into_iter().enumerate() {
            if let Err(surprise) = self.runtime.run_until(peer) {
                panic!("server {at}: {surprise:?}");
            }
        }
    }
}

pub(crate) fn policy() -> Policy {
    Policy::new(HelloName::parse("client.example.test").unwrap())
}

pub(crate) fn destination() -> Destination {
    destination_by(policy())
}

pub(crate) fn destination_by(policy: Policy) -> Destination {
    Destination {
        host: "mx.example.test".into(),
        endpoint: Endpoint::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 25))),
        policy: Arc::new(policy),
    }
}

pub(crate) fn envelope() -> Envelope {
    Envelope::builder("a@example.test").to("b@example.test").build().unwrap()
}

/// Sends a message, and tells what became of it.
pub(crate) async fn send(pool: &Pool<World>, to: &Destination) -> String {
    in_words(&pool.send(to, &envelope(), "Subject: x\r\n\r\nx\r\n").await)
}

pub(crate) fn in_words(report: &Report) -> String {
    let outcome = &report.outcomes[0];
    format!("{} {}: {}", outcome.status, outcome.stage, outcome.reply)
}
