//! AUTH, from the first line of an exchange to its end.

use crate::{
    embedder::{NOW, config, drain, lead},
    reference::base64,
    replies,
};
use smtp_proto::{
    CloseReason, Instant, Limits, Need, Step, Timer,
    ext::Extensions,
    server::{AuthAborted, BareLineEnding, Event, Mode, Pending, ServerConnection, Start, op},
    wire::{Base64, Mechanism, Refused},
};

/// Failed exchanges after which a connection ends.
const FAILURES: usize = 3;
/// What the mechanism says.
const CHALLENGES: [&[u8]; 3] = [b"", b"\0\xff+/=", b"Username:"];

/// An AUTH exchange is what RFC 4954 §4 says, as a reference without a machine reads it: which
/// lines begin one, with which mechanism and initial response, decoded; that a `*` and what is no
/// base64 end it; that the embedder is asked once for each response, told once if an exchange ends
/// without its answer, and answered for if it is late; that nothing can be begun after success; and
/// that the last of so many failures ends the connection. The text of each line reads as base64 just
/// when the reference reads it, and encoded again it is the same.
///
/// The first octet of `data` chooses where AUTH is offered, the second and third what the embedder
/// answers; what follows are the peer's lines, divided by LF. The verb AUTH is put in front of each
/// that comes while no exchange runs.
///
/// # Panics
/// If it is not so.
pub fn sasl(data: &[u8]) {
    let [flags, first, second, lines @ ..] = data else { return };
    let mut random = u32::from(*first) << 8 | u32::from(*second) | 1 << 16;
    let answers = std::iter::repeat_with(|| {
        // xorshift: only to have answers that differ.
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        ANSWERS[(random >> 8) as usize % ANSWERS.len()]
    });
    let mut exchange = Exchange::new(*flags, answers);
    for line in lines.split(|&octet| octet == b'\n') {
        if let Ok(text) = std::str::from_utf8(line) {
            let decoded = Base64::parse(text).ok().map(|text| text.decode());
            assert_eq!(decoded, base64::decode(line), "as base64");
            if let Some(octets) = decoded {
                assert_eq!(Base64::encode(&octets).as_str(), text);
            }
        }
        let is_last = exchange.line(line);
        if is_last {
            return;
        }
    }
    exchange.finish();
}

/// What the embedder does about a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Accept,
    Refuse,
    Challenge(usize),
    Disconnect,
    /// It says nothing until its time is over.
    Late,
}

const ANSWERS: [Answer; 8] = [
    Answer::Accept,
    Answer::Refuse,
    Answer::Challenge(0),
    Answer::Challenge(1),
    Answer::Challenge(2),
    Answer::Challenge(2),
    Answer::Disconnect,
    Answer::Late,
];

/// What must come of a line, but for the answer.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    /// The machine's reply; the exchange, if one runs, has ended.
    Reply(u16),
    /// A question, with the mechanism if it is the first of an exchange.
    Asked { mechanism: Option<String>, response: Option<Vec<u8>> },
}

struct Exchange<A> {
    connection: ServerConnection,
    answers: A,
    now: Instant,
    offered: bool,
    running: bool,
    authenticated: bool,
    failures: usize,
}

impl<A: Iterator<Item = Answer>> Exchange<A> {
    fn new(flags: u8, answers: A) -> Self {
        let mut extensions = Extensions::new().auth([Mechanism::PLAIN, Mechanism::LOGIN]);
        let offered = flags & 1 == 0;
        if offered {
            extensions = extensions.danger_auth_in_clear();
        }
        let mut limits = Limits::default();
        limits.violations = u16::MAX;
        limits.auth_failures = FAILURES as u16;
        let mode = if flags & 2 == 0 { Mode::Smtp } else { Mode::Submission };
        let config = config(mode, extensions, limits, BareLineEnding::Refuse);
        let mut connection = ServerConnection::new(config, Start::Plain);
        lead(&mut connection, b"EHLO a.example\r\n");
        Self {
            connection,
            answers,
            now: NOW,
            offered,
            running: false,
            authenticated: false,
            failures: 0,
        }
    }

    /// Gives a line and compares what comes of it; true if the connection has ended.
    fn line(&mut self, line: &[u8]) -> bool {
        let verb: &[u8] = if self.running { b"" } else { b"AUTH " };
        let wire = [verb, line, b"\r\n"].concat();
        if wire[..wire.len() - 1].windows(2).any(|two| two == b"\r\n") {
            // It would be two lines.
            return false;
        }
        let expected = self.expected(line);
        match expected {
            Expected::Reply(code) => {
                let told = self.machine_answers(&wire, code);
                let why =
                    if line == b"*" { AuthAborted::Cancelled } else { AuthAborted::Malformed };
                assert_eq!(told, std::mem::take(&mut self.running).then_some(why));
                false
            }
            Expected::Asked { .. } => {
                let pending = self.question(&wire, &expected);
                self.running = true;
                self.answer(pending)
            }
        }
    }

