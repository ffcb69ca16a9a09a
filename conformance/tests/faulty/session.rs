//! A session: lines come in, replies go out.

use super::{
    envelope::Envelope,
    fault::Fault as F,
    habit::Habit,
    server::{NAME, Server},
    stream::Stream,
};
use smtp_conformance::wire::Port;
use std::time::Duration;

/// Wrong commands after which the server hangs up.
const MOST_ERRORS: u32 = 20;
/// Octets of a command; AUTH may be longer.
const MOST_COMMAND: usize = 4096;
/// Octets of any line.
const MOST_LINE: usize = 16_000;

/// Whether the session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It does.
    On,
    /// The server hangs up.
    Close,
}

/// What the client said in its greeting.
#[derive(Clone, Debug)]
pub(crate) struct Hello {
    /// Its name.
    pub name: Vec<u8>,
    /// By EHLO or LHLO.
    pub extended: bool,
}

/// A session.
pub(crate) struct Session<'s> {
    pub(super) server: &'s Server,
    pub(super) stream: Stream,
    pub(super) port: Port,
    pub(super) hello: Option<Hello>,
    pub(super) mail: Option<Envelope>,
    /// Where the client is.
    pub(super) peer: String,
    /// Who has logged in.
    pub(super) user: Option<String>,
    pub(super) guesses: u32,
    /// Transactions so far.
    pub(super) mails: u32,
    /// Envelopes that wait for QUIT, and the message of each.
    pub(super) waiting: Vec<(Envelope, Vec<u8>)>,
    /// Recipients of messages before, for the server that leaks them.
    pub(super) former: Vec<super::envelope::Recipient>,
    /// After so many restarts of the server it began.
    born: u64,
    errors: u32,
    held: Vec<Vec<u8>>,
    group: usize,
    owed: bool,
}

impl<'s> Session<'s> {
    /// A session on one of the server's ports.
    pub(crate) fn new(server: &'s Server, mut stream: Stream, port: Port) -> Self {
        stream.clear_after_tls = server.has(F::ClearAfterTls);
        stream.says_goodbye = !server.has(F::NoCloseNotify);
        stream.trickles = server.has(F::TrickleForEver);
        stream.no_renegotiation_info = server.has(F::NoSecureRenegotiation);
        stream.no_alert = server.has(F::TlsErrorCloses);
        stream.old_tls = server.has(F::OldTls);
        if server.setting.habit == Some(Habit::Slow) {
            stream.late = Duration::from_millis(250);
        }
        if server.has(F::IdleTwoMinutes) {
            stream.idle = 2 * server.setting.minute;
        }
        Self {
            born: server.restarts(),
            server,
            stream,
            port,
            hello: None,
            mail: None,
            peer: "127.0.0.1".into(),
            user: None,
            guesses: 0,
            mails: 0,
            waiting: Vec::new(),
            former: Vec::new(),
            errors: 0,
            held: Vec::new(),
            group: 0,
            owed: false,
        }
    }

    pub(super) fn has(&self, fault: F) -> bool {
        self.server.has(fault)
    }

    /// Whether it speaks LMTP.
    pub(super) fn is_lmtp(&self) -> bool {
        self.port == Port::Lmtp
    }

    /// Serves the client to the end.
    pub(crate) fn run(&mut self) {
        if self.port == Port::Proxy && !self.proxied() {
            return;
        }
        if self.port == Port::ImplicitTls && !self.has(F::ImplicitInClear) {
            let tls = std::sync::Arc::clone(&self.server.tls);
            if !self.stream.start_tls(&tls, &[]) {
                return;
            }
            self.resumed();
        }
        if self.has(F::AnswersBeforeGreeting) {
            self.stream.fill_within(Duration::from_millis(30));
            while super::stream::find(&self.stream.unread, b"\r\n").is_some() {
                if self.next() == Flow::Close {
                    break;
                }
            }
            self.stream.timed_out = false;
        }
        let crowded = self.is(Habit::FourSessions) && self.server.sessions() > 4;
        if crowded {
            self.say(421, "4.3.2", "enough for now");
        } else {
            self.greet();
        }
        while !crowded && self.next() == Flow::On {}
        if self.stream.timed_out {
            self.say(421, "4.4.2", "idle for too long");
        } else if self.stream.flooded && !self.has(F::BufferUnbounded) {
            self.say(500, "5.5.2", "a line without an end");
        }
        self.stream.close();
    }

