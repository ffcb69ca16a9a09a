//! Sessions as text that a postmaster can read, and what runs them.
//!
//! ```text
//! # A comment; empty lines count for nothing, nor do blanks before a line.
//! S: 220 mx.example.test ...        a reply line; `...` stands for any text
//! C: EHLO client.example.test       a line, sent with CRLF
//! S: 250                            a whole reply of any text, however many lines it has
//! C+ MAIL FROM:<a@example.test>     a line, sent in one write with what follows
//! C+ RCPT TO:<user1@example.test>
//! C: DATA
//! S: 250 2.1.0 ...
//! S: 250-2.1.5 First                a line of a reply that goes on
//! S: 250 2.1.5 Second               its last line
//! S: 354
//! C| two\r\n\x2E\r\n                octets without CRLF; escapes \r \n \t \0 \\ \xNN
//! C* 3000 a                         "a" 3,000 times, without CRLF; escapes as above
//! T: 5m                             time passes: us, ms, s, m or h
//! C: <EOF>                          the client closes its writing side
//! S: <CLOSED>                       the server has closed, and has said nothing more
//! ```
//!
//! `C+|` and `C+*` are `C|` and `C*` in one write with what follows. What comes behind the last
//! line of a dialogue is not looked at.

use crate::line::Line;
use std::{
    fmt,
    future::Future,
    pin::pin,
    str::FromStr,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// A dialogue, ready to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialogue {
    steps: Vec<(usize, Step)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Write(Vec<u8>),
    Finish,
    Pass(Duration),
    Expect(Expected),
    Closed,
}

/// What a reply line must be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Expected {
    code: String,
    /// The reply goes on behind this line; `None`: all lines of the reply are meant.
    more: Option<bool>,
    text: String,
    /// Anything may follow `text`.
    open: bool,
}

/// A line of a dialogue file that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for Malformed {}

/// What was said, in order: `C:` and `S:` lines, unprintable octets escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// The lines.
    pub lines: Vec<String>,
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// The server did not say what the dialogue expects.
#[derive(Clone, PartialEq, Eq)]
pub struct Deviation {
    /// The line of the dialogue, counted from 1.
    pub line: usize,
    /// What was expected and what came.
    pub why: String,
    /// What was said up to there.
    pub transcript: Transcript,
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}>>> line {} of the dialogue: {}", self.transcript, self.line, self.why)
    }
}

impl Deviation {
    /// Of the dialogue as a whole, with nothing said.
    pub(crate) fn of(why: &str) -> Self {
        Self { line: 1, why: why.into(), transcript: Transcript::default() }
    }
}

/// So that a test can end in `?` whatever is wrong with its dialogue.
impl From<Malformed> for Deviation {
    fn from(Malformed { line, why }: Malformed) -> Self {
        Self { line, why, transcript: Transcript::default() }
    }
}

/// As it is displayed: this is what a failed `unwrap` shows.
impl fmt::Debug for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server deviates\n{self}")
    }
}

impl std::error::Error for Deviation {}

impl FromStr for Dialogue {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut steps = Vec::new();
        // What `C+` has gathered, and where it began.
        let mut group: Option<(usize, Vec<u8>)> = None;
        for (line, text) in (1..).zip(text.lines().map(str::trim_start)) {
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let step = parse_line(text, line, &mut group)
                .map_err(|why| Malformed { line, why: format!("{why}: {text}") })?;
            steps.extend(step);
        }
        match group {
            Some((line, _)) => Err(Malformed { line, why: "C+ with nothing behind it".into() }),
            None => Ok(Self { steps }),
        }
    }
}

