//! The server under test, and the embedder that runs it.

use crate::server_model::{Answer, Bare, Mode as ModelMode, Offer, Setup};
use fuzz_properties::embedder::Question;
use smtp_proto::{
    Class, EnhancedCode, Instant, Limits, Need, Step,
    ext::{CustomExtension, Extensions},
    server::{BareLineEnding, Event, Mode, ServerConfig, ServerConnection, Stale, Start},
    wire::{Accepted, Host, Malformed, Mechanism, Refused},
};
use std::sync::Arc;

/// The machine, with an embedder that decides as the setup says.
pub(crate) struct Server {
    pub(crate) machine: ServerConnection,
    pub(crate) setup: Setup,
    pub(crate) now: u64,
    pub(crate) input: Vec<u8>,
    /// What the client has read, how many octets it will read, if not all, and what it was told.
    output: Vec<u8>,
    pub(crate) room: Option<usize>,
    all: Vec<u8>,
    pub(crate) replies: Vec<String>,
    pub(crate) lengths: Vec<usize>,
    /// Questions by their numbers, those that are not open any more among them.
    pub(crate) questions: Vec<Option<Question>>,
    pub(crate) told: Vec<String>,
    pub(crate) body: Vec<u8>,
    closed: bool,
}

/// The extension that the embedder has itself.
fn peace() -> Result<CustomExtension, Malformed> {
    let extension = CustomExtension::new("X-PEACE")?.announcing("1")?;
    extension.mail_parameter("X-A")?.rcpt_parameter("X-B")?.command("XPEACE")
}

fn extensions(offer: &Offer) -> Extensions {
    let mut extensions = Extensions::new();
    if offer.smtputf8 {
        extensions = extensions.smtputf8();
    }
    if offer.dsn {
        extensions = extensions.dsn();
    }
    if offer.etrn {
        extensions = extensions.etrn();
    }
    if offer.peace {
        extensions = extensions.custom(peace().unwrap());
    }
    if offer.chunking {
        extensions = extensions.chunking();
    }
    if offer.binarymime {
        extensions = extensions.binarymime();
    }
    if offer.xclient {
        extensions = extensions.danger_xclient();
    }
    if offer.starttls {
        extensions = extensions.starttls();
    }
    if offer.auth {
        extensions = extensions.auth([Mechanism::PLAIN, Mechanism::LOGIN]);
    }
    if offer.auth_in_clear {
        extensions = extensions.danger_auth_in_clear();
    }
    if offer.expn {
        extensions = extensions.expn();
    }
    extensions
}

fn config(setup: &Setup) -> Arc<ServerConfig> {
    let mut limits = Limits::default();
    limits.command_line = 2_048;
    limits.message = setup.message;
    limits.text_line = setup.text_line.map(|most| most as usize);
    limits.swallow = setup.swallow;
    limits.recipients = setup.recipients as u32;
    limits.transactions = setup.transactions as u32;
    limits.violations = setup.violations as u16;
    limits.auth_failures = setup.auth_failures as u16;
    limits.decisions_in_flight = setup.in_flight;
    limits.send_buffer = setup.send_buffer;
    limits.data_rate = if setup.any_rate { 0 } else { u32::MAX };
    let mut timeouts = smtp_proto::Timeouts::default();
    timeouts.session = setup.session.map(std::time::Duration::from_secs);
    ServerConfig::builder(Host::parse("mx.example").unwrap().into_static())
        .mode(match setup.mode {
            ModelMode::Smtp => Mode::Smtp,
            ModelMode::Submission => Mode::Submission,
            ModelMode::Lmtp => Mode::Lmtp,
        })
        .bare_line_endings(match setup.bare {
            Bare::Refuse => BareLineEnding::Refuse,
            Bare::Normalise => BareLineEnding::Normalise,
            Bare::Pass => BareLineEnding::Pass,
        })
        .extensions(extensions(&setup.offer))
        .limits(limits)
        .timeouts(timeouts)
        .build()
}

/// What the embedder says: much to a slow client, so that its buffer fills.
pub(crate) fn text(slow: bool) -> String {
    if slow { "as you wish, as you wish, as you\n".repeat(60) } else { "as\nyou wish".into() }
}

