//! A server to hold dialogues with: the machine under the policy of `testkit`, in virtual time.

use smtp_proto::{
    Instant, Limits, Need, Step,
    ext::Extensions,
    server::{BareLineEnding, Event, Mode, ServerConfig, ServerConnection, Start},
    wire::{Host, Mechanism},
};
use std::{
    future::{Future, ready},
    io,
    time::Duration,
};
use testkit::{
    bare::Embedder,
    dialogue::Dialogue,
    line::Line,
    policy::{Delivered, Policy},
};

/// What leads a session to where a test begins.
const GREETING: &str = "S: 220\nC: EHLO client.example.test\nS: 250";
const LMTP_GREETING: &str = "S: 220\nC: LHLO client.example.test\nS: 250";
const ENVELOPE: &str = "C: MAIL FROM:<a@client.example.test>\nS: 250 2.1.0 ...\n\
                        C: RCPT TO:<user1@example.test>\nS: 250 2.1.5 ...";
const DATA: &str = "C: DATA\nS: 354";

/// Sees each event before the policy does, and may answer it.
pub(crate) type Desk = for<'b> fn(&mut ServerConnection, Event<'b>) -> Option<Event<'b>>;

/// A server, and how far a session with it has come. It offers everything but STARTTLS and EXPN.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) extensions: Extensions,
    pub(crate) limits: Limits,
    pub(crate) mode: Mode,
    pub(crate) bare: BareLineEnding,
    pub(crate) start: Start,
    pub(crate) desk: Desk,
    /// What the client sends arrives as it is written, and not octet by octet too: for what
    /// depends on when the server reads.
    pub(crate) whole: bool,
    before: Vec<&'static str>,
}

impl Server {
    /// The server, before its greeting.
    pub(crate) fn new() -> Self {
        let mut limits = Limits::default();
        limits.decisions_in_flight = 4;
        Self {
            extensions: Extensions::new()
                .smtputf8()
                .chunking()
                .dsn()
                .auth([Mechanism::PLAIN])
                .danger_auth_in_clear(),
            limits,
            mode: Mode::Smtp,
            bare: BareLineEnding::Refuse,
            start: Start::Plain,
            desk: |_, event| Some(event),
            whole: false,
            before: Vec::new(),
        }
    }

    /// With some fields changed.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The client has said EHLO, or LHLO.
    pub(crate) fn greeted(&self) -> Self {
        self.after(if self.mode == Mode::Lmtp { LMTP_GREETING } else { GREETING })
    }

    /// A transaction is open, from `a@client.example.test` to `user1@example.test`.
    pub(crate) fn in_transaction(&self) -> Self {
        self.greeted().after(ENVELOPE)
    }

    /// The 354 has been sent.
    pub(crate) fn in_data(&self) -> Self {
        self.in_transaction().after(DATA)
    }

    fn after(&self, dialogue: &'static str) -> Self {
        let mut later = self.clone();
        later.before.push(dialogue);
        later
    }

    /// Holds a dialogue, in which every reply must stand, and gives the messages that were
    /// accepted. Lines may be indented.
    ///
    /// It is held twice, with the client's octets whole and one by one; both must go alike.
    #[track_caller]
    pub(crate) fn hold(&self, dialogue: &str) -> Vec<Delivered> {
        let (said, delivered) = self.hold_with(dialogue, false);
        if !self.whole {
            assert_eq!(self.hold_with(dialogue, true), (said, delivered.clone()), "octet by octet");
        }
        delivered
    }

    #[track_caller]
    fn hold_with(&self, dialogue: &str, octet_by_octet: bool) -> (String, Vec<Delivered>) {
        let host = Host::parse("mx.example.test").unwrap();
        let config = ServerConfig::builder(host)
            .mode(self.mode)
            .extensions(self.extensions.clone())
            .limits(self.limits)
            .bare_line_endings(self.bare)
            .build();
        let policy = Policy::new();
        let mut wire = Wire {
            machine: ServerConnection::new(config, self.start),
            embedder: Embedder::new(policy.clone()),
            desk: self.desk,
            octet_by_octet,
            now: Instant::ZERO,
            input: Vec::new(),
            output: Vec::new(),
            closed: false,
        };
        wire.advance();
        let dialogue: Vec<_> = dialogue.lines().map(str::trim_start).collect();
        let mut said = String::new();
        for part in self.before.iter().copied().chain([dialogue.join("\n").as_str()]) {
            let part: Dialogue = part.parse().unwrap();
            match part.run_blocking(&mut wire) {
                Ok(transcript) => said = transcript.to_string(),
                Err(deviation) => panic!("octet by octet: {octet_by_octet}; {deviation:?}"),
            }
        }
        let more = wire.output.escape_ascii();
        assert!(wire.output.is_empty(), "{said}>>> the server says more: {more}");
        (said, policy.delivered())
    }
}