    fn expected(&self, line: &[u8]) -> Expected {
        let bad = line.iter().any(|octet| matches!(octet, b'\r' | 0));
        if self.running {
            return match base64::decode(line) {
                // The CR would be one of a bare line ending.
                _ if bad => Expected::Reply(501),
                _ if line == b"*" => Expected::Reply(501),
                None => Expected::Reply(501),
                response => Expected::Asked { mechanism: None, response },
            };
        }
        if bad {
            return Expected::Reply(500);
        }
        if self.authenticated {
            return Expected::Reply(503);
        }
        if !self.offered {
            return Expected::Reply(538);
        }
        let Ok(text) = std::str::from_utf8(line) else { return Expected::Reply(501) };
        // Several spaces are one, and blanks at the end are none.
        let text = text.trim_end_matches([' ', '\t']).trim_start_matches(' ');
        let (mechanism, response) = text.split_once(' ').unwrap_or((text, ""));
        let is_name = mechanism.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if mechanism.is_empty() || mechanism.len() > 20 || !is_name {
            return Expected::Reply(501);
        }
        let response = match response.trim_start_matches(' ') {
            "" => None,
            "=" => Some(Vec::new()),
            text => match base64::decode(text.as_bytes()) {
                None => return Expected::Reply(501),
                octets => octets,
            },
        };
        match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" | "LOGIN" => {
                Expected::Asked { mechanism: Some(mechanism.to_owned()), response }
            }
            _ => Expected::Reply(504),
        }
    }

    /// Takes a line that the machine must answer with `code`, and gives what was told of the end of
    /// an exchange.
    fn machine_answers(&mut self, wire: &[u8], code: u16) -> Option<AuthAborted> {
        let mut input = wire;
        let mut told = None;
        loop {
            match self.connection.poll_event(&mut input, self.now) {
                Step::Event(Event::AuthAborted(why)) => assert_eq!(told.replace(why), None),
                Step::Event(Event::Violation(_)) => {}
                Step::Need(Need::Input) => break,
                step => panic!("{step:?} instead of {code}"),
            }
        }
        assert!(input.is_empty(), "a whole line was left unread");
        assert_eq!(replies::codes(&self.output()), [code]);
        told
    }

    fn question(&mut self, wire: &[u8], expected: &Expected) -> Pending<op::Auth> {
        let mut input = wire;
        let (found, pending) = match self.connection.poll_event(&mut input, self.now) {
            Step::Event(Event::Auth { mechanism, initial, pending }) => {
                let mechanism = Some(mechanism.as_str().to_owned());
                let response = initial.map(|initial| initial.expose().decode());
                (Expected::Asked { mechanism, response }, pending)
            }
            Step::Event(Event::AuthResponse { data, pending }) => {
                let response = Some(data.expose().decode());
                (Expected::Asked { mechanism: None, response }, pending)
            }
            step => panic!("{step:?} instead of a question"),
        };
        assert_eq!(&found, expected);
        assert!(input.is_empty(), "a whole line was left unread");
        assert_eq!(self.connection.poll_transmit(), None, "a reply before the answer");
        pending
    }

    /// Answers a question and compares what comes of it; true if the connection has ended.
    fn answer(&mut self, pending: Pending<op::Auth>) -> bool {
        let answer = self.answers.next().expect("there is no end of them");
        let connection = &mut self.connection;
        let result = match answer {
            Answer::Accept => connection.accept(pending),
            Answer::Refuse => connection.refuse(pending, &Refused::AUTH_FAILED),
            Answer::Challenge(which) => connection.challenge(pending, CHALLENGES[which]),
            Answer::Disconnect => connection.disconnect(pending, &Refused::AUTH_FAILED),
            Answer::Late => {
                assert_eq!(connection.timer(), Some(Timer::Decision));
                self.now = connection.poll_timeout().expect("a question has a deadline");
                connection.handle_timeout(self.now);
                assert!(!connection.is_waiting(&pending), "it waits beyond its time");
                Ok(())
            }
        };
        result.expect("it was just asked");
        self.failures += usize::from(matches!(answer, Answer::Refuse | Answer::Disconnect));
        self.running = matches!(answer, Answer::Challenge(_));
        self.authenticated |= answer == Answer::Accept;
        let output = self.output();
        let closed = self.settle(answer == Answer::Late);
        if let Answer::Challenge(which) = answer {
            let text = output.strip_prefix(b"334 ").and_then(|text| text.strip_suffix(b"\r\n"));
            let said = text.and_then(base64::decode);
            assert_eq!(said.as_deref(), Some(CHALLENGES[which]));
            return false;
        }
        let too_many = self.failures >= FAILURES;
        let code = match answer {
            Answer::Accept => 235,
            Answer::Late => 454,
            _ if too_many => 421,
            _ => 535,
        };
        assert_eq!(replies::codes(&output), [code]);
        let why = match answer {
            Answer::Disconnect => Some(CloseReason::Refused),
            Answer::Refuse if too_many => Some(CloseReason::Violations),
            _ => None,
        };
        assert_eq!(closed, why);
        assert_eq!(self.connection.session().authenticated, self.authenticated);
        closed.is_some()
    }

    /// What the machine tells before it waits for the peer, or closes.
    fn settle(&mut self, late: bool) -> Option<CloseReason> {
        let mut told = false;
        loop {
            match self.connection.poll_event(&mut &b""[..], self.now) {
                Step::Event(Event::AuthAborted(AuthAborted::Timeout)) if late && !told => {
                    told = true
                }
                Step::Need(Need::Input) => {
                    assert_eq!(told, late, "the embedder was not told that it was late");
                    return None;
                }
                Step::Closed(why) => return Some(why),
                step => panic!("{step:?} after an answer"),
            }
        }
    }

    fn output(&mut self) -> Vec<u8> {
        let mut output = Vec::new();
        drain(&mut self.connection, &mut output);
        output
    }

    /// The peer goes away: an exchange that runs is told to be over.
    fn finish(mut self) {
        self.connection.handle_eof();
        let mut told = None;
        loop {
            match self.connection.poll_event(&mut &b""[..], self.now) {
                Step::Event(Event::AuthAborted(why)) => assert_eq!(told.replace(why), None),
                Step::Closed(why) => {
                    assert_eq!(why, CloseReason::Eof);
                    break;
                }
                step => panic!("{step:?} at the end"),
            }
        }
        assert_eq!(told, self.running.then_some(AuthAborted::Closed));
    }
}