pub(crate) fn refusal(answer: Answer, text: &str) -> Refused<'_> {
    let code = |class, subject, detail| EnhancedCode::new(class, subject, detail).unwrap();
    match answer {
        Answer::NotNow => Refused::new(451, code(Class::Transient, 3, 2), text),
        Answer::Never => Refused::new(550, code(Class::Permanent, 7, 9), text),
        _ => Refused::new(554, code(Class::Permanent, 7, 9), text),
    }
    .unwrap()
}

fn answer(
    machine: &mut ServerConnection,
    question: Question,
    answer: Answer,
    text: &str,
) -> Result<(), Stale> {
    let code = EnhancedCode::new(Class::Success, 1, 5).unwrap();
    let words = Accepted::new(251, code, text).unwrap();
    // Questions that take no words of ours, and those that do.
    macro_rules! plain {
        ($pending:expr) => {
            match answer {
                Answer::Yes | Answer::InWords | Answer::Challenge => machine.accept($pending),
                Answer::Disconnect => machine.disconnect($pending, &refusal(answer, text)),
                _ => machine.refuse($pending, &refusal(answer, text)),
            }
        };
    }
    macro_rules! worded {
        ($pending:expr) => {
            match answer {
                Answer::InWords => machine.accept_with($pending, &words),
                _ => plain!($pending),
            }
        };
    }
    match question {
        Question::Connect(pending) => worded!(pending),
        Question::Hello(pending) => plain!(pending),
        Question::StartTls(pending) => plain!(pending),
        Question::Handshake(pending) => match answer {
            Answer::Yes | Answer::InWords | Answer::Challenge => machine.establish(pending),
            _ => machine.abandon(pending),
        },
        Question::Auth(pending) if answer == Answer::Challenge => machine.challenge(pending, b"?"),
        Question::Auth(pending) => plain!(pending),
        Question::Mail(pending) => worded!(pending),
        Question::Rcpt(pending) => worded!(pending),
        Question::Data(pending) => plain!(pending),
        Question::Message(pending) => worded!(pending),
        Question::Delivery(pending) => worded!(pending),
        Question::Verify(pending) => worded!(pending),
        Question::Expand(pending) => worded!(pending),
        Question::Help(pending) => worded!(pending),
        Question::Etrn(pending) => worded!(pending),
        Question::Command(pending) => worded!(pending),
        Question::Xclient(pending) => worded!(pending),
    }
}

/// What an event says, in the words of the model; empty for what the model does not tell.
fn words(event: &Event<'_>) -> String {
    match event {
        Event::Connect(_) => "connect".into(),
        Event::Hello { kind, name, .. } => format!("hello {} {name}", kind.as_str()),
        Event::StartTls(_) => "starttls".into(),
        Event::Handshake(_) => "handshake".into(),
        Event::Auth { mechanism, initial, .. } => {
            let initial = initial.as_ref().map(|text| match text.expose().as_str() {
                "" => " =".to_owned(),
                text => format!(" {text}"),
            });
            format!("auth {mechanism}{}", initial.unwrap_or_default())
        }
        Event::AuthResponse { data, .. } => format!("response {}", data.expose().as_str()),
        Event::Mail { mail, .. } => format!("mail {mail}"),
        Event::Rcpt { rcpt, .. } => format!("rcpt {rcpt}"),
        Event::Data { framing, .. } => format!("data {framing:?}").to_lowercase(),
        Event::BodyEnd { size, .. } => format!("message {size}"),
        Event::Delivery { size, index, .. } => format!("delivery {index} {size}"),
        Event::Verify { what, .. } => format!("vrfy {what}"),
        Event::Expand { what, .. } => format!("expn {what}"),
        Event::Help { .. } => "help".into(),
        Event::Xclient { .. } => "xclient".into(),
        Event::Etrn { queue, .. } => format!("etrn {queue}"),
        Event::Command { verb, args, .. } => format!("command {} {args}", verb.as_str()),
        Event::Violation(_) => String::new(),
        fact => format!("{fact:?}"),
    }
}

