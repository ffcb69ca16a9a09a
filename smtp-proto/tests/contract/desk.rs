//! A machine, what its peer has sent, and the questions an embedder has in hand.

#![allow(clippy::expect_used, clippy::panic, reason = "this is how a test fails")]

use fuzz_properties::embedder::{self, Answer, Question};
use smtp_proto::{
    CloseReason, Instant, Limits, Need, Step,
    ext::Extensions,
    server::{BareLineEnding, Event, Mode, ServerConfig, ServerConnection, Start},
};
use std::{sync::Arc, time::Duration};

/// What a call of `poll_event` said, with nothing borrowed.
#[derive(Debug)]
pub(crate) enum Seen {
    /// A question.
    Asked(Question),
    /// An event without one.
    Told(String),
    /// Nothing to say.
    Need(Need),
    /// The end.
    Closed(CloseReason),
}

pub(crate) struct Desk {
    pub(crate) machine: ServerConnection,
    pub(crate) unread: Vec<u8>,
    pub(crate) now: Instant,
    /// Events without a question that `run` and `until` have passed, and bodies.
    pub(crate) told: Vec<String>,
    pub(crate) body: Vec<u8>,
}

/// All that a server can offer, on a configuration that a test may tighten.
pub(crate) fn config(tune: impl FnOnce(&mut Limits)) -> Arc<ServerConfig> {
    config_of(Mode::Smtp, embedder::extensions().starttls(), BareLineEnding::Refuse, tune)
}

pub(crate) fn config_of(
    mode: Mode,
    extensions: Extensions,
    bare: BareLineEnding,
    tune: impl FnOnce(&mut Limits),
) -> Arc<ServerConfig> {
    let mut limits = Limits::default();
    tune(&mut limits);
    embedder::config(mode, extensions, limits, bare)
}

impl Desk {
    pub(crate) fn new(config: Arc<ServerConfig>) -> Self {
        Self {
            machine: ServerConnection::new(config, Start::Plain),
            unread: Vec::new(),
            now: Instant::from_secs(1),
            told: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A machine that has accepted `EHLO`, and then what `script` says.
    pub(crate) fn after(config: Arc<ServerConfig>, script: &str) -> Self {
        let mut desk = Self::new(config);
        desk.says("EHLO client.example\r\n");
        desk.says(script);
        assert!(matches!(desk.run(), Seen::Need(Need::Input)), "the script leads to a prompt");
        desk.output();
        desk.told.clear();
        desk
    }

    pub(crate) fn says(&mut self, text: impl AsRef<[u8]>) {
        self.unread.extend_from_slice(text.as_ref());
    }

    /// One call of `poll_event`.
    pub(crate) fn poll(&mut self) -> Seen {
        let mut input = &self.unread[..];
        let step = self.machine.poll_event(&mut input, self.now);
        let left = input.len();
        let seen = match step {
            Step::Event(Event::Body(piece)) => {
                self.body.extend_from_slice(piece);
                Seen::Told("Body".into())
            }
            Step::Event(event) => match Question::of(event) {
                Ok(question) => Seen::Asked(question),
                Err(event) => Seen::Told(format!("{event:?}")),
            },
            Step::Need(need) => Seen::Need(need),
            Step::Closed(why) => Seen::Closed(why),
        };
        self.unread.drain(..self.unread.len() - left);
        seen
    }

    /// Says yes to everything until there is nothing more to do.
    pub(crate) fn run(&mut self) -> Seen {
        loop {
            match self.poll() {
                Seen::Asked(question) => {
                    question.answer(&mut self.machine, Answer::Yes).expect("just asked");
                }
                Seen::Told(event) => self.told.push(event),
                seen => return seen,
            }
        }
    }

    /// Says yes to everything until a question of this kind comes.
    pub(crate) fn until(&mut self, kind: &str) -> Question {
        loop {
            match self.poll() {
                Seen::Asked(question) if name(&question) == kind => return question,
                Seen::Asked(question) => {
                    question.answer(&mut self.machine, Answer::Yes).expect("just asked");
                }
                Seen::Told(event) => self.told.push(event),
                seen => panic!("{seen:?} before a {kind} question"),
            }
        }
    }

    /// Expects a question of this kind at once.
    pub(crate) fn asked(&mut self, kind: &str) -> Question {
        match self.poll() {
            Seen::Asked(question) if name(&question) == kind => question,
            seen => panic!("{seen:?} in place of a {kind} question"),
        }
    }

    pub(crate) fn answer(&mut self, question: Question, answer: Answer) -> bool {
        question.answer(&mut self.machine, answer).is_ok()
    }

    /// What has left since the last call.
    pub(crate) fn output(&mut self) -> String {
        let mut output = Vec::new();
        embedder::drain(&mut self.machine, &mut output);
        String::from_utf8(output).expect("replies are ASCII")
    }

    /// The codes of the replies that have left since the last call.
    pub(crate) fn codes(&mut self) -> Vec<u16> {
        self.output()
            .lines()
            .filter(|line| line.as_bytes().get(3) != Some(&b'-'))
            .map(|line| line[..3].parse().expect("a reply code"))
            .collect()
    }

    /// Lets time pass, and fires what is due.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.machine.handle_timeout(self.now);
    }
}

/// The name of a question.
pub(crate) fn name(question: &Question) -> &'static str {
    match question {
        Question::Connect(_) => "connect",
        Question::Hello(_) => "hello",
        Question::StartTls(_) => "starttls",
        Question::Handshake(_) => "handshake",
        Question::Auth(_) => "auth",
        Question::Mail(_) => "mail",
        Question::Rcpt(_) => "rcpt",
        Question::Data(_) => "data",
        Question::Message(_) => "message",
        Question::Delivery(_) => "delivery",
        Question::Verify(_) => "verify",
        Question::Expand(_) => "expand",
        Question::Etrn(_) => "etrn",
        Question::Xclient(_) => "xclient",
        Question::Help(_) => "help",
        Question::Command(_) => "command",
    }
}
