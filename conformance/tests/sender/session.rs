//! One session of the client: what it says, and what it makes of the answers.

use super::{
    auth::sign_in,
    fault::Fault,
    habit::Habit,
    names::Pin,
    reader::{Connection, Lost, Reply},
    tls::client,
};
use smtp_conformance::{client::sender::Need, tls::TlsWire};
use std::{path::PathBuf, time::Duration};

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    /// To be tried again.
    Temporary,
    /// Never.
    Permanent,
}

/// Why a host is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Another may be tried.
    Next,
    /// No other is.
    Over(Failure),
}

impl From<Failure> for Left {
    fn from(failure: Failure) -> Self {
        Self::Over(failure)
    }
}

impl From<Lost> for Left {
    fn from(_: Lost) -> Self {
        Self::Over(Failure::Temporary)
    }
}

/// What is to be sent.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) need: Need,
    pub(crate) helo: String,
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) eml: Vec<u8>,
    pub(crate) ca: PathBuf,
    /// What the DNS says of the server's certificate.
    pub(crate) pin: Option<Pin>,
}

/// Recipients by what became of them.
#[derive(Default)]
pub(crate) struct Fates {
    pub(crate) sent: usize,
    pub(crate) later: Vec<String>,
    pub(crate) refused: Vec<(String, Failure)>,
}

pub(crate) struct Session<'j> {
    pub(crate) connection: Connection,
    pub(crate) job: &'j Job,
    offers: Vec<String>,
    esmtp: bool,
    tls: bool,
    /// The server has said that it takes no mail.
    unwanted: bool,
}

impl<'j> Session<'j> {
    pub(crate) fn new(connection: Connection, job: &'j Job) -> Self {
        Self { connection, job, offers: Vec::new(), esmtp: false, tls: false, unwanted: false }
    }

    fn has(&self, fault: Fault) -> bool {
        self.connection.fault == Some(fault)
    }

    fn is(&self, habit: Habit) -> bool {
        self.connection.habit == Some(habit)
    }

    /// A command as the client has the habit of writing it: up to the first path or parameter.
    fn written(&self, line: &str) -> String {
        let head = line.find([':', '=']).or(line.find(' ')).unwrap_or(line.len());
        match line.split_at(head) {
            (head, rest) if self.is(Habit::SmallLetters) => head.to_lowercase() + rest + "\r\n",
            _ => format!("{line}\r\n"),
        }
    }

    fn ask(&mut self, line: &str) -> Result<Reply, Lost> {
        self.connection.send(self.written(line).as_bytes())?;
        self.connection.reply()
    }

    pub(crate) fn offer(&self, keyword: &str) -> Option<&str> {
        if self.is(Habit::OneByOne) && ["PIPELINING", "CHUNKING"].contains(&keyword) {
            return None;
        }
        self.offers.iter().find_map(|line| {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            word.eq_ignore_ascii_case(keyword).then_some(rest)
        })
    }

    fn limit(&self, name: &str) -> Option<usize> {
        let limits = self.offer("LIMITS").filter(|_| !self.has(Fault::IgnoresLimits))?;
        limits.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
    }

    /// How many transactions the server likes in a session.
    pub(crate) fn transactions(&self) -> usize {
        self.limit("MAILMAX").unwrap_or(20)
    }

    pub(crate) fn quit(&mut self) {
        if !self.has(Fault::LeavesWithoutQuit) {
            let _answer = self.ask("QUIT");
        }
    }

    /// Up to where MAIL may be said.
    pub(crate) fn begin(&mut self) -> Result<(), Left> {
        self.greeting()?;
        self.hello()?;
        let needs = [Need::StartTls, Need::StartTlsAuth, Need::RequireTls];
        if needs.contains(&self.job.need) || self.job.pin.is_some() {
            self.start_tls()?;
        }
        let unpromised = self.job.need == Need::RequireTls && self.offer("REQUIRETLS").is_none();
        if unpromised && !self.has(Fault::TrustsNextHop) {
            self.quit();
            return Err(Left::Over(Failure::Permanent));
        }
        if matches!(self.job.need, Need::Auth | Need::StartTlsAuth) {
            let mechanisms = self.offer("AUTH").unwrap_or_default().to_owned();
            sign_in(&mut self.connection, &mechanisms)?;
        }
        Ok(())
    }

