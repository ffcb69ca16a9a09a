//! What a server drips on a client: the driver's link with its buffer, in virtual time.

use smtp_driver::{
    Pool,
    client::{ClientLink, Next},
};
use smtp_proto::{
    client::{ClientConfig, Limits},
    wire::{ForwardPath, HelloName, Mail, Rcpt, ReversePath},
};
use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};
use testkit::{
    clock::VirtualRuntime,
    memory::{MemoryStream, pair},
};

/// Runs the case of this name, if it is one of these.
pub(crate) fn run(case: &str, n: usize) -> bool {
    let mut world = World::new();
    match case {
        "reply-of-lines" => {
            world.hears(&[&b"250-X-EXTENSION\r\n".repeat(n)[..], b"250 X\r\n"].concat())
        }
        "reply-of-one-line" => {
            world.hears(&[b"250 ", &vec![b'x'; n][..], b"\r\n"].concat());
        }
        "replies-to-a-group" => {
            world.hears(b"250-mx.example.test\r\n250 PIPELINING\r\n");
            world.group(n);
            world.hears(&b"250 ok\r\n".repeat(n + 1));
        }
        _ => return false,
    }
    true
}

struct World {
    link: ClientLink<MemoryStream, VirtualRuntime>,
    server: MemoryStream,
}

impl World {
    /// A client that has said EHLO.
    fn new() -> Self {
        let (client, server) = pair(1 << 20);
        let mut limits = Limits::default();
        (limits.reply, limits.send_buffer, limits.unanswered) = (1 << 20, 1 << 20, usize::MAX);
        let config = ClientConfig::builder().limits(limits).build();
        let pool = Pool::new(2 << 20, 1);
        let link =
            ClientLink::new(client, VirtualRuntime::new(), config, pool).expect("a buffer for it");
        let mut world = Self { link, server };
        world.hears(b"220 mx.example.test\r\n");
        let name = HelloName::parse("client.example.test").expect("a name");
        world.link.machine().hello(&name).expect("its time");
        world
    }

    /// A transaction with `n` recipients.
    fn group(&mut self, n: usize) {
        let rcpt = Rcpt::new(ForwardPath::parse("<b@example.test>").expect("a path").0);
        self.link.machine().mail(&Mail::new(ReversePath::Null)).expect("its time");
        for _ in 0..n {
            self.link.machine().rcpt(&rcpt).expect("room for it");
        }
    }

    /// Octet by octet; after each the link says all that it has to say.
    fn hears(&mut self, replies: &[u8]) {
        self.settle();
        for octet in replies {
            assert_eq!(self.server.put(&[*octet]), 1, "the client has left");
            self.settle();
        }
    }

    fn settle(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(next) = pin!(self.link.next()).poll(&mut cx) {
            match next.expect("an open stream") {
                Next::Event(_) => {}
                Next::Idle => break,
                Next::Closed(why) => panic!("{why:?}"),
            }
        }
        drop(self.server.take());
    }
}
