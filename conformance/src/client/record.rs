//! What a client said in one session, as cases judge it.

use super::script::Point;
use std::time::{Duration, Instant};

/// One command.
#[derive(Clone, Debug)]
pub struct Command {
    /// What it is.
    pub point: Point,
    /// As it came, without its CRLF.
    pub line: Vec<u8>,
    /// It came before the answer to what went in front of it was sent.
    pub early: bool,
    /// It came inside TLS.
    pub tls: bool,
    /// When it came.
    pub came: Instant,
    /// Its line in the transcript.
    pub place: usize,
    /// The code of the answer; 0 if there was none.
    pub code: u16,
}

impl Command {
    /// The line as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.line).into_owned()
    }

    /// The value of a parameter such as `SIZE`; empty for one without.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let text = self.text();
        let behind = text.rsplit_once('>').map_or(text.as_str(), |(_, rest)| rest).to_owned();
        behind.split_whitespace().find_map(|word| {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    }

    /// Whether anything stands behind the path of MAIL or RCPT.
    pub fn has_parameters(&self) -> bool {
        self.text().rsplit_once('>').is_some_and(|(_, rest)| !rest.trim().is_empty())
    }

    /// What stands in the angle brackets.
    pub fn path(&self) -> String {
        path(&self.text())
    }
}

/// What stands in the angle brackets of a line.
pub(super) fn path(line: &str) -> String {
    let path = line.split_once('<').and_then(|(_, rest)| rest.rsplit_once('>'));
    path.map_or(String::new(), |(path, _)| path.to_owned())
}

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Body {
    /// The octets in front of the end: behind DATA with dots doubled, as they stood on the wire.
    pub octets: Vec<u8>,
    /// The end came.
    pub complete: bool,
    /// It began before the 354.
    pub early: bool,
    /// It came in chunks, RFC 3030.
    pub chunked: bool,
    /// The recipients that had been accepted.
    pub recipients: Vec<String>,
    /// The code of the answer to its end; 0 if there was none.
    pub code: u16,
    /// Its first line in the transcript.
    pub place: usize,
}

impl Body {
    /// The server took responsibility for it.
    pub fn is_taken(&self) -> bool {
        self.complete && (200..300).contains(&self.code)
    }

    /// The message without doubled dots.
    pub fn unstuffed(&self) -> Vec<u8> {
        if self.chunked {
            return self.octets.clone();
        }
        let mut message = Vec::with_capacity(self.octets.len());
        let mut rest = &self.octets[..];
        while !rest.is_empty() {
            let end = find(rest, b"\r\n").map_or(rest.len(), |at| at + 2);
            let (line, more) = rest.split_at(end);
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            rest = more;
        }
        message
    }
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The client closed.
    Client,
    /// The server closed.
    Server,
    /// The judge had waited long enough.
    Stopped,
}

/// One session.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its number among the sessions of its case, from 0.
    pub number: usize,
    /// The last number of the server's address: 1 of 127.0.0.1.
    pub host: u8,
    /// When it began.
    pub began: Instant,
    /// How long it took.
    pub took: Duration,
    /// The commands.
    pub commands: Vec<Command>,
    /// The messages, whole or not.
    pub bodies: Vec<Body>,
    /// Everything that was heard, decrypted, up to some megabytes.
    pub octets: Vec<u8>,
    /// How it ended.
    pub ending: Ending,
    /// The client closed while an answer was held back.
    pub left_early: bool,
    /// A handshake was tried, and why it failed if it did.
    pub tls: Option<Result<(), String>>,
    /// Octets of a flood that were sent.
    pub flooded: usize,
}

impl Record {
    /// A session that begins now.
    pub(super) fn new(number: usize, host: u8) -> Self {
        Self {
            number,
            host,
            began: Instant::now(),
            took: Duration::ZERO,
            commands: Vec::new(),
            bodies: Vec::new(),
            octets: Vec::new(),
            ending: Ending::Stopped,
            left_early: false,
            tls: None,
            flooded: 0,
        }
    }

    /// The commands at `point`.
    pub fn at(&self, point: Point) -> impl Iterator<Item = &Command> {
        self.commands.iter().filter(move |command| command.point == point)
    }

    /// Whether all its mail comes from nobody, as notifications do.
    pub(super) fn is_notification(&self) -> bool {
        let mut mails = self.at(Point::Mail).peekable();
        mails.peek().is_some() && mails.all(|mail| mail.path().is_empty())
    }

    /// Takes what is mailed from nobody out of it, as a session of its own: some give a message
    /// back in the session in which it was refused.
    pub(super) fn take_notification(&mut self) -> Option<Self> {
        let mails: Vec<_> =
            self.at(Point::Mail).map(|mail| (mail.place, mail.path().is_empty())).collect();
        mails.iter().find(|(_, from_nobody)| *from_nobody)?;
        let is_own = |place: usize| {
            mails.iter().rev().find(|mail| mail.0 <= place).is_none_or(|(_, nobody)| !nobody)
        };
        let mut taken = self.clone();
        let in_transaction = |command: &Command| {
            matches!(command.point, Point::Mail | Point::Rcpt | Point::Data | Point::Bdat)
        };
        self.commands.retain(|command| !in_transaction(command) || is_own(command.place));
        taken.commands.retain(|command| !in_transaction(command) || !is_own(command.place));
        self.bodies.retain(|body| is_own(body.place));
        taken.bodies.retain(|body| !is_own(body.place));
        // The message that is given back is no message that is sent.
        let heard = self.octets.to_ascii_uppercase();
        self.octets.truncate(find(&heard, b"MAIL FROM:<>").unwrap_or(heard.len()));
        Some(taken)
    }

    /// Whether `text` was heard anywhere.
    pub fn heard(&self, text: &str) -> bool {
        contains(&self.octets, text)
    }
}

/// Whether `text` stands in `octets`.
pub fn contains(octets: &[u8], text: &str) -> bool {
    find(octets, text.as_bytes()).is_some()
}

/// Where `text` stands in `octets` first.
pub fn find(octets: &[u8], text: &[u8]) -> Option<usize> {
    octets.windows(text.len().max(1)).position(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(point: Point, line: &str, place: usize) -> Command {
        let line = line.as_bytes().to_vec();
        let came = Instant::now();
        Command { point, line, early: false, tls: false, came, place, code: 250 }
    }

    fn body(place: usize) -> Body {
        Body {
            octets: b"token".to_vec(),
            complete: true,
            early: false,
            chunked: false,
            recipients: Vec::new(),
            code: 250,
            place,
        }
    }

    #[test]
    fn a_message_that_is_given_back_in_its_own_session_is_not_sent_again() {
        let mut record = Record::new(0, 1);
        record.commands = vec![
            command(Point::Mail, "MAIL FROM:<sender@client.example>", 1),
            command(Point::Data, "DATA", 3),
            command(Point::Mail, "MAIL FROM:<>", 5),
            command(Point::Data, "DATA", 7),
            command(Point::Quit, "QUIT", 9),
        ];
        record.bodies = vec![body(8)];
        record.octets = b"Mail From:<sender@client.example>\r\nMail From:<>\r\ntoken".to_vec();
        let taken = record.take_notification().unwrap();
        let places = |record: &Record| record.commands.iter().map(|c| c.place).collect::<Vec<_>>();
        assert_eq!((places(&record), record.bodies.len()), (vec![1, 3, 9], 0));
        assert_eq!((places(&taken), taken.bodies.len()), (vec![5, 7, 9], 1));
        assert!(!record.heard("token") && taken.heard("token"));
        assert!(record.take_notification().is_none());
    }
}