    fn greeting(&mut self) -> Result<(), Left> {
        let greeting = if self.has(Fault::TalksBeforeGreeting) {
            match self.connection.reply_within(Duration::from_millis(450)) {
                Err(Lost::Silent) => return Ok(()),
                other => other?,
            }
        } else if self.has(Fault::ReadsOneLineOfGreeting) {
            // The rest is taken for answers to what is said next.
            loop {
                if let Some(at) = self.connection.unread.windows(4).position(|w| w == b"220-") {
                    self.connection.unread[at + 3] = b' ';
                    break self.connection.reply()?;
                }
                if self.connection.unread.windows(2).any(|two| two == b"\r\n") {
                    break self.connection.reply()?;
                }
                self.connection.fill()?;
            }
        } else {
            self.connection.reply()?
        };
        match greeting.class() {
            2 => Ok(()),
            4 if self.has(Fault::GivesUpOn421Greeting) && self.job.need != Need::Mx => {
                Err(Left::Over(Failure::Permanent))
            }
            4 if self.has(Fault::OneHostOn421) => Err(Left::Over(Failure::Temporary)),
            4 => Err(Left::Next),
            _ if self.has(Fault::IgnoresRefusalInGreeting) => {
                self.unwanted = true;
                Ok(())
            }
            _ => {
                self.quit();
                Err(Left::Over(Failure::Permanent))
            }
        }
    }

    fn hello(&mut self) -> Result<(), Left> {
        let name = self.job.helo.clone();
        let reply = self.ask(&format!("EHLO {name}"))?;
        if reply.class() == 2 {
            self.esmtp = true;
            let mut offers = reply.lines;
            offers.drain(..1);
            if self.tls && self.has(Fault::KeepsOffersOverTls) {
                self.offers.append(&mut offers);
            } else {
                self.offers = offers;
            }
            return Ok(());
        }
        if self.unwanted {
            return Ok(());
        }
        if self.has(Fault::KnowsEhloOnly) || self.ask(&format!("HELO {name}"))?.class() != 2 {
            self.quit();
            return Err(Left::Over(Failure::Permanent));
        }
        Ok(())
    }

    fn start_tls(&mut self) -> Result<(), Left> {
        if self.offer("STARTTLS").is_none() {
            let goes_on = self.has(Fault::GoesOnWithoutTls) && self.job.need == Need::StartTls
                || self.has(Fault::SaysPasswordInClear) && self.job.need == Need::StartTlsAuth
                || self.has(Fault::DaneGoesOnInClear) && self.job.pin.is_some();
            return self.without_tls(goes_on);
        }
        if self.ask("STARTTLS")?.class() != 2 {
            return self.without_tls(self.has(Fault::GoesOnWithRefusedTls));
        }
        if !self.has(Fault::KeepsBufferOverTls) {
            self.connection.unread.clear();
        }
        let Some(wire) = self.connection.wire.take() else { return Err(Left::Next) };
        let tls = client(self.job).ok_or(Failure::Permanent)?;
        let timeout = self.connection.timeout;
        match TlsWire::negotiate(wire, b"", tls.into(), timeout) {
            Ok(wire) => self.connection.wire = Some(Box::new(wire)),
            Err(_) => return Err(Left::Over(Failure::Temporary)),
        }
        self.tls = true;
        if self.has(Fault::NoEhloInsideTls) {
            self.offers.clear();
            return Ok(());
        }
        self.hello()
    }

    fn without_tls(&mut self, goes_on: bool) -> Result<(), Left> {
        if goes_on {
            return Ok(());
        }
        self.quit();
        let for_ever = self.job.need == Need::RequireTls;
        Err(Left::Over(if for_ever { Failure::Permanent } else { Failure::Temporary }))
    }