impl Server {
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            machine: ServerConnection::new(config(&setup), Start::Plain),
            setup,
            now: 1,
            input: vec![],
            output: vec![],
            room: None,
            all: vec![],
            replies: vec![],
            lengths: vec![],
            questions: vec![],
            told: vec![],
            body: vec![],
            closed: false,
        }
    }

    /// Runs the machine until something from outside is needed.
    pub(crate) fn advance(&mut self) {
        self.write();
        let input = std::mem::take(&mut self.input);
        let mut unread = &input[..];
        loop {
            match self.machine.poll_event(&mut unread, Instant::from_secs(self.now)) {
                Step::Event(Event::Body(octets)) => self.body.extend_from_slice(octets),
                Step::Event(event) => {
                    if matches!(event, Event::Data { .. }) {
                        self.body.clear();
                    }
                    let words = words(&event);
                    match Question::of(event) {
                        Ok(question) => self.asked(question, &words),
                        Err(_) if words.is_empty() => {}
                        Err(_) => self.told.push(words),
                    }
                }
                Step::Need(need) => {
                    // There may be room for another question.
                    if !self.write() || need == Need::Input {
                        break;
                    }
                }
                Step::Closed(why) => {
                    self.write();
                    if !std::mem::replace(&mut self.closed, true) {
                        self.told.push(format!("Closed({why:?})"));
                    }
                    break;
                }
            }
        }
        self.input = unread.to_vec();
        self.hear();
    }

    /// Writes what the client reads; false if that is nothing.
    fn write(&mut self) -> bool {
        let octets = self.machine.poll_transmit().unwrap_or_default();
        let n = self.room.map_or(octets.len(), |room| room.min(octets.len()));
        self.output.extend_from_slice(&octets[..n]);
        self.room = self.room.map(|room| room - n);
        self.machine.handle_transmitted(n);
        n > 0
    }

    pub(crate) fn decide(&mut self, question: Question, it: Answer) -> Result<(), Stale> {
        match question {
            Question::Hello(pending) if it == Answer::Challenge => {
                self.machine.advertise(pending, Arc::new(extensions(&self.setup.other)))
            }
            question => answer(&mut self.machine, question, it, &text(self.setup.slow)),
        }
    }

    fn asked(&mut self, question: Question, words: &str) {
        let at_once = &self.setup.at_once;
        let place = self.questions.len();
        self.told.push(format!("{}: {words}", place + 1));
        match at_once[place % at_once.len()] {
            Some(it) => {
                self.decide(question, it).unwrap();
                self.questions.push(None);
            }
            None => self.questions.push(Some(question)),
        }
    }

    /// The numbers of the open questions.
    pub(crate) fn open(&self) -> Vec<usize> {
        let waits = |question: &Question| question.is_waiting(&self.machine);
        let open = |(place, question): (usize, &Option<Question>)| {
            question.as_ref().is_some_and(waits).then_some(place + 1)
        };
        self.questions.iter().enumerate().filter_map(open).collect()
    }

    /// Notes new replies as the model writes them, codes and what EHLO lists, whether they were read or
    /// not.
    fn hear(&mut self) {
        let unread = self.machine.poll_transmit().unwrap_or_default();
        let before = std::mem::replace(&mut self.all, [&self.output, unread].concat());
        assert!(self.all.starts_with(&before), "what was to be sent has changed");
        let output = std::str::from_utf8(&self.all[before.len()..]).unwrap();
        let mut lines: Vec<&str> = vec![];
        let mut length = 0;
        for line in output.split_terminator("\r\n") {
            lines.push(&line[4..]);
            length += line.len() + 2;
            if line.as_bytes()[3] == b'-' {
                continue;
            }
            let (code, first) = (&line[..3], lines[0].split(' ').next().unwrap());
            let enhanced = first.starts_with(&line[..1]) && first.split('.').count() == 3;
            self.lengths.push(std::mem::take(&mut length));
            self.replies.push(match (enhanced, lines.len()) {
                (true, _) => {
                    assert!(lines.iter().all(|line| line.starts_with(first)), "{output}");
                    format!("{code} {first}")
                }
                (false, 2..) if code == "250" => format!("{code} {}", lines[1..].join(", ")),
                (false, _) => code.to_owned(),
            });
            lines.clear();
        }
        assert!(lines.is_empty() && (output.is_empty() || output.ends_with("\r\n")), "{output}");
    }

    pub(crate) fn facts(&self) -> String {
        let session = self.machine.session();
        format!(
            "tls {} hello {:?} authenticated {} utf8 {} recipients {} size {} transactions {} violations {} \
             auth failures {}",
            session.tls,
            session.hello.map(smtp_proto::wire::Hello::as_str),
            session.authenticated,
            session.smtputf8,
            session.recipients,
            session.size,
            session.transactions,
            session.violations,
            session.auth_failures
        )
    }
}