/// The client's end of a connection to the machine.
struct Wire {
    machine: ServerConnection,
    embedder: Embedder,
    desk: Desk,
    octet_by_octet: bool,
    now: Instant,
    /// Received by the machine and not consumed.
    input: Vec<u8>,
    output: Vec<u8>,
    closed: bool,
}

impl Wire {
    /// Runs the machine until it needs something that only the client has.
    fn advance(&mut self) {
        let mut unread = self.input.as_slice();
        loop {
            let step = self.machine.poll_event(&mut unread, self.now);
            if let Step::Event(event) = step {
                if let Some(event) = (self.desk)(&mut self.machine, event) {
                    self.embedder.handle(&mut self.machine, event);
                }
                continue;
            }
            let before = self.output.len();
            while let Some(octets) = self.machine.poll_transmit() {
                self.output.extend_from_slice(octets);
                let n = octets.len();
                self.machine.handle_transmitted(n);
            }
            match step {
                Step::Need(Need::Flush) if self.output.len() > before => continue,
                Step::Need(Need::Input) => {
                    let most = self.machine.config().limits().max_unread();
                    assert!(unread.len() <= most, "the unread tail is bounded");
                }
                Step::Closed(_) => self.closed = true,
                _ => {}
            }
            break;
        }
        let consumed = self.input.len() - unread.len();
        self.input.drain(..consumed);
    }
}

impl Line for Wire {
    fn write(&mut self, octets: &[u8]) -> impl Future<Output = io::Result<()>> {
        // Of very long writes the pieces are longer, or a test would take seconds.
        let piece = if self.octet_by_octet { octets.len().div_ceil(8192) } else { octets.len() };
        for piece in octets.chunks(piece.max(1)) {
            self.input.extend_from_slice(piece);
            self.advance();
        }
        ready(Ok(()))
    }

    /// One line, so that what nobody waits for is left to be seen.
    fn read(&mut self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        let line = self.output.iter().position(|&octet| octet == b'\n').map_or(0, |at| at + 1);
        check_reply_line(&self.output[..line]);
        buf[..line].copy_from_slice(&self.output[..line]);
        self.output.drain(..line);
        ready(match line {
            0 if !self.closed => Err(io::Error::other("the server says nothing")),
            _ => Ok(line),
        })
    }

    fn finish(&mut self) -> impl Future<Output = io::Result<()>> {
        self.machine.handle_eof();
        self.advance();
        ready(Ok(()))
    }

    fn pass(&mut self, time: Duration) -> impl Future<Output = io::Result<()>> {
        let end = self.now + time;
        while let Some(at) = self.machine.poll_timeout().filter(|&at| at <= end && !self.closed) {
            self.now = self.now.max(at);
            self.machine.handle_timeout(self.now);
            self.advance();
        }
        self.now = self.now.max(end);
        ready(Ok(()))
    }
}

/// What holds for every line of every reply, whatever the client sent.
///
/// - CONN-03: it ends in CRLF, and has no other CR, LF or NUL (RFC 5321 §2.3.8, §4.2.1).
/// - CONN-04: it has at most 512 octets (§4.5.3.1.5).
/// - CONN-05: it begins with a code of the ABNF in §4.2, and a space or hyphen.
/// - UTF8-06, UTF8-07, SEC-INJ-06: it is printable ASCII (§4.2, `textstring`).
fn check_reply_line(line: &[u8]) {
    if line.is_empty() {
        return;
    }
    let shown = line.escape_ascii();
    let text = line.strip_suffix(b"\r\n").unwrap_or_else(|| panic!("ends in CRLF: {shown}"));
    assert!(line.len() <= 512, "at most 512 octets: {shown}");
    assert!(text.iter().all(|octet| matches!(octet, b' '..=b'~')), "printable ASCII: {shown}");
    let code = matches!(text, [b'2'..=b'5', b'0'..=b'5', b'0'..=b'9', b' ' | b'-', ..]);
    assert!(code, "begins with a reply code: {shown}");
}
