//! What the scripted server does: a server that takes mail, and at chosen points something else,
//! octet for octet.

use super::sasl::Scram;
use std::time::Duration;

/// Where a script says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// The connection stands.
    Greeting,
    /// EHLO.
    Ehlo,
    /// HELO.
    Helo,
    /// STARTTLS.
    StartTls,
    /// AUTH.
    Auth,
    /// A line behind a 334.
    AuthLine,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// The first octets of a message behind 354; without a rule they are read on.
    Body,
    /// The end of a message behind 354.
    End,
    /// A whole chunk.
    Bdat,
    /// RSET.
    Rset,
    /// NOOP, HELP, VRFY and EXPN.
    Noop,
    /// QUIT.
    Quit,
    /// Anything else.
    Other,
}

/// One thing that the server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Sends octets.
    Say(Vec<u8>),
    /// Sends octets again and again, until the client closes or they are this many in all.
    Flood(Vec<u8>, usize),
    /// Waits, and notes what comes meanwhile as early.
    Pause(Duration),
    /// Says nothing more, and waits for the client to leave.
    Silence,
    /// Closes.
    Close,
}

/// What the server does at a point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer(pub Vec<Step>);

impl Answer {
    /// Lines with CRLF put behind each.
    pub fn lines(lines: &[&str]) -> Self {
        let octets = lines.iter().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect();
        Self(vec![Step::Say(octets)])
    }

    /// Octets as they are.
    pub fn octets(octets: impl Into<Vec<u8>>) -> Self {
        Self(vec![Step::Say(octets.into())])
    }

    /// Nothing, for ever.
    pub fn silence() -> Self {
        Self(vec![Step::Silence])
    }

    /// The end of the connection in place of an answer.
    pub fn close() -> Self {
        Self(vec![Step::Close])
    }

    /// Many octets.
    pub fn flood(octets: impl Into<Vec<u8>>, most: usize) -> Self {
        Self(vec![Step::Flood(octets.into(), most)])
    }

    /// This, `pause` later.
    #[must_use]
    pub fn after(mut self, pause: Duration) -> Self {
        self.0.insert(0, Step::Pause(pause));
        self
    }

    /// And then `next`.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        self.0.extend(next.0);
        self
    }

    /// What the first digit of the last line says; 0 if nothing is said.
    pub(super) fn code(&self) -> u16 {
        let said = self.0.iter().rev().find_map(|step| match step {
            Step::Say(octets) => Some(octets),
            _ => None,
        });
        let last = said.and_then(|octets| {
            octets.split(|&b| b == b'\n').rfind(|line| !line.is_empty()).and_then(|l| l.get(..3))
        });
        last.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).unwrap_or(0)
    }
}

impl From<&str> for Answer {
    fn from(line: &str) -> Self {
        Self::lines(&[line])
    }
}

/// Which of the commands at a point a rule is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    point: Option<Point>,
    /// Only the command that holds this text.
    text: Option<String>,
    /// Only from this command at the point on, counted from 1 in each session.
    from: usize,
    /// Only up to this one.
    to: Option<usize>,
    /// Only outside TLS, or only inside.
    tls: Option<bool>,
    /// Only at this address of the server, by its last number.
    host: Option<u8>,
    answer: Answer,
}

/// What happened when an answer is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment<'a> {
    pub(super) point: Point,
    pub(super) line: &'a [u8],
    /// The how manieth at this point in the session, from 1.
    pub(super) count: usize,
    pub(super) tls: bool,
    pub(super) host: u8,
    /// In the first session.
    pub(super) first: bool,
}

impl Rule {
    fn fits(&self, now: Moment<'_>) -> bool {
        self.point == Some(now.point)
            && now.count >= self.from
            && self.to.is_none_or(|to| now.count <= to)
            && self.tls.is_none_or(|tls| tls == now.tls)
            && self.host.is_none_or(|host| host == now.host)
            && self.text.as_ref().is_none_or(|text| super::record::contains(now.line, text))
    }
}

/// How octets are cut into segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// A reply, a segment.
    #[default]
    Whole,
    /// An octet, a segment.
    Octets,
    /// The replies to all that came so far, a segment.
    Merged,
}

