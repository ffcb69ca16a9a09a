//! The octets of messages: one after the other.

use super::{Bare, DATA, Mode, Model, Stage};

#[derive(Debug, Default)]
pub(super) struct Message {
    /// Octets that the embedder got.
    pub(super) size: u64,
    /// The embedder takes octets, and has not been told of their end.
    pub(super) open: bool,
    /// The reply at the end, of a message that was refused on its way.
    refused: Option<String>,
    /// The connection ends with that reply.
    fatal: bool,
    line_start: bool,
    /// Octets of the running line.
    line: u64,
    pub(super) in_chunks: bool,
    /// Octets of the BDAT still to come; whether it is the last.
    pub(super) chunk: u64,
    pub(super) last: bool,
    swallowed: u64,
    /// Seconds that the client may still let us wait.
    left: u64,
    deliveries: usize,
}

impl Model {
    pub(super) fn begin_message(&mut self, stage: Stage) {
        let Message { in_chunks, chunk, last, .. } = self.message;
        self.message =
            Message { in_chunks, chunk, last, open: true, line_start: true, ..Message::default() };
        self.stage = stage;
        self.start_data_timer();
    }

    fn start_data_timer(&mut self) {
        self.wait = None;
        self.message.left = DATA;
    }

    /// RFC 5321 §4.5.3.2.5: the time between two blocks counts, the time that we take ourselves does
    /// not (contract 9).
    fn octets_came(&mut self) {
        if let Some(("Data", since, _)) = self.wait {
            self.message.left = self.message.left.saturating_sub(self.now - since);
            self.wait = None;
        }
        if self.setup.any_rate {
            self.start_data_timer();
        }
    }

    fn wait_for_octets(&mut self) -> bool {
        if self.eof {
            self.close("Eof", "Eof");
            return true;
        }
        self.wait_for("Data", self.message.left);
        false
    }

    /// §4.1.1.4, §4.5.2: the end is a dot alone between two CRLF; another dot that begins a line goes.
    /// §2.3.8: only CRLF ends a line. What cannot be judged yet waits.
    pub(super) fn read_dot(&mut self) -> bool {
        let head: Vec<u8> = self.input.iter().take(3).copied().collect();
        let first = match (&head[..], self.message.line_start) {
            ([] | [b'\r'], _) | ([b'.'] | [b'.', b'\r'], true) => return self.wait_for_octets(),
            ([b'.', b'\r', b'\n'], true) => {
                self.take(3);
                self.end_of_octets();
                return true;
            }
            ([b'.', ..], true) => {
                self.take(1);
                self.message.line_start = false;
                return true;
            }
            ([b'\r', b'\n', ..], _) => {
                self.take(2);
                self.message.line_start = true;
                self.octet(b'\r');
                self.octet(b'\n');
                return true;
            }
            ([first, ..], _) => *first,
        };
        self.take(1);
        self.message.line_start = false;
        match (first, self.setup.bare) {
            (b'\r' | b'\n', Bare::Normalise) => {
                self.octet(b'\r');
                self.octet(b'\n');
            }
            (b'\r' | b'\n', Bare::Refuse) => {
                if self.message.open {
                    self.message.fatal = true;
                    self.refuse_message("521 5.5.2", "BareLineEnding");
                }
                self.octet(first);
            }
            _ => self.octet(first),
        }
        true
    }

    fn take(&mut self, n: usize) {
        self.input.drain(..n);
        self.octets_came();
    }

    /// RFC 3030 §2: as many octets as were announced, whatever they are.
    pub(super) fn read_chunk(&mut self) -> bool {
        if self.message.chunk == 0 {
            self.end_of_chunk();
            return true;
        }
        if self.input.is_empty() {
            return self.wait_for_octets();
        }
        let first = self.input[0];
        self.take(1);
        self.message.chunk -= 1;
        if self.stage == Stage::Stray {
            self.swallow()
        } else {
            self.octet(first)
        }
        true
    }

