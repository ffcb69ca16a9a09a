//! The client beside its model.

use crate::{
    client_model::{Command, Model, Setup},
    client_script::{Action, answers, fitting, script},
};
use proptest::{prelude::*, sample::Index, test_runner::TestCaseResult};
use smtp_proto::{
    Instant, Misuse, Need, Start, Step,
    body::LineEndings,
    client::{ClientConfig, ClientConnection, ClientEvent, CommandId, Limits, Mode},
    wire::{ForwardPath, HelloName, Mail, Mechanism, Rcpt, ReversePath},
};

/// The machine, and a line that takes what there is room for.
struct Client {
    machine: ClientConnection,
    now: u64,
    input: String,
    sent: Vec<u8>,
    /// Commands in the order in which they were given; a lone dot has no place among them.
    given: Vec<CommandId>,
    told: Vec<String>,
    /// Octets of a message that wait to be written.
    message: Vec<u8>,
    /// Octets that the line takes, if not all.
    room: Option<usize>,
    closed: bool,
}

impl Client {
    fn new(setup: &Setup) -> Self {
        let mut limits = Limits::default();
        limits.unanswered = setup.unanswered;
        let mut config = ClientConfig::builder()
            .mode(if setup.lmtp { Mode::Lmtp } else { Mode::Smtp })
            .limits(limits);
        if !setup.may_pipeline {
            config = config.without_pipelining();
        }
        if !setup.may_helo {
            config = config.without_helo();
        }
        if setup.normalise {
            config = config.line_endings(LineEndings::Normalise);
        }
        Self {
            machine: ClientConnection::new(config.build(), Start::Plain),
            now: 1,
            input: String::new(),
            sent: vec![],
            given: vec![],
            told: vec![],
            message: vec![],
            room: None,
            closed: false,
        }
    }

    /// Writes what there is, the octets of a message in their place; false if nothing left.
    fn write(&mut self) -> bool {
        let before = self.machine.poll_transmit().unwrap_or_default();
        let behind = self.machine.poll_transmit_behind().unwrap_or_default();
        let octets = [before, &self.message, behind].concat();
        let n = self.room.map_or(octets.len(), |room| room.min(octets.len()));
        self.sent.extend_from_slice(&octets[..n]);
        self.room = self.room.map(|room| room - n);
        let of_message = n.saturating_sub(before.len()).min(self.message.len());
        self.message.drain(..of_message);
        self.machine.handle_transmitted(n);
        n > 0
    }

    fn give(&mut self, command: Command) -> Result<(), Misuse> {
        let machine = &mut self.machine;
        let id = match command {
            Command::Hello => machine.hello(&HelloName::parse("c.example").unwrap())?,
            Command::StartTls => machine.start_tls()?,
            Command::Auth => machine.auth(&Mechanism::LOGIN, None)?,
            Command::Respond => return machine.respond(b"x"),
            Command::Cancel => return machine.cancel(),
            Command::Mail => {
                machine.mail(&Mail::new(ReversePath::parse("<a@b.example>").unwrap().0))?
            }
            Command::Rcpt(n) => {
                let to = format!("<{n}@d.example>");
                machine.rcpt(&Rcpt::new(ForwardPath::parse(&to).unwrap().0))?
            }
            Command::Data => machine.data()?,
            Command::Bdat(size, last) => {
                let id = machine.bdat(size.into(), last)?;
                self.message = "x".repeat(size.into()).into();
                id
            }
            Command::Body(text) => return self.body(text.as_bytes()),
            Command::EndBody => machine.end_body()?,
            Command::Rset => machine.rset()?,
            Command::Noop => machine.noop()?,
            Command::Quit => machine.quit()?,
            Command::Establish => return machine.establish(),
            Command::Abandon => {
                machine.abandon();
                return Ok(());
            }
            Command::Abort => {
                machine.abort();
                return Ok(());
            }
        };
        self.given.push(id);
        Ok(())
    }

    fn body(&mut self, mut text: &[u8]) -> Result<(), Misuse> {
        while !text.is_empty() {
            let mut pieces = [&[][..]; 3];
            let filled = self.machine.body(&mut text, &mut pieces)?;
            for piece in &pieces[..filled] {
                self.message.extend_from_slice(piece);
            }
        }
        Ok(())
    }

    /// Runs the machine until something from outside is needed.
    fn advance(&mut self) {
        let input = std::mem::take(&mut self.input);
        let mut unread = input.as_bytes();
        loop {
            match self.machine.poll_event(&mut unread, Instant::from_secs(self.now)) {
                Step::Event(event) => {
                    let words = self.words(event);
                    self.told.push(words);
                }
                Step::Need(need) => {
                    assert_ne!(need, Need::Flush);
                    if !self.write() {
                        break;
                    }
                }
                Step::Closed(why) => {
                    self.message.clear();
                    self.write();
                    if !std::mem::replace(&mut self.closed, true) {
                        self.told.push(format!("Closed({why:?})"));
                    }
                    break;
                }
            }
        }
        self.input = String::from_utf8(unread.to_vec()).unwrap();
    }