fn parse_line(
    text: &str,
    line: usize,
    group: &mut Option<(usize, Vec<u8>)>,
) -> Result<Option<(usize, Step)>, String> {
    let (tag, rest) = text.split_once(' ').unwrap_or((text, ""));
    let octets = match tag {
        "C:" if rest == "<EOF>" => None,
        "C:" | "C+" => Some([rest.as_bytes(), b"\r\n"].concat()),
        "C|" | "C+|" => Some(unescape(rest)?),
        "C*" | "C+*" => {
            let (count, text) = rest.split_once(' ').ok_or("needs a count and a text")?;
            let count = count.parse().map_err(|_| "the count is not a number")?;
            Some(unescape(text)?.repeat(count))
        }
        _ => None,
    };
    if let Some(octets) = octets {
        let (start, mut sent) = group.take().unwrap_or((line, Vec::new()));
        sent.extend(octets);
        if tag.starts_with("C+") {
            *group = Some((start, sent));
            return Ok(None);
        }
        return Ok(Some((start, Step::Write(sent))));
    }
    if group.is_some() {
        return Err("only client lines may follow C+".into());
    }
    let step = match (tag, rest) {
        ("C:", "<EOF>") => Step::Finish,
        ("S:", "<CLOSED>") => Step::Closed,
        ("S:", reply) => Step::Expect(parse_expected(reply)?),
        ("T:", time) => Step::Pass(parse_time(time)?),
        _ => return Err("begins with none of C: C+ C| C* S: T: #".into()),
    };
    Ok(Some((line, step)))
}

fn parse_expected(reply: &str) -> Result<Expected, String> {
    let (code, rest) = reply.split_at_checked(3).ok_or("needs a reply code of three digits")?;
    if !code.bytes().all(|b| b.is_ascii_digit()) {
        return Err("needs a reply code of three digits".into());
    }
    let (more, text) = match (rest.as_bytes().first(), rest.get(1..).unwrap_or("")) {
        (None, _) => (None, ""),
        (Some(b' '), "...") => (None, ""),
        (Some(b' '), text) => (Some(false), text),
        (Some(b'-'), text) => (Some(true), text),
        _ => return Err("needs a space or a hyphen behind the reply code".into()),
    };
    let (text, open) = text.strip_suffix("...").map_or((text, more.is_none()), |text| (text, true));
    Ok(Expected { code: code.into(), more, text: text.into(), open })
}

pub(crate) fn parse_time(time: &str) -> Result<Duration, String> {
    let unit = time.find(|c: char| !c.is_ascii_digit()).ok_or("needs a unit: us, ms, s, m or h")?;
    let count: u64 = time[..unit].parse().map_err(|_| "needs a number")?;
    match &time[unit..] {
        "us" => Ok(Duration::from_micros(count)),
        "ms" => Ok(Duration::from_millis(count)),
        "s" => Ok(Duration::from_secs(count)),
        "m" => Ok(Duration::from_secs(count * 60)),
        "h" => Ok(Duration::from_secs(count * 3600)),
        _ => Err("the unit is none of us, ms, s, m and h".into()),
    }
}

pub(crate) fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let mut rest = text.as_bytes().iter().copied();
    while let Some(octet) = rest.next() {
        if octet != b'\\' {
            octets.push(octet);
            continue;
        }
        octets.push(match rest.next() {
            Some(b'r') => b'\r',
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'0') => 0,
            Some(b'\\') => b'\\',
            Some(b'x') => {
                let mut digit = || char::from(rest.next().unwrap_or(b' ')).to_digit(16);
                let (high, low) = (digit(), digit());
                match (high, low) {
                    (Some(high), Some(low)) => (high * 16 + low) as u8,
                    _ => return Err("\\x needs two hexadecimal digits".into()),
                }
            }
            _ => return Err("an escape is one of \\r \\n \\t \\0 \\\\ \\xNN".into()),
        });
    }
    Ok(octets)
}

