//! Messages in chunks against a reference that is too simple to be wrong.

use crate::{
    embedder::{NOW, config, drain, lead},
    replies,
};
use smtp_proto::{
    CloseReason, Limits, Need, Step,
    ext::Extensions,
    server::{Aborted, BareLineEnding, Event, Mode, ResetCause, ServerConnection, Start},
    wire::Refused,
};
/// A session with BDAT is what RFC 3030 §2 says of its octets, as a reference that reads them with
/// nothing but a position reads it: as many octets as a BDAT announces are its own, whatever they
/// look like and whether it is taken or refused, and none more; the reply to it leaves behind them; a
/// message is the octets of its chunks up to LAST, and one chunk that failed loses it; each message
/// and each transaction ends once, for the reason that the reference has; and no cut of the octets,
/// however pipelined they are, makes a difference.
///
/// The first octet of `data` chooses LMTP, whether CHUNKING is offered, what is refused, and the
/// size of the pieces in which the octets are offered besides whole and one by one. The rest is what
/// the peer sends after EHLO, up to the first line that the reference does not know, or behind which
/// the contract lets it matter when one reads.
///
/// # Panics
/// If it is not so.
pub fn bdat(data: &[u8]) {
    let [flags, wire @ ..] = data else { return };
    let choice = Choice(*flags);
    let (expected, used) = Reference::read(choice, wire);
    for step in [usize::MAX, 1, usize::from(*flags >> 5) + 2] {
        assert_eq!(run(choice, &wire[..used], step), expected, "by {step}");
    }
}

#[derive(Clone, Copy)]
struct Choice(u8);

impl Choice {
    fn is_lmtp(self) -> bool {
        self.0 & 1 != 0
    }

    fn offers_chunking(self) -> bool {
        self.0 & 2 == 0
    }

    /// The embedder refuses the first BDAT of each message.
    fn refuses_first(self) -> bool {
        self.0 & 4 != 0
    }

    /// It refuses each message at its end, in LMTP for every other recipient.
    fn refuses_message(self) -> bool {
        self.0 & 8 != 0
    }

    /// It discards each message at its first octet.
    fn discards(self) -> bool {
        self.0 & 16 != 0
    }

    fn hello(self) -> &'static str {
        if self.is_lmtp() { "LHLO" } else { "EHLO" }
    }
}

/// What can be seen of a session.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    codes: Vec<u16>,
    /// The messages that began.
    messages: Vec<Message>,
    resets: Vec<ResetCause>,
    quit: bool,
}

/// A message: its octets, of one that was discarded only the first.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    octets: Vec<u8>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    None,
    Whole,
    Discarded,
    Aborted(Aborted),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Ready,
    Mail,
    Envelope,
    /// Between two chunks.
    Chunks,
    /// A chunk has failed.
    Failed,
}

/// Reads a session, one position and a copy of everything.
struct Reference<'w> {
    choice: Choice,
    rest: &'w [u8],
    stage: Stage,
    extended: bool,
    recipients: u32,
    seen: Seen,
}

impl<'w> Reference<'w> {
    /// What must be seen of `wire`, and how much of it the reference knows.
    fn read(choice: Choice, wire: &'w [u8]) -> (Seen, usize) {
        let mut reference = Self {
            choice,
            rest: wire,
            stage: Stage::Ready,
            extended: true,
            recipients: 0,
            seen: Seen::default(),
        };
        while reference.line() {}
        let used = wire.len() - reference.rest.len();
        if !reference.seen.quit {
            reference.abort(Aborted::Eof);
            reference.reset(ResetCause::Closed);
        }
        (reference.seen, used)
    }

