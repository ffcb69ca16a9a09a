//! Transports that cut octets elsewhere, or take their time.

use crate::faulty::{fault::Fault, server::Faulty};
use smtp_conformance::wire::{Port, Received, Target, Wire};
use std::{io, thread, time::Duration};

/// How octets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As they are written.
    Plain,
    /// Replies octet by octet, what is sent in pieces of five.
    Chopped,
    /// Each way late by some milliseconds.
    Slow,
}

/// Faults that show only where several commands come in one segment, which is cut here; and the last,
/// by which a chopped command is so wrong that nothing can be said.
pub(crate) const NEEDS_ONE_SEGMENT: &[Fault] = &[
    Fault::MergesReplies,
    Fault::OutOfOrder,
    Fault::HoldsReplies,
    Fault::OneRcptReply,
    Fault::RunsInjected,
    Fault::RunsInjectedLines,
    Fault::GluesHalfLine,
    Fault::WholeLinesOnly,
];

/// Octets of a write that are cut.
const CHOPPED: usize = 200;

/// A server behind such a transport.
pub(crate) struct Through {
    /// The server.
    pub(crate) server: Faulty,
    /// The transport.
    pub(crate) kind: Kind,
}

impl Target for Through {
    fn connect(&self, port: Port) -> io::Result<Box<dyn Wire>> {
        let inner = self.server.connect(port)?;
        Ok(match self.kind {
            Kind::Plain => inner,
            kind => Box::new(Other { inner, kind }),
        })
    }

    fn has(&self, port: Port) -> bool {
        self.server.has(port)
    }

    fn restart(&self) -> Option<io::Result<()>> {
        self.server.restart()
    }
}

struct Other {
    inner: Box<dyn Wire>,
    kind: Kind,
}

impl Wire for Other {
    fn send(&mut self, octets: &[u8]) -> bool {
        if self.kind == Kind::Slow {
            thread::sleep(Duration::from_millis(5));
        }
        if self.kind == Kind::Chopped {
            let (front, rest) = octets.split_at(octets.len().min(CHOPPED));
            let mut pieces = front.chunks(5).chain([rest]);
            return pieces.all(|piece| piece.is_empty() || self.inner.send(piece));
        }
        self.inner.send(octets)
    }

    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> Received {
        let most = match self.kind {
            Kind::Chopped => 1,
            _ => buffer.len(),
        };
        let received = self.inner.receive(&mut buffer[..most], patience);
        if self.kind == Kind::Slow {
            thread::sleep(Duration::from_millis(5));
        }
        received
    }

    fn finish(&mut self) {
        self.inner.finish();
    }
}
