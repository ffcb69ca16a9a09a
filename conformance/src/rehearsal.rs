//! A run against nobody, to count the messages that a real one would send.
//!
//! Each case plays against a server in memory that accepts all it can. What a case sends only after
//! a message has arrived is not seen, so the number is a little too small for some cases, and for
//! those that expect refusals it is what they send to a server without any.

use crate::{
    case::{self, Case},
    cooperation::{Cooperation, Mailbox},
    tester::Run,
    wire::{Port, Received, Target, Wire},
};
use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// About how many messages `case` sends, if the operator told `cooperation`.
pub fn messages(case: Case, cooperation: &Cooperation, port: Port, strict: bool) -> u32 {
    let count = Arc::new(AtomicU32::new(0));
    let mut cooperation = cooperation.clone();
    // Nothing arrives, and nobody's mailbox is looked into.
    cooperation.mailbox = cooperation.mailbox.map(|_| {
        let nowhere = |name: &String| (name.clone(), PathBuf::from("/nonexistent"));
        Mailbox::Maildir(cooperation.recipients.iter().map(nowhere).collect())
    });
    let moment = Duration::from_millis(1);
    let run = Run {
        target: Box::new(Stage(Arc::clone(&count))),
        cooperation,
        patience: moment,
        pause: moment,
        port,
        seed: 0,
        strict,
        minute: moment,
    };
    case::run(case, &run);
    count.load(Ordering::Relaxed)
}

/// A server in memory; counts the messages of all its connections.
struct Stage(Arc<AtomicU32>);

impl Target for Stage {
    fn connect(&self, port: Port) -> io::Result<Box<dyn Wire>> {
        let mut actor = Actor {
            messages: Arc::clone(&self.0),
            said: Vec::new(),
            unread: Vec::new(),
            state: State::Commands,
            recipients: None,
            lmtp: port == Port::Lmtp,
            closed: false,
        };
        actor.say("220 stage.example.test ESMTP");
        Ok(Box::new(actor))
    }

    fn has(&self, _: Port) -> bool {
        true
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Commands,
    /// Behind 354.
    Data,
    /// Octets of a chunk that are still to come, and whether it is the last.
    Chunk(usize, bool),
    /// Lines of AUTH.
    Auth,
}

/// One connection.
struct Actor {
    messages: Arc<AtomicU32>,
    said: Vec<u8>,
    unread: Vec<u8>,
    state: State,
    /// `None` outside a transaction.
    recipients: Option<u32>,
    lmtp: bool,
    closed: bool,
}

impl Wire for Actor {
    fn send(&mut self, octets: &[u8]) -> bool {
        if self.closed {
            return false;
        }
        self.unread.extend_from_slice(octets);
        while self.step() {}
        true
    }

    fn receive(&mut self, buffer: &mut [u8], _: Duration) -> Received {
        let n = buffer.len().min(self.said.len());
        buffer[..n].copy_from_slice(&self.said[..n]);
        self.said.drain(..n);
        match n {
            0 if self.closed => Received::Closed,
            0 => Received::Silent,
            n => Received::Octets(n),
        }
    }

    fn finish(&mut self) {
        self.closed = true;
    }
}

impl Actor {
    fn say(&mut self, line: &str) {
        self.said.extend_from_slice(line.as_bytes());
        self.said.extend_from_slice(b"\r\n");
    }

    /// Takes one line or one part of a message; whether there was one.
    fn step(&mut self) -> bool {
        if let State::Chunk(left, last) = self.state {
            let n = left.min(self.unread.len());
            self.unread.drain(..n);
            self.state = State::Chunk(left - n, last);
            if n < left {
                return false;
            }
            self.state = State::Commands;
            if last {
                self.accept()
            } else {
                self.say("250 2.0.0 more")
            }
            return true;
        }
        let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") else {
            return false;
        };
        let line: Vec<u8> = self.unread.drain(..end + 2).take(end).collect();
        match self.state {
            State::Data if line == b"." => {
                self.state = State::Commands;
                self.accept();
            }
            State::Data => {}
            State::Auth => {
                self.state = State::Commands;
                self.say("235 2.7.0 welcome");
            }
            State::Commands | State::Chunk(..) if !self.closed => {
                self.command(&String::from_utf8_lossy(&line));
            }
            State::Commands | State::Chunk(..) => {}
        }
        true
    }

