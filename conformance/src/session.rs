//! One session with the server that is judged: what is said, what is heard, and how a case judges
//! it.
//!
//! Nothing here ever fails: a probe ends in a reply, in [`Heard::Closed`] or in [`Heard::Silent`].

use crate::{
    outcome::{Finding, Outcome, Place, Verdict},
    reply::{Reply, take_reply},
    tls::{Handshake, TlsFailure, TlsWire},
    transcript::{Line, Transcript, visible},
    wire::{Received, Wire},
};
use std::time::{Duration, Instant};

/// What a probe ends in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A reply.
    Reply(Reply),
    /// The server closed; FIN and RST are the same.
    Closed,
    /// Nothing came in time.
    Silent,
}

/// What was heard, with its place in the transcript, so that it can be judged.
#[derive(Clone, Debug)]
#[must_use = "judge it: must, should, given; or say `.ignore()`"]
pub struct Answer {
    heard: Heard,
    place: Place,
}

/// A session.
pub struct Session {
    wire: Option<Box<dyn Wire>>,
    /// Received and not yet taken.
    unread: Vec<u8>,
    /// The server has closed.
    closed: bool,
    transcript: Transcript,
    number: usize,
    /// How long to wait for a reply.
    pub patience: Duration,
    /// The lines of the last EHLO answer behind its first.
    pub extensions: Vec<String>,
}

/// The most octets of one reply; a server that sends more is as good as silent.
const MOST_REPLY: usize = 1 << 20;

impl Session {
    /// A session over `wire`, the `number`th of its case.
    pub fn new(
        wire: Box<dyn Wire>,
        transcript: Transcript,
        number: usize,
        patience: Duration,
    ) -> Self {
        Self {
            wire: Some(wire),
            unread: Vec::new(),
            closed: false,
            transcript,
            number,
            patience,
            extensions: Vec::new(),
        }
    }

    /// Says `line` with CRLF and hears the reply.
    pub fn ask(&mut self, line: impl AsRef<[u8]>) -> Answer {
        self.say(line);
        self.hear()
    }

    /// Says `line` with CRLF.
    pub fn say(&mut self, line: impl AsRef<[u8]>) {
        let mut octets = line.as_ref().to_vec();
        octets.extend_from_slice(b"\r\n");
        self.send(octets);
    }

    /// Sends octets as they are, in one write.
    pub fn send(&mut self, octets: impl AsRef<[u8]>) {
        let octets = octets.as_ref();
        for line in octets.split_inclusive(|&b| b == b'\n').take(100) {
            self.transcript.push(Line::Client(visible(line)));
        }
        if !self.wire.as_mut().is_some_and(|wire| wire.send(octets)) {
            self.transcript.push(Line::Note("not sent: the server has closed".into()));
        }
    }

    /// Sends many octets, in pieces; the transcript says `what` in their place. Stops where the
    /// server closes; whether all were sent.
    pub fn send_much(&mut self, octets: &[u8], what: &str) -> bool {
        self.transcript.push(Line::Client(format!("[{what}: {} octets]", octets.len())));
        octets.chunks(64 << 10).all(|piece| self.wire.as_mut().is_some_and(|w| w.send(piece)))
    }

    /// Sends octets one by one.
    pub fn drip(&mut self, octets: &[u8], pause: Duration) {
        self.transcript.push(Line::Note(format!("octet by octet: {}", visible(octets))));
        for octet in octets {
            let Some(wire) = &mut self.wire else { return };
            if !wire.send(&[*octet]) {
                return;
            }
            std::thread::sleep(pause);
        }
    }

    /// Hears one reply.
    pub fn hear(&mut self) -> Answer {
        self.hear_within(self.patience)
    }

    /// Hears one reply, if it comes within `patience`.
    pub fn hear_within(&mut self, patience: Duration) -> Answer {
        let deadline = Instant::now() + patience;
        let heard = loop {
            if let Some((reply, n)) = take_reply(&self.unread) {
                self.unread.drain(..n);
                break Heard::Reply(reply);
            }
            match self.receive(deadline) {
                Received::Octets(_) if self.unread.len() <= MOST_REPLY => {}
                Received::Octets(_) | Received::Silent => break Heard::Silent,
                Received::Closed => break Heard::Closed,
            }
        };
        self.note(&heard);
        Answer { heard, place: self.place() }
    }

