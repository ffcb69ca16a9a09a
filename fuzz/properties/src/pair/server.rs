//! The server's side: policy and mailbox.

use super::choice::{
    ANSWERS_LATE, AUTH, CHUNKING, Choice, DSN, LIMITS, LMTP, REFUSES_MESSAGE, SMTPUTF8,
};
use crate::embedder::{NOW, drain};
use smtp_proto::{
    CloseReason, Limits, Need, Start, Step,
    ext::Extensions,
    server::{BareLineEnding, Event, Mode, Pending, ServerConfig, ServerConnection, op},
    wire::{Host, Mechanism, Refused},
};

/// The server and what it has seen.
pub(super) struct Server {
    pub(super) connection: ServerConnection,
    pub(super) inbox: Vec<u8>,
    pub(super) outbox: Vec<u8>,
    refuses: bool,
    late: bool,
    recipients: Vec<String>,
    body: Vec<u8>,
    /// Messages for which the server said yes, with their recipients.
    pub(super) accepted: Vec<(Vec<String>, Vec<u8>)>,
    taken: Vec<String>,
    pub(super) moves: usize,
    pub(super) closed: Option<CloseReason>,
}

impl Server {
    pub(super) fn new(choice: Choice) -> Self {
        let mut extensions = Extensions::new();
        if choice.offers(CHUNKING) {
            extensions = extensions.chunking();
        }
        if choice.offers(SMTPUTF8) {
            extensions = extensions.smtputf8();
        }
        if choice.offers(DSN) {
            extensions = extensions.dsn();
        }
        if choice.offers(AUTH) {
            extensions = extensions.auth([Mechanism::PLAIN]).danger_auth_in_clear();
        }
        if choice.offers(LIMITS) {
            extensions = extensions.limits();
        }
        let mut limits = Limits::default();
        limits.decisions_in_flight = if choice.offers(ANSWERS_LATE) { 8 } else { 1 };
        let host = Host::parse("mx.example").expect("a host name").into_static();
        let config = ServerConfig::builder(host)
            .mode(if choice.offers(LMTP) { Mode::Lmtp } else { Mode::Smtp })
            .extensions(extensions)
            .limits(limits)
            .bare_line_endings(BareLineEnding::Refuse)
            .build();
        Self {
            connection: ServerConnection::new(config, Start::Plain),
            inbox: Vec::new(),
            outbox: Vec::new(),
            refuses: choice.offers(REFUSES_MESSAGE),
            late: choice.offers(ANSWERS_LATE),
            recipients: Vec::new(),
            body: Vec::new(),
            accepted: Vec::new(),
            taken: Vec::new(),
            moves: 0,
            closed: None,
        }
    }

    pub(super) fn end(&mut self) {
        self.connection.handle_eof();
    }

    pub(super) fn run(&mut self) {
        let arrived = std::mem::take(&mut self.inbox);
        let mut input = &arrived[..];
        let mut held = Vec::new();
        loop {
            match self.connection.poll_event(&mut input, NOW) {
                Step::Event(Event::Rcpt { rcpt, pending }) if self.late => {
                    self.moves += 1;
                    held.push((rcpt.to.to_string(), pending));
                }
                Step::Event(event) => {
                    self.moves += 1;
                    self.event(event);
                }
                // The last question is answered first.
                Step::Need(Need::Decision) => {
                    for (to, pending) in held.drain(..).rev() {
                        self.rcpt(to, pending);
                    }
                    self.recipients.sort();
                }
                Step::Need(Need::Flush) => drain(&mut self.connection, &mut self.outbox),
                Step::Need(Need::Input) => break,
                Step::Closed(why) => {
                    self.closed = Some(why);
                    break;
                }
            }
        }
        self.inbox = input.to_vec();
        drain(&mut self.connection, &mut self.outbox);
    }

    fn rcpt(&mut self, to: String, pending: Pending<op::Rcpt>) {
        if to.starts_with("<x") {
            self.connection.refuse(pending, &Refused::NO_SUCH_USER).expect("just asked");
        } else {
            self.recipients.push(to);
            self.connection.accept(pending).expect("just asked");
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Rcpt { rcpt, pending } => self.rcpt(rcpt.to.to_string(), pending),
            Event::Auth { pending, .. } => self.connection.accept(pending).expect("just asked"),
            Event::Body(piece) => self.body.extend_from_slice(piece),
            Event::BodyEnd { pending, size } => {
                assert_eq!(size, self.body.len() as u64);
                if self.refuses {
                    self.connection.refuse(pending, &Refused::CONTENT).expect("just asked");
                } else {
                    self.connection.accept(pending).expect("just asked");
                    self.accepted.push((self.recipients.clone(), self.body.clone()));
                }
            }
            Event::Delivery { pending, index, .. } => {
                // Every other recipient of a message that is refused.
                if self.refuses && index % 2 == 0 {
                    self.connection.refuse(pending, &Refused::CONTENT).expect("just asked");
                } else {
                    self.connection.accept(pending).expect("just asked");
                    self.taken.push(self.recipients[index as usize].clone());
                }
                if index as usize + 1 == self.recipients.len() && !self.taken.is_empty() {
                    self.accepted.push((std::mem::take(&mut self.taken), self.body.clone()));
                }
            }
            Event::Reset(_) => {
                self.recipients.clear();
                self.body.clear();
                self.taken.clear();
            }
            Event::Mail { mail, pending } => {
                assert!(mail.size.is_none_or(|size| size < 1 << 20));
                self.connection.accept(pending).expect("just asked");
            }
            other => self.connection.answer_default(other),
        }
    }
}
