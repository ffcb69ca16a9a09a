//! What a decision of the embedder does, given or late.

use super::{Answer, Mode, Model, Stage};

impl Model {
    /// Decides question `number`; false if it is not open any more (contract 6).
    pub(crate) fn decide(&mut self, number: usize, answer: Answer) -> bool {
        let open = self.open().contains(&number);
        if open {
            self.answer(number, answer);
            self.advance();
        }
        open
    }

    /// The numbers of the open questions.
    pub(crate) fn open(&self) -> Vec<usize> {
        self.slots.iter().filter(|slot| slot.question.is_some()).map(|slot| slot.number).collect()
    }

    pub(super) fn answer(&mut self, number: usize, answer: Answer) {
        let slot = self.slots.iter().position(|slot| slot.number == number).unwrap();
        let kind = self.slots[slot].question.unwrap().0;
        if kind == "handshake" {
            return self.handshake_done(number, answer);
        }
        let (reply, close) = match answer {
            Answer::Yes | Answer::InWords | Answer::Challenge => {
                return self.accept(number, kind, answer);
            }
            Answer::NotNow => ("451 4.3.2", false),
            Answer::Never => ("550 5.7.9", false),
            Answer::Disconnect => ("554 5.7.9", true),
        };
        if close {
            // What was asked behind it is moot; what was asked before is still answered.
            self.slots.truncate(slot + 1);
        }
        self.refuse(number, kind, reply);
        if close {
            self.closing = Some("Refused");
        }
    }

    fn accept(&mut self, number: usize, kind: &str, answer: Answer) {
        let own = (answer == Answer::InWords).then_some("251 2.1.5");
        match kind {
            // RFC 5321 §3.1
            "connect" => self.reply_to(number, "220"),
            "hello" => {
                // XCLIENT_README: what a proxy was offered is not for its client.
                self.other_offer &= self.hello.is_some();
                self.other_offer |= answer == Answer::Challenge;
                self.accept_hello(number);
            }
            // XCLIENT_README: the session begins again, for the client that was named.
            "xclient" => {
                self.reply_to(number, "220");
                self.hello = None;
                self.authenticated = self.login_asked;
            }
            // RFC 3207 §4.2: what was said in clear is forgotten.
            "starttls" => {
                self.reply_to(number, "220 2.0.0");
                self.end_transaction("StartTls");
                self.stage = Stage::Upgrade;
            }
            // RFC 4954 §4
            "auth" if answer == Answer::Challenge => {
                self.reply_to(number, "334");
                self.stage = Stage::AuthLine;
            }
            // RFC 4954 §6
            "auth" => {
                self.reply_to(number, "235 2.7.0");
                (self.authenticated, self.in_auth) = (true, false);
                self.stage = Stage::Commands;
            }
            // §3.3
            "mail" => {
                self.reply_to(number, own.unwrap_or("250 2.1.0"));
                self.mail = true;
                (self.binary, self.utf8) = (self.binary_asked, self.utf8_asked);
                self.transactions += 1;
            }
            "rcpt" => {
                self.reply_to(number, own.unwrap_or("250 2.1.5"));
                self.recipients += 1;
            }
            // §4.1.1.4; RFC 3030 §2: nothing is said before the octets of a BDAT.
            "data" if self.message.in_chunks => {
                self.reply_to(number, "");
                self.chunked = true;
                self.begin_message(Stage::Chunk);
            }
            "data" => {
                self.reply_to(number, "354");
                self.begin_message(Stage::Dot);
            }
            // §6.1: from here on the message is ours.
            "message" => {
                self.reply_to(number, own.unwrap_or("250 2.0.0"));
                self.end_transaction("Delivered");
                self.stage = Stage::Commands;
            }
            "delivery" | "expn" | "etrn" | "command" => {
                self.reply_to(number, own.unwrap_or("250 2.0.0"))
            }
            // §3.5.3, §4.1.1.8
            "vrfy" => self.reply_to(number, own.unwrap_or("252 2.1.5")),
            _ => self.reply_to(number, own.unwrap_or("214 2.0.0")),
        }
    }

