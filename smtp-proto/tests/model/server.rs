//! The server beside its model.

use crate::{
    server_model::{Answer, Bare, Mode as ModelMode, Model, Setup},
    server_script::{Action, fitting, script},
};
use fuzz_properties::embedder::{self, Question};
use proptest::{prelude::*, sample::Index, test_runner::TestCaseResult};
use smtp_proto::{
    Class, EnhancedCode, Instant, Limits, Need, Step,
    ext::Extensions,
    server::{BareLineEnding, Event, Mode, ServerConfig, ServerConnection, Stale, Start},
    wire::{Accepted, Host, Mechanism, Refused},
};
use std::sync::Arc;

/// The machine, with an embedder that decides as the setup says.
struct Server {
    machine: ServerConnection,
    setup: Setup,
    now: u64,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Questions by their numbers, those that are not open any more among them.
    questions: Vec<Option<Question>>,
    told: Vec<String>,
    body: Vec<u8>,
    closed: bool,
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
    limits.data_rate = if setup.any_rate { 0 } else { u32::MAX };
    let mut timeouts = smtp_proto::Timeouts::default();
    timeouts.session = setup.session.map(std::time::Duration::from_secs);
    let mut extensions = Extensions::new();
    if setup.chunking {
        extensions = extensions.chunking();
    }
    if setup.binarymime {
        extensions = extensions.binarymime();
    }
    if setup.xclient {
        extensions = extensions.danger_xclient();
    }
    if setup.starttls {
        extensions = extensions.starttls();
    }
    if setup.auth {
        extensions = extensions.auth([Mechanism::PLAIN, Mechanism::LOGIN]);
    }
    if setup.auth_in_clear {
        extensions = extensions.danger_auth_in_clear();
    }
    if setup.expn {
        extensions = extensions.expn();
    }
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
        .extensions(extensions)
        .limits(limits)
        .timeouts(timeouts)
        .build()
}

fn refusal(answer: Answer) -> Refused<'static> {
    let code = |class, subject, detail| EnhancedCode::new(class, subject, detail).unwrap();
    match answer {
        Answer::NotNow => Refused::new(451, code(Class::Transient, 3, 2), "Later"),
        Answer::Never => Refused::new(550, code(Class::Permanent, 7, 9), "No"),
        _ => Refused::new(554, code(Class::Permanent, 7, 9), "Go"),
    }
    .unwrap()
}

fn answer(machine: &mut ServerConnection, question: Question, answer: Answer) -> Result<(), Stale> {
    let code = EnhancedCode::new(Class::Success, 1, 5).unwrap();
    let words = Accepted::new(251, code, "Very well,\nas you wish").unwrap();
    // Questions that take no words of ours, and those that do.
    macro_rules! plain {
        ($pending:expr) => {
            match answer {
                Answer::Yes | Answer::InWords | Answer::Challenge => machine.accept($pending),
                Answer::Disconnect => machine.disconnect($pending, &refusal(answer)),
                _ => machine.refuse($pending, &refusal(answer)),
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
        Question::Xclient(pending) => worded!(pending),
        other => panic!("nobody is offered {other:?}"),
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
        Event::Violation(_) => String::new(),
        fact => format!("{fact:?}"),
    }
}

impl Server {
    fn new(setup: Setup) -> Self {
        Self {
            machine: ServerConnection::new(config(&setup), Start::Plain),
            setup,
            now: 1,
            input: vec![],
            output: vec![],
            questions: vec![],
            told: vec![],
            body: vec![],
            closed: false,
        }
    }

    /// Runs the machine until something from outside is needed.
    fn advance(&mut self) {
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
                    let before = self.output.len();
                    embedder::drain(&mut self.machine, &mut self.output);
                    // There may be room for another question.
                    if need == Need::Input || self.output.len() == before {
                        break;
                    }
                }
                Step::Closed(why) => {
                    embedder::drain(&mut self.machine, &mut self.output);
                    if !std::mem::replace(&mut self.closed, true) {
                        self.told.push(format!("Closed({why:?})"));
                    }
                    break;
                }
            }
        }
        self.input = unread.to_vec();
    }

    fn asked(&mut self, question: Question, words: &str) {
        let at_once = &self.setup.at_once;
        let place = self.questions.len();
        self.told.push(format!("{}: {words}", place + 1));
        match at_once[place % at_once.len()] {
            Some(it) => {
                answer(&mut self.machine, question, it).unwrap();
                self.questions.push(None);
            }
            None => self.questions.push(Some(question)),
        }
    }

    /// The numbers of the open questions.
    fn open(&self) -> Vec<usize> {
        let waits = |question: &Question| question.is_waiting(&self.machine);
        let open = |(place, question): (usize, &Option<Question>)| {
            question.as_ref().is_some_and(waits).then_some(place + 1)
        };
        self.questions.iter().enumerate().filter_map(open).collect()
    }

    /// Replies as the model writes them: codes, and what EHLO lists.
    fn replies(&self) -> Vec<String> {
        let output = std::str::from_utf8(&self.output).unwrap();
        let mut replies = vec![];
        let mut lines: Vec<&str> = vec![];
        for line in output.split_terminator("\r\n") {
            lines.push(&line[4..]);
            if line.as_bytes()[3] == b'-' {
                continue;
            }
            let (code, first) = (&line[..3], lines[0].split(' ').next().unwrap());
            let enhanced = first.starts_with(&line[..1]) && first.split('.').count() == 3;
            replies.push(match (enhanced, lines.len()) {
                (true, _) => {
                    assert!(lines.iter().all(|line| line.starts_with(first)), "{output}");
                    format!("{code} {first}")
                }
                (false, 1) => code.to_owned(),
                (false, _) => format!("{code} {}", lines[1..].join(", ")),
            });
            lines.clear();
        }
        assert!(lines.is_empty() && (output.is_empty() || output.ends_with("\r\n")), "{output}");
        replies
    }

    fn facts(&self) -> String {
        let session = self.machine.session();
        format!(
            "tls {} hello {:?} authenticated {} recipients {} size {} transactions {} violations {} \
             auth failures {}",
            session.tls,
            session.hello.map(smtp_proto::wire::Hello::as_str),
            session.authenticated,
            session.recipients,
            session.size,
            session.transactions,
            session.violations,
            session.auth_failures
        )
    }
}

