//! What becomes of questions: answered early, late, out of order, never, or not needed any more.

mod ledger;

use crate::{
    embedder::{Answer, NOW, Question, Words, config, drain, extensions},
    replies,
};
use ledger::{Ledger, Outcome};
use smtp_proto::{
    Class, CloseReason, EnhancedCode, Instant, Limits, Need, Step, Timeouts, Timer,
    server::{BareLineEnding, Mode, ServerConnection, Start},
    wire::{Accepted, Refused},
};
use std::{collections::VecDeque, time::Duration};

/// However an embedder answers, each command is answered once, in the order of the commands, by
/// whoever had to: the machine, the embedder in its own words, or the machine in its place when its
/// time was over. A question waits until just one thing has happened: its answer, the end of its
/// time, an answer before it that closes the connection, or the end of the connection; from then on
/// every answer to it is stale. Nothing follows an answer that closes; behind the last reply comes
/// at most one word of farewell, and only where the machine closes of its own.
///
/// Each answer has a number in its words, which is how its reply is known again. The peer is well
/// behaved in one point: behind DATA it waits, and sends its message after a 354 and only then.
///
/// The first octet of `data` chooses the mode, how many RCPT may be open, and whether the session has
/// a bound. Of each further one the lower half says what happens, the upper half how.
///
/// # Panics
/// If it is not so.
pub fn decisions(data: &[u8]) {
    let [flags, program @ ..] = data else { return };
    let mut session = Session::new(*flags);
    for octet in program {
        session.happens(octet & 15, octet >> 4);
    }
    session.finish();
}

/// Commands that are sent more rarely.
const OTHERS: [&str; 16] = [
    "QUIT",
    "HELP",
    "FOO",
    "EXPN list",
    "ETRN b.example",
    "MAIL FROM:<a",
    "AA==",
    "*",
    "RCPT TO:<",
    "XFUZZ what",
    "XCLIENT ADDR=192.0.2.9",
    "HELO a.example",
    "AUTH LOGIN",
    "DATA now",
    "RSET now",
    "NOOP\0",
];

struct Session {
    connection: ServerConnection,
    now: Instant,
    hello: &'static str,
    /// All that the peer has sent, how much of it the machine was shown, and how much it took.
    sent: Vec<u8>,
    shown: usize,
    taken: usize,
    /// Lines that the peer sends when it knows what becomes of its DATA.
    later: VecDeque<String>,
    /// The peer has sent DATA and waits; once it was asked about, which question that is.
    data: Option<Option<usize>>,
    ended: bool,
    ledger: Ledger,
    /// Open questions, and those of which we have not heard that they are not.
    kept: Vec<(usize, Question)>,
    keep: u8,
    next: Answer,
    output: Vec<u8>,
    closed: Option<CloseReason>,
}

impl Session {
    fn new(flags: u8) -> Self {
        let (mode, hello) = match flags & 3 {
            2 => (Mode::Lmtp, "LHLO a.example"),
            3 => (Mode::Submission, "EHLO a.example"),
            _ => (Mode::Smtp, "EHLO a.example"),
        };
        let mut limits = Limits::default();
        limits.decisions_in_flight = usize::from(flags >> 2 & 7) + 1;
        // The machine is not to lose its patience.
        (limits.violations, limits.auth_failures) = (u16::MAX, u16::MAX);
        let mut timeouts = Timeouts::default();
        // No sum of the times that pass here.
        timeouts.session = (flags & 32 != 0).then_some(Duration::from_secs(777));
        let config = config(mode, extensions(), limits, BareLineEnding::Refuse);
        let config = config.to_builder().timeouts(timeouts).build();
        Self {
            connection: ServerConnection::new(config, Start::Plain),
            now: NOW,
            hello,
            sent: Vec::new(),
            shown: 0,
            taken: 0,
            later: VecDeque::new(),
            data: None,
            ended: false,
            ledger: Ledger::default(),
            kept: Vec::new(),
            keep: 0,
            next: Answer::Yes,
            output: Vec::new(),
            closed: None,
        }
    }

