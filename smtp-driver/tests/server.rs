//! The accept loop, its bounds and its end, in virtual time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use smtp_driver::{
    Limiter, Listener, Notice, Peer, Runtime, Server, Service, Spawn, Stop, Stream, proto,
};
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};
use testkit::{
    clock::{Task, VirtualRuntime, VirtualTimer},
    memory::{self, MemoryStream},
    policy::Policy,
    suite,
};

/// Virtual time, for a server too.
#[derive(Clone, Default)]
struct Virtual(VirtualRuntime);

impl Runtime for Virtual {
    type Timer = VirtualTimer;

    fn now(&self) -> proto::Instant {
        self.0.now()
    }

    fn timer(&self) -> VirtualTimer {
        self.0.timer()
    }
}

impl Spawn for Virtual {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.spawn(task));
    }
}

/// A network in memory: who connects, and which errors accept(2) gives.
#[derive(Clone, Default)]
struct Net(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    accepted: VecDeque<io::Result<(MemoryStream, Peer)>>,
    waker: Option<Waker>,
}

impl Net {
    fn connect(&self, from: &str) -> MemoryStream {
        let (client, server) = memory::pair(4096);
        let remote: SocketAddr = from.parse().unwrap();
        self.push(Ok((server, Peer { remote: Some(remote), local: None })));
        client
    }

    fn push(&self, result: io::Result<(MemoryStream, Peer)>) {
        let mut waiting = self.0.lock().unwrap();
        waiting.accepted.push_back(result);
        if let Some(waker) = waiting.waker.take() {
            waker.wake();
        }
    }
}

