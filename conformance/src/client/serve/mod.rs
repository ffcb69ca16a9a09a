//! One session of the scripted server. Whatever the client does, it ends: everything that is read
//! or kept has a bound, and the judge can stop it.

mod content;

use super::{
    record::{Body, Command, Ending, Record, path},
    sasl::{Exchange, Said},
    script::{Answer, Moment, Point, Script, Split, Step},
};
use crate::{
    tls::TlsWire,
    transcript::{Line, Transcript, visible},
    wire::{Received, Wire},
};
use rustls::{ServerConfig, ServerConnection};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Octets of one line.
const MOST_LINE: usize = 64 << 10;
/// Octets of a line that are kept.
const MOST_SHOWN: usize = 4 << 10;
/// Octets of one message.
const MOST_MESSAGE: usize = 16 << 20;
/// Octets that all sessions with a client may bring.
const MOST_HEARD: usize = 256 << 20;
/// Octets of a session that are kept to be searched.
const MOST_KEPT: usize = 4 << 20;
/// Commands of one session.
const MOST_COMMANDS: usize = 5_000;
/// Between two looks at whether the judge wants to end.
const SLICE: Duration = Duration::from_millis(20);
/// How long more commands are waited for before replies are sent in one segment.
const MERGE: Duration = Duration::from_millis(40);
/// For a handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long a client may take to read what was said last.
const GOODBYE: Duration = Duration::from_millis(200);

/// What a session is served with.
pub(super) struct Serving {
    pub(super) script: Arc<Script>,
    pub(super) tls: Arc<ServerConfig>,
    pub(super) stop: Arc<AtomicBool>,
    /// Octets that all sessions have brought.
    pub(super) heard: Arc<AtomicUsize>,
    pub(super) transcript: Transcript,
    pub(super) number: usize,
    pub(super) host: u8,
    /// It is the first with its client.
    pub(super) first: bool,
}

/// The session is over.
struct Over(Ending);

struct Session {
    serving: Serving,
    wire: Option<Box<dyn Wire>>,
    record: Record,
    /// Received and not yet taken.
    unread: Vec<u8>,
    /// Octets received in all, octets taken, and what was received when something was said last.
    received: usize,
    taken: usize,
    received_when_said: usize,
    /// Replies that wait for their segment.
    unsent: Vec<u8>,
    counts: HashMap<Point, usize>,
    tls: bool,
    exchange: Exchange,
    /// A rule has asked for a line of AUTH.
    auth_line: bool,
    recipients: Vec<String>,
    chunks: Option<Body>,
}

/// Serves `wire` to its end.
pub(super) fn serve(wire: Box<dyn Wire>, serving: Serving) -> Record {
    let record = Record::new(serving.number, serving.host);
    let mut session = Session {
        serving,
        wire: Some(wire),
        record,
        unread: Vec::new(),
        received: 0,
        taken: 0,
        received_when_said: 0,
        unsent: Vec::new(),
        counts: HashMap::new(),
        tls: false,
        exchange: Exchange::None,
        auth_line: false,
        recipients: Vec::new(),
        chunks: None,
    };
    let Over(ending) = match session.run() {
        Ok(()) => Over(Ending::Server),
        Err(over) => over,
    };
    let note = match ending {
        Ending::Client => "the client closed",
        Ending::Server => "the server closes",
        Ending::Stopped => "the judge has waited long enough",
    };
    session.serving.transcript.push(Line::Note(note.into()));
    session.record.ending = ending;
    session.record.took = session.record.began.elapsed();
    session.leave();
    session.record.bodies.extend(session.chunks.take());
    session.record
}

