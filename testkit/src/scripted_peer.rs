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

mod listening;

pub use listening::Listening;

use crate::{
    clock::{Task, VirtualRuntime},
    dialogue::{Malformed, parse_time, unescape},
    line::{Line, StreamLine},
    memory::{MemoryStream, pair},
};
use std::{fmt, io, str::FromStr, time::Duration};

/// Octets on their way in one direction of a connection in memory.
const PIPE: usize = 1 << 20;

/// What a server says and expects.
///
/// [`connect`](Self::connect) plays it in memory, [`listen`](Self::listen) on a socket.
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

impl Surprise {
    /// Before the first line.
    fn of(why: &str) -> Self {
        Self { line: 1, why: why.into(), heard: Heard::default() }
    }
}

impl fmt::Display for Surprise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// As it is displayed: this is what a failed `unwrap` shows.
impl fmt::Debug for Surprise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the client deviates, {self}")
    }
}

impl std::error::Error for Surprise {}

impl FromStr for ScriptedPeer {
    type Err = Malformed;

    fn from_str(script: &str) -> Result<Self, Malformed> {
        let mut steps: Vec<(usize, Step)> = Vec::new();
        for (at, line) in script.lines().enumerate() {
            let (at, line) = (at + 1, line.trim_start());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let step = parse(line).map_err(|why| Malformed { line: at, why })?;
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
    /// A connection to this server in memory and in virtual time: the client's end, and the task
    /// that plays. What a client needs to run besides is `runtime`, as its runtime.
    ///
    /// ```
    /// use testkit::{clock::VirtualRuntime, line::{Line, StreamLine}, scripted_peer::ScriptedPeer};
    ///
    /// let time = VirtualRuntime::new();
    /// let peer: ScriptedPeer = "S: 220 mx.example.test\nC: QUIT\nS: 221 bye".parse().unwrap();
    /// let (stream, playing) = peer.connect(&time);
    /// # let mut client = StreamLine::new(stream, time.clone());
    /// time.run_until(async { client.write(b"QUIT\r\n").await }).unwrap(); // your client
    /// let heard = time.run_until(playing).unwrap();
    /// assert_eq!(heard.positions.last(), Some(&(30, 6)));
    /// ```
    #[must_use]
    pub fn connect(
        self,
        runtime: &VirtualRuntime,
    ) -> (MemoryStream, Task<Result<Heard, Surprise>>) {
        let (client, server) = pair(PIPE);
        let mut line = StreamLine::new(server, runtime.clone());
        (client, runtime.spawn(async move { self.play(&mut line).await }))
    }

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
                return Err(format!("closed behind \"{}\"", self.unread.escape_ascii()));
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
        Err(format!("expected \"{expected}\", not \"{}\"", line.escape_ascii()))
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
        Err(format!("expected the end, not \"{}\"", self.unread.escape_ascii()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Heard, ScriptedPeer, Surprise};
    use crate::{clock::VirtualRuntime, line::StreamLine, memory::pair};

    /// What `script` makes of a client that says `octets` and closes, and what it says itself.
    fn play(script: &str, octets: &[u8]) -> (Result<Heard, Surprise>, Vec<u8>) {
        let runtime = VirtualRuntime::new();
        let (client, server) = pair(1 << 10);
        let script: ScriptedPeer = script.parse().unwrap();
        assert_eq!(client.put(octets), octets.len());
        client.close();
        let played = runtime
            .run_until(async { script.play(&mut StreamLine::new(server, runtime.clone())).await });
        (played, client.take())
    }

    #[test]
    fn what_is_written_down_is_said_and_what_comes_is_kept() {
        let script = r"
            # A comment.
            S: 220 mx
            C: EHLO...
            S| 250-a\r\n
            S: 250 b
            C: <MESSAGE>
            C: <OCTETS 3>
            C: <MESSAGE>
            T: 1h
            C: <CLOSED>";
        let (played, said) = play(script, b"EHLO x\r\na\r\n..\r\n.\r\n123.\r\n");
        let heard = played.unwrap();
        assert_eq!(said, b"220 mx\r\n250-a\r\n250 b\r\n");
        assert_eq!(heard.messages, [&b"a\r\n..\r\n.\r\n"[..], b"123", b".\r\n"]);
        assert_eq!(heard.positions[..3], [(8, 0), (8, 8), (22, 8)]);
    }

    #[test]
    fn a_client_that_does_otherwise_is_found_out() {
        for (script, octets, line, why) in [
            ("S: 220 mx\nC: QUIT", &b"NOOP\r\n"[..], 2, "expected \"QUIT\", not \"NOOP\""),
            ("C: QUIT", b"QUIT", 1, "closed behind \"QUIT\""),
            ("C: <OCTETS 3>", b"ab", 1, "closed with 2 of 3 octets"),
            ("C: <MESSAGE>", b"a\r\n.\r", 1, "closed behind \"a\\r\\n.\\r\""),
            ("C: <CLOSED>", b"x", 1, "expected the end, not \"x\""),
        ] {
            let surprise = play(script, octets).0.unwrap_err();
            assert_eq!((surprise.line, surprise.why.as_str()), (line, why));
        }
    }

    #[test]
    fn a_script_that_makes_no_sense_names_the_line() {
        for (script, line) in [("S: 220 mx\nX: y", 2), ("C: <OCTETS x>", 1), ("\nT: soon", 2)] {
            let error = script.parse::<ScriptedPeer>().unwrap_err();
            assert_eq!(error.line, line, "{error}");
        }
    }
}
