//! A whole session with an embedder that does anything the contract allows, and some of what it
//! forbids.

use crate::{
    embedder::{Answer, Question, config, drain, extensions},
    replies,
};
use smtp_proto::{
    CloseReason, Instant, Limits, Need, Step,
    server::{BareLineEnding, Event, Mode, ServerConfig, ServerConnection, Start},
    wire::{MAX_REPLY, Refused},
};
use std::{sync::Arc, time::Duration};

/// Whatever the peer sends and whatever the embedder answers, in whatever order and however late:
///
/// - nothing panics, and a call with the same input never goes on for ever;
/// - input is only ever consumed from its front, and at `Need::Input` no more than `max_unread` of
///   it is left;
/// - what is written is a row of whole replies, and never more than the output mark and one reply
///   is queued;
/// - `Need::Decision` is said only while a question is open, `Need::Input` only while none is;
/// - every body that began ends exactly once, every accepted MAIL is followed by exactly one
///   `Reset`, and neither comes without the other having begun;
/// - once closed it stays closed for the same reason, and every token is stale;
/// - a peer that falls silent is gone after a bounded number of timers, and after `handle_eof` the
///   session ends once all is answered and written.
///
/// `data` begins with an octet of configuration. In what follows the octets F8 to FF, which occur
/// in no UTF-8 text, tell the embedder what to do; all others are the peer's.
///
/// # Panics
/// If it is not so.
pub fn server_session(data: &[u8]) {
    let [flags, program @ ..] = data else { return };
    let mut session = Session::new(*flags);
    let mut octets = program.iter();
    while let Some(&octet) = octets.next() {
        match octet {
            // Show the machine what has arrived.
            0xFF => session.run(),
            // What to say to the next question.
            0xFE => session.next = Answer::No,
            0xFD => session.next = Answer::InWords,
            0xFC => session.keep_next = true,
            // Answer the question that has been open the shortest, or the longest.
            0xFB => session.answer_kept(octets.next().copied().unwrap_or(0)),
            // Let time pass.
            0xFA => session.pass(Duration::from_secs(octets.next().copied().unwrap_or(0).into())),
            // The peer reads nothing, or reads again.
            0xF9 => session.deaf = !session.deaf,
            0xF8 => session.intervene(octets.next().copied().unwrap_or(0)),
            octet => session.arrived.push(octet),
        }
    }
    session.finish();
}

fn configuration(flags: u8) -> Arc<ServerConfig> {
    let mode = match flags & 3 {
        0 | 3 => Mode::Smtp,
        1 => Mode::Submission,
        _ => Mode::Lmtp,
    };
    let bare = match flags >> 2 & 3 {
        0 | 3 => BareLineEnding::Refuse,
        1 => BareLineEnding::Normalise,
        _ => BareLineEnding::Pass,
    };
    let mut limits = Limits::default();
    if flags & 16 != 0 {
        // As tight as they go.
        limits.send_buffer = 0;
        limits.command_line = 0;
        limits.recipients = 0;
        limits.transactions = 3;
        limits.violations = 4;
        limits.text_line = Some(0);
        limits.swallow = 256;
    }
    limits.decisions_in_flight = if flags & 32 == 0 { 1 } else { 8 };
    config(mode, extensions().starttls(), limits, bare)
}

struct Session {
    connection: ServerConnection,
    now: Instant,
    /// All that the peer has sent and the machine has not consumed.
    arrived: Vec<u8>,
    output: Vec<u8>,
    /// Questions that were kept open, the oldest first.
    kept: Vec<Question>,
    next: Answer,
    keep_next: bool,
    deaf: bool,
    ended: bool,
    closed: Option<CloseReason>,
    /// A body runs.
    in_body: bool,
    /// A body was discarded by us: nothing more of it may come, but the `Reset`.
    discarded: bool,
    /// Time has passed since the machine was polled last.
    timers_ran: bool,
    /// `BodyEnd` or the first `Delivery` was seen, and the transaction's `Reset` not yet.
    in_transaction: bool,
}

impl Session {
    fn new(flags: u8) -> Self {
        let start = if flags & 64 == 0 { Start::Plain } else { Start::Tls };
        Self {
            connection: ServerConnection::new(configuration(flags), start),
            now: Instant::from_secs(1),
            arrived: Vec::new(),
            output: Vec::new(),
            kept: Vec::new(),
            next: Answer::Yes,
            keep_next: false,
            deaf: false,
            ended: false,
            closed: None,
            in_body: false,
            discarded: false,
            timers_ran: false,
            in_transaction: false,
        }
    }

    /// Polls until the machine wants something that is not there.
    fn run(&mut self) {
        self.timers_ran = false;
        let arrived = std::mem::take(&mut self.arrived);
        let mut input = &arrived[..];
        // Each event consumes input, or is one of the few notices that follow an answer.
        let mut budget = 64 + 16 * arrived.len();
        loop {
            budget = budget.checked_sub(1).expect("the machine goes on for ever");
            let before = input;
            let step = self.connection.poll_event(&mut input, self.now);
            assert!(before.ends_with(input), "input is consumed from its front");
            self.check_output();
            match step {
                Step::Event(event) => {
                    assert_eq!(self.closed, None, "an event after the end");
                    self.handle(event);
                }
                Step::Need(Need::Flush) => {
                    assert!(self.connection.poll_transmit().is_some(), "nothing to flush");
                    if self.deaf {
                        break;
                    }
                    drain(&mut self.connection, &mut self.output);
                }
                Step::Need(Need::Decision) => {
                    assert!(self.waiting() > 0, "a decision is wanted, but no question is open");
                    break;
                }
                Step::Need(Need::Input) => {
                    assert_eq!(self.waiting(), 0, "input is wanted while a question is open");
                    let most = self.connection.config().limits().max_unread();
                    assert!(input.len() <= most, "{} octets left unread", input.len());
                    break;
                }
                Step::Closed(reason) => {
                    assert!(self.closed.is_none_or(|before| before == reason), "two reasons");
                    assert_eq!(self.waiting(), 0, "closed while a question is open");
                    assert!(!self.in_body, "closed, and a body has no end");
                    assert!(!self.in_transaction, "closed, and a transaction has no end");
                    self.closed = Some(reason);
                    break;
                }
            }
        }
        self.arrived = input.to_vec();
        if !self.deaf {
            drain(&mut self.connection, &mut self.output);
        }
    }

