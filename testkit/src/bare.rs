//! The machine without a driver: answered at once by the [`Policy`], and driven by hand.

use crate::{
    line::Line,
    policy::{Delivered, Policy},
};
use smtp_proto::{
    CloseReason, Instant, Need, Secret, Step,
    server::{Event, Pending, ServerConfig, ServerConnection, Start, op},
    wire::{Base64, Mechanism, Refused},
};
use std::{
    future::{Future, ready},
    io,
    sync::Arc,
    time::Duration,
};

/// Answers every question of a machine by the [`Policy`], and keeps what the machine does not: the
/// envelope and the message.
///
/// AUTH has PLAIN only. The answer to a TLS handshake is the caller's business:
/// [`handle`](Self::handle) says that it succeeded.
#[derive(Debug)]
pub struct Embedder {
    policy: Policy,
    from: String,
    recipients: Vec<String>,
    octets: Vec<u8>,
    identity: Option<String>,
}

impl Embedder {
    /// An embedder for one connection.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            from: String::new(),
            recipients: Vec::new(),
            octets: Vec::new(),
            identity: None,
        }
    }

    /// Answers `event`, which came from `machine`. An answer that comes too late is nobody's fault
    /// and has no effect.
    pub fn handle(&mut self, machine: &mut ServerConnection, event: Event<'_>) {
        let _ = match event {
            Event::Handshake(pending) => {
                self.identity = None;
                machine.establish(pending)
            }
            Event::Auth { mechanism, initial, pending } => match initial {
                _ if mechanism != Mechanism::PLAIN => {
                    machine.refuse(pending, &Refused::NO_SUCH_MECHANISM)
                }
                None => machine.challenge(pending, b""),
                Some(data) => self.check_plain(machine, &data, pending),
            },
            Event::AuthResponse { data, pending } => self.check_plain(machine, &data, pending),
            Event::Mail { mail, pending } => {
                self.from = mail.from.to_string();
                machine.accept(pending)
            }
            Event::Rcpt { rcpt, pending } => {
                match self.policy.recipient(machine.session(), &rcpt.to) {
                    Ok(()) => {
                        self.recipients.push(rcpt.to.to_string());
                        machine.accept(pending)
                    }
                    Err(reply) => machine.refuse(pending, &reply),
                }
            }
            Event::Body(octets) => {
                self.octets.extend_from_slice(octets);
                Ok(())
            }
            Event::BodyEnd { pending, .. } => {
                self.deliver(self.recipients.clone());
                machine.accept(pending)
            }
            Event::Delivery { index, pending, .. } => {
                self.deliver(vec![self.recipients[index as usize].clone()]);
                machine.accept(pending)
            }
            Event::BodyAborted(_) => {
                self.octets.clear();
                Ok(())
            }
            Event::Reset(_) => {
                self.octets.clear();
                self.recipients.clear();
                Ok(())
            }
            other => {
                machine.answer_default(other);
                Ok(())
            }
        };
    }

    fn deliver(&self, recipients: Vec<String>) {
        self.policy.deliver(Delivered {
            from: self.from.clone(),
            recipients,
            octets: self.octets.clone(),
            identity: self.identity.clone(),
        });
    }

    /// RFC 4616 §2: `[authzid] NUL authcid NUL passwd`.
    fn check_plain(
        &mut self,
        machine: &mut ServerConnection,
        data: &Secret<Base64<'_>>,
        pending: Pending<op::Auth>,
    ) -> Result<(), smtp_proto::server::Stale> {
        let data = data.expose().decode();
        let mut parts = data.split(|&octet| octet == 0).map(str::from_utf8);
        let (Some(Ok(_)), Some(Ok(user)), Some(Ok(password)), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return machine.refuse(pending, &Refused::AUTH_FAILED);
        };
        if !self.policy.password_is_right(user, password) {
            return machine.refuse(pending, &Refused::AUTH_FAILED);
        }
        self.identity = Some(user.into());
        machine.accept(pending)
    }
}

/// A machine with its [`Embedder`], as the other end of a dialogue, in virtual time.
pub struct Bare {
    /// The machine, to be asked what it thinks.
    pub machine: ServerConnection,
    embedder: Embedder,
    now: Instant,
    /// Received by the machine and not consumed.
    input: Vec<u8>,
    output: Vec<u8>,
    closed: Option<CloseReason>,
}

impl Bare {
    /// A connection that has just been made.
    #[must_use]
    pub fn new(config: Arc<ServerConfig>, policy: Policy) -> Self {
        let mut bare = Self {
            machine: ServerConnection::new(config, Start::Plain),
            embedder: Embedder::new(policy),
            now: Instant::ZERO,
            input: Vec::new(),
            output: Vec::new(),
            closed: None,
        };
        bare.advance();
        bare
    }

    /// Why the connection is over, once it is.
    #[must_use]
    pub fn closed(&self) -> Option<CloseReason> {
        self.closed
    }

    /// Runs the machine until it needs something that only the client has.
    fn advance(&mut self) {
        let mut unread = self.input.as_slice();
        loop {
            let step = self.machine.poll_event(&mut unread, self.now);
            if let Step::Event(event) = step {
                self.embedder.handle(&mut self.machine, event);
                continue;
            }
            let before = self.output.len();
            while let Some(octets) = self.machine.poll_transmit() {
                self.output.extend_from_slice(octets);
                let n = octets.len();
                self.machine.handle_transmitted(n);
            }
            match step {
                Step::Need(Need::Flush) if self.output.len() > before => {}
                Step::Closed(reason) => {
                    self.closed = Some(reason);
                    break;
                }
                _ => break,
            }
        }
        let consumed = self.input.len() - unread.len();
        self.input.drain(..consumed);
    }
}

impl Line for Bare {
    fn write(&mut self, octets: &[u8]) -> impl Future<Output = io::Result<()>> {
        self.input.extend_from_slice(octets);
        self.advance();
        ready(Ok(()))
    }

    fn read(&mut self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        let n = buf.len().min(self.output.len());
        buf[..n].copy_from_slice(&self.output[..n]);
        self.output.drain(..n);
        ready(match (n, self.closed) {
            (0, None) => Err(io::Error::other("the machine waits for input")),
            _ => Ok(n),
        })
    }

    fn finish(&mut self) -> impl Future<Output = io::Result<()>> {
        self.machine.handle_eof();
        self.advance();
        ready(Ok(()))
    }

    fn pass(&mut self, time: Duration) -> impl Future<Output = io::Result<()>> {
        let end = self.now + time;
        while let Some(at) = self.machine.poll_timeout().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.machine.handle_timeout(self.now);
            self.advance();
            if self.closed.is_some() {
                break;
            }
            if self.machine.poll_timeout() == Some(at) {
                return ready(Err(io::Error::other("a timer has fired and is still set")));
            }
        }
        self.now = self.now.max(end);
        ready(Ok(()))
    }
}