    /// What an event says, in the words of the model.
    fn words(&self, event: ClientEvent<'_>) -> String {
        let number = |id: CommandId| {
            self.given.iter().position(|&given| given == id).map_or(0, |place| place + 1)
        };
        match event {
            ClientEvent::Greeting(reply) => format!("greeting {}", reply.code()),
            ClientEvent::Reply { id, reply } => format!("reply {} {}", number(id), reply.code()),
            ClientEvent::Challenge { id, .. } => format!("challenge {}", number(id)),
            ClientEvent::Delivery { id, index, reply } => {
                format!("delivery {} {index} {}", number(id), reply.code())
            }
            ClientEvent::Skipped(id) => format!("skipped {}", number(id)),
            ClientEvent::Handshake => "handshake".into(),
            ClientEvent::Unsolicited(reply) => format!("unsolicited {}", reply.code()),
            other => panic!("{other:?}"),
        }
    }

    fn facts(&self) -> String {
        let machine = &self.machine;
        format!(
            "idle {} esmtp {} tls {} authenticated {} accepted {} pipelining {}",
            machine.is_idle(),
            machine.is_esmtp(),
            machine.is_tls(),
            machine.is_authenticated(),
            machine.accepted_recipients(),
            machine.capabilities().pipelining
        )
    }
}

/// The machine and the model, to which the same happens.
struct Pair {
    client: Client,
    model: Model,
    /// What has happened, for people.
    dialogue: Vec<String>,
    sent: usize,
    told: usize,
}

impl Pair {
    /// Nothing that can be seen differs.
    fn compare(&mut self) -> TestCaseResult {
        let Self { client, model, .. } = self;
        let sent = String::from_utf8(client.sent.clone()).unwrap();
        for told in &client.told[self.told..] {
            self.dialogue.push(format!("   {told}"));
        }
        if sent.len() > self.sent {
            self.dialogue.push(format!("C: {}", sent[self.sent..].escape_debug()));
        }
        (self.sent, self.told) = (sent.len(), client.told.len());
        let so_far = || self.dialogue.join("\n");
        let deadline = client.machine.poll_timeout().map(|at| at.as_micros() / 1_000_000);
        prop_assert_eq!(&client.told, &model.told, "events; {}", so_far());
        prop_assert_eq!(&sent, model.sent(), "octets sent; {}", so_far());
        prop_assert_eq!(client.facts(), model.facts(), "the session; {}", so_far());
        prop_assert_eq!(deadline, model.deadline(), "the deadline; {}", so_far());
        Ok(())
    }

    fn gives(&mut self, command: Command) -> TestCaseResult {
        let (want, got) = (self.model.give(command), self.client.give(command));
        let shown = got.as_ref().map_err(|misuse| format!("{misuse:?}"));
        self.dialogue.push(format!("   {command:?}: {shown:?}"));
        let name = |misuse: &String| misuse.split('(').next().unwrap().to_owned();
        let got = shown.err().as_ref().map(name);
        prop_assert_eq!(got.as_deref(), want.err(), "a command; {}", self.dialogue.join("\n"));
        Ok(())
    }

    fn says(&mut self, text: &str, cuts: &[Index]) -> TestCaseResult {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len().max(1))).collect();
        ends.push(text.len());
        ends.sort_unstable();
        let mut from = 0;
        for to in ends {
            let piece = &text[from..to];
            self.dialogue.push(format!("S: {}", piece.escape_debug()));
            self.model.receive(piece);
            self.client.input += piece;
            self.client.advance();
            self.compare()?;
            from = to;
        }
        Ok(())
    }

    /// Answers to the first of what is awaited.
    fn answer(&self, which: &[Index]) -> String {
        let answer = |(which, command): (&Index, &'static str)| {
            let answers = answers(command);
            answers[which.index(answers.len())]
        };
        which.iter().zip(self.model.awaited()).map(answer).collect()
    }

    fn pass(&mut self, seconds: u64) {
        self.dialogue.push(format!("   {seconds} s pass"));
        self.model.pass(seconds);
        self.client.now += seconds;
        self.client.machine.handle_timeout(Instant::from_secs(self.client.now));
    }

    fn happens(&mut self, action: &Action) -> TestCaseResult {
        match action {
            Action::Say(text, cuts) => return self.says(text, cuts),
            Action::Answer(which, cuts) => {
                let text = self.answer(which);
                return self.says(&text, cuts);
            }
            Action::Give(command) => self.gives(*command)?,
            Action::GoOn(which) => {
                let commands = fitting(self.model.place(), self.model.is_challenged());
                self.gives(commands[which.index(commands.len())])?;
            }
            Action::Pass(seconds) => self.pass(*seconds),
            Action::PassToDeadline(reaches) => {
                let now = self.client.now;
                let seconds = self.model.deadline().map_or(0, |at| at.saturating_sub(now));
                self.pass(seconds.saturating_sub(u64::from(!reaches)));
            }
            Action::MakeRoom(room) => {
                self.dialogue.push(format!("   room for {room:?}"));
                self.client.room = *room;
                self.client.write();
                self.model.make_room(*room);
            }
            Action::Finish(which) => {
                let text = self.answer(which);
                self.dialogue.push(format!("S: {} (end)", text.escape_debug()));
                self.model.finish(&text);
                self.client.input += &text;
                self.client.machine.handle_eof();
            }
        }
        self.client.advance();
        self.compare()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_client_does_what_its_model_does_whatever_happens((setup, actions) in script()) {
        let (client, model) = (Client::new(&setup), Model::new(setup));
        let mut pair = Pair { client, model, dialogue: vec![], sent: 0, told: 0 };
        pair.model.receive("");
        pair.client.advance();
        pair.compare()?;
        for action in &actions {
            pair.happens(action)?;
        }
    }
}