    /// Hears nothing for `time`: silence is what is expected.
    pub fn hear_nothing(&mut self, time: Duration) -> Answer {
        self.hear_within(time)
    }

    /// Hears until the server closes or falls silent; all replies up to there.
    pub fn hear_all(&mut self, patience: Duration) -> (Vec<Reply>, Answer) {
        let mut replies = Vec::new();
        loop {
            let answer = self.hear_within(patience);
            match answer.heard {
                Heard::Reply(reply) if replies.len() < 10_000 => replies.push(reply),
                _ => return (replies, answer),
            }
        }
    }

    /// Sends one octet more of what was begun, without a line in the transcript. Whether the server
    /// still listens, and in silence.
    pub fn trickle(&mut self, octet: u8) -> bool {
        let sent = self.wire.as_mut().is_some_and(|wire| wire.send(&[octet]));
        if sent && self.receive(Instant::now()) == Received::Silent {
            return true;
        }
        self.hear_all(Duration::ZERO).1.ignore();
        false
    }

    /// Octets that came and are no whole reply.
    pub fn leftover(&self) -> &[u8] {
        &self.unread
    }

    /// Reads until the server closes; whether it did.
    pub fn closes_within(&mut self, patience: Duration) -> bool {
        let (_, end) = self.hear_all(patience);
        end.heard == Heard::Closed
    }

    fn receive(&mut self, deadline: Instant) -> Received {
        if self.closed {
            return Received::Closed;
        }
        let Some(wire) = &mut self.wire else { return Received::Closed };
        let mut buffer = [0; 16 << 10];
        let left = deadline.saturating_duration_since(Instant::now());
        let received = wire.receive(&mut buffer, left);
        match received {
            Received::Octets(n) => self.unread.extend_from_slice(&buffer[..n]),
            Received::Closed => self.closed = true,
            Received::Silent => {}
        }
        received
    }

    fn note(&self, heard: &Heard) {
        match heard {
            Heard::Reply(reply) => {
                for line in &reply.lines {
                    self.transcript.push(Line::Server(visible(line)));
                }
            }
            Heard::Closed => drop(self.transcript.push(Line::Note("closed".into()))),
            Heard::Silent => drop(self.transcript.push(Line::Note("silent".into()))),
        }
    }

    fn place(&self) -> Place {
        Place { session: self.number, line: self.transcript.last() }
    }

    /// Writes a remark into the transcript.
    pub fn remark(&self, text: impl Into<String>) {
        self.transcript.push(Line::Note(text.into()));
    }

    /// EHLO, or LHLO where `verb` says so; keeps the extensions.
    pub fn hello(&mut self, verb: &str) -> Answer {
        let answer = self.ask(format!("{verb} client.example"));
        if let Heard::Reply(reply) = &answer.heard {
            self.extensions = reply.texts().skip(1).collect();
        }
        answer
    }

    /// What stands behind a keyword of the last EHLO answer; `None` if it is not there.
    pub fn extension(&self, keyword: &str) -> Option<&str> {
        self.extensions.iter().find_map(|line| {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            word.eq_ignore_ascii_case(keyword).then_some(rest)
        })
    }

    /// Does a TLS handshake with what was received so far taken as part of it.
    ///
    /// # Errors
    /// Why there is no TLS; the session goes on in clear.
    pub fn start_tls(&mut self, how: Handshake<'_>) -> Result<(), TlsFailure> {
        let Some(wire) = self.wire.take() else { return Err(TlsFailure::Closed) };
        let early = std::mem::take(&mut self.unread);
        match TlsWire::handshake(wire, &early, how) {
            Ok(wire) => {
                self.remark(format!("TLS: {:?}", wire.version()));
                self.wire = Some(Box::new(wire));
                Ok(())
            }
            Err((wire, failure)) => {
                self.remark(format!("no TLS: {failure}"));
                self.wire = Some(wire);
                Err(failure)
            }
        }
    }

    /// Takes the connection itself out of the session, to do with it what no session does.
    pub fn take_wire(&mut self) -> Option<Box<dyn Wire>> {
        self.wire.take()
    }