impl Listener for Net {
    type Stream = MemoryStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(MemoryStream, Peer)>> {
        let mut waiting = self.0.lock().unwrap();
        match waiting.accepted.pop_front() {
            Some(result) => Poll::Ready(result),
            None => {
                waiting.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

struct World {
    runtime: VirtualRuntime,
    net: Net,
    stop: Stop,
    server: Task<()>,
    notices: Arc<Mutex<Vec<String>>>,
}

fn world(limiter: Limiter) -> World {
    world_behind(&[], limiter)
}

/// A server that knows these proxies.
fn world_behind(proxies: &[&str], limiter: Limiter) -> World {
    let (runtime, net) = (Virtual::default(), Net::default());
    let notices = Arc::new(Mutex::new(Vec::new()));
    let log = notices.clone();
    let behind_proxies = !proxies.is_empty();
    let proxies = proxies.iter().map(|address| address.parse().unwrap());
    let service = Service::new(suite::config()).unwrap().proxies(proxies);
    let server = Server::new(runtime.clone(), service, Policy::new())
        .limiter(limiter)
        .grace(Duration::from_secs(30))
        .observer(move |notice| {
            log.lock().unwrap().push(match notice {
                Notice::AcceptFailed(error) => error.to_string(),
                Notice::TurnedAway { full, .. } => full.to_string(),
                Notice::Ended { peer, result: Err(error) } => {
                    format!("{:?} of {}", error.kind(), peer.remote.unwrap())
                }
                Notice::Ended { peer, result: Ok(why) } if behind_proxies => {
                    format!("{why:?} of {} at {:?}", peer.remote.unwrap(), peer.local)
                }
                Notice::Ended { result: Ok(why), .. } => format!("{why:?}"),
                Notice::Cut { .. } => "cut".into(),
                other => format!("{other:?}"),
            });
        });
    let stop = server.stop();
    let server = runtime.0.spawn(server.run(net.clone()));
    World { runtime: runtime.0, net, stop, server, notices }
}

impl World {
    fn notices(&self) -> Vec<String> {
        std::mem::take(&mut *self.notices.lock().unwrap())
    }

    /// What `client` was told since it last asked.
    fn told(&self, client: &MemoryStream) -> String {
        self.runtime.run_ready();
        String::from_utf8(client.take()).unwrap()
    }
}

#[test]
fn want_of_descriptors_pauses_accepting_and_never_ends_it() {
    const EMFILE: i32 = 24;
    let world = world(Limiter::default());
    for _ in 0..12 {
        world.net.push(Err(io::Error::from_raw_os_error(EMFILE)));
    }
    let client = world.net.connect("192.0.2.1:1025");
    // 5 + 10 + 20 + … + 640 ms, then four times 1 s.
    world.runtime.run_for(Duration::from_millis(5 * 255 + 4000 - 1));
    assert_eq!(world.told(&client), "");
    world.runtime.run_for(Duration::from_millis(1));
    assert!(world.told(&client).starts_with("220 mx.example.test "));
    assert_eq!(world.notices().len(), 12);
    assert!(!world.server.is_finished());
}

#[test]
fn a_connection_that_died_in_the_backlog_costs_no_time() {
    let world = world(Limiter::default());
    world.net.push(Err(io::ErrorKind::ConnectionAborted.into()));
    let client = world.net.connect("192.0.2.1:1025");
    assert!(world.told(&client).starts_with("220 "));
}

/// SEC-DOS-05
#[test]
fn over_a_bound_the_greeting_is_421_until_a_connection_ends() {
    let world = world(Limiter::new(3, 2));
    let first = world.net.connect("192.0.2.1:1025");
    let second = world.net.connect("192.0.2.1:1026");
    let third = world.net.connect("192.0.2.1:1027");
    assert!(world.told(&first).starts_with("220 "));
    assert!(world.told(&second).starts_with("220 "));
    let away = "421 mx.example.test Too many connections, try again later\r\n";
    assert_eq!(world.told(&third), away);
    assert!(third.is_finished());
    let other = world.net.connect("192.0.2.2:1025");
    assert!(world.told(&other).starts_with("220 "));
    let one_more = world.net.connect("192.0.2.3:1025");
    assert_eq!(world.told(&one_more), away);
    let expected = ["too many connections from this address", "too many connections"];
    assert_eq!(world.notices(), expected);

    assert_eq!(first.put(b"QUIT\r\n"), 6);
    assert!(world.told(&first).starts_with("221 "));
    drop(first);
    let again = world.net.connect("192.0.2.1:1028");
    assert!(world.told(&again).starts_with("220 "));
    assert_eq!(world.notices(), ["Quit"]);
}

#[test]
fn a_stopped_server_says_421_and_ends_when_the_last_connection_has() {
    let world = world(Limiter::default());
    let client = world.net.connect("192.0.2.1:1025");
    assert!(world.told(&client).starts_with("220 "));
    world.stop.stop();
    assert!(world.told(&client).starts_with("421 "));
    assert!(client.is_finished());
    assert!(!world.server.is_finished());
    let late = world.net.connect("192.0.2.2:1025");
    assert_eq!(world.told(&late), "");
    drop(client);
    world.runtime.run_ready();
    assert!(world.server.is_finished());
    assert_eq!(world.notices(), ["Shutdown"]);
}

#[test]
fn a_message_that_is_running_is_waited_for_and_cut_when_the_grace_is_over() {
    let world = world(Limiter::default());
    let client = world.net.connect("192.0.2.1:1025");
    let commands = b"HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<user1@example.test>\r\nDATA\r\n";
    assert_eq!(client.put(commands), commands.len());
    assert!(world.told(&client).contains("\r\n354 "));
    world.stop.stop();
    world.runtime.run_for(Duration::from_secs(29));
    assert_eq!(world.told(&client), "");
    assert!(!world.server.is_finished());
    world.runtime.run_for(Duration::from_secs(1));
    assert!(world.server.is_finished());
    assert!(client.is_finished());
    assert_eq!(world.notices(), ["cut"]);
}

/// Gives one connection, and then dead ones without end.
struct Flood(Option<MemoryStream>);

impl Listener for Flood {
    type Stream = MemoryStream;

    fn poll_accept(&mut self, _: &mut Context<'_>) -> Poll<io::Result<(MemoryStream, Peer)>> {
        let peer = Peer { remote: None, local: None };
        let stream = self.0.take().ok_or(io::ErrorKind::ConnectionAborted.into());
        Poll::Ready(stream.map(|stream| (stream, peer)))
    }
}

#[test]
fn a_flood_of_connections_leaves_time_for_those_that_are_there() {
    let runtime = Virtual::default();
    let (mut client, stream) = memory::pair(4096);
    let service = Service::new(suite::config()).unwrap();
    let server = Server::new(runtime.clone(), service, Policy::new());
    drop(runtime.0.spawn(server.run(Flood(Some(stream)))));
    runtime.0.run_until(poll_fn(|cx| client.poll_readable(cx))).unwrap();
    assert!(client.take().starts_with(b"220 "));
}

/// HAProxy, proxy-protocol.txt §2: the greeting comes behind the header
#[test]
fn a_proxy_says_who_its_client_is_before_the_greeting() {
    let world = world_behind(&["192.0.2.80"], Limiter::default());
    let client = world.net.connect("192.0.2.80:1025");
    assert_eq!(world.told(&client), "");
    for piece in ["PRO", "XY TCP4 198.51.100.9 192.0.2.25 4", "0000 25\r\nQUIT\r\n"] {
        client.put(piece.as_bytes());
    }
    let told = world.told(&client);
    assert!(told.starts_with("220 ") && told.contains("\r\n221 "), "{told}");
    client.close();
    world.runtime.run_ready();
    assert_eq!(world.notices(), ["Quit of 198.51.100.9:40000 at Some(192.0.2.25:25)"]);
}

/// PROXY-02: bad: close, and no greeting before the header
#[test]
fn a_proxy_that_says_nothing_of_its_client_hears_nothing() {
    let world = world_behind(&["192.0.2.80"], Limiter::default());
    let silent = world.net.connect("192.0.2.80:1025");
    let wrong = world.net.connect("[::ffff:192.0.2.80]:1026");
    wrong.put(b"EHLO client.example\r\n");
    assert_eq!(world.told(&wrong), "");
    assert_eq!(world.notices(), ["InvalidData of [::ffff:192.0.2.80]:1026"]);
    let half = world.net.connect("192.0.2.80:1027");
    half.put(b"PROXY TCP4 198.51");
    half.close();
    assert_eq!(world.told(&half), "");
    assert_eq!(world.notices(), ["UnexpectedEof of 192.0.2.80:1027"]);
    world.runtime.run_for(Duration::from_secs(60));
    assert_eq!(world.told(&silent), "");
    assert_eq!(world.notices(), ["TimedOut of 192.0.2.80:1025"]);
}

/// PROXY-01: a stranger cannot say who it is
#[test]
fn a_header_from_a_stranger_is_an_unknown_command() {
    let world = world_behind(&["192.0.2.80"], Limiter::default());
    let client = world.net.connect("192.0.2.1:1025");
    client.put(b"PROXY TCP4 127.0.0.1 192.0.2.25 40000 25\r\nQUIT\r\n");
    let told = world.told(&client);
    assert!(told.starts_with("220 ") && told.contains("\r\n500 5.5.1 "), "{told}");
}

/// A health check: the proxy speaks for itself
#[test]
fn a_local_header_leaves_the_addresses_as_they_are() {
    let world = world_behind(&["192.0.2.80"], Limiter::default());
    let client = world.net.connect("192.0.2.80:1025");
    client.put(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0QUIT\r\n");
    let told = world.told(&client);
    assert!(told.starts_with("220 ") && told.contains("\r\n221 "), "{told}");
    client.close();
    world.runtime.run_ready();
    assert_eq!(world.notices(), ["Quit of 192.0.2.80:1025 at None"]);
}

/// Many clients come from one proxy
#[test]
fn a_proxy_is_not_bounded_by_address() {
    let world = world_behind(&["192.0.2.80"], Limiter::new(10, 1));
    let clients = ["192.0.2.80:1025", "192.0.2.80:1026"].map(|from| world.net.connect(from));
    for client in &clients {
        client.put(b"PROXY UNKNOWN\r\n");
        assert!(world.told(client).starts_with("220 "));
    }
}

/// CONN-08, RFC 5321 §4.5.4.2
#[test]
fn twenty_clients_at_once_are_greeted_and_answered() {
    let world = world(Limiter::default());
    let clients: Vec<_> =
        (1..=20).map(|n| world.net.connect(&format!("192.0.2.{n}:1025"))).collect();
    for client in &clients {
        assert!(world.told(client).starts_with("220 "));
    }
    for client in &clients {
        client.put(b"EHLO client.example.test\r\n");
    }
    for client in &clients {
        assert!(world.told(client).starts_with("250"));
    }
}
