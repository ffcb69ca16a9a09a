//! The server beside its model.

use crate::{
    server_model::{Answer, Bare, Mode as ModelMode, Model, Setup},
    server_script::{Action, fitting, script},
};
use fuzz_properties::embedder::Question;
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
    /// What the client has read, how many octets it will read, if not all, and what it was told.
    output: Vec<u8>,
    room: Option<usize>,
    all: Vec<u8>,
    replies: Vec<String>,
    lengths: Vec<usize>,
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
    limits.send_buffer = setup.send_buffer;
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

/// What the embedder says: much to a slow client, so that its buffer fills.
fn text(slow: bool) -> String {
    if slow { "as you wish, as you wish, as you\n".repeat(60) } else { "as\nyou wish".into() }
}

fn refusal(answer: Answer, text: &str) -> Refused<'_> {
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
    fn advance(&mut self) {
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

    fn decide(&mut self, question: Question, it: Answer) -> Result<(), Stale> {
        answer(&mut self.machine, question, it, &text(self.setup.slow))
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
    fn open(&self) -> Vec<usize> {
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
        for told in &server.told[self.told..] {
            self.dialogue.push(format!("   {told}"));
        }
        for reply in &server.replies[self.replies..] {
            self.dialogue.push(format!("S: {reply}"));
        }
        (self.replies, self.told) = (server.replies.len(), server.told.len());
        let so_far = || self.dialogue.join("\n");
        let deadline = server.machine.poll_timeout().map(|at| at.as_micros() / 1_000_000);
        prop_assert_eq!(&server.replies, &model.replies, "replies; {}", so_far());
        prop_assert_eq!(&server.told, &model.told, "questions and facts; {}", so_far());
        prop_assert_eq!(server.open(), model.open(), "open questions; {}", so_far());
        prop_assert_eq!(server.facts(), model.facts(), "the session; {}", so_far());
        prop_assert_eq!(deadline, model.deadline(), "the deadline; {}", so_far());
        prop_assert!(server.body == model.body, "the body; {}", so_far());
        Ok(())
    }

    /// The same happens to both. The machine is first, so that the model can be told how long its
    /// replies are.
    fn both(
        &mut self,
        what: String,
        to_server: impl FnOnce(&mut Server),
        to_model: impl FnOnce(&mut Model),
    ) -> TestCaseResult {
        self.dialogue.push(what);
        to_server(&mut self.server);
        self.server.advance();
        self.model.lengths.clone_from(&self.server.lengths);
        to_model(&mut self.model);
        self.compare()
    }

    fn says(&mut self, text: &str, cuts: &[Index]) -> TestCaseResult {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len())).collect();
        ends.push(text.len());
        ends.sort_unstable();
        let mut from = 0;
        for to in ends {
            let piece = &text[from..to];
            let what = format!("C: {}", shown(piece));
            self.both(
                what,
                |server| server.input.extend_from_slice(piece.as_bytes()),
                |model| model.receive(piece.as_bytes()),
            )?;
            from = to;
        }
        Ok(())
    }

    fn pass(&mut self, seconds: u64) -> TestCaseResult {
        self.both(
            format!("   {seconds} s pass"),
            |server| {
                server.now += seconds;
                server.machine.handle_timeout(Instant::from_secs(server.now));
            },
            |model| model.pass(seconds),
        )
    }

    /// All clients but the slow ones read what there is.
    fn make_room(&mut self, room: Option<usize>) -> TestCaseResult {
        if !self.server.setup.slow {
            return Ok(());
        }
        self.both(
            format!("   room for {room:?}"),
            |server| server.room = room,
            |model| model.make_room(room),
        )
    }

    fn happens(&mut self, action: &Action) -> TestCaseResult {
        match action {
            Action::Say(text, cuts) => self.says(text, cuts),
            Action::GoOn(which, cuts) => {
                let texts = fitting(self.model.place());
                self.says(texts[which.index(texts.len())], cuts)
            }
            Action::Decide(which, it) => {
                let open = self.server.open();
                if open.is_empty() {
                    return Ok(());
                }
                let number = open[which.index(open.len())];
                let question = self.server.questions[number - 1].take().unwrap();
                self.both(
                    format!("   {number}: {it:?}"),
                    |server| server.decide(question, *it).unwrap(),
                    |model| assert!(model.decide(number, *it)),
                )
            }
            Action::Pass(seconds) => self.pass(*seconds),
            Action::PassToDeadline(reaches) => {
                let now = self.server.now;
                let seconds = self.model.deadline().map_or(0, |at| at.saturating_sub(now));
                self.pass(seconds.saturating_sub(u64::from(!reaches)))
            }
            Action::MakeRoom(room) => self.make_room(*room),
            Action::ReadToMark(reaches) => {
                let unread = self.server.machine.poll_transmit().map_or(0, <[u8]>::len);
                let more = unread.saturating_sub(self.server.setup.send_buffer);
                self.make_room(Some(more.saturating_sub(usize::from(!reaches))))
            }
            Action::Discard => {
                let text = text(self.server.setup.slow);
                let refused = refusal(Answer::Never, &text);
                let (mut by_server, mut by_model) = (false, false);
                self.both(
                    "   discard".into(),
                    |server| by_server = server.machine.discard_body(&refused),
                    |model| by_model = model.discard("550 5.7.9"),
                )?;
                prop_assert_eq!(by_server, by_model, "{}", self.dialogue.join("\n"));
                Ok(())
            }
            Action::ShutDown => self.both(
                "   shutdown".into(),
                |server| server.machine.shutdown(&Refused::SHUTTING_DOWN),
                Model::shut_down,
            ),
            Action::Finish => {
                self.both("C: (end)".into(), |server| server.machine.handle_eof(), Model::finish)
            }
        }
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
        pair.says("", &[])?;
        for action in &actions {
            pair.happens(action)?;
        }
    }
}
