//! Handing a message over to the sender.

use super::{
    Pair, Passed,
    form::{Form, Verb},
    undelivered,
};
use crate::{
    outcome::Verdict,
    session::{Answer, Heard, Session},
    tester::Tester,
    transcript::{Line, visible},
};

/// A message that was handed over, or was to be.
pub(super) struct Attempt {
    pub(super) form: Form,
    /// Stands in the envelope and in the header.
    pub(super) outer: String,
    /// Stands in what is smuggled.
    pub(super) inner: String,
    /// The text between [`begin`](Self::begin) and [`end`](Self::end).
    pub(super) text: Vec<u8>,
    /// Why it was not taken; `None` if it was.
    pub(super) refused: Option<Passed>,
    /// The sender gave more replies than there were commands.
    pub(super) extra_replies: bool,
    /// The dialogue.
    pub(super) sessions: Vec<Vec<Line>>,
}

/// What stands in all messages of a run.
pub(super) fn mark(seed: u64) -> String {
    format!("smuggling-{seed:x}-")
}

/// The command that the smuggled envelope begins with. Nobody writes it so who means a command of
/// his own, and every server understands it (RFC 5321 §2.4).
pub(super) const SMUGGLED_MAIL: &str = "mAiL fRoM:<";

impl Attempt {
    /// Hands the `number`th message of the run over.
    pub(super) fn hand_over(pair: &Pair, number: usize, form: Form) -> Self {
        let mark = mark(pair.sender.seed);
        let outer = format!("{mark}{number}-outer");
        let inner = format!("{mark}{number}-inner");
        let chunks = form.chunks(&transaction(&inner, &pair.smuggled_recipient));
        let text = chunks.concat();
        let mut attempt = Self {
            form,
            outer,
            inner,
            text,
            refused: None,
            extra_replies: false,
            sessions: Vec::new(),
        };
        let tester = Tester::new(&pair.sender, "smuggling");
        if let Err(verdict) = attempt.send(&tester, chunks, &pair.recipient) {
            attempt.refused.get_or_insert_with(|| undelivered(&verdict));
        }
        attempt.sessions = tester.transcripts();
        attempt
    }

    /// Stands in front of the false end.
    pub(super) fn begin(&self) -> String {
        format!("begin {}", self.outer)
    }

    /// Stands at the end of the message.
    pub(super) fn end(&self) -> String {
        format!("end {}", self.outer)
    }

    fn send(
        &mut self,
        tester: &Tester<'_>,
        mut chunks: Vec<Vec<u8>>,
        recipient: &str,
    ) -> Result<(), Verdict> {
        let mut s = match self.form.verb {
            Verb::Data => tester.hello()?,
            Verb::Bdat => tester.offers("CHUNKING")?.0,
        };
        let head = format!(
            "From: <sender@client.example>\r\nTo: <{recipient}>\r\nSubject: {}\r\n\
             Date: Mon, 02 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{0}@client.example>\r\n\r\n{}",
            self.outer,
            self.begin()
        );
        let tail = format!("{}\r\n", self.end());
        if let Some(first) = chunks.first_mut() {
            first.splice(..0, head.into_bytes());
        }
        if let Some(last) = chunks.last_mut() {
            last.extend_from_slice(tail.as_bytes());
        }
        let eight_bit = !self.text.is_ascii() && s.extension("8BITMIME").is_some();
        let body = if eight_bit { " BODY=8BITMIME" } else { "" };
        s.ask(format!("MAIL FROM:<{}@client.example>{body}", self.outer)).given("25z")?;
        s.ask(format!("RCPT TO:<{recipient}>")).given("25z")?;
        let answer = match self.form.verb {
            Verb::Data => {
                s.ask("DATA").given("354")?;
                s.send([chunks.concat().as_slice(), b".\r\n"].concat());
                s.hear()
            }
            Verb::Bdat => send_chunks(&mut s, &chunks)?,
        };
        self.refused = refusal(&answer);
        // More than the reply to QUIT: what is behind the false end was answered too.
        s.say("QUIT");
        let (replies, _) = s.hear_all(tester.patience());
        self.extra_replies = replies.len() > 1;
        Ok(())
    }
}

/// The answer to the last of the chunks.
fn send_chunks(s: &mut Session, chunks: &[Vec<u8>]) -> Result<Answer, Verdict> {
    let last = chunks.len().saturating_sub(1);
    for chunk in &chunks[..last] {
        s.send([format!("BDAT {}\r\n", chunk.len()).as_bytes(), chunk].concat());
        s.hear().given("25z")?;
    }
    s.send([format!("BDAT {} LAST\r\n", chunks[last].len()).as_bytes(), &chunks[last]].concat());
    Ok(s.hear())
}

/// A transaction without its end, which the message around it brings.
fn transaction(inner: &str, recipient: &str) -> Vec<u8> {
    format!(
        "{SMUGGLED_MAIL}{inner}@client.example>\r\nrCpT tO:<{recipient}>\r\ndAtA\r\n\
         From: <{inner}@client.example>\r\nTo: <{recipient}>\r\nSubject: {inner}\r\n\
         Date: Mon, 02 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{inner}@client.example>\r\n\r\n\
         smuggled\r\n"
    )
    .into_bytes()
}

fn refusal(answer: &Answer) -> Option<Passed> {
    match answer.heard() {
        Heard::Reply(reply) if (200..300).contains(&reply.code) => None,
        Heard::Reply(reply) => Some(Passed::Refused(
            reply.lines.first().map_or_else(String::new, |line| visible(line)),
        )),
        Heard::Closed => Some(Passed::Closed),
        Heard::Silent => Some(Passed::Silent),
    }
}
