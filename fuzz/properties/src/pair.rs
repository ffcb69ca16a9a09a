//! Our client and our server, joined.

use crate::embedder::{NOW, drain};
use smtp_proto::{
    CloseReason, Instant, Limits, Need, Start, Step,
    body::{Encoder, Framing, LineEndings},
    client::{self, ClientConfig, ClientConnection, ClientEvent, CommandId},
    ext::{BodyType, Extensions, Notify, Ret},
    server::{BareLineEnding, Event, Mode, ServerConfig, ServerConnection},
    wire::{ForwardPath, HelloName, Host, Mail, Mechanism, Rcpt, Refused, ReversePath, Xtext},
};

/// A message goes from our client to our server, with any choice of extensions on either side, cut
/// at random on its way, and perhaps cut off:
///
/// - neither side ever waits for the other for ever, and neither breaks a rule: the server counts
///   no violation, the client gives no command in vain;
/// - what the client calls delivered was accepted by the server, for just those recipients, and the
///   octets are those of the message: line endings made CRLF where that was asked for, and one CRLF
///   more if its last line had none;
/// - what the server accepted, the client calls delivered, unless the stream was cut off;
/// - a message that may not be sent (a bare line ending, a NUL, 8-bit octets not announced) is
///   accepted by nobody.
///
/// The first three octets of `data` choose the extensions, what the client makes of them, and the
/// cuts; the fourth how many recipients there are and which are refused; the rest is the message.
///
/// # Panics
/// If it is not so.
pub fn pair(data: &[u8]) {
    let [offer, ask, seed, recipients, message @ ..] = data else { return };
    let choice = Choice { offer: *offer, ask: *ask, recipients: *recipients };
    let mut pair = Pair {
        server: Server::new(choice),
        client: Client::new(choice, message),
        random: u32::from(*seed) | 0x100,
        cut_off: choice.asks(CUT_OFF).then(|| usize::from(*seed) * 7),
        carried: 0,
    };
    pair.run();
    pair.judge(choice, message);
}

/// Bits of the first octet: what the server is.
const LMTP: u8 = 1;
const CHUNKING: u8 = 2;
const SMTPUTF8: u8 = 4;
const DSN: u8 = 8;
const AUTH: u8 = 16;
const REFUSES_MESSAGE: u8 = 32;
const LIMITS: u8 = 64;
const ANSWERS_LATE: u8 = 128;

/// Bits of the second octet: what the client does.
const PIPELINING: u8 = 1;
const BDAT: u8 = 2;
const NORMALISE: u8 = 4;
const EIGHT_BIT: u8 = 8;
const PARAMETERS: u8 = 16;
const CUT_OFF: u8 = 32;
const IN_CHUNKS: u8 = 64;
const TWICE: u8 = 128;

#[derive(Clone, Copy)]
struct Choice {
    offer: u8,
    ask: u8,
    recipients: u8,
}

impl Choice {
    fn offers(self, bit: u8) -> bool {
        self.offer & bit != 0
    }

    fn asks(self, bit: u8) -> bool {
        self.ask & bit != 0
    }

    /// One to eight recipients; every bit that is set is one who is refused.
    fn names(self) -> Vec<String> {
        let many = 1 + usize::from(self.offer >> 5);
        let refused = |place: usize| self.recipients >> place & 1 == 1;
        (0..many)
            .map(|place| format!("<{}{place}@b.example>", if refused(place) { "x" } else { "r" }))
            .collect()
    }
}

struct Pair {
    server: Server,
    client: Client,
    random: u32,
    /// After so many octets in both directions the stream ends.
    cut_off: Option<usize>,
    carried: usize,
}

impl Pair {
    fn run(&mut self) {
        let mut idle = 0;
        while idle < 4 {
            let before = (self.carried, self.client.moves, self.server.moves);
            self.client.run();
            self.carry_to_server();
            self.server.run();
            self.carry_to_client();
            idle = if before == (self.carried, self.client.moves, self.server.moves) {
                idle + 1
            } else {
                0
            };
            if self.client.closed.is_some() && self.client.outbox.is_empty() {
                self.server.end();
            }
            if self.server.closed.is_some() && self.server.outbox.is_empty() {
                self.client.end();
            }
        }
        let closed = (self.client.closed, self.server.closed);
        assert!(closed.0.is_some() && closed.1.is_some(), "one waits for the other: {closed:?}");
    }