    fn greet(&mut self) {
        let code = match () {
            () if self.has(F::GreetsWith250) => 250,
            () if self.has(F::Greets554Closes) => 554,
            () if self.has(F::Greets554Serves) || self.has(F::Greets554NoQuit) => 554,
            () if self.has(F::Greets521Serves) => 521,
            () => 220,
        };
        let status = if self.has(F::EnhancedInGreeting) { "2.0.0" } else { "" };
        let protocol = if self.is_lmtp() { "LMTP" } else { "ESMTP" };
        if self.has(F::GreetsWithoutDomain) {
            self.stream.unsent.extend_from_slice(b"220\r\n");
        } else if self.has(F::Utf8Greeting) {
            self.say(code, status, format!("{NAME} {protocol} grüßt"));
        } else {
            self.say(code, status, format!("{NAME} {protocol} ready"));
        }
    }

    /// One command.
    fn next(&mut self) -> Flow {
        self.stream.begin();
        let Some((line, long)) = self.line() else { return Flow::Close };
        if self.server.restarts() > self.born {
            if !self.has(F::StopsSilently) {
                self.say(421, "4.3.2", "going down");
            }
            return if self.has(F::StopsAndStays) { Flow::On } else { Flow::Close };
        }
        if self.has(F::Greets554Closes) {
            return Flow::Close;
        }
        if self.has(F::DropsPipelined) {
            self.stream.unread.clear();
        }
        self.server.log(&line);
        let flow = self.command_line(&line, long);
        if flow == Flow::On && self.errors >= self.most_errors(MOST_ERRORS) {
            self.say(421, "4.7.0", "too many errors");
            return Flow::Close;
        }
        flow
    }

    /// A line without its end; whether it was too long.
    pub(super) fn line(&mut self) -> Option<(Vec<u8>, bool)> {
        if self.has(F::BareLfCommand) {
            let (mut line, long) = self.stream.take_line(b"\n", MOST_LINE)?;
            if line.ends_with(b"\r") {
                line.pop();
            }
            return Some((line, long));
        }
        if self.has(F::BareCrCommand) {
            let (mut line, long) = self.stream.take_line(b"\r", MOST_LINE)?;
            if line.starts_with(b"\n") {
                line.remove(0);
            }
            return Some((line, long));
        }
        if self.has(F::WholeLinesOnly) {
            if self.stream.unread.is_empty() && !self.stream.fill() {
                return None;
            }
            if super::stream::find(&self.stream.unread, b"\r\n").is_none() {
                return Some((std::mem::take(&mut self.stream.unread), false));
            }
        }
        self.stream.take_line(b"\r\n", MOST_LINE)
    }