    /// Puts a connection into the session.
    pub fn put_wire(&mut self, wire: Box<dyn Wire>) {
        self.wire = Some(wire);
        self.closed = false;
    }

    /// Closes our side only.
    pub fn finish(&mut self) {
        self.remark("the client closes its side");
        if let Some(wire) = &mut self.wire {
            wire.finish();
        }
    }

    /// Drops the connection.
    pub fn drop_connection(&mut self) {
        self.remark("the client drops the connection");
        self.wire = None;
    }
}

impl Answer {
    /// What was heard.
    pub fn heard(&self) -> &Heard {
        &self.heard
    }

    /// The reply, if there was one.
    pub fn reply(&self) -> Option<&Reply> {
        match &self.heard {
            Heard::Reply(reply) => Some(reply),
            _ => None,
        }
    }

    /// The code; 0 if there was no reply.
    pub fn code(&self) -> u16 {
        self.reply().map_or(0, |reply| reply.code)
    }

    /// Whether it is one of `pattern`: codes with letters for any digit, `closed` and `silent`,
    /// separated by `|`, such as `501|55z|4yz|closed`.
    pub fn is(&self, pattern: &str) -> bool {
        pattern.split('|').any(|one| match (&self.heard, one) {
            (Heard::Closed, "closed") | (Heard::Silent, "silent") => true,
            (Heard::Reply(reply), code) => {
                let digits = format!("{:03}", reply.code);
                code.len() == 3
                    && code
                        .bytes()
                        .zip(digits.bytes())
                        .all(|(want, got)| want == got || want.is_ascii_lowercase())
            }
            _ => false,
        })
    }

    /// The server must answer one of `pattern`.
    ///
    /// # Errors
    /// [`Verdict::Fail`].
    pub fn must(&self, pattern: &str) -> Outcome {
        if self.is(pattern) { Ok(()) } else { Err(Verdict::Fail(self.expected(pattern))) }
    }

    /// The server must not answer any of `pattern`.
    ///
    /// # Errors
    /// [`Verdict::Fail`].
    pub fn must_not(&self, pattern: &str) -> Outcome {
        if self.is(pattern) { Err(self.fail(&format!("not {pattern} expected"))) } else { Ok(()) }
    }

    /// The server should answer one of `pattern`.
    ///
    /// # Errors
    /// [`Verdict::Warn`].
    pub fn should(&self, pattern: &str) -> Outcome {
        if self.is(pattern) { Ok(()) } else { Err(Verdict::Warn(self.expected(pattern))) }
    }

    /// The server must refuse for good, and should do so by one of `pattern`: to a client one 5yz
    /// is like another.
    ///
    /// # Errors
    /// [`Verdict::Fail`] without a refusal, [`Verdict::Warn`] with another code.
    pub fn refused(&self, pattern: &str) -> Outcome {
        self.must("5yz")?;
        self.should(pattern)
    }

    /// The way to what is judged leads through one of `pattern`.
    ///
    /// # Errors
    /// [`Verdict::Inconclusive`].
    pub fn given(&self, pattern: &str) -> Outcome {
        if self.is(pattern) { Ok(()) } else { Err(Verdict::Inconclusive(self.expected(pattern))) }
    }

    /// Whatever it is.
    pub fn ignore(&self) {}

    /// A failure here.
    pub fn fail(&self, what: &str) -> Verdict {
        Verdict::Fail(self.finding(what))
    }

    /// A shortcoming here.
    pub fn warn(&self, what: &str) -> Verdict {
        Verdict::Warn(self.finding(what))
    }

    /// Nothing can be said, because of this.
    pub fn inconclusive(&self, what: &str) -> Verdict {
        Verdict::Inconclusive(self.finding(what))
    }

    fn expected(&self, pattern: &str) -> Finding {
        self.finding(&format!("expected {}", pattern.replace('|', " or ")))
    }

    fn finding(&self, what: &str) -> Finding {
        let got = match &self.heard {
            Heard::Reply(reply) => {
                let first = reply.lines.first().map_or(&[][..], Vec::as_slice);
                format!("got \"{}\"", visible(first))
            }
            Heard::Closed => "the server closed".into(),
            Heard::Silent => "the server was silent".into(),
        };
        Finding { what: format!("{what}; {got}"), place: Some(self.place) }
    }
}