    /// How many octets go now, out of so many that could.
    fn cut(&mut self, there: usize) -> usize {
        // xorshift: only to have sizes that differ.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        let size = match self.random % 4 {
            0 => 1,
            1 => (self.random >> 8) as usize % 40,
            2 => (self.random >> 8) as usize % 700,
            _ => usize::MAX,
        };
        let left = self.cut_off.map_or(usize::MAX, |at| at.saturating_sub(self.carried));
        if left == 0 {
            self.client.end();
            self.server.end();
        }
        size.min(there).min(left)
    }

    fn carry_to_server(&mut self) {
        let n = self.cut(self.client.outbox.len());
        self.server.inbox.extend(self.client.outbox.drain(..n));
        self.carried += n;
    }

    fn carry_to_client(&mut self) {
        let n = self.cut(self.server.outbox.len());
        self.client.inbox.extend(self.server.outbox.drain(..n));
        self.carried += n;
    }

    fn judge(&self, choice: Choice, message: &[u8]) {
        assert_eq!(self.server.connection.session().violations, 0, "the client broke a rule");
        let cut = self.cut_off.is_some_and(|at| self.carried >= at);
        let wanted = canonical(message, choice);
        let (told, accepted) = (&self.client.delivered, &self.server.accepted);
        assert!(told.len() <= accepted.len(), "delivered, says the client, and it is not");
        for (recipients, (theirs, octets)) in told.iter().zip(accepted) {
            assert_eq!(recipients, theirs, "other recipients");
            assert_eq!(Some(octets), wanted.as_ref(), "other octets");
        }
        if !cut {
            assert_eq!(told.len(), accepted.len(), "the client was not told of all");
            let possible = wanted.is_some() && choice.names().iter().any(|name| name.contains("r"));
            let twice = if choice.asks(TWICE) { 2 } else { 1 };
            if possible && !choice.offers(REFUSES_MESSAGE) {
                assert_eq!(told.len(), twice, "nothing stood in the way");
            }
        }
        if wanted.is_none() {
            assert!(accepted.is_empty(), "a message that may not be sent was accepted");
        }
    }
}

/// What must arrive; `None` if nothing may.
fn canonical(message: &[u8], choice: Choice) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut octets = message.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        match octet {
            0 => return None,
            128.. if !choice.asks(EIGHT_BIT) => return None,
            b'\r' if octets.next_if_eq(&b'\n').is_some() => text.extend_from_slice(b"\r\n"),
            b'\r' | b'\n' if choice.asks(NORMALISE) => text.extend_from_slice(b"\r\n"),
            b'\r' | b'\n' => return None,
            octet => text.push(octet),
        }
    }
    if !text.is_empty() && !text.ends_with(b"\r\n") {
        text.extend_from_slice(b"\r\n");
    }
    Some(text)
}

struct Server {
    connection: ServerConnection,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    refuses: bool,
    late: bool,
    now: Instant,
    recipients: Vec<String>,
    body: Vec<u8>,
    /// Messages for which the server said yes, with their recipients.
    accepted: Vec<(Vec<String>, Vec<u8>)>,
    taken: Vec<String>,
    moves: usize,
    closed: Option<CloseReason>,
}

impl Server {
    fn new(choice: Choice) -> Self {
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
            now: NOW,
            recipients: Vec::new(),
            body: Vec::new(),
            accepted: Vec::new(),
            taken: Vec::new(),
            moves: 0,
            closed: None,
        }
    }

    fn end(&mut self) {
        self.connection.handle_eof();
    }

    fn run(&mut self) {
        let arrived = std::mem::take(&mut self.inbox);
        let mut input = &arrived[..];
        let mut held = Vec::new();
        loop {
            match self.connection.poll_event(&mut input, self.now) {
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

    fn rcpt(
        &mut self,
        to: String,
        pending: smtp_proto::server::Pending<smtp_proto::server::op::Rcpt>,
    ) {
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

struct Client {
    connection: ClientConnection,
    choice: Choice,
    message: Vec<u8>,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
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
    delivered: Vec<Vec<String>>,
    rounds: u8,
    moves: usize,
    closed: Option<CloseReason>,
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
    fn new(choice: Choice, message: &[u8]) -> Self {
        let mut config = ClientConfig::builder()
            .mode(if choice.offers(LMTP) { client::Mode::Lmtp } else { client::Mode::Smtp })
            .line_endings(line_endings(choice));
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

    fn end(&mut self) {
        self.connection.handle_eof();
    }

    fn run(&mut self) {
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

    fn envelope(&mut self, offered: &client::Capabilities) {
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
        let mut encoder = Encoder::new(Framing::Chunked, line_endings(self.choice), eight_bit);
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

fn line_endings(choice: Choice) -> LineEndings {
    if choice.asks(NORMALISE) { LineEndings::Normalise } else { LineEndings::Check }
}
