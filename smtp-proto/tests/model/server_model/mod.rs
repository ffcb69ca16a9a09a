//! What a server does, slowly and plainly: nothing here knows the machine under test.
//!
//! | file | what |
//! |---|---|
//! | `mod` | the state, what comes from outside, the loop |
//! | `commands` | the commands, by RFC 5321 §4.1.1 and the extensions |
//! | `answers` | what a decision of the embedder does |
//! | `body` | the octets of messages |
//! | `setup` | what the server is, offers and decides |
//!
//! Grammar is not its subject: each word that the scripts have is plainly right or plainly wrong. Where
//! the RFCs leave a choice to the server, the choice is that of `smtp-proto`'s front page, and
//! "(contract N)" says which line of it.

use std::collections::VecDeque;

mod answers;
mod body;
mod commands;
mod setup;

pub(crate) use setup::{Answer, Bare, Mode, Offer, Setup};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The greeting has not been asked about.
    Start,
    Commands,
    /// The client owes an answer to a 334.
    AuthLine,
    /// The 220 to STARTTLS has left.
    Upgrade,
    Handshake,
    Dot,
    Chunk,
    /// Octets of a refused BDAT.
    Stray,
    Message,
    Delivery,
    Closed,
}

/// A place in the line of replies (RFC 2920 §3.2: replies have the order of the commands).
#[derive(Debug)]
struct Slot {
    number: usize,
    /// The open question, and until when it may be answered.
    question: Option<(&'static str, u64)>,
    reply: String,
}

#[derive(Debug)]
pub(crate) struct Model {
    setup: Setup,
    now: u64,
    /// What has come and has not been read.
    input: VecDeque<u8>,
    eof: bool,
    stage: Stage,
    /// The greeting was a refusal.
    rejected: bool,
    hello: Option<&'static str>,
    hello_asked: &'static str,
    /// The other offer was made.
    other_offer: bool,
    tls: bool,
    authenticated: bool,
    /// The XCLIENT that is asked about names a user.
    login_asked: bool,
    in_auth: bool,
    mail: bool,
    /// The message has BODY=BINARYMIME; so has the one that is asked about.
    binary: bool,
    binary_asked: bool,
    /// The same of SMTPUTF8.
    utf8: bool,
    utf8_asked: bool,
    recipients: usize,
    /// A BDAT of the message was accepted; one has failed.
    chunked: bool,
    failed: bool,
    /// A MAIL or RCPT of the running group was refused: so many commands out of order are forgiven.
    forgiven: usize,
    transactions: usize,
    violations: usize,
    auth_failures: usize,
    asked: usize,
    slots: Vec<Slot>,
    /// Octets stood behind a DATA that is being decided.
    past_data: bool,
    closing: Option<&'static str>,
    shutdown: bool,
    /// The wait that runs: its name, its beginning and its end.
    wait: Option<(&'static str, u64, u64)>,
    session_end: Option<u64>,
    message: body::Message,
    pub(crate) replies: Vec<String>,
    /// How many octets they have: their text is the server's own affair.
    pub(crate) lengths: Vec<usize>,
    /// Octets that the client has not read, and how many it will, if not all.
    unread: usize,
    room: Option<usize>,
    /// Questions and facts, as the embedder gets them.
    pub(crate) told: Vec<String>,
    /// The octets of the message that is coming, or came last.
    pub(crate) body: Vec<u8>,
}

/// Seconds (RFC 5321 §4.5.3.2; those of decisions stay below what a client waits).
const COMMAND: u64 = 300;
const DATA: u64 = 300;
const DECISION: u64 = 120;
const DATA_DECISION: u64 = 60;
const MESSAGE_DECISION: u64 = 480;
const HANDSHAKE: u64 = 60;
const FLUSH: u64 = 300;

impl Model {
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            now: 1,
            input: VecDeque::new(),
            eof: false,
            stage: Stage::Start,
            rejected: false,
            hello: None,
            hello_asked: "",
            other_offer: false,
            tls: false,
            authenticated: false,
            login_asked: false,
            in_auth: false,
            mail: false,
            binary: false,
            binary_asked: false,
            utf8: false,
            utf8_asked: false,
            recipients: 0,
            chunked: false,
            failed: false,
            forgiven: 0,
            transactions: 0,
            violations: 0,
            auth_failures: 0,
            asked: 0,
            slots: vec![],
            past_data: false,
            closing: None,
            shutdown: false,
            wait: None,
            session_end: None,
            message: body::Message::default(),
            replies: vec![],
            lengths: vec![],
            unread: 0,
            room: None,
            told: vec![],
            body: vec![],
            setup,
        }
    }

    // What comes from outside.