    fn happens(&mut self, what: u8, how: u8) {
        let number = self.ledger.commands();
        match what {
            0 => self.send(format!("RCPT TO:<r{number}@b.example>")),
            1 => self.send("MAIL FROM:<a@a.example>".into()),
            2 => self.send(self.hello.into()),
            3 => self.send("DATA".into()),
            4 => self.send("NOOP".into()),
            5 => self.send(format!("VRFY v{number}")),
            6 => self.send("RSET".into()),
            7 => self.send("AUTH PLAIN AGEAYg==".into()),
            8 => self.send(OTHERS[usize::from(how)].into()),
            9 => (0..how).for_each(|place| self.send(format!("RCPT TO:<m{place}@b.example>"))),
            10 => {
                let all = self.sent.len();
                let more = if how == 0 { all } else { self.shown + usize::from(how) * 5 };
                self.shown = more.min(all);
                self.run();
            }
            11 => self.keep = how + 1,
            12 => self.answer_kept(how),
            13 => self.next = answer(how),
            14 if how == 0 => {
                let at = self.connection.poll_timeout().unwrap_or(self.now);
                self.pass(at);
            }
            14 => self.pass(self.now + Duration::from_secs(20 * u64::from(how))),
            _ if how < 4 => self.connection.shutdown(&Refused::SHUTTING_DOWN),
            _ if how < 8 => self.end(),
            _ => self.connection.release(),
        }
    }

    // ── the peer ──

    fn send(&mut self, line: String) {
        if self.data.is_some() {
            self.later.push_back(line);
        } else if !self.ended {
            self.sent.extend_from_slice(line.as_bytes());
            self.sent.extend_from_slice(b"\r\n");
            self.ledger.sent(self.sent.len());
            self.data = (line == "DATA").then_some(None);
        }
    }

    /// The peer hears what becomes of its DATA.
    fn data_decided(&mut self, accepted: bool) {
        self.data = None;
        if accepted {
            self.send("message\r\n.".into());
        }
        for line in std::mem::take(&mut self.later) {
            self.send(line);
        }
    }

    fn end(&mut self) {
        self.shown = self.sent.len();
        self.ended = true;
        self.connection.handle_eof();
    }

    // ── the embedder ──

    /// Polls until the machine wants something that is not there.
    fn run(&mut self) {
        loop {
            let sent = std::mem::take(&mut self.sent);
            let mut input = &sent[self.taken..self.shown];
            let step = self.connection.poll_event(&mut input, self.now);
            self.taken = self.shown - input.len();
            let (question, wants) = match step {
                Step::Event(event) => (Question::of(event).ok(), None),
                Step::Need(need) => (None, Some(Ok(need))),
                Step::Closed(why) => (None, Some(Err(why))),
            };
            self.sent = sent;
            let at_data = self.data == Some(None) && self.taken == self.sent.len();
            let number = self.ledger.taken(self.taken, question.is_some());
            if at_data {
                match (&question, number) {
                    (Some(Question::Data(_)), Some(number)) => self.data = Some(Some(number)),
                    _ if self.ledger.all_taken() => self.data_decided(false),
                    _ => {}
                }
            }
            if let (Some(question), Some(number)) = (question, number) {
                self.asked(number, question);
            }
            match wants {
                None => {}
                Some(Ok(Need::Flush)) => drain(&mut self.connection, &mut self.output),
                Some(Ok(Need::Decision)) => {
                    assert!(self.waiting(), "a decision is wanted, but no question is open");
                    return;
                }
                Some(Ok(Need::Input)) => {
                    assert!(!self.waiting(), "input is wanted while a question is open");
                    return;
                }
                Some(Err(why)) => {
                    assert!(self.closed.is_none_or(|before| before == why), "two reasons");
                    assert!(!self.waiting(), "closed while a question is open");
                    self.closed = Some(why);
                    self.ledger.close();
                    return;
                }
            }
        }
    }

    fn waiting(&self) -> bool {
        self.kept.iter().any(|(_, question)| question.is_waiting(&self.connection))
    }

    fn asked(&mut self, number: usize, question: Question) {
        assert!(question.is_waiting(&self.connection), "a fresh question is open");
        if self.keep > 0 {
            self.keep -= 1;
            self.kept.push((number, question));
        } else {
            let answer = std::mem::replace(&mut self.next, Answer::Yes);
            self.answer(number, question, answer);
        }
    }