    fn command_line(&mut self, line: &[u8], long: bool) -> Flow {
        let is_auth = line.len() > 5 && line[..5].eq_ignore_ascii_case(b"AUTH ");
        if line.len() > 510 && self.has(F::LongCommandCloses) {
            return Flow::Close;
        }
        if line.len() > 256 && self.has(F::ShortCommands) {
            return self.say(500, "5.5.2", "line too long");
        }
        if long || (line.len() > MOST_COMMAND && !is_auth) {
            if self.has(F::LongCommandRepliesTwice) {
                self.say(500, "5.5.2", "line too long");
            }
            return self.say(500, "5.5.2", "line too long");
        }
        if line.is_empty() {
            if self.has(F::EmptyLineCloses) {
                return Flow::Close;
            }
            return self.say(500, "5.5.2", "a command is wanted");
        }
        let allowed = [F::NulInAddress, F::ControlInAddress, F::QuotedControl, F::EchoesControls];
        let stray = line.iter().any(|b| matches!(b, b'\r' | b'\n' | 0));
        if stray && !allowed.iter().any(|&fault| self.has(fault)) {
            return self.say(500, "5.5.2", "a control character in a command");
        }
        let space = line.iter().position(|&b| b == b' ').unwrap_or(line.len());
        let (verb, rest) = line.split_at(space);
        let argument = rest.strip_prefix(b" ").unwrap_or(rest);
        let argument = if self.has(F::TrailingSpaceRefused) {
            if rest.ends_with(b" ") {
                return self.say(501, "5.5.4", "a space at the end");
            }
            argument
        } else {
            argument.trim_ascii_end()
        };
        let mut upper = verb.to_vec();
        if !self.has(F::CaseSensitiveVerbs) {
            upper.make_ascii_uppercase();
        }
        if self.has(F::PrefixIsEnough) {
            for known in [&b"NOOP"[..], b"RSET", b"EHLO"] {
                if upper.starts_with(known) {
                    upper = known.to_vec();
                }
            }
        }
        self.command(&upper, argument, line)
    }

    fn command(&mut self, verb: &[u8], argument: &[u8], line: &[u8]) -> Flow {
        let early = [&b"NOOP"[..], b"RSET", b"HELP", b"VRFY"].contains(&verb);
        if early && self.hello.is_none() && self.has(F::NothingBeforeEhlo) {
            return self.say(503, "5.5.1", "EHLO first");
        }
        if self.lacks(verb) {
            return self.say(502, "5.5.1", "not implemented");
        }
        if self.has(F::Greets554NoQuit) {
            return self.say(503, "5.5.1", "no service here");
        }
        match verb {
            b"EHLO" | b"HELO" | b"LHLO" => self.hello(verb, argument),
            b"MAIL" => self.mail(argument),
            b"SEND" | b"SOML" | b"SAML" if self.has(F::SendAndSaml) => self.mail(argument),
            b"RCPT" => self.rcpt(argument),
            b"DATA" => self.data(argument),
            b"BDAT" => self.bdat(argument),
            b"RSET" => self.rset(argument),
            b"NOOP" => self.noop(argument),
            b"QUIT" => self.quit(argument),
            b"HELP" => self.help(argument),
            b"VRFY" => self.vrfy(argument),
            b"EXPN" if self.has(F::ExpnUnlisted) => self.say(250, "2.1.5", "<user1@example.test>"),
            b"STARTTLS" => self.starttls(argument),
            b"AUTH" => self.auth(argument),
            b"ETRN" if !self.is_lmtp() => self.etrn(argument),
            b"XCLIENT" if self.has(F::Xclient) => self.say(220, "", NAME),
            b"XCLIENT" if self.server.setting.trusted => self.xclient(argument),
            b"PROXY" if self.has(F::Proxy) => Flow::On,
            b"TURN" if self.has(F::Turn) => self.say(250, "2.0.0", "your turn"),
            b"EXPN" | b"TURN" | b"SEND" | b"SOML" | b"SAML" => {
                self.say(502, "5.5.1", "not implemented")
            }
            b"POST" if self.has(F::HttpTransaction) => {
                self.hello = Some(Hello { name: b"http.example".to_vec(), extended: false });
                self.unknown(line)
            }
            b"GET" | b"POST" | b"HEAD" | b"PUT" | b"CONNECT" | b"OPTIONS"
                if !self.has(F::HttpGoesOn) =>
            {
                self.say(421, "4.7.0", "this is no web server");
                Flow::Close
            }
            _ => self.unknown(line),
        }
    }