    fn waiting(&self) -> usize {
        self.kept.iter().filter(|question| question.is_waiting(&self.connection)).count()
    }

    fn check_output(&self) {
        let most = self.connection.config().limits().send_buffer + MAX_REPLY;
        let queued = self.connection.poll_transmit().map_or(0, <[u8]>::len);
        assert!(queued <= most, "{queued} octets of output are queued");
    }

    fn handle(&mut self, event: Event<'_>) {
        let of_a_body = matches!(
            event,
            Event::Body(_) | Event::BodyEnd { .. } | Event::Delivery { .. } | Event::BodyAborted(_)
        );
        assert!(!(of_a_body && self.discarded), "{event:?} of a body that was discarded");
        match &event {
            Event::Body(piece) => {
                assert!(self.in_transaction, "a body outside a transaction");
                assert!(!piece.is_empty(), "a piece of no octets");
                self.in_body = true;
            }
            Event::BodyEnd { .. } | Event::Delivery { .. } => {
                assert!(self.in_transaction, "the end of a body outside a transaction");
                self.in_body = false;
            }
            Event::BodyAborted(_) => {
                assert!(self.in_transaction, "an aborted body outside a transaction");
                self.in_body = false;
            }
            Event::Reset(_) => {
                assert!(self.in_transaction, "a reset outside a transaction");
                assert!(!self.in_body, "a reset in the middle of a body");
                self.in_transaction = false;
                self.discarded = false;
            }
            Event::Mail { .. } => {
                assert!(!self.in_transaction, "a transaction inside a transaction");
            }
            _ => {}
        }
        let Ok(question) = Question::of(event) else { return };
        assert!(question.is_waiting(&self.connection), "a fresh question is open");
        if std::mem::take(&mut self.keep_next) {
            self.kept.push(question);
            return;
        }
        let answer = std::mem::replace(&mut self.next, Answer::Yes);
        self.answer(question, answer);
    }

    fn answer(&mut self, question: Question, answer: Answer) {
        let waiting = question.is_waiting(&self.connection);
        let is_mail = matches!(question, Question::Mail(_));
        let result = question.answer(&mut self.connection, answer);
        assert_eq!(result.is_ok(), waiting, "`is_waiting` tells what an answer will do");
        if is_mail && result.is_ok() && matches!(answer, Answer::Yes | Answer::InWords) {
            self.in_transaction = true;
        }
        self.check_output();
    }

    fn answer_kept(&mut self, how: u8) {
        if self.kept.is_empty() {
            return;
        }
        let index = if how & 4 == 0 { self.kept.len() - 1 } else { 0 };
        let answer = [Answer::Yes, Answer::InWords, Answer::No, Answer::Disconnect];
        let question = self.kept.remove(index);
        self.answer(question, answer[usize::from(how & 3)]);
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.connection.handle_timeout(self.now);
        self.timers_ran = true;
        self.check_output();
    }

    fn intervene(&mut self, how: u8) {
        match how % 6 {
            0 => {
                self.connection.handle_eof();
                self.ended = true;
            }
            1 => self.connection.shutdown(&Refused::SHUTTING_DOWN),
            2 => {
                let ran = self.connection.discard_body(&Refused::CONTENT);
                // A timer may have ended it, of which `run` has yet to hear.
                assert!(ran || !self.in_body || self.timers_ran, "a body runs");
                self.discarded |= ran;
                self.in_body &= !ran;
            }
            3 => self.connection.release(),
            4 => self.next = Answer::Disconnect,
            // The peer takes one octet of output.
            _ => {
                if let Some(&octet) = self.connection.poll_transmit().and_then(<[u8]>::first) {
                    self.output.push(octet);
                    self.connection.handle_transmitted(1);
                }
            }
        }
    }

    /// The peer falls silent, and sooner or later the session is over.
    fn finish(&mut self) {
        self.run();
        let mut budget = 64;
        while self.closed.is_none() {
            budget -= 1;
            assert!(budget > 0, "a silent peer is never sent away");
            let at = self.connection.poll_timeout().expect("there is always a deadline");
            self.now = self.now.max(at);
            self.connection.handle_timeout(self.now);
            self.run();
        }
        if self.ended {
            // After the end of the input nothing can wait for the peer but its reading.
            self.connection.handle_eof();
        }
        drain(&mut self.connection, &mut self.output);
        replies::codes(&self.output);
        for question in std::mem::take(&mut self.kept) {
            assert!(question.answer(&mut self.connection, Answer::Yes).is_err(), "not stale");
        }
        let closed = self.closed;
        self.arrived.extend_from_slice(b"NOOP\r\n");
        self.connection.handle_timeout(self.now + Duration::from_secs(3600));
        self.run();
        assert_eq!(self.closed, closed);
        assert!(self.connection.poll_transmit().is_none(), "words after the end");
    }
}
