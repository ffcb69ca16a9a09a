//! What a client drips on a server: the driver with its buffers, in virtual time.

use smtp_driver::{Listener, Peer, Runtime, Server, Service, Spawn};
use smtp_proto::{
    Instant,
    ext::Extensions,
    server::ServerConfig,
    wire::{Host, Mechanism},
};
use std::{
    future::Future,
    io,
    net::SocketAddr,
    task::{Context, Poll},
};
use testkit::{
    clock::{VirtualRuntime, VirtualTimer},
    memory::{MemoryStream, pair},
    policy::Policy,
};

const PEER: Peer = Peer { remote: None, local: None };
const GREETING: &[u8] = b"EHLO client.example.test\r\n";
const ENVELOPE: &[u8] = b"MAIL FROM:<>\r\nRCPT TO:<user1@example.test>\r\n";

/// Runs the case of this name, if it is one of these.
pub(crate) fn run(case: &str, n: usize) -> bool {
    let data = || [ENVELOPE, b"DATA\r\n"].concat();
    let (first, octets) = match case {
        "commands" => (vec![], b"NOOP\r\n".repeat(n)),
        "unknown-commands" => (vec![], b"XYZZY a b c\r\n".repeat(n)),
        "endless-line" => (vec![], vec![b'x'; n]),
        "auth-response" => (b"AUTH PLAIN\r\n".to_vec(), vec![b'A'; n]),
        "pipelined-recipients" => {
            (b"MAIL FROM:<>\r\n".to_vec(), b"RCPT TO:<user1@example.test>\r\n".repeat(n))
        }
        "message-of-lines" => (data(), b"a line of text, no header\r\n".repeat(n / 27)),
        "message-of-one-line" => (data(), vec![b'x'; n]),
        "message-of-dots" => (data(), b"..\r\n".repeat(n / 4)),
        "message-of-line-ends" => (data(), b"\r\n".repeat(n / 2)),
        "refused-message" => (data(), [b"bare\n", &vec![b'x'; n][..]].concat()),
        "chunks-of-one-octet" => (ENVELOPE.to_vec(), b"BDAT 1\r\nx".repeat(n)),
        "refused-chunk" => (vec![], [b"BDAT 10000000\r\n", &vec![b'x'; n][..]].concat()),
        "proxy-header" => {
            proxy_header(n);
            return true;
        }
        _ => return false,
    };
    let world = World::new(service(), PEER);
    world.whole(GREETING);
    world.whole(&first);
    world.drip(&octets);
    true
}

struct World {
    runtime: VirtualRuntime,
    client: MemoryStream,
}

impl World {
    fn new(service: Service, peer: Peer) -> Self {
        let runtime = VirtualRuntime::new();
        let (client, stream) = pair(1 << 16);
        let server = Server::new(Virtual(runtime.clone()), service, Policy::new());
        drop(runtime.spawn(server.run(One(Some((stream, peer))))));
        Self { runtime, client }
    }

    fn whole(&self, octets: &[u8]) {
        assert_eq!(self.client.put(octets), octets.len());
        self.runtime.run_ready();
        let replies = self.client.take();
        assert!(!replies.starts_with(b"5"), "{}", replies.escape_ascii());
    }

    fn drip(&self, octets: &[u8]) {
        for octet in octets {
            assert_eq!(self.client.put(&[*octet]), 1, "the server has left");
            self.runtime.run_ready();
            drop(self.client.take());
        }
    }
}

/// A header of version 2 with N octets of fields that nobody reads, from a proxy that is known.
fn proxy_header(n: usize) {
    let remote = SocketAddr::from(([192, 0, 2, 80], 1025));
    let world =
        World::new(service().proxies([remote.ip()]), Peer { remote: Some(remote), local: None });
    let length = u16::try_from(n).expect("a length of 16 bits").to_be_bytes();
    world.drip(&[&b"\r\n\r\n\0\r\nQUIT\n\x20\0"[..], &length, &vec![0; n]].concat());
}

fn service() -> Service {
    let mut limits = smtp_proto::Limits::default();
    (limits.recipients, limits.violations) = (u32::MAX, u16::MAX);
    (limits.message, limits.swallow) = (u64::MAX, u64::MAX);
    // A drip would be too slow.
    limits.data_rate = 0;
    let extensions = Extensions::new().chunking().auth([Mechanism::PLAIN]).danger_auth_in_clear();
    let host = Host::parse("mx.example.test").expect("a name");
    let config = ServerConfig::builder(host).extensions(extensions).limits(limits).build();
    Service::new(config).expect("buffers for its limits").credentials(Policy::new())
}

/// One connection, and then no other.
struct One(Option<(MemoryStream, Peer)>);

impl Listener for One {
    type Stream = MemoryStream;

    fn poll_accept(&mut self, _: &mut Context<'_>) -> Poll<io::Result<(MemoryStream, Peer)>> {
        self.0.take().map_or(Poll::Pending, |one| Poll::Ready(Ok(one)))
    }
}

/// Virtual time, for a server that spawns its connections.
#[derive(Clone)]
struct Virtual(VirtualRuntime);

impl Runtime for Virtual {
    type Timer = VirtualTimer;

    fn now(&self) -> Instant {
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