impl Dialogue {
    /// Runs the dialogue over `line` and gives what was said.
    ///
    /// # Errors
    /// The first place where the server says something else, or the connection fails.
    pub async fn run(&self, line: &mut impl Line) -> Result<Transcript, Deviation> {
        let mut talk = Talk { line, unread: Vec::new(), transcript: Transcript::default() };
        for (number, step) in &self.steps {
            let done = match step {
                Step::Write(octets) => talk.say(octets).await,
                Step::Finish => {
                    talk.note("C: <EOF>");
                    talk.line.finish().await.map_err(|error| error.to_string())
                }
                Step::Pass(time) => {
                    talk.note(&format!("T: {time:?}"));
                    talk.line.pass(*time).await.map_err(|error| error.to_string())
                }
                Step::Expect(expected) => talk.hear(expected).await,
                Step::Closed => talk.hear_end().await,
            };
            if let Err(why) = done {
                return Err(Deviation { line: *number, why, transcript: talk.transcript });
            }
        }
        Ok(talk.transcript)
    }

    /// The same, over a line that never has to wait, such as a [`Bare`](crate::bare::Bare) machine or
    /// a blocking [`SocketLine`](crate::line::SocketLine).
    ///
    /// # Errors
    /// As [`run`](Self::run), and that the line would have had to wait.
    pub fn run_blocking(&self, line: &mut impl Line) -> Result<Transcript, Deviation> {
        let mut running = pin!(self.run(line));
        match running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(Deviation::of("the line has to wait: it needs an executor")),
        }
    }
}

struct Talk<'l, L> {
    line: &'l mut L,
    /// Received, and not part of a complete line yet.
    unread: Vec<u8>,
    transcript: Transcript,
}

impl<L: Line> Talk<'_, L> {
    fn note(&mut self, line: &str) {
        self.transcript.lines.push(line.into());
    }

    async fn say(&mut self, octets: &[u8]) -> Result<(), String> {
        for line in octets.split_inclusive(|&octet| octet == b'\n') {
            match line.strip_suffix(b"\r\n") {
                Some(line) => self.note(&format!("C: {}", line.escape_ascii())),
                None => self.note(&format!("C| {}", line.escape_ascii())),
            }
        }
        self.line.write(octets).await.map_err(|error| error.to_string())
    }

    async fn hear(&mut self, expected: &Expected) -> Result<(), String> {
        loop {
            let line = match self.hear_line().await? {
                Some(line) => line,
                None => return Err(format!("expected {expected}, but the server has closed")),
            };
            if !expected.matches(&line) {
                return Err(format!("expected {expected}"));
            }
            if expected.more.is_some() || !line.get(3..).is_some_and(|rest| rest.starts_with('-')) {
                return Ok(());
            }
        }
    }

    async fn hear_end(&mut self) -> Result<(), String> {
        match self.hear_line().await? {
            Some(_) => Err("expected that the server closes".into()),
            None => Ok(()),
        }
    }

    /// The next line without its CRLF; `None` at the end.
    async fn hear_line(&mut self) -> Result<Option<String>, String> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..end + 2).collect();
                let line = line[..end].escape_ascii().to_string();
                self.note(&format!("S: {line}"));
                return Ok(Some(line));
            }
            let mut buf = [0; 4096];
            let n = self.line.read(&mut buf).await.map_err(|error| error.to_string())?;
            if n == 0 {
                let rest = std::mem::take(&mut self.unread);
                if !rest.is_empty() {
                    return Err(format!("closed within a line: {}", rest.escape_ascii()));
                }
                self.note("S: <CLOSED>");
                return Ok(None);
            }
            self.unread.extend_from_slice(&buf[..n]);
        }
    }
}

