//! A client's link at one end, and at the other our server, or the test itself.

use smtp_driver::{
    NewHandler, Peer, Pool, Service, Stream,
    client::{ClientLink, LinkError, Next},
    serve,
};
use smtp_proto::{
    CloseReason,
    client::{ClientConfig, ClientEvent, CommandId},
    ext::Extensions,
    server::ServerConfig,
    wire::{ForwardPath, HelloName, Host, Mail, Rcpt, ReversePath},
};
use std::{future::pending, io, sync::Arc};
use testkit::{
    clock::{Task, VirtualRuntime},
    memory::{MemoryStream, pair},
    policy::Policy,
};

const PEER: Peer = Peer { remote: None, local: None };

pub(crate) type Link<S = MemoryStream> = ClientLink<S, VirtualRuntime>;

/// Our server, with what it has taken.
pub(crate) struct World {
    pub(crate) runtime: VirtualRuntime,
    pub(crate) policy: Policy,
    pub(crate) task: Task<io::Result<CloseReason>>,
    /// The client's buffers.
    pub(crate) pool: Pool,
}

/// The extensions that a test may do without thinking of them.
pub(crate) fn server_config(extensions: Extensions) -> Arc<ServerConfig> {
    let mut limits = smtp_proto::Limits::default();
    limits.message = 64 << 20;
    let host = Host::parse("mx.example.test").unwrap();
    ServerConfig::builder(host).extensions(extensions).limits(limits).build()
}

pub(crate) fn service() -> Service {
    Service::new(server_config(Extensions::new().chunking())).unwrap()
}

impl World {
    /// A server, and the client's end of a connection to it, over pipes of `capacity` octets.
    pub(crate) fn new(service: Service, capacity: usize) -> (Self, MemoryStream) {
        let (runtime, policy) = (VirtualRuntime::new(), Policy::new());
        let (client, server) = pair(capacity);
        let handler = policy.new_handler(&PEER);
        let task = runtime.spawn(serve(server, PEER, runtime.clone(), service, handler, pending()));
        (Self { runtime, policy, task, pool: Pool::default() }, client)
    }

    pub(crate) fn link<S: Stream>(&self, stream: S) -> Link<S> {
        let config = ClientConfig::builder().build();
        Link::new(stream, self.runtime.clone(), config, self.pool.clone()).unwrap()
    }
}

/// A server that is the test itself.
pub(crate) fn scripted(capacity: usize) -> (VirtualRuntime, Link, MemoryStream) {
    let runtime = VirtualRuntime::new();
    let (client, server) = pair(capacity);
    let config = ClientConfig::builder().build();
    let link = Link::new(client, runtime.clone(), config, Pool::default()).unwrap();
    (runtime, link, server)
}

/// What happened next, as words.
pub(crate) async fn tell<S: Stream>(link: &mut Link<S>) -> String {
    words(link.next().await)
}

pub(crate) fn words(next: Result<Next, LinkError>) -> String {
    match next.unwrap() {
        Next::Event(ClientEvent::Greeting(reply)) => format!("greeting {}", reply.code()),
        Next::Event(ClientEvent::Reply { reply, .. }) => format!("reply {}", reply.code()),
        Next::Event(ClientEvent::Unsolicited(reply)) => format!("unsolicited {}", reply.code()),
        Next::Event(other) => format!("{other:?}"),
        Next::Idle => "idle".into(),
        Next::Closed(why) => format!("closed {why:?}"),
    }
}

/// The code of the reply to `id`, which must be what comes next.
pub(crate) async fn code<S: Stream>(link: &mut Link<S>, given: CommandId) -> u16 {
    match link.next().await.unwrap() {
        Next::Event(ClientEvent::Reply { id, reply }) if id == given => reply.code(),
        other => panic!("{other:?}"),
    }
}

/// Greeting and EHLO.
pub(crate) async fn greet<S: Stream>(link: &mut Link<S>) {
    assert_eq!(tell(link).await, "greeting 220");
    hello(link).await;
}

pub(crate) async fn hello<S: Stream>(link: &mut Link<S>) {
    let name = HelloName::parse("client.example.test").unwrap();
    let id = link.machine().hello(&name).unwrap();
    assert_eq!(code(link, id).await, 250);
}

pub(crate) fn mail() -> Mail<'static> {
    Mail::new(ReversePath::parse("<a@client.example.test>").unwrap().0)
}

pub(crate) fn rcpt(path: &'static str) -> Rcpt<'static> {
    Rcpt::new(ForwardPath::parse(path).unwrap().0)
}

/// MAIL, RCPT and DATA, up to the 354.
pub(crate) async fn ask_for_body<S: Stream>(link: &mut Link<S>) {
    link.machine().mail(&mail()).unwrap();
    link.machine().rcpt(&rcpt("<user1@example.test>")).unwrap();
    link.machine().data().unwrap();
    for expected in ["reply 250", "reply 250", "reply 354", "idle"] {
        assert_eq!(tell(link).await, expected);
    }
}

/// QUIT, and the end of the connection.
pub(crate) async fn quit<S: Stream>(mut link: Link<S>) {
    let id = link.machine().quit().unwrap();
    assert_eq!(code(&mut link, id).await, 221);
    assert_eq!(tell(&mut link).await, "closed Quit");
    link.close().await;
}