    /// Takes a line and what belongs to it; false if that was the last, or it is not known.
    fn line(&mut self) -> bool {
        let Some(end) = self.rest.windows(2).position(|two| two == b"\r\n") else { return false };
        let Ok(line) = std::str::from_utf8(&self.rest[..end]) else { return false };
        let here = self.rest;
        self.rest = &self.rest[end + 2..];
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        let Some((verb, words)) = words.split_first() else { return self.unknown(here) };
        let printable = line.bytes().all(|octet| matches!(octet, b' '..=b'~'));
        if !printable || line.starts_with(' ') || line.len() > 500 {
            return self.unknown(here);
        }
        let verb = verb.to_ascii_uppercase();
        match (verb.as_str(), words) {
            ("NOOP", _) => self.say(250),
            ("RSET", []) => {
                self.abort(Aborted::Reset);
                self.reset(ResetCause::Rset);
                self.say(250)
            }
            (hello, ["a.example"]) if hello == self.choice.hello() || hello == "HELO" => {
                if hello == "HELO" && self.choice.is_lmtp() {
                    return self.unknown(here);
                }
                self.extended = hello != "HELO";
                self.abort(Aborted::Reset);
                self.reset(ResetCause::Hello);
                self.say(250)
            }
            ("MAIL", ["FROM:<a@a.example>"]) if self.stage == Stage::Ready => {
                self.stage = Stage::Mail;
                self.say(250)
            }
            ("RCPT", ["TO:<b@b.example>"])
                if matches!(self.stage, Stage::Mail | Stage::Envelope) =>
            {
                self.stage = Stage::Envelope;
                self.recipients += 1;
                self.say(250)
            }
            ("MAIL", ["FROM:<a@a.example>"]) | ("RCPT", ["TO:<b@b.example>"]) => self.say(503),
            ("QUIT", []) => {
                self.abort(Aborted::Closed);
                self.reset(ResetCause::Closed);
                self.seen.quit = true;
                self.say(221);
                false
            }
            // Text that did not wait for 354 may be behind it.
            ("DATA", []) if self.stage != Stage::Envelope => {
                self.say(503);
                false
            }
            ("BDAT", [size]) => self.chunk(size, false),
            ("BDAT", [size, last]) if last.eq_ignore_ascii_case("LAST") => self.chunk(size, true),
            ("BDAT", _) => self.malformed(501),
            _ => self.unknown(here),
        }
    }

    fn unknown(&mut self, here: &'w [u8]) -> bool {
        self.rest = here;
        false
    }

    fn say(&mut self, code: u16) -> bool {
        self.seen.codes.push(code);
        true
    }

    fn abort(&mut self, why: Aborted) {
        if let Some(message) = self.seen.messages.last_mut().filter(|it| it.end == End::None) {
            message.end = End::Aborted(why);
        }
    }

    fn reset(&mut self, cause: ResetCause) {
        if self.stage != Stage::Ready {
            self.seen.resets.push(cause);
        }
        self.stage = Stage::Ready;
        self.recipients = 0;
    }

    /// Nobody knows how many octets follow.
    fn malformed(&mut self, code: u16) -> bool {
        let offered = self.choice.offers_chunking() && self.extended;
        self.say(if offered { code } else { 502 });
        if offered && matches!(self.stage, Stage::Envelope | Stage::Chunks) {
            self.abort(Aborted::Reset);
            self.stage = Stage::Failed;
        }
        false
    }

    fn chunk(&mut self, size: &str, last: bool) -> bool {
        if size.len() > 20 || !size.bytes().all(|digit| digit.is_ascii_digit()) {
            return self.malformed(501);
        }
        let Ok(size) = size.parse::<u64>() else { return self.malformed(552) };
        let there = usize::try_from(size).unwrap_or(usize::MAX).min(self.rest.len());
        let (octets, rest) = self.rest.split_at(there);
        let whole = there as u64 == size;
        self.rest = rest;
        if !self.choice.offers_chunking() || !self.extended {
            return whole && self.say(502);
        }
        if !matches!(self.stage, Stage::Envelope | Stage::Chunks) {
            return whole && self.fails(503, last);
        }
        let begun = match self.seen.messages.last() {
            Some(message) if self.stage == Stage::Chunks => message.octets.len() as u64,
            _ => 0,
        };
        if begun.saturating_add(size) > Limits::MIN_MESSAGE {
            self.abort(Aborted::TooLarge);
            self.stage = Stage::Failed;
            return whole && self.fails(552, last);
        }
        if self.stage == Stage::Envelope {
            if self.choice.refuses_first() {
                self.stage = Stage::Failed;
                return whole && self.fails(554, last);
            }
            self.seen.messages.push(Message { octets: Vec::new(), end: End::None });
            self.stage = Stage::Chunks;
        }
        let Some(message) = self.seen.messages.last_mut() else { unreachable!("it has begun") };
        if self.choice.discards() && !octets.is_empty() {
            message.octets.push(octets[0]);
            message.end = End::Discarded;
            self.stage = Stage::Failed;
            return whole && self.fails(554, last);
        }
        message.octets.extend_from_slice(octets);
        if !whole {
            return false;
        }
        if !last {
            return self.say(250);
        }
        message.end = End::Whole;
        let refused = self.choice.refuses_message();
        if self.choice.is_lmtp() {
            for index in 0..self.recipients {
                self.say(if refused && index % 2 == 0 { 554 } else { 250 });
            }
            self.reset(ResetCause::Delivered);
        } else {
            self.say(if refused { 554 } else { 250 });
            self.reset(if refused { ResetCause::Refused } else { ResetCause::Delivered });
        }
        true
    }