/// The machine and the model, to which the same happens.
struct Pair {
    server: Server,
    model: Model,
    /// What has happened, for people.
    dialogue: Vec<String>,
    replies: usize,
    told: usize,
}

impl Pair {
    /// Nothing that can be seen differs.
    fn compare(&mut self) -> TestCaseResult {
        let Self { server, model, .. } = self;
        let replies = server.replies();
        for told in &server.told[self.told.min(server.told.len())..] {
            self.dialogue.push(format!("   {told}"));
        }
        for reply in &replies[self.replies.min(replies.len())..] {
            self.dialogue.push(format!("S: {reply}"));
        }
        (self.replies, self.told) = (replies.len(), server.told.len());
        let so_far = || self.dialogue.join("\n");
        let deadline = server.machine.poll_timeout().map(|at| at.as_micros() / 1_000_000);
        prop_assert_eq!(&replies, &model.replies, "replies; {}", so_far());
        prop_assert_eq!(&server.told, &model.told, "questions and facts; {}", so_far());
        prop_assert_eq!(server.open(), model.open(), "open questions; {}", so_far());
        prop_assert_eq!(server.facts(), model.facts(), "the session; {}", so_far());
        prop_assert_eq!(deadline, model.deadline(), "the deadline; {}", so_far());
        prop_assert!(server.body == model.body, "the body; {}", so_far());
        Ok(())
    }

    fn says(&mut self, text: &str, cuts: &[Index]) -> TestCaseResult {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len())).collect();
        ends.push(text.len());
        ends.sort_unstable();
        let mut from = 0;
        for to in ends {
            let piece = &text[from..to];
            self.dialogue.push(format!("C: {}", shown(piece)));
            self.model.receive(piece.as_bytes());
            self.server.input.extend_from_slice(piece.as_bytes());
            self.server.advance();
            self.compare()?;
            from = to;
        }
        Ok(())
    }

    fn pass(&mut self, seconds: u64) {
        self.dialogue.push(format!("   {seconds} s pass"));
        self.model.pass(seconds);
        self.server.now += seconds;
        self.server.machine.handle_timeout(Instant::from_secs(self.server.now));
    }

    fn happens(&mut self, action: &Action) -> TestCaseResult {
        match action {
            Action::Say(text, cuts) => return self.says(text, cuts),
            Action::GoOn(which, cuts) => {
                let texts = fitting(self.model.place());
                return self.says(texts[which.index(texts.len())], cuts);
            }
            Action::Decide(which, it) => {
                let open = self.server.open();
                if open.is_empty() {
                    return Ok(());
                }
                let number = open[which.index(open.len())];
                self.dialogue.push(format!("   {number}: {it:?}"));
                prop_assert!(self.model.decide(number, *it));
                let question = self.server.questions[number - 1].take().unwrap();
                prop_assert!(answer(&mut self.server.machine, question, *it).is_ok());
            }
            Action::Pass(seconds) => self.pass(*seconds),
            Action::PassToDeadline(reaches) => {
                let now = self.server.now;
                let seconds = self.model.deadline().map_or(0, |at| at.saturating_sub(now));
                self.pass(seconds.saturating_sub(u64::from(!reaches)));
            }
            Action::Discard => {
                self.dialogue.push("   discard".into());
                let discarded = self.server.machine.discard_body(&refusal(Answer::Never));
                prop_assert_eq!(discarded, self.model.discard("550 5.7.9"), "{:?}", self.dialogue);
            }
            Action::ShutDown => {
                self.dialogue.push("   shutdown".into());
                self.model.shut_down();
                self.server.machine.shutdown(&Refused::SHUTTING_DOWN);
            }
            Action::Finish => {
                self.dialogue.push("C: (end)".into());
                self.model.finish();
                self.server.machine.handle_eof();
            }
        }
        self.server.advance();
        self.compare()
    }
}

/// Octets for people; of many only the first.
fn shown(text: &str) -> String {
    let start: String = text.chars().take(150).collect();
    let more = if start.len() < text.len() { format!("... ({})", text.len()) } else { "".into() };
    format!("{}{more}", start.escape_debug())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_server_does_what_its_model_does_whatever_happens((setup, actions) in script()) {
        let (server, model) = (Server::new(setup.clone()), Model::new(setup));
        let mut pair = Pair { server, model, dialogue: vec![], replies: 0, told: 0 };
        // The greeting is asked about before anything comes.
        pair.model.receive(b"");
        pair.server.advance();
        pair.compare()?;
        for action in &actions {
            pair.happens(action)?;
        }
    }
}