/// A server: what it offers, and what it does at which point.
#[derive(Clone, Debug)]
pub struct Script {
    /// What EHLO offers; STARTTLS is left out inside TLS.
    pub(super) offers: Vec<String>,
    /// What it offers inside TLS, if that is something else.
    pub(super) inside: Option<Vec<String>>,
    pub(super) rules: Vec<Rule>,
    /// The rules are for the first session only.
    once: bool,
    pub(super) split: Split,
    /// How long each answer is held back, to see what comes before it.
    pub(super) hold: Duration,
    /// How the server does SCRAM.
    pub(super) scram: Scram,
}

impl Script {
    /// A server with no extension but 8BITMIME.
    pub fn new() -> Self {
        Self {
            offers: vec!["8BITMIME".into()],
            inside: None,
            rules: Vec::new(),
            once: false,
            split: Split::Whole,
            hold: Duration::ZERO,
            scram: Scram::default(),
        }
    }

    /// A server that offers these and no others.
    pub fn offering(offers: &[&str]) -> Self {
        let offers = offers.iter().map(|&line| line.to_owned()).collect();
        Self { offers, ..Self::new() }
    }

    /// The same, offering these inside TLS.
    #[must_use]
    pub fn inside_tls(mut self, offers: &[&str]) -> Self {
        self.inside = Some(offers.iter().map(|&line| line.to_owned()).collect());
        self
    }

    /// At `point`, this.
    #[must_use]
    pub fn at(self, point: Point, answer: impl Into<Answer>) -> Self {
        self.rule(Rule { point: Some(point), answer: answer.into(), ..Rule::default() })
    }

    /// To the commands at `point` from the `from`th of a session on, this.
    #[must_use]
    pub fn from(self, point: Point, from: usize, answer: impl Into<Answer>) -> Self {
        self.rule(Rule { point: Some(point), from, answer: answer.into(), ..Rule::default() })
    }

    /// To the `n`th command at `point` of a session, this.
    #[must_use]
    pub fn nth(self, point: Point, n: usize, answer: impl Into<Answer>) -> Self {
        let answer = answer.into();
        self.rule(Rule { point: Some(point), from: n, to: Some(n), answer, ..Rule::default() })
    }

    /// To the commands at `point` that hold `text`, this.
    #[must_use]
    pub fn to(self, point: Point, text: &str, answer: impl Into<Answer>) -> Self {
        let (text, answer) = (Some(text.to_owned()), answer.into());
        self.rule(Rule { point: Some(point), text, answer, ..Rule::default() })
    }

    /// At `point`, inside TLS or outside, this.
    #[must_use]
    pub fn layer(self, point: Point, tls: bool, answer: impl Into<Answer>) -> Self {
        let answer = answer.into();
        self.rule(Rule { point: Some(point), tls: Some(tls), answer, ..Rule::default() })
    }

    /// At `point` of the server's address 127.0.0.`host`, this.
    #[must_use]
    pub fn host(self, host: u8, point: Point, answer: impl Into<Answer>) -> Self {
        let answer = answer.into();
        self.rule(Rule { point: Some(point), host: Some(host), answer, ..Rule::default() })
    }

    fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// All that only in the first session, so that the next shows what a client that queues has
    /// made of it.
    #[must_use]
    pub fn once(mut self, once: bool) -> Self {
        self.once = once;
        self
    }

    /// Octets cut in this way.
    #[must_use]
    pub fn split(mut self, split: Split) -> Self {
        self.split = split;
        self
    }

    /// Each answer held back for `hold`: what comes meanwhile is early.
    #[must_use]
    pub fn hold(mut self, hold: Duration) -> Self {
        self.hold = hold;
        self
    }

    /// SCRAM done in this way.
    #[must_use]
    pub fn scram(mut self, scram: Scram) -> Self {
        self.scram = scram;
        self
    }

    /// What the rules say; the first that fits.
    pub(super) fn answer(&self, now: Moment<'_>) -> Option<&Answer> {
        let mut rules = self.rules.iter().filter(|_| now.first || !self.once);
        rules.find(|rule| rule.fits(now)).map(|rule| &rule.answer)
    }

    /// What EHLO offers.
    pub(super) fn offered(&self, tls: bool) -> Vec<&str> {
        match &self.inside {
            Some(inside) if tls => inside.iter().map(String::as_str).collect(),
            _ => {
                let all = self.offers.iter().map(String::as_str);
                all.filter(|line| !tls || *line != "STARTTLS").collect()
            }
        }
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}
