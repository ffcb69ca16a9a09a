//! A server that says what is written down: the other way round of a [`dialogue`](crate::dialogue).
//!
//! ```text
//! # A comment; empty lines count for nothing.
//! S: 220 mx.example.test            a line, sent with CRLF, in one write with those that follow
//! S| 220 mx\r\n220                  octets; escapes \r \n \t \0 \\ \xNN
//! C: EHLO client.example.test       a line that must come
//! C: MAIL FROM:<a@example.test>...  `...` stands for any text
//! C: <MESSAGE>                      a message up to its dot line, which is kept
//! C: <OCTETS 28>                    so many octets, which are kept
//! T: 5m                             time passes: us, ms, s, m or h
//! C: <CLOSED>                       the client has closed, and has said nothing more
//! ```
//!
//! Behind the last line the server closes.

use crate::{
    dialogue::{parse_time, unescape},
    line::Line,
};
use std::{fmt, io, str::FromStr, time::Duration};

/// What a server says and expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptedPeer {
    steps: Vec<(usize, Step)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Say(Vec<u8>),
    Hear(String),
    Message,
    Octets(usize),
    Pass(Duration),
    Closed,
}

/// What a script has seen of its client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The messages and the octets of chunks, as they came; a message with its dot line.
    pub messages: Vec<Vec<u8>>,
    /// How far it came: after each step, the octets sent and received so far.
    pub positions: Vec<(usize, usize)>,
}

/// Where a client did not do what the script expects.
#[derive(Clone, PartialEq, Eq)]
pub struct Surprise {
    /// The line of the script, counted from 1.
    pub line: usize,
    /// What was expected and what came.
    pub why: String,
    /// What was heard before.
    pub heard: Heard,
}

impl fmt::Debug for Surprise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl FromStr for ScriptedPeer {
    type Err = String;

    /// Reads a script; the error names the line.
    fn from_str(script: &str) -> Result<Self, String> {
        let mut steps: Vec<(usize, Step)> = Vec::new();
        for (at, line) in script.lines().enumerate() {
            let (at, line) = (at + 1, line.trim_start());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let step = parse(line).map_err(|why| format!("line {at}: {why}"))?;
            match (steps.last_mut(), step) {
                (Some((_, Step::Say(said))), Step::Say(more)) => said.extend(more),
                (_, step) => steps.push((at, step)),
            }
        }
        Ok(Self { steps })
    }
}

fn parse(line: &str) -> Result<Step, String> {
    let (tag, rest) = line.split_once(' ').unwrap_or((line, ""));
    Ok(match (tag, rest) {
        ("S:", rest) => Step::Say(format!("{rest}\r\n").into_bytes()),
        ("S|", rest) => Step::Say(unescape(rest)?),
        ("C:", "<MESSAGE>") => Step::Message,
        ("C:", "<CLOSED>") => Step::Closed,
        ("C:", rest) => {
            let count = rest.strip_prefix("<OCTETS ").and_then(|rest| rest.strip_suffix('>'));
            match count.map(str::parse) {
                Some(Ok(count)) => Step::Octets(count),
                Some(Err(_)) => return Err("the count is not a number".into()),
                None => Step::Hear(rest.into()),
            }
        }
        ("T:", time) => Step::Pass(parse_time(time)?),
        _ => return Err("begins with none of S: S| C: T: #".into()),
    })
}

impl ScriptedPeer {
    /// Plays the script over `line`, and tells what it heard.
    ///
    /// # Errors
    /// The first thing that the client did otherwise, or that the connection failed.
    pub async fn play(&self, line: &mut impl Line) -> Result<Heard, Surprise> {
        let mut scene = Scene { line, unread: Vec::new(), sent: 0, received: 0 };
        let mut heard = Heard::default();
        for (at, step) in &self.steps {
            let done = match step {
                Step::Say(octets) => scene.say(octets).await,
                Step::Hear(expected) => scene.hear(expected).await,
                Step::Message => scene.take_message().await.map(|it| heard.messages.push(it)),
                Step::Octets(n) => scene.take(*n).await.map(|it| heard.messages.push(it)),
                Step::Pass(time) => scene.line.pass(*time).await.map_err(|e| e.to_string()),
                Step::Closed => scene.hear_end().await,
            };
            if let Err(why) = done {
                return Err(Surprise { line: *at, why, heard });
            }
            heard.positions.push((scene.sent, scene.received));
        }
        Ok(heard)
    }
}

struct Scene<'l, L> {
    line: &'l mut L,
    unread: Vec<u8>,
    sent: usize,
    /// Octets received and used by a step.
    received: usize,
}

impl<L: Line> Scene<'_, L> {
    async fn say(&mut self, octets: &[u8]) -> Result<(), String> {
        self.line.write(octets).await.map_err(|error| format!("cannot write: {error}"))?;
        self.sent += octets.len();
        Ok(())
    }

    /// Reads more; 0 is the end.
    async fn read(&mut self) -> Result<usize, String> {
        let mut buf = [0; 4096];
        let n = match self.line.read(&mut buf).await {
            // Whoever closes without having read everything resets the connection.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
            read => read.map_err(|error| format!("cannot read: {error}"))?,
        };
        self.unread.extend_from_slice(&buf[..n]);
        Ok(n)
    }

    async fn take(&mut self, n: usize) -> Result<Vec<u8>, String> {
        while self.unread.len() < n {
            if self.read().await? == 0 {
                return Err(format!("closed with {} of {n} octets", self.unread.len()));
            }
        }
        self.received += n;
        Ok(self.unread.drain(..n).collect())
    }

    /// Takes all up to and with `end`.
    async fn take_until(&mut self, end: &[u8]) -> Result<Vec<u8>, String> {
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|it| it == end) {
                return self.take(at + end.len()).await;
            }
            if self.read().await? == 0 {
                return Err(format!("closed behind {:?}", self.unread.escape_ascii().to_string()));
            }
        }
    }

    async fn hear(&mut self, expected: &str) -> Result<(), String> {
        let line = self.take_until(b"\r\n").await?;
        let line = line.strip_suffix(b"\r\n").unwrap_or(&line);
        let fits = match expected.strip_suffix("...") {
            Some(start) => line.starts_with(start.as_bytes()),
            None => line == expected.as_bytes(),
        };
        if fits {
            return Ok(());
        }
        Err(format!("expected {expected:?}, not {:?}", String::from_utf8_lossy(line)))
    }

    async fn take_message(&mut self) -> Result<Vec<u8>, String> {
        // An empty message is its dot line alone.
        let first = self.take_until(b"\r\n").await?;
        if first == b".\r\n" {
            return Ok(first);
        }
        self.received -= first.len();
        self.unread.splice(..0, first);
        self.take_until(b"\r\n.\r\n").await
    }

    async fn hear_end(&mut self) -> Result<(), String> {
        while self.unread.is_empty() {
            if self.read().await? == 0 {
                return Ok(());
            }
        }
        Err(format!("expected the end, not {:?}", self.unread.escape_ascii().to_string()))
    }
}