    pub(crate) fn receive(&mut self, octets: &[u8]) {
        self.input.extend(octets);
        self.advance();
    }

    /// The client reads so many octets more; `None`: whatever it is told.
    pub(crate) fn make_room(&mut self, room: Option<usize>) {
        self.room = room;
        self.advance();
    }

    /// Nothing more will come (contract 8).
    pub(crate) fn finish(&mut self) {
        self.eof = true;
        self.advance();
    }

    /// The server is to stop.
    pub(crate) fn shut_down(&mut self) {
        self.shutdown |= self.stage != Stage::Closed;
        self.advance();
    }

    /// Time passes, and the timers that are due fire, the first due first (contract 9).
    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now += seconds;
        while let Some((_, timer)) = self.due().filter(|&(at, _)| at <= self.now) {
            self.fire(timer);
        }
        self.advance();
    }

    /// The next deadline.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.due().map(|(at, _)| at)
    }

    fn due(&self) -> Option<(u64, &'static str)> {
        let decision = self
            .slots
            .iter()
            .find_map(|slot| slot.question)
            .map(|(kind, at)| (at, if kind == "handshake" { "Handshake" } else { "Decision" }));
        let wait = self.wait.map(|(timer, _, at)| (at, timer));
        let session = self.session_end.map(|at| (at, "Session"));
        [decision, wait, session].into_iter().flatten().min_by_key(|&(at, _)| at)
    }

    /// RFC 5321 §3.8, §4.5.3.2: 421 4.4.2 to a client that is too slow. Silence to one that does not
    /// read, and inside TLS that is not up yet: nobody could read it.
    fn fire(&mut self, timer: &'static str) {
        if timer == "Decision" {
            return self.late();
        }
        let silent = timer == "Flush" || matches!(self.stage, Stage::Upgrade | Stage::Handshake);
        let why = match timer {
            "Command" => "Timeout(Command)",
            "Data" => "Timeout(Data)",
            "Flush" => "Timeout(Flush)",
            "Handshake" => "Timeout(Handshake)",
            _ => "Timeout(Session)",
        };
        self.close(why, "Timeout");
        if !silent {
            self.say("421 4.4.2");
        }
    }

    /// Where the client is, as far as it decides what makes sense now.
    pub(crate) fn place(&self) -> &'static str {
        match self.stage {
            Stage::AuthLine => "auth",
            Stage::Dot => "message",
            Stage::Chunk | Stage::Stray => "chunk",
            _ if self.hello.is_none() => "greeting",
            _ if self.failed => "failed",
            _ if self.chunked => "chunks",
            _ if self.recipients > 0 => "envelope",
            _ if self.mail => "mail",
            _ => "ready",
        }
    }

    /// What can be seen of the session from outside.
    pub(crate) fn facts(&self) -> String {
        format!(
            "tls {} hello {:?} authenticated {} utf8 {} recipients {} size {} transactions {} violations {} \
             auth failures {}",
            self.tls,
            self.hello,
            self.authenticated,
            self.utf8,
            self.recipients,
            self.message.size,
            self.transactions,
            self.violations,
            self.auth_failures
        )
    }

    /// What the client is offered.
    fn offer(&self) -> &Offer {
        if self.other_offer { &self.setup.other } else { &self.setup.offer }
    }

    // The loop.

    /// Does all that can be done with what is here, and with the room that there is.
    fn advance(&mut self) {
        loop {
            while self.step() {}
            let read = self.room.map_or(self.unread, |room| room.min(self.unread));
            self.unread -= read;
            self.room = self.room.map(|room| room - read);
            if read == 0 {
                return;
            }
        }
    }

    /// One thing; false if something from outside is needed first.
    fn step(&mut self) -> bool {
        if self.stage == Stage::Closed {
            return false;
        }
        // Contract 4: nothing goes on before enough was read. RFC 3207 §4: TLS begins behind the 220.
        let upgrades = self.stage == Stage::Upgrade && self.input.is_empty();
        if self.unread > self.setup.send_buffer || (upgrades && self.unread > 0) {
            self.wait_for("Flush", FLUSH);
            return false;
        }
        self.wait = self.wait.filter(|(timer, ..)| *timer != "Flush");
        if let Some(kind) = self.slots.iter().find_map(|slot| slot.question).map(|(kind, _)| kind) {
            if kind == "data" {
                self.past_data |= !self.input.is_empty();
            }
            return kind == "rcpt" && self.may_look_ahead() && self.take_line();
        }
        match self.stage {
            Stage::Start => {
                self.session_end = self.setup.session.map(|most| self.now + most);
                self.stage = Stage::Commands;
                self.ask("connect", "connect");
                true
            }
            Stage::Dot => self.read_dot(),
            Stage::Chunk | Stage::Stray => self.read_chunk(),
            _ if self.closing.is_some() => {
                let why = self.closing.take().unwrap();
                self.close(why, "Closed");
                true
            }
            // RFC 3207 §4.2, §6: what came in clear behind STARTTLS is thrown away, with the session.
            Stage::Upgrade if !self.input.is_empty() => {
                self.violations += 1;
                self.close("Residue", "Closed");
                true
            }
            Stage::Upgrade => {
                self.stage = Stage::Handshake;
                self.ask("handshake", "handshake");
                true
            }
            Stage::Delivery => {
                self.next_delivery();
                true
            }
            // §3.8: a server that must stop says 421.
            _ if self.shutdown => {
                self.say("421 4.3.2");
                self.close("Shutdown", "Closed");
                true
            }
            _ => {
                if self.take_line() {
                    return true;
                }
                if self.eof {
                    self.close("Eof", "Eof");
                    return true;
                }
                self.wait_for("Command", COMMAND);
                false
            }
        }
    }

    /// RFC 2920 §3.2: RCPTs may be decided together; no other command before they are (contract 5).
    fn may_look_ahead(&self) -> bool {
        let open = self.slots.iter().filter(|slot| slot.question.is_some()).count();
        open < self.setup.in_flight
            && self.closing.is_none()
            && !self.shutdown
            && self.recipients + open < self.setup.recipients
            && self.input.iter().take(5).map(u8::to_ascii_uppercase).eq(*b"RCPT ")
    }

    fn wait_for(&mut self, timer: &'static str, seconds: u64) {
        if self.wait.is_none_or(|(running, ..)| running != timer) {
            self.wait = Some((timer, self.now, self.now + seconds));
        }
    }

    // Replies and questions.

    /// A reply in its turn.
    fn say(&mut self, reply: &str) {
        self.slots.push(Slot { number: 0, question: None, reply: reply.into() });
        self.flush();
    }

    /// A question, and the answer if there is one at once.
    fn ask(&mut self, kind: &'static str, words: &str) {
        let most = match kind {
            "data" => DATA_DECISION,
            "message" | "delivery" => MESSAGE_DECISION,
            "handshake" => HANDSHAKE,
            _ => DECISION,
        };
        if kind == "data" {
            self.body.clear();
        }
        self.wait = None;
        self.asked += 1;
        let (number, question) = (self.asked, Some((kind, self.now + most)));
        self.slots.push(Slot { number, question, reply: String::new() });
        self.told.push(format!("{number}: {words}"));
        if let Some(answer) = self.setup.at_once[(number - 1) % self.setup.at_once.len()] {
            self.answer(number, answer);
        }
    }

    fn reply_to(&mut self, number: usize, reply: &str) {
        let slot = self.slots.iter_mut().find(|slot| slot.number == number).unwrap();
        slot.question = None;
        slot.reply = reply.into();
        self.flush();
    }

    /// Replies leave up to the first that is missing.
    fn flush(&mut self) {
        while self.slots.first().is_some_and(|slot| slot.question.is_none()) {
            let reply = self.slots.remove(0).reply;
            if !reply.is_empty() {
                self.unread += self.lengths.get(self.replies.len()).unwrap_or(&0);
                self.replies.push(reply);
            }
        }
    }

    // The end of things.

    /// The end of a transaction (RFC 5321 §4.1.1.5, §4.1.4), and why.
    fn end_transaction(&mut self, cause: &str) {
        if self.mail {
            self.told.push(format!("Reset({cause})"));
        }
        (self.mail, self.binary, self.utf8) = (false, false, false);
        (self.chunked, self.failed) = (false, false);
        self.recipients = 0;
        self.message.size = 0;
    }

    fn abort_body(&mut self, why: &str) {
        if std::mem::take(&mut self.message.open) {
            self.told.push(format!("BodyAborted({why})"));
        }
    }

    fn end_auth(&mut self, why: &str) {
        if std::mem::take(&mut self.in_auth) {
            self.told.push(format!("AuthAborted({why})"));
        }
    }

    /// The end of the connection: what was open is told to be over, from the inside out (contract 10).
    fn close(&mut self, why: &str, body: &str) {
        if self.stage == Stage::Closed {
            return;
        }
        self.end_auth("Closed");
        self.abort_body(body);
        self.end_transaction("Closed");
        if why == "Quit" {
            self.told.push("Quit".into());
        }
        self.told.push(format!("Closed({why})"));
        self.stage = Stage::Closed;
        self.slots.clear();
        self.wait = None;
        self.session_end = None;
    }
}
