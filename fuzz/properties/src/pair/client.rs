//! The client's side: what it does next.

use super::choice::{BDAT, Choice, EIGHT_BIT, IN_CHUNKS, LMTP, PARAMETERS, PIPELINING, TWICE};
use crate::embedder::NOW;
use smtp_proto::{
    CloseReason, Need, Start, Step,
    body::{Encoder, Framing},
    client::{Capabilities, ClientConfig, ClientConnection, ClientEvent, CommandId, Mode},
    ext::{BodyType, Notify, Ret},
    wire::{ForwardPath, HelloName, Mail, Mechanism, Rcpt, ReversePath, Xtext},
};

/// The client and what it has heard.
pub(super) struct Client {
    connection: ClientConnection,
    choice: Choice,
    message: Vec<u8>,
    pub(super) inbox: Vec<u8>,
    pub(super) outbox: Vec<u8>,
    /// The recipients of the transaction, with the ids of their RCPT.
    asked: Vec<(CommandId, String)>,
    accepted: Vec<String>,
    /// What to do next when the machine awaits nothing.
    stage: Stage,
    data: Option<CommandId>,
    end: Option<CommandId>,
    /// Chunks that are still to be given, and whether each is the last.
    chunks: Vec<(Vec<u8>, bool)>,
    settled: Vec<String>,
    /// The recipients of each message that the server is heard to have taken.
    pub(super) delivered: Vec<Vec<String>>,
    rounds: u8,
    pub(super) moves: usize,
    pub(super) closed: Option<CloseReason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Greeting,
    Hello,
    Auth,
    Envelope,
    Content,
    Chunks,
    Body,
    Ended,
    Quit,
}

impl Client {
    pub(super) fn new(choice: Choice, message: &[u8]) -> Self {
        let mut config = ClientConfig::builder()
            .mode(if choice.offers(LMTP) { Mode::Lmtp } else { Mode::Smtp })
            .line_endings(choice.line_endings());
        if !choice.asks(PIPELINING) {
            config = config.without_pipelining();
        }
        Self {
            connection: ClientConnection::new(config.strict().build(), Start::Plain),
            choice,
            message: message.to_vec(),
            inbox: Vec::new(),
            outbox: Vec::new(),
            asked: Vec::new(),
            accepted: Vec::new(),
            stage: Stage::Greeting,
            data: None,
            end: None,
            chunks: Vec::new(),
            settled: Vec::new(),
            delivered: Vec::new(),
            rounds: if choice.asks(TWICE) { 2 } else { 1 },
            moves: 0,
            closed: None,
        }
    }

    pub(super) fn end(&mut self) {
        self.connection.handle_eof();
    }

    pub(super) fn run(&mut self) {
        loop {
            let arrived = std::mem::take(&mut self.inbox);
            let mut input = &arrived[..];
            let step = self.connection.poll_event(&mut input, NOW);
            self.inbox = input.to_vec();
            match step {
                Step::Event(event) => self.event(event),
                Step::Need(Need::Decision) if self.next() => {}
                Step::Need(_) => break,
                Step::Closed(why) => {
                    self.closed = Some(why);
                    break;
                }
            }
            self.moves += 1;
            self.write();
        }
        self.write();
    }

    fn write(&mut self) {
        while let Some(octets) = self.connection.poll_transmit() {
            let n = octets.len();
            self.outbox.extend_from_slice(octets);
            self.connection.handle_transmitted(n);
        }
    }

    fn event(&mut self, event: ClientEvent<'_>) {
        match event {
            ClientEvent::Greeting(reply) => {
                assert_eq!(reply.code(), 220);
                self.stage = Stage::Hello;
            }
            ClientEvent::Reply { id, reply } => {
                let yes = matches!(reply.code(), 200..400);
                if let Some((_, to)) = self.asked.iter().find(|(asked, _)| *asked == id) {
                    assert_eq!(yes, to.starts_with("<r"), "the reply of another RCPT");
                    if yes {
                        self.accepted.push(to.clone());
                    }
                } else if self.end == Some(id) {
                    if yes {
                        self.accepted.sort();
                        self.delivered.push(std::mem::take(&mut self.accepted));
                    }
                    self.done();
                } else if self.data == Some(id) {
                    self.data = None;
                    if yes {
                        self.stage = Stage::Body;
                    } else {
                        assert!(self.accepted.is_empty(), "{reply}");
                        self.done();
                    }
                } else {
                    assert!(yes, "{reply}");
                }
            }
            ClientEvent::Delivery { id, index, reply } => {
                assert_eq!(self.end, Some(id));
                if matches!(reply.code(), 200..300) {
                    self.settled.push(self.accepted[index as usize].clone());
                }
                if index as usize + 1 == self.accepted.len() {
                    if !self.settled.is_empty() {
                        self.delivered.push(std::mem::take(&mut self.settled));
                    }
                    self.done();
                }
            }
            ClientEvent::Skipped(_) => {
                assert!(self.accepted.is_empty(), "skipped, with recipients");
                self.done();
            }
            other => panic!("{other:?}"),
        }
    }

