//! What the tap has heard of a message.

use super::{
    hand_over::{Attempt, SMUGGLED_MAIL, mark},
    tap::{End, Side, Tapped},
};
use crate::{reply::Reply, transcript::Line};

/// A transaction that the sender began.
pub(super) struct Relay<'t> {
    session: &'t Tapped,
    /// Its MAIL command.
    mail: Vec<u8>,
    /// What the sender said, from MAIL to the next transaction of this run.
    said: Vec<u8>,
    /// Where that is in all that the sender said.
    from: usize,
    to: usize,
}

/// The text of a relayed message.
pub(super) struct Text {
    /// What is behind the mark in front of the false end, up to the one at the end of the message or,
    /// if that is missing, to the end of the transaction.
    pub(super) octets: Vec<u8>,
    /// The mark at the end is there.
    pub(super) whole: bool,
    /// It was relayed by BDAT: no dot is doubled.
    pub(super) chunked: bool,
}

/// How far a transaction came.
pub(super) enum Stage {
    /// A command was refused: the reply.
    Refused(Reply),
    /// No text was sent.
    Envelope,
    /// Text was sent: the replies behind its beginning.
    Content(Vec<Reply>),
}

impl<'t> Relay<'t> {
    /// All transactions of the run with this seed. What is smuggled in a message is no transaction
    /// here, whatever the receiver takes it for.
    pub(super) fn all(sessions: &'t [Tapped], seed: u64) -> Vec<Self> {
        let mark = mark(seed);
        let mut found = Vec::new();
        for session in sessions {
            let octets = session.of_sender();
            let mut starts: Vec<(usize, &[u8])> = Vec::new();
            let mut at = 0;
            for line in octets.split_inclusive(|&b| b == b'\n') {
                let is_mail = line.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"MAIL "));
                let smuggled = line.starts_with(SMUGGLED_MAIL.as_bytes());
                if is_mail && !smuggled && find(line, mark.as_bytes()).is_some() {
                    starts.push((at, line));
                }
                at += line.len();
            }
            for (number, &(from, mail)) in starts.iter().enumerate() {
                let to = starts.get(number + 1).map_or(octets.len(), |next| next.0);
                let (mail, said) = (mail.to_vec(), octets[from..to].to_vec());
                found.push(Self { session, mail, said, from, to });
            }
        }
        found
    }

    /// Whether its envelope has this word.
    pub(super) fn is_of(&self, token: &str) -> bool {
        find(&self.mail, token.as_bytes()).is_some()
    }

    /// The text of this message; `None` if its marks are not in what the sender said.
    pub(super) fn text(&self, attempt: &Attempt) -> Option<Text> {
        let begin = attempt.begin();
        let chunks = find_command(&self.said, "BDAT ");
        let content = chunks.map_or_else(|| self.said.clone(), |at| joined(&self.said[at..]));
        let from = find(&content, begin.as_bytes())? + begin.len();
        let end = find(&content[from..], attempt.end().as_bytes());
        let octets = content[from..end.map_or(content.len(), |end| from + end)].to_vec();
        Some(Text { octets, whole: end.is_some(), chunked: chunks.is_some() })
    }

    /// How far it came.
    pub(super) fn stage(&self) -> Stage {
        let data = find_command(&self.said, "DATA\r\n").map(|at| at + b"DATA\r\n".len());
        let content = find_command(&self.said, "BDAT ").or(data).filter(|&at| at < self.said.len());
        let until = content.map_or(self.to, |at| self.from + at);
        let envelope = self.session.replies(self.from, until);
        match (content, envelope.into_iter().find(|reply| reply.code >= 400)) {
            (_, Some(refusal)) => Stage::Refused(refusal),
            (None, None) => Stage::Envelope,
            (Some(at), None) => {
                // The reply to the end comes when all of this was said, and before more is.
                Stage::Content(self.session.replies(self.from + at, self.to))
            }
        }
    }

    /// How its session ended, once it has.
    pub(super) fn end(&self) -> Option<End> {
        self.session.end
    }

    /// The receiver closed first.
    pub(super) fn receiver_closed(&self) -> bool {
        self.session.end == Some(End::Closed(Side::Receiver))
    }

    /// The dialogue of its session.
    pub(super) fn dialogue(&self) -> Vec<Line> {
        self.session.dialogue()
    }
}

/// Where a line begins with this command, in any case.
fn find_command(octets: &[u8], command: &str) -> Option<usize> {
    let mut at = 0;
    for line in octets.split_inclusive(|&b| b == b'\n') {
        let verb = line.get(..command.len());
        if verb.is_some_and(|verb| verb.eq_ignore_ascii_case(command.as_bytes())) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// The chunks that follow each other at the front of `octets`, without their commands.
fn joined(mut octets: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while find_command(octets, "BDAT ") == Some(0) {
        let Some(end) = octets.iter().position(|&b| b == b'\n') else { break };
        let line = String::from_utf8_lossy(&octets[..end]);
        let size = line.split_ascii_whitespace().nth(1).and_then(|size| size.parse().ok());
        let rest = &octets[end + 1..];
        let chunk = &rest[..rest.len().min(size.unwrap_or(0))];
        content.extend_from_slice(chunk);
        octets = &rest[chunk.len()..];
    }
    content
}

/// Where `part` is in `whole`.
pub(super) fn find(whole: &[u8], part: &[u8]) -> Option<usize> {
    whole.windows(part.len()).position(|window| window == part)
}