    /// §4.1.1.1, §4.1.4: accepted, it is RSET too, and the answer to EHLO lists the extensions.
    fn accept_hello(&mut self, number: usize) {
        self.abort_body("Reset");
        self.end_transaction("Hello");
        self.hello = Some(self.hello_asked);
        if self.hello == Some("HELO") {
            return self.reply_to(number, "250");
        }
        let offer = self.offer();
        let size = format!("SIZE {}", self.setup.message);
        let offered = [
            ("PIPELINING", true),
            (&size, true),
            ("8BITMIME", true),
            ("ENHANCEDSTATUSCODES", true),
            ("SMTPUTF8", offer.smtputf8),
            ("CHUNKING", offer.chunking),
            ("BINARYMIME", offer.binarymime),
            ("DSN", offer.dsn),
            // RFC 3207 §4.2: not inside TLS.
            ("STARTTLS", offer.starttls && !self.tls),
            // RFC 4954 §4: not in clear, unless that is wanted.
            ("AUTH PLAIN LOGIN", offer.auth && (self.tls || offer.auth_in_clear)),
            ("EXPN", offer.expn),
            // RFC 6409 §7: not to those who submit.
            ("ETRN", offer.etrn && self.setup.mode != Mode::Submission),
            (
                "XCLIENT NAME REVERSE_NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT",
                offer.xclient,
            ),
            ("X-PEACE 1", offer.peace),
        ];
        let offered: Vec<&str> =
            offered.iter().filter(|(_, offered)| *offered).map(|(keyword, _)| *keyword).collect();
        let reply = format!("250 {}", offered.join(", "));
        self.reply_to(number, &reply);
    }

    /// A refusal changes nothing (§4.1.4), but to a greeting and to the octets of a message.
    fn refuse(&mut self, number: usize, kind: &str, reply: &str) {
        match kind {
            // §3.1: only QUIT is left. RFC 2034 §3: no enhanced code.
            "connect" => {
                self.reply_to(number, &reply[..3]);
                self.rejected = true;
            }
            "hello" => self.reply_to(number, &reply[..3]),
            // Who is refused for its client has nothing more to say for it.
            "xclient" => {
                self.reply_to(number, reply);
                self.rejected = true;
            }
            // RFC 4954 §4: failures are counted, and one too many ends it.
            "auth" => {
                self.in_auth = false;
                self.stage = Stage::Commands;
                self.auth_failures += 1;
                if self.auth_failures < self.setup.auth_failures {
                    self.reply_to(number, reply);
                } else {
                    self.reply_to(number, "421 4.7.0");
                    self.closing = Some("Violations");
                }
            }
            "mail" | "rcpt" => {
                self.reply_to(number, reply);
                self.forgiven = self.setup.recipients;
            }
            "data" if self.message.in_chunks => {
                self.reply_to(number, "");
                self.failed = true;
                self.swallow_chunk(reply);
            }
            // RFC 2920 §3.1: what followed is the message, and must not run.
            "data" => {
                self.reply_to(number, reply);
                if self.past_data {
                    self.violations += 1;
                    self.closing = Some("Violations");
                }
            }
            "message" => {
                self.reply_to(number, reply);
                self.end_transaction("Refused");
                self.stage = Stage::Commands;
            }
            _ => self.reply_to(number, reply),
        }
    }

    /// RFC 3207 §4.2: the session begins again, without a greeting.
    fn handshake_done(&mut self, number: usize, answer: Answer) {
        if matches!(answer, Answer::NotNow | Answer::Never | Answer::Disconnect) {
            return self.close("Abandoned", "Closed");
        }
        self.reply_to(number, "");
        self.tls = true;
        self.hello = None;
        self.other_offer = false;
        self.authenticated = false;
        self.stage = Stage::Commands;
    }

    /// The embedder was too slow with its oldest question (RFC 5321 §4.3.2: 451, at the greeting 421;
    /// RFC 3207 §4, RFC 4954 §6: 454).
    pub(super) fn late(&mut self) {
        let slot = self.slots.iter().find(|slot| slot.question.is_some()).unwrap();
        let (number, kind) = (slot.number, slot.question.unwrap().0);
        match kind {
            "connect" => {
                self.refuse(number, kind, "421 4.3.0");
                self.closing = Some("Timeout(Decision)");
            }
            // It is not the client that failed.
            "auth" => {
                self.end_auth("Timeout");
                self.stage = Stage::Commands;
                self.reply_to(number, "454 4.7.0");
            }
            "starttls" => self.refuse(number, kind, "454 4.7.0"),
            _ => self.refuse(number, kind, "451 4.3.0"),
        }
    }
}