    /// The transaction is over, one way or the other.
    fn done(&mut self) {
        self.stage = Stage::Ended;
        self.accepted.clear();
        self.asked.clear();
        self.end = None;
    }

    /// Does the next thing; false if there is none.
    fn next(&mut self) -> bool {
        let offered = self.connection.capabilities().clone();
        match self.stage {
            Stage::Greeting => return false,
            Stage::Hello => {
                let name = HelloName::parse("client.example").expect("a name");
                self.connection.hello(&name).expect("after the greeting");
                self.stage = Stage::Auth;
            }
            Stage::Auth => {
                self.stage = Stage::Envelope;
                if !offered.auth.is_empty() {
                    self.connection.auth(&Mechanism::PLAIN, Some(b"\0u\0p")).expect("offered");
                }
            }
            Stage::Envelope => self.envelope(&offered),
            Stage::Content if self.accepted.is_empty() => self.done(),
            Stage::Content => {
                self.prepare();
                self.stage = Stage::Chunks;
            }
            Stage::Chunks => self.chunk(),
            Stage::Body => self.body(),
            Stage::Ended => {
                if !self.connection.is_idle() {
                    self.connection.rset().expect("a failed transaction");
                    return true;
                }
                self.rounds -= 1;
                self.stage = if self.rounds > 0 { Stage::Envelope } else { Stage::Quit };
            }
            Stage::Quit => {
                if self.connection.quit().is_err() {
                    self.connection.abort();
                }
            }
        }
        true
    }

    fn envelope(&mut self, offered: &Capabilities) {
        let parameters = self.choice.asks(PARAMETERS);
        let mut mail = Mail::new(ReversePath::Null);
        if self.choice.asks(EIGHT_BIT) {
            mail.body = BodyType::EightBitMime;
        }
        if parameters && offered.size {
            mail.size = Some(self.message.len() as u64);
        }
        mail.smtputf8 = parameters && offered.smtputf8;
        if parameters && offered.dsn {
            mail.ret = Some(Ret::Hdrs);
            mail.envid = Some(Xtext::encode(b"id+1"));
        }
        self.connection.mail(&mail).expect("idle");
        for name in self.choice.names() {
            let (to, _) = ForwardPath::parse(&name).expect("a path");
            let mut rcpt = Rcpt::new(to);
            if parameters && offered.dsn {
                rcpt.notify = Some(Notify::Never);
            }
            let id = self.connection.rcpt(&rcpt).expect("in a transaction");
            self.asked.push((id, name));
        }
        if self.choice.asks(BDAT) && offered.chunking {
            self.stage = Stage::Content;
        } else {
            self.data = Some(self.connection.data().expect("with recipients"));
            self.stage = Stage::Ended;
        }
    }

    /// Cuts the message into chunks, or gives up if it may not be sent.
    fn prepare(&mut self) {
        let eight_bit = self.choice.asks(EIGHT_BIT);
        let mut encoder = Encoder::new(Framing::Chunked, self.choice.line_endings(), eight_bit);
        let mut text = Vec::new();
        let mut rest = &self.message[..];
        let mut pieces: [&[u8]; 4] = [&[]; 4];
        while !rest.is_empty() {
            let Ok(n) = encoder.encode(&mut rest, &mut pieces) else {
                return self.connection.abort();
            };
            text.extend(pieces[..n].concat());
        }
        let Ok(end) = encoder.finish() else { return self.connection.abort() };
        text.extend_from_slice(end);
        if self.choice.asks(IN_CHUNKS) {
            let rest = text.split_off(text.len() / 2);
            self.chunks = vec![(text, false), (rest, false), (Vec::new(), true)];
        } else {
            self.chunks = vec![(text, true)];
        }
    }

    /// Gives the next chunk, and those after it for as long as they may leave at once.
    fn chunk(&mut self) {
        while let Some((octets, last)) = self.chunks.first() {
            let Ok(id) = self.connection.bdat(octets.len() as u64, *last) else { return };
            let (octets, last) = self.chunks.remove(0);
            self.write();
            self.outbox.extend_from_slice(&octets);
            self.connection.handle_transmitted(octets.len());
            if last {
                self.end = Some(id);
                self.stage = Stage::Ended;
            }
        }
    }

    fn body(&mut self) {
        let mut rest = &self.message[..];
        let mut pieces: [&[u8]; 4] = [&[]; 4];
        while !rest.is_empty() {
            let Ok(n) = self.connection.body(&mut rest, &mut pieces) else {
                self.connection.abort();
                return;
            };
            for piece in &pieces[..n] {
                self.outbox.extend_from_slice(piece);
                self.connection.handle_transmitted(piece.len());
            }
        }
        match self.connection.end_body() {
            Ok(id) => self.end = Some(id),
            Err(_) => self.connection.abort(),
        }
        self.stage = Stage::Ended;
    }
}