    /// A BDAT is refused; if it is the last of a message that failed, the transaction ends.
    fn fails(&mut self, code: u16, last: bool) -> bool {
        let ends = last && self.stage == Stage::Failed;
        let replies = if ends && self.choice.is_lmtp() { self.recipients } else { 1 };
        for _ in 0..replies {
            self.say(code);
        }
        if ends {
            self.reset(ResetCause::Refused);
        }
        true
    }
}

fn run(choice: Choice, wire: &[u8], step: usize) -> Seen {
    let mode = if choice.is_lmtp() { Mode::Lmtp } else { Mode::Smtp };
    let mut extensions = Extensions::new();
    if choice.offers_chunking() {
        extensions = extensions.chunking();
    }
    let mut limits = Limits::default();
    limits.violations = u16::MAX;
    limits.message = Limits::MIN_MESSAGE;
    let config = config(mode, extensions, limits, BareLineEnding::Refuse);
    let mut server = Server {
        connection: ServerConnection::new(config, Start::Plain),
        choice,
        seen: Seen::default(),
    };
    lead(&mut server.connection, format!("{} a.example\r\n", choice.hello()).as_bytes());

    let mut output = Vec::new();
    let (mut at, mut offered, mut ended) = (0, 0, false);
    loop {
        let mut window = &wire[at..offered];
        let next = server.connection.poll_event(&mut window, NOW);
        at = offered - window.len();
        match next {
            Step::Event(event) => server.event(event),
            Step::Need(Need::Flush) => drain(&mut server.connection, &mut output),
            Step::Need(Need::Input) if offered < wire.len() => {
                offered = wire.len().min(offered.saturating_add(step));
            }
            Step::Need(Need::Input) => {
                assert!(!ended, "input is wanted after its end");
                server.connection.handle_eof();
                ended = true;
            }
            Step::Need(Need::Decision) => panic!("no question is open"),
            Step::Closed(why) => {
                let expected = if server.seen.quit { CloseReason::Quit } else { CloseReason::Eof };
                assert_eq!(why, expected);
                break;
            }
        }
    }
    drain(&mut server.connection, &mut output);
    server.seen.codes = replies::codes(&output);
    server.seen
}

struct Server {
    connection: ServerConnection,
    choice: Choice,
    seen: Seen,
}

impl Server {
    fn event(&mut self, event: Event<'_>) {
        let Self { connection, choice, seen } = self;
        match event {
            Event::Data { pending, .. } if choice.refuses_first() => {
                connection.refuse(pending, &Refused::DENIED).expect("just asked");
            }
            Event::Data { pending, .. } => {
                connection.accept(pending).expect("just asked");
                seen.messages.push(Message { octets: Vec::new(), end: End::None });
            }
            Event::Body(piece) => {
                assert!(!piece.is_empty(), "a piece of no octets");
                let message = open(seen);
                if choice.discards() {
                    message.octets.push(piece[0]);
                    message.end = End::Discarded;
                    assert!(connection.discard_body(&Refused::CONTENT), "a body runs");
                } else {
                    message.octets.extend_from_slice(piece);
                }
            }
            Event::BodyEnd { size, pending } => {
                let message = open(seen);
                message.end = End::Whole;
                assert_eq!(size, message.octets.len() as u64);
                let answered = match choice.refuses_message() {
                    true => connection.refuse(pending, &Refused::CONTENT),
                    false => connection.accept(pending),
                };
                answered.expect("just asked");
            }
            Event::Delivery { index, pending, .. } => {
                if index == 0 {
                    open(seen).end = End::Whole;
                }
                let answered = match choice.refuses_message() && index % 2 == 0 {
                    true => connection.refuse(pending, &Refused::CONTENT),
                    false => connection.accept(pending),
                };
                answered.expect("just asked");
            }
            Event::BodyAborted(why) => open(seen).end = End::Aborted(why),
            Event::Reset(cause) => seen.resets.push(cause),
            Event::Quit => seen.quit = true,
            Event::Rcpt { pending, .. } => connection.accept(pending).expect("just asked"),
            other => connection.answer_default(other),
        }
    }
}

/// The message that runs.
fn open(seen: &mut Seen) -> &mut Message {
    let last = seen.messages.last_mut().filter(|message| message.end == End::None);
    last.expect("a message runs")
}