    fn answer_kept(&mut self, how: u8) {
        if !self.kept.is_empty() {
            let place = usize::from(how >> 2) % self.kept.len();
            let (number, question) = self.kept.remove(place);
            self.answer(number, question, answer(how));
        }
    }

    fn answer(&mut self, number: usize, question: Question, answer: Answer) {
        let open = self.ledger.is_open(number);
        assert_eq!(question.is_waiting(&self.connection), open, "question {number}");
        let tag = format!("q{number}");
        let outcome = outcome(&question, answer, &tag);
        let code = |class| EnhancedCode::new(class, 0, 0).expect("x.0.0 is a status code");
        let yes = Accepted::new(250, code(Class::Success), tag.clone()).expect("printable");
        let no = Refused::new(450, code(Class::Transient), tag).expect("printable");
        let words = Words { yes, nobody: no.clone(), bye: no.clone(), no };
        let result = question.answer_in(&mut self.connection, answer, &words);
        assert_eq!(result.is_ok(), open, "`is_waiting` tells what an answer will do");
        if open {
            let accepted = matches!(outcome, Outcome::Replied { code: 354, .. });
            self.ledger.settle(number, outcome);
            if answer == Answer::Disconnect {
                self.ledger.drop_after(number);
            }
            if self.data == Some(Some(number)) {
                self.data_decided(accepted);
            }
        }
    }

    /// Fires one timer after the other until `until`.
    fn pass(&mut self, until: Instant) {
        while let Some(at) = self.connection.poll_timeout().filter(|at| *at <= until) {
            let timer = self.connection.timer();
            self.now = self.now.max(at);
            self.connection.handle_timeout(self.now);
            if timer != Some(Timer::Decision) {
                self.ledger.close();
                break;
            }
            for (number, question) in &self.kept {
                if self.ledger.is_open(*number) && !question.is_waiting(&self.connection) {
                    self.ledger.settle(*number, Outcome::Late);
                }
            }
            if self.data.flatten().is_some_and(|number| !self.ledger.is_open(number)) {
                self.data_decided(false);
            }
        }
        self.now = self.now.max(until);
        self.connection.handle_timeout(self.now);
    }

    /// Nobody says anything more, and sooner or later the session is over.
    fn finish(&mut self) {
        self.run();
        let mut budget = 64 + self.kept.len();
        while self.closed.is_none() {
            budget = budget.checked_sub(1).expect("a silent peer is never sent away");
            let at = self.connection.poll_timeout().expect("there is always a deadline");
            self.pass(at);
            self.run();
        }
        drain(&mut self.connection, &mut self.output);
        for (number, question) in std::mem::take(&mut self.kept) {
            self.answer(number, question, Answer::Yes);
        }
        assert_eq!(self.connection.poll_transmit(), None, "words after the end");
        let alone = matches!(self.closed, Some(CloseReason::Timeout(_) | CloseReason::Shutdown));
        self.ledger.compare(&replies::whole(&self.output), alone);
    }
}

fn answer(how: u8) -> Answer {
    [Answer::Yes, Answer::InWords, Answer::No, Answer::Disconnect][usize::from(how & 3)]
}

/// The reply that an answer must lead to.
fn outcome(question: &Question, answer: Answer, tag: &str) -> Outcome {
    use Question::{Auth, Connect, Data, Handshake, Hello, StartTls, Xclient};
    let is_plain = matches!(question, Hello(_) | StartTls(_) | Handshake(_) | Auth(_) | Data(_));
    let code = match (answer, question) {
        (Answer::No | Answer::Disconnect, _) => 450,
        (_, Connect(_) | Xclient(_) | StartTls(_)) => 220,
        (Answer::InWords, Auth(_)) => 334,
        (_, Auth(_)) => 235,
        (_, Data(_)) => 354,
        (Answer::Yes, Question::Verify(_)) => 252,
        (Answer::Yes, Question::Help(_)) => 214,
        _ => 250,
    };
    let worded = answer != Answer::Yes && !(is_plain && answer == Answer::InWords);
    Outcome::Replied { code, tag: worded.then(|| tag.to_owned()) }
}