    fn accept(&mut self) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        let recipients = self.recipients.take().unwrap_or_default();
        for _ in 0..if self.lmtp { recipients } else { 1 } {
            self.say("250 2.0.0 thank you");
        }
    }

    fn command(&mut self, line: &str) {
        let upper = line.to_ascii_uppercase();
        let words: Vec<_> = upper.split_ascii_whitespace().collect();
        let verb = words.first().copied().unwrap_or_default();
        match (verb, self.recipients) {
            ("EHLO" | "LHLO" | "HELO", _) => {
                self.recipients = None;
                self.say(
                    "250-stage.example.test\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n\
                     250-8BITMIME\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n\
                     250-AUTH PLAIN LOGIN\r\n250 ENHANCEDSTATUSCODES",
                );
            }
            ("MAIL", None) => {
                self.recipients = Some(0);
                self.say("250 2.1.0 sender");
            }
            ("RCPT", Some(n)) => {
                self.recipients = Some(n + 1);
                self.say("250 2.1.5 recipient");
            }
            ("DATA", Some(1..)) => {
                self.state = State::Data;
                self.say("354 go on");
            }
            ("BDAT", recipients) => match words.get(1).and_then(|size| size.parse().ok()) {
                Some(size) if recipients.is_some_and(|n| n > 0) => {
                    self.state = State::Chunk(size, words.get(2) == Some(&"LAST"));
                }
                _ => self.say("503 5.5.1 not now"),
            },
            ("RSET", _) => {
                self.recipients = None;
                self.say("250 2.0.0 forgotten");
            }
            ("AUTH", None) if words.len() == 2 => {
                self.state = State::Auth;
                self.say("334 ");
            }
            ("AUTH", None) => self.say("235 2.7.0 welcome"),
            ("QUIT", _) => {
                self.say("221 2.0.0 bye");
                self.closed = true;
            }
            ("NOOP" | "HELP", _) => self.say("250 2.0.0 yes"),
            ("VRFY", _) => self.say("252 2.5.0 perhaps"),
            ("MAIL" | "RCPT" | "DATA" | "AUTH", _) => self.say("503 5.5.1 not now"),
            _ => self.say("500 5.5.2 what"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{outcome::Outcome, tester::Tester};

    fn told() -> Cooperation {
        Cooperation { recipients: vec!["user1@example.test".into()], ..Cooperation::default() }
    }

    fn count(run: fn(&Tester<'_>) -> Outcome) -> u32 {
        messages(Case { id: "SEQ-05", run }, &told(), Port::Main, false)
    }

    #[test]
    fn a_message_by_data_and_one_by_bdat_are_two() {
        let two = count(|t| {
            let mut s = t.hello()?;
            t.send(&mut s, &t.message(&["one"]))?.1.must("250")?;
            t.envelope(&mut s)?;
            s.send(b"BDAT 3\r\nabcBDAT 2 LAST\r\nde");
            s.hear().must("250")?;
            s.hear().must("250")
        });
        assert_eq!(two, 2);
    }

    #[test]
    fn who_sends_no_message_or_has_no_recipient_is_not_counted() {
        assert_eq!(count(|t| t.hello()?.ask("MAIL FROM:<>").must("250")), 0);
        let run: fn(&Tester<'_>) -> Outcome = |t| {
            let mut s = t.hello()?;
            t.send(&mut s, &t.message(&["one"]))?.1.must("250")
        };
        let case = Case { id: "SEQ-05", run };
        assert_eq!(messages(case, &Cooperation::default(), Port::Main, false), 0);
    }
}