impl Expected {
    fn matches(&self, line: &str) -> bool {
        let Some(rest) = line.strip_prefix(&self.code) else { return false };
        let text = match (self.more, rest.split_at_checked(1)) {
            (None, None) => return true,
            (None, Some(("-" | " ", text))) => text,
            (Some(true), Some(("-", text))) | (Some(false), Some((" ", text))) => text,
            _ => return false,
        };
        if self.open { text.starts_with(&self.text) } else { text == self.text }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.more == Some(true) { '-' } else { ' ' };
        let rest = if self.open { "..." } else { "" };
        write!(f, "\"{}{separator}{}{rest}\"", self.code, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::Dialogue;
    use crate::line::Line;
    use std::{
        collections::VecDeque,
        future::{Future, ready},
        io,
        time::Duration,
    };

    /// Says `says` piece by piece, and keeps what it hears.
    #[derive(Default)]
    struct Puppet {
        says: VecDeque<&'static [u8]>,
        hears: Vec<Vec<u8>>,
        passed: Duration,
    }

    impl Line for Puppet {
        fn write(&mut self, octets: &[u8]) -> impl Future<Output = io::Result<()>> {
            self.hears.push(octets.into());
            ready(Ok(()))
        }

        fn read(&mut self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
            let octets = self.says.pop_front().unwrap_or(b"");
            buf[..octets.len()].copy_from_slice(octets);
            ready(Ok(octets.len()))
        }

        fn finish(&mut self) -> impl Future<Output = io::Result<()>> {
            self.hears.push(b"<EOF>".into());
            ready(Ok(()))
        }

        fn pass(&mut self, time: Duration) -> impl Future<Output = io::Result<()>> {
            self.passed += time;
            ready(Ok(()))
        }
    }

    fn run(dialogue: &str, says: &[&'static [u8]]) -> (Puppet, Result<String, (usize, String)>) {
        let mut puppet = Puppet { says: says.iter().copied().collect(), ..Puppet::default() };
        let result = dialogue.parse::<Dialogue>().unwrap().run_blocking(&mut puppet);
        let result = result.map(|said| said.to_string()).map_err(|it| (it.line, it.why));
        (puppet, result)
    }

    #[test]
    fn lines_of_a_group_leave_in_one_write_and_escapes_are_octets() {
        let (puppet, result) =
            run("C+ a\nC+| \\0\\x7f\nC+* 3 xy\n# between\nC: b\nC| c\nT: 5m\nC: <EOF>\n", &[]);
        assert_eq!(puppet.hears, [&b"a\r\n\0\x7fxyxyxyb\r\n"[..], b"c", b"<EOF>"]);
        assert_eq!(puppet.passed, Duration::from_secs(300));
        assert_eq!(result.unwrap(), "C: a\nC: \\x00\\x7fxyxyxyb\nC| c\nT: 300s\nC: <EOF>\n");
    }

    #[test]
    fn replies_match_whole_by_prefix_or_by_code_alone() {
        let says: &[&[u8]] =
            &[b"220 mx hel", b"lo\r\n250-mx\r\n250-A\r", b"\n250 B\r\n", b"250-1\r\n250 2 x\r\n"];
        let (_, result) = run("S: 220 mx ...\nS: 250\nS: 250-1\nS: 250 2 x\nS: <CLOSED>\n", says);
        assert!(result.unwrap().ends_with("S: 250-1\nS: 250 2 x\nS: <CLOSED>\n"));
    }

    #[test]
    fn each_kind_of_deviation_names_its_line() {
        for (dialogue, says) in [
            ("\nS: 250 ok", &[&b"250 okay\r\n"[..]][..]),
            ("\nS: 250 ok", &[b"250-ok\r\n"]),
            ("\nS: 250-ok...", &[b"250 ok\r\n"]),
            ("\nS: 250 o...", &[b"250 no\r\n"]),
            ("\nS: 250", &[b"251 ok\r\n"]),
            ("\nS: 250", &[b"250-a\r\n251 ok\r\n"]),
            ("\nS: 250", &[b"2500\r\n"]),
            ("\nS: 250", &[]),
            ("\nS: 250", &[b"250 ok"]),
            ("\nS: <CLOSED>", &[b"250 ok\r\n"]),
        ] {
            let (_, result) = run(dialogue, says);
            assert_eq!(result.unwrap_err().0, 2, "{dialogue:?} with {says:?}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_understood_names_its_line() {
        for text in
            ["C+ a\nS: 250", "\nX: 1", "\nS: 25", "\nS: 250x", "\nT: 5", "\nC| \\q", "\nC* x"]
        {
            assert_eq!(text.parse::<Dialogue>().unwrap_err().line, 2, "{text:?}");
        }
        assert_eq!("C+ a".parse::<Dialogue>().unwrap_err().line, 1);
    }
}