    /// Sends to as many as the server takes at once; the rest is `later`.
    pub(crate) fn transaction(&mut self, to: &[String]) -> Result<Fates, Left> {
        let most = self.limit("RCPTMAX").unwrap_or(usize::MAX).min(to.len());
        let (now, rest) = to.split_at(most);
        let mut fates = Fates { later: rest.to_vec(), ..Fates::default() };
        let chunked = self.offer("CHUNKING").is_some();
        let raw = if chunked { Fault::ChunksRaw } else { Fault::LeavesLineEnds };
        let mut message = if self.has(raw) { self.job.eml.clone() } else { normal(&self.job.eml) };
        if self.is(Habit::OwnFields) {
            let fields =
                b"Received: by relay.client.example (a\r\n\tcomment); now\r\nX-Relay: 1\r\n";
            message.splice(..0, *fields);
        }
        let mail = self.mail(&message)?;
        if self.is(Habit::Chatty) {
            for command in ["NOOP what now", "RSET", "VRFY rcpt1"] {
                self.ask(command)?;
            }
        }
        let several = now.len() > 1 && !self.tls && self.has(Fault::PipelinesUnasked);
        let grouped = self.offer("PIPELINING").is_some() || several;
        let mut lines = vec![mail];
        lines.extend(now.iter().map(|one| format!("RCPT TO:<{one}>")));
        if !chunked {
            lines.push("DATA".into());
        }
        let mut replies = if grouped {
            let all: String = lines.iter().map(|line| self.written(line)).collect();
            self.connection.send(all.as_bytes())?;
            let replies = lines.iter().map(|_| {
                if self.connection.fault == Some(Fault::ForgetsReadReplies) && now.len() > 2 {
                    self.connection.unread.clear();
                }
                self.connection.reply()
            });
            replies.collect::<Result<Vec<_>, _>>()?
        } else {
            Vec::new()
        };
        replies.reverse();
        let mut next = |session: &mut Self, line: &str| match replies.pop() {
            Some(reply) => Ok(reply),
            None => session.ask(line),
        };
        let reply = next(self, &lines[0])?;
        if !self.is_success(&reply, Fault::Takes354ForMail) {
            self.quit();
            return Err(self.failure(&reply).into());
        }
        let mut accepted = 0;
        let mut crowded = false;
        for (recipient, line) in now.iter().zip(&lines[1..]) {
            let reply = next(self, line)?;
            match reply.code {
                code if code / 100 == 2 => accepted += 1,
                421 => {
                    let gives_up = self.has(Fault::GivesUpOn421Recipient);
                    let how = if gives_up { Failure::Permanent } else { Failure::Temporary };
                    return Err(how.into());
                }
                452 | 552 if accepted > 0 => {
                    crowded = true;
                    fates.later.push(recipient.clone());
                }
                _ => fates.refused.push((recipient.clone(), self.failure(&reply))),
            }
        }
        if crowded && self.has(Fault::AllOrNothing) {
            self.quit();
            return Err(Left::Over(Failure::Permanent));
        }
        if accepted == 0 && !grouped {
            return Ok(fates);
        }
        if chunked {
            self.chunks(&message)?;
        } else {
            let reply = next(self, "DATA")?;
            self.data(&reply, &message, accepted)?;
        }
        fates.sent = accepted;
        Ok(fates)
    }

    fn mail(&mut self, message: &[u8]) -> Result<String, Left> {
        let job = self.job;
        let mut from = job.from.clone();
        if from.is_empty() && self.has(Fault::NoNullReversePath) {
            from = "postmaster@client.example".into();
        }
        let mut mail = format!("MAIL FROM:<{from}>");
        let eight = !message.is_ascii();
        if eight && self.offer("8BITMIME").is_some() {
            mail.push_str(" BODY=8BITMIME");
        } else if eight && !self.has(Fault::SendsEightBits) {
            self.quit();
            return Err(Left::Over(Failure::Permanent));
        }
        let ascii = job.from.is_ascii() && job.to.iter().all(|one| one.is_ascii());
        if !ascii && self.offer("SMTPUTF8").is_some() {
            mail.push_str(" SMTPUTF8");
        } else if !ascii && !self.has(Fault::SaysUtf8) {
            self.quit();
            return Err(Left::Over(Failure::Permanent));
        }
        if self.offer("REQUIRETLS").is_some() && job.need == Need::RequireTls {
            let silent = self.has(Fault::KeepsRequirementToItself);
            mail.push_str(if silent { "" } else { " REQUIRETLS" });
        }
        if let Some(limit) = self.offer("SIZE") {
            let limit = limit.parse().unwrap_or(0);
            if limit > 0 && message.len() > limit {
                if !self.has(Fault::IgnoresSizeLimit) {
                    self.quit();
                    return Err(Left::Over(Failure::Permanent));
                }
            } else if !self.has(Fault::KeepsSizeToItself) {
                mail.push_str(&format!(" SIZE={}", message.len()));
            }
        } else if !self.esmtp && self.has(Fault::ParametersAfterHelo) {
            mail.push_str(&format!(" SIZE={}", message.len()));
        }
        Ok(mail)
    }

