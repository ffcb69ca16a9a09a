//! Connections that are scripts: what is measured is neither a socket nor a policy.

use smtp_driver::{Peer, Runtime, Service, Stream, Timer, serve};
use smtp_proto::{
    Instant, Need, Start, Step,
    server::{Event, ServerConfig, ServerConnection},
};
use std::{
    fmt::Write as _,
    future::pending,
    hint::black_box,
    io::{self, IoSlice},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::discard::Discard;

/// The one moment of all that is measured.
pub const NOW: Instant = Instant::from_secs(1);

/// The envelope of a message to so many recipients, and the DATA behind it, as one group.
#[must_use]
pub fn envelope(recipients: usize) -> Vec<u8> {
    let mut group = String::from("MAIL FROM:<sender@client.example> SIZE=1024\r\n");
    for number in 0..recipients {
        // Writing to a string does not fail.
        let _ = write!(group, "RCPT TO:<recipient-{number}@mx.example>\r\n");
    }
    group.push_str("DATA\r\n");
    group.into_bytes()
}

/// The machine with an embedder that says yes to everything and keeps nothing.
#[derive(Debug)]
pub struct Accepting(ServerConnection);

impl Accepting {
    /// A connection whose greeting and EHLO are over.
    #[must_use]
    pub fn greeted(config: Arc<ServerConfig>) -> Self {
        let mut this = Self(ServerConnection::new(config, Start::Plain));
        this.feed(b"");
        this.feed(b"EHLO client.example\r\n");
        this
    }

    /// Feeds `input`, which holds whole lines, and takes the replies: how many octets they had.
    pub fn feed(&mut self, mut input: &[u8]) -> usize {
        let mut replied = 0;
        loop {
            match self.0.poll_event(&mut input, NOW) {
                Step::Event(event) => self.accept(event),
                Step::Need(need) => {
                    replied += self.drain();
                    if need == Need::Input {
                        return replied;
                    }
                }
                Step::Closed(_) => return replied,
            }
        }
    }

    /// The next event of `input`.
    pub fn poll<'b>(&mut self, input: &mut &'b [u8]) -> Step<Event<'b>> {
        self.0.poll_event(input, NOW)
    }

    /// Refuses what an event asks, so that all is as before, and forgets the reply.
    pub fn refuse(&mut self, step: Step<Event<'_>>) {
        use smtp_proto::wire::Refused;
        let refused = match step {
            Step::Event(Event::Hello { pending, .. }) => self.0.refuse(pending, &Refused::DENIED),
            Step::Event(Event::Mail { pending, .. }) => self.0.refuse(pending, &Refused::DENIED),
            Step::Event(Event::Rcpt { pending, .. }) => self.0.refuse(pending, &Refused::DENIED),
            other => unreachable!("{other:?}"),
        };
        debug_assert!(refused.is_ok(), "it was just asked");
        self.drain();
    }

    fn accept(&mut self, event: Event<'_>) {
        let accepted = match event {
            Event::Connect(pending) => self.0.accept(pending),
            Event::Hello { pending, .. } => self.0.accept(pending),
            Event::Mail { mail, pending } => {
                black_box(&mail);
                self.0.accept(pending)
            }
            Event::Rcpt { rcpt, pending } => {
                black_box(&rcpt);
                self.0.accept(pending)
            }
            Event::Data { pending, .. } => self.0.accept(pending),
            Event::Body(octets) => {
                black_box(octets);
                return;
            }
            Event::BodyEnd { pending, .. } => self.0.accept(pending),
            Event::Reset(_) => return,
            other => unreachable!("the script is correct: {other:?}"),
        };
        debug_assert!(accepted.is_ok(), "it was just asked");
    }

    fn drain(&mut self) -> usize {
        let mut drained = 0;
        while let Some(octets) = self.0.poll_transmit() {
            let n = black_box(octets).len();
            self.0.handle_transmitted(n);
            drained += n;
        }
        drained
    }
}

/// Serves a connection on which the peer sends `parts`, each of them once it has been answered.
pub fn serve_script(service: &Service, parts: &[Arc<[u8]>]) {
    let stream = Script { parts: parts.to_vec(), at: (0, 0), answered: false };
    let peer = Peer { remote: None, local: None };
    let mut session = pin!(serve(stream, peer, Frozen, service.clone(), Discard, pending()));
    let mut cx = Context::from_waker(Waker::noop());
    // It waits only where it has something to write first.
    while session.as_mut().poll(&mut cx).is_pending() {}
}

/// The peer.
struct Script {
    parts: Vec<Arc<[u8]>>,
    /// The part that is being read, and how far.
    at: (usize, usize),
    /// Something was written since the part before was read.
    answered: bool,
}

impl Stream for Script {
    fn poll_readable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.answered { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if !self.answered {
            return Poll::Pending;
        }
        let (part, from) = self.at;
        let Some(octets) = self.parts.get(part) else { return Poll::Ready(Ok(0)) };
        let n = buf.len().min(octets.len() - from);
        buf[..n].copy_from_slice(&octets[from..from + n]);
        self.at = (part, from + n);
        if from + n == octets.len() {
            self.at = (part + 1, 0);
            self.answered = false;
        }
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        &mut self,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.answered = true;
        Poll::Ready(Ok(bufs.iter().map(|buf| black_box(buf).len()).sum()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A runtime in which no time passes.
#[derive(Clone, Copy)]
struct Frozen;

impl Runtime for Frozen {
    type Timer = Never;

    fn now(&self) -> Instant {
        NOW
    }

    fn timer(&self) -> Never {
        Never
    }
}

struct Never;

impl Timer for Never {
    fn set(&mut self, _: Option<Instant>) {}

    fn poll_fired(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}