impl Session {
    fn run(&mut self) -> Result<(), Over> {
        self.answer(Point::Greeting, b"")?;
        while self.record.commands.len() < MOST_COMMANDS {
            let (line, early) = self.line()?;
            let point = self.point(&line);
            let place = self.note(Line::Client(visible(&line)));
            let tls = self.tls;
            let kept = line.get(..MOST_SHOWN).unwrap_or(&line).to_vec();
            let came = Instant::now();
            let command = Command { point, line: kept, early, tls, came, place, code: 0 };
            self.record.commands.push(command);
            let code = if point == Point::Bdat {
                self.chunk(&line, place)?
            } else {
                self.answer(point, &line)?
            };
            if let Some(command) = self.record.commands.last_mut() {
                command.code = code;
            }
            self.keep_books(point, code, &line)?;
        }
        self.flush()
    }

    /// Closes. Octets that nobody has read would reset the connection, and take with them what was
    /// said last: they are read, unless the connection is cut inside a message.
    fn leave(&mut self) {
        let whole = self.record.bodies.last().is_none_or(|body| body.complete);
        let Some(wire) = &mut self.wire else { return };
        wire.finish();
        let until = Instant::now() + GOODBYE;
        let mut buffer = [0; 16 << 10];
        if !whole || self.record.ending != Ending::Server {
            return;
        }
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || !matches!(wire.receive(&mut buffer, left), Received::Octets(_)) {
                break;
            }
        }
    }

    /// What an answer changes.
    fn keep_books(&mut self, point: Point, code: u16, line: &[u8]) -> Result<(), Over> {
        self.auth_line = false;
        match (point, code / 100) {
            (Point::StartTls, 2) => self.start_tls()?,
            (Point::Auth | Point::AuthLine, 3) => self.auth_line = true,
            (Point::Rcpt, 2) => {
                self.recipients.push(path(&String::from_utf8_lossy(line)));
            }
            (Point::Ehlo | Point::Helo | Point::Rset | Point::Mail, 2) => {
                self.recipients.clear();
                self.record.bodies.extend(self.chunks.take());
            }
            (Point::Data, 3) => self.message()?,
            (Point::Quit, 2..) => {
                self.flush()?;
                return Err(Over(Ending::Server));
            }
            _ => {}
        }
        Ok(())
    }

    fn point(&self, line: &[u8]) -> Point {
        if self.exchange.waits() || self.auth_line {
            return Point::AuthLine;
        }
        let verb: Vec<u8> = line.iter().take_while(|b| **b != b' ').copied().collect();
        match verb.to_ascii_uppercase().as_slice() {
            b"EHLO" | b"LHLO" => Point::Ehlo,
            b"HELO" => Point::Helo,
            b"STARTTLS" => Point::StartTls,
            b"AUTH" => Point::Auth,
            b"MAIL" => Point::Mail,
            b"RCPT" => Point::Rcpt,
            b"DATA" => Point::Data,
            b"BDAT" => Point::Bdat,
            b"RSET" => Point::Rset,
            b"NOOP" | b"HELP" | b"VRFY" | b"EXPN" => Point::Noop,
            b"QUIT" => Point::Quit,
            _ => Point::Other,
        }
    }

    /// Does what the script says at `point`; gives the code.
    fn answer(&mut self, point: Point, line: &[u8]) -> Result<u16, Over> {
        if point == Point::Mail {
            // Recipients are counted by transaction.
            self.counts.remove(&Point::Rcpt);
        }
        let count = self.counts.entry(point).or_default();
        *count += 1;
        let (count, tls) = (*count, self.tls);
        let (host, first) = (self.serving.host, self.serving.first);
        let script = Arc::clone(&self.serving.script);
        let answer = match script.answer(Moment { point, line, count, tls, host, first }) {
            Some(answer) => answer.clone(),
            None => self.usual(point, line),
        };
        if !script.hold.is_zero() {
            self.pause(script.hold)?;
        }
        for step in &answer.0 {
            self.step(step)?;
        }
        Ok(answer.code())
    }

    /// What a server that takes everything says.
    fn usual(&mut self, point: Point, line: &[u8]) -> Answer {
        let text = String::from_utf8_lossy(line).into_owned();
        let offers = self.serving.script.offered(self.tls);
        match point {
            Point::Greeting => "220 mx.example.test ESMTP".into(),
            Point::Ehlo => {
                let mut lines = vec!["250-mx.example.test".to_owned()];
                lines.extend(offers.iter().map(|offer| format!("250-{offer}")));
                if let Some(last) = lines.last_mut() {
                    last.replace_range(3..4, " ");
                }
                Answer::lines(&lines.iter().map(String::as_str).collect::<Vec<_>>())
            }
            Point::Helo => "250 mx.example.test".into(),
            Point::StartTls if offers.contains(&"STARTTLS") => "220 2.0.0 go ahead".into(),
            Point::StartTls => "502 5.5.1 not here".into(),
            Point::Auth if offers.iter().any(|offer| offer.starts_with("AUTH ")) => {
                let said = self.exchange.begin(&text, self.serving.script.scram);
                sasl_reply(said)
            }
            Point::Auth => "502 5.5.1 not here".into(),
            Point::AuthLine => {
                let said = self.exchange.go_on(&text, self.serving.script.scram);
                sasl_reply(said)
            }
            Point::Mail => "250 2.1.0 Ok".into(),
            Point::Rcpt => "250 2.1.5 Ok".into(),
            Point::Data if self.recipients.is_empty() => "503 5.5.1 no valid recipients".into(),
            Point::Data => "354 go ahead".into(),
            Point::Body => Answer::default(),
            Point::End | Point::Bdat => "250 2.0.0 Ok: taken".into(),
            Point::Rset | Point::Noop => "250 2.0.0 Ok".into(),
            Point::Quit => "221 2.0.0 bye".into(),
            Point::Other => "500 5.5.2 what?".into(),
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), Over> {
        match step {
            Step::Say(octets) => {
                for line in octets.split_inclusive(|&b| b == b'\n').take(20) {
                    self.note(Line::Server(visible(line)));
                }
                self.say(octets)
            }
            Step::Flood(octets, most) => {
                let what =
                    format!("[{} again and again]", visible(octets.get(..40).unwrap_or(octets)));
                self.note(Line::Server(what));
                self.flush()?;
                while self.record.flooded < *most {
                    self.send(octets)?;
                    self.record.flooded += octets.len();
                }
                Ok(())
            }
            Step::Pause(pause) => {
                self.flush()?;
                self.pause(*pause)
            }
            Step::Silence => {
                self.flush()?;
                self.note(Line::Note("the server says nothing more".into()));
                loop {
                    self.receive(Instant::now() + SLICE)?;
                }
            }
            Step::Close => {
                self.flush()?;
                Err(Over(Ending::Server))
            }
        }
    }

    fn say(&mut self, octets: &[u8]) -> Result<(), Over> {
        self.received_when_said = self.received;
        match self.serving.script.split {
            Split::Whole => self.send(octets),
            Split::Octets => {
                for octet in octets {
                    self.send(&[*octet])?;
                    // Long enough for a reader to take it, short enough for a whole session.
                    thread::sleep(Duration::from_micros(300));
                }
                Ok(())
            }
            Split::Merged => {
                self.unsent.extend_from_slice(octets);
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> Result<(), Over> {
        let octets = std::mem::take(&mut self.unsent);
        if octets.is_empty() { Ok(()) } else { self.send(&octets) }
    }

    fn send(&mut self, octets: &[u8]) -> Result<(), Over> {
        if self.serving.stop.load(Ordering::Relaxed) {
            return Err(Over(Ending::Stopped));
        }
        let sent = self.wire.as_mut().is_some_and(|wire| wire.send(octets));
        if sent { Ok(()) } else { Err(Over(Ending::Client)) }
    }

    /// Listens for `pause`, and keeps what comes.
    fn pause(&mut self, pause: Duration) -> Result<(), Over> {
        let until = Instant::now() + pause;
        while Instant::now() < until {
            if let Err(over) = self.receive(until.min(Instant::now() + SLICE)) {
                self.record.left_early |= matches!(over.0, Ending::Client);
                return Err(over);
            }
            if self.unread.len() > MOST_LINE {
                thread::sleep(until.saturating_duration_since(Instant::now()).min(SLICE));
            }
        }
        Ok(())
    }

    /// Waits for octets until `until`; whether some came.
    fn receive(&mut self, until: Instant) -> Result<bool, Over> {
        if self.serving.stop.load(Ordering::Relaxed) {
            return Err(Over(Ending::Stopped));
        }
        let Some(wire) = &mut self.wire else { return Err(Over(Ending::Client)) };
        let mut buffer = [0; 16 << 10];
        let left = until.saturating_duration_since(Instant::now());
        match wire.receive(&mut buffer, left) {
            Received::Octets(n) => {
                let octets = buffer.get(..n).unwrap_or_default();
                self.received += n;
                if self.serving.heard.fetch_add(n, Ordering::Relaxed) > MOST_HEARD {
                    self.note(Line::Note("the client says too much".into()));
                    return Err(Over(Ending::Server));
                }
                // What a silent server hears is not judged; it only must not fill memory.
                if self.unread.len() < MOST_MESSAGE {
                    self.unread.extend_from_slice(octets);
                }
                let room = MOST_KEPT.saturating_sub(self.record.octets.len());
                self.record.octets.extend_from_slice(octets.get(..n.min(room)).unwrap_or_default());
                Ok(true)
            }
            Received::Closed => Err(Over(Ending::Client)),
            Received::Silent => Ok(false),
        }
    }

    fn take(&mut self, n: usize) -> Vec<u8> {
        let n = n.min(self.unread.len());
        self.taken += n;
        self.unread.drain(..n).collect()
    }

    /// More octets, with what waits to be said said before if nothing comes at once.
    fn more(&mut self) -> Result<(), Over> {
        if !self.unsent.is_empty() && !self.receive(Instant::now() + MERGE)? {
            self.flush()?;
        }
        self.receive(Instant::now() + SLICE).map(drop)
    }

    /// The next line without its CRLF, or LF, and whether it came too early.
    fn line(&mut self) -> Result<(Vec<u8>, bool), Over> {
        loop {
            if let Some(at) = self.unread.iter().position(|&b| b == b'\n') {
                let early = self.taken < self.received_when_said;
                let mut line = self.take(at + 1);
                line.pop();
                line.pop_if(|last| *last == b'\r');
                return Ok((line, early));
            }
            if self.unread.len() > MOST_LINE {
                self.note(Line::Note("a line without end".into()));
                return Err(Over(Ending::Server));
            }
            self.more()?;
        }
    }

    fn start_tls(&mut self) -> Result<(), Over> {
        self.flush()?;
        let Some(wire) = self.wire.take() else { return Err(Over(Ending::Client)) };
        let early = self.take(usize::MAX);
        let config = Arc::clone(&self.serving.tls);
        let tls = match ServerConnection::new(config) {
            Ok(tls) => tls,
            Err(error) => {
                self.note(Line::Note(format!("no TLS: {error}")));
                return Err(Over(Ending::Server));
            }
        };
        match TlsWire::negotiate(wire, &early, tls.into(), HANDSHAKE) {
            Ok(wire) => {
                self.note(Line::Note(format!("TLS: {:?}", wire.version())));
                self.wire = Some(Box::new(wire));
                self.record.tls = Some(Ok(()));
                self.tls = true;
                self.recipients.clear();
                self.received_when_said = self.received;
                Ok(())
            }
            Err((wire, failure)) => {
                self.note(Line::Note(format!("no TLS: {failure}")));
                self.wire = Some(wire);
                self.record.tls = Some(Err(failure.to_string()));
                Err(Over(Ending::Client))
            }
        }
    }

    fn note(&self, line: Line) -> usize {
        self.serving.transcript.push(line)
    }
}

fn sasl_reply(said: Said) -> Answer {
    match said {
        Said::Challenge(text) => Answer::lines(&[&format!("334 {text}")]),
        Said::Welcome => "235 2.7.0 welcome".into(),
        Said::WelcomeWith(text) => Answer::lines(&[&format!("235 2.7.0 {text}")]),
        Said::Refused(line) => line.into(),
    }
}