    fn end_of_chunk(&mut self) {
        if self.stage == Stage::Stray {
            self.stage = Stage::Commands;
            if self.failed && self.message.last {
                self.refuse_at_end();
            } else {
                let reply = self.message.refused.take().unwrap();
                self.say(&reply);
            }
        } else if self.message.last {
            self.end_of_octets();
        } else if let Some(reply) = self.message.refused.take() {
            self.say(&reply);
            self.failed = true;
            self.stage = Stage::Commands;
        } else {
            self.say("250 2.0.0");
            self.stage = Stage::Commands;
        }
    }

    /// One octet of the message.
    fn octet(&mut self, octet: u8) {
        if self.stage == Stage::Closed {
            return;
        }
        if self.message.refused.is_some() {
            return self.swallow();
        }
        // §4.5.3.1.7, RFC 1870 §6.3: 552 5.3.4.
        if self.message.size == self.setup.message {
            self.refuse_message("552 5.3.4", "TooLarge");
            return self.swallow();
        }
        // §4.5.3.1.6: so many octets, and a CRLF. RFC 3030 §3: binary content has no lines.
        if let Some(most) = self.setup.text_line.filter(|_| !self.binary) {
            let end_of_line = octet == b'\n' || (octet == b'\r' && self.message.line == most);
            if self.message.line >= most && !end_of_line {
                self.refuse_message("554 5.6.0", "TextLineTooLong");
                return self.swallow();
            }
        }
        self.message.line = if octet == b'\n' { 0 } else { self.message.line + 1 };
        self.message.size += 1;
        self.body.push(octet);
    }

    /// The rest is read to its end, and the reply comes there.
    fn refuse_message(&mut self, reply: &str, why: &str) {
        self.violations += 1;
        self.abort_body(why);
        self.message.refused = Some(reply.into());
    }

    /// The embedder wants no more of it; false if nothing comes (contract 10).
    pub(crate) fn discard(&mut self, reply: &str) -> bool {
        if !std::mem::take(&mut self.message.open) {
            return false;
        }
        if matches!(self.stage, Stage::Dot | Stage::Chunk) {
            self.message.refused = Some(reply.into());
        } else {
            // Between two BDATs the next one hears of it.
            self.failed = true;
        }
        self.advance();
        true
    }

    pub(super) fn swallow_chunk(&mut self, reply: &str) {
        self.message.refused = Some(reply.into());
        self.stage = Stage::Stray;
        self.start_data_timer();
    }

    /// Not without end.
    fn swallow(&mut self) {
        self.message.swallowed += 1;
        if self.message.swallowed > self.setup.swallow && self.stage != Stage::Closed {
            let reply = self.message.refused.take().unwrap();
            self.say(&reply);
            self.close("Violations", "Closed");
        }
    }

    /// All of the message is here.
    fn end_of_octets(&mut self) {
        if self.message.refused.is_some() {
            return self.refuse_at_end();
        }
        self.message.open = false;
        if self.setup.mode == Mode::Lmtp {
            self.stage = Stage::Delivery;
            self.message.deliveries = 0;
        } else {
            self.stage = Stage::Message;
            let words = format!("message {}", self.message.size);
            self.ask("message", &words);
        }
    }

    /// RFC 2033 §4.2: in LMTP one reply for each recipient, unless the last word has been said.
    fn refuse_at_end(&mut self) {
        if self.setup.mode == Mode::Lmtp && self.closing.is_none() {
            self.stage = Stage::Delivery;
            self.message.deliveries = 0;
        } else {
            self.end_refused();
        }
    }

    fn end_refused(&mut self) {
        let reply = self.message.refused.take().unwrap();
        self.say(&reply);
        self.end_transaction("Refused");
        self.stage = Stage::Commands;
        if self.message.fatal {
            self.close("Violations", "Closed");
        }
    }

    /// RFC 2033 §4.2: each recipient has a decision and a reply of its own, in their order.
    pub(super) fn next_delivery(&mut self) {
        if let Some(reply) = self.message.refused.clone() {
            self.message.deliveries += 1;
            return match self.message.deliveries < self.recipients {
                true => self.say(&reply),
                false => self.end_refused(),
            };
        }
        if self.message.deliveries < self.recipients {
            let words = format!("delivery {} {}", self.message.deliveries, self.message.size);
            self.message.deliveries += 1;
            self.ask("delivery", &words);
        } else {
            self.end_transaction("Delivered");
            self.stage = Stage::Commands;
        }
    }
}