    fn unknown(&mut self, line: &[u8]) -> Flow {
        if self.has(F::UnknownCommandCloses) {
            return Flow::Close;
        }
        for (fault, octets) in [
            (F::FourDigitCodes, &b"5000 5.5.1 unknown\r\n"[..]),
            (F::Code650, b"650 unknown\r\n"),
            (F::Code560, b"560 5.5.1 unknown\r\n"),
        ] {
            if self.has(fault) {
                self.stream.unsent.extend_from_slice(octets);
                return Flow::On;
            }
        }
        if self.has(F::EchoesControls) {
            return self.say(500, "5.5.1", [b"unknown: ", line].concat());
        }
        let code = if self.has(F::UnknownCommand502) { 502 } else { 500 };
        self.say(code, "5.5.1", "unknown command")
    }

    /// Replies with one line.
    pub(super) fn say(&mut self, code: u16, status: &str, text: impl AsRef<[u8]>) -> Flow {
        let (code, lines) = self.habitual(code, status, text.as_ref());
        self.reply(code, status, &lines)
    }

    /// Replies.
    pub(super) fn reply(&mut self, code: u16, status: &str, lines: &[Vec<u8>]) -> Flow {
        let code = if code == 503 && self.has(F::OutOfOrder502) { 502 } else { code };
        if (500..505).contains(&code) {
            self.errors += 1;
        }
        let status = self.status(code, status);
        let mut octets = Vec::new();
        for (n, line) in lines.iter().enumerate() {
            let last = n + 1 == lines.len();
            let mixed = lines.len() > 1 && !last && n > 0 && self.has(F::MixedCodes);
            octets.extend(format!("{}", if mixed { code + 1 } else { code }).bytes());
            octets.push(if last || self.has(F::NoHyphens) { b' ' } else { b'-' });
            if !status.is_empty() && (n == 0 || !self.has(F::EnhancedFirstLine)) {
                octets.extend(status.bytes());
                octets.push(b' ');
            }
            octets.extend_from_slice(line);
            if code >= 500 && self.has(F::RepliesWithEightBits) {
                octets.extend(" – tut mir leid für dich".bytes());
            }
            octets.extend_from_slice(if self.has(F::RepliesEndInLf) { b"\n" } else { b"\r\n" });
        }
        self.emit(octets);
        Flow::On
    }

    fn status(&self, code: u16, status: &str) -> String {
        if status.is_empty() || self.has(F::EnhancedMissing) || self.is(Habit::Bare) {
            return String::new();
        }
        if self.has(F::EnhancedSometimes) && status == "2.0.0" {
            return String::new();
        }
        if self.has(F::EnhancedMismatch) && code >= 400 {
            return format!("2{}", &status[1..]);
        }
        if self.has(F::EnhancedZeros) {
            return status.replace('.', ".0");
        }
        if self.has(F::EnhancedGeneric) {
            return format!("{}.0.0", code / 100);
        }
        if self.has(F::EnhancedLong) {
            return format!("{status}000");
        }
        status.to_owned()
    }

    /// Puts a reply among what is to be sent, at its place.
    fn emit(&mut self, octets: Vec<u8>) {
        let more = !self.stream.unread.is_empty();
        let grouped = self.group > 0;
        self.group = if more { self.group + 1 } else { 0 };
        if self.has(F::OutOfOrder) && more {
            return self.held.push(octets);
        }
        if self.has(F::MergesReplies) && more && !self.owed {
            self.owed = true;
            return;
        }
        self.owed = false;
        if self.has(F::SixtyReplies) && self.group > 60 {
            return;
        }
        if self.has(F::HoldsReplies) {
            let held = std::mem::take(&mut self.held);
            self.stream.unsent.extend(held.concat());
            if grouped && !more {
                return self.held.push(octets);
            }
        }
        self.stream.unsent.extend(octets);
        while let Some(reply) = self.held.pop() {
            self.stream.unsent.extend(reply);
        }
    }
}