    fn is_success(&self, reply: &Reply, or_354: Fault) -> bool {
        if self.has(Fault::KnowsListedCodesOnly) {
            return matches!(reply.code, 250 | 251);
        }
        reply.class() == 2 || reply.class() == 3 && self.has(or_354)
    }

    fn failure(&self, reply: &Reply) -> Failure {
        if reply.class() == 4 { Failure::Temporary } else { Failure::Permanent }
    }

    fn data(&mut self, reply: &Reply, message: &[u8], accepted: usize) -> Result<(), Left> {
        let goes_on = match reply.class() {
            3 => true,
            2 => self.has(Fault::Takes250ForData),
            _ => self.has(Fault::IgnoresRefusalOfData) && accepted > 0,
        };
        if !goes_on {
            self.quit();
            let how = if accepted == 0 { Failure::Permanent } else { self.failure(reply) };
            return Err(how.into());
        }
        if accepted == 0 && !self.has(Fault::SendsToNobody) {
            let _answer = self.ask(".");
            self.quit();
            return Err(Left::Over(Failure::Permanent));
        }
        let octets = stuffed(message, self.has(Fault::LeavesDots));
        let sent = octets.chunks(4096).try_for_each(|piece| self.connection.send(piece));
        let end = sent.and_then(|()| self.connection.send(b".\r\n"));
        let timeout = if self.has(Fault::WaitsForEver) {
            Duration::from_secs(60)
        } else {
            self.connection.timeout
        };
        let large = message.len() > 100_000;
        let reply = match end.and_then(|()| self.connection.reply_within(timeout)) {
            Err(_) if large && self.has(Fault::TakesCutForSent) => return Ok(()),
            Err(Lost::Closed) if !large && self.has(Fault::TakesSilenceForSent) => return Ok(()),
            other => other?,
        };
        if reply.class() == 5 && self.has(Fault::SendsAgainWhatWasRefused) {
            let mail = format!("MAIL FROM:<{}>", self.job.from);
            let to = format!("RCPT TO:<{}>", self.job.to[0]);
            for line in [mail.as_str(), &to, "DATA"] {
                self.ask(line)?;
            }
            self.connection.send(&octets)?;
            self.ask(".")?;
        }
        let later = reply.class() == 4 && self.has(Fault::TakesLaterForSent);
        if later || self.is_success(&reply, Fault::Takes354ForMail) {
            return Ok(());
        }
        self.quit();
        Err(self.failure(&reply).into())
    }

    fn chunks(&mut self, message: &[u8]) -> Result<(), Left> {
        let mut pieces = message.chunks(4096).peekable();
        let mut failed = None;
        while let Some(piece) = pieces.next() {
            let last = if pieces.peek().is_none() { " LAST" } else { "" };
            let line = format!("BDAT {}{last}\r\n", piece.len());
            self.connection.send(&[line.as_bytes(), piece].concat())?;
            let reply = self.connection.reply()?;
            if reply.class() != 2 {
                failed = Some(self.failure(&reply));
                if !self.has(Fault::ChunksOn) {
                    break;
                }
            }
        }
        let Some(failure) = failed else { return Ok(()) };
        self.ask("RSET")?;
        self.quit();
        Err(failure.into())
    }
}

/// Lines that end in CRLF and hold no NUL.
fn normal(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len());
    let mut octets = octets.iter().copied().filter(|octet| *octet != 0).peekable();
    while let Some(octet) = octets.next() {
        match octet {
            b'\r' => {
                octets.next_if_eq(&b'\n');
                out.extend_from_slice(b"\r\n");
            }
            b'\n' => out.extend_from_slice(b"\r\n"),
            octet => out.push(octet),
        }
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// With dots doubled; `lone` ones only, or all.
fn stuffed(octets: &[u8], lone: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + 16);
    for line in octets.split_inclusive(|&octet| octet == b'\n') {
        if line.starts_with(b".") && (!lone || line == b".\r\n") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    out
}
