//! What each reply does.

use super::{Given, Kind, Model, Place};

impl Model {
    pub(super) fn reply(&mut self, code: u16, lines: &[String]) {
        if self.settled == Place::Start {
            return self.greeting(code);
        }
        // §4.2: a reply for a command. RFC 4954 §4: behind a 334 it is our turn.
        let asked = self.queue.first().is_some_and(|it| self.has_left(it)) && !self.challenged;
        if !asked {
            self.told.push(format!("unsolicited {code}"));
            return self.close(if code == 421 { "Unavailable" } else { "Unintelligible" });
        }
        let first = self.queue[0].clone();
        let (yes, more) = (code / 100 == 2, code / 100 == 3);
        // §4.2.1: 3yz asks for more, which only AUTH and DATA have; 2yz to DATA says nothing.
        let nonsense = match first.kind {
            Kind::Auth => more && self.cancelled,
            Kind::Data => yes,
            // RFC 3030 §2: it cannot have taken octets that it has not.
            Kind::Chunk | Kind::LastChunk => more || (yes && first.end > Some(self.taken)),
            _ => more,
        };
        match first.kind {
            _ if nonsense => {}
            Kind::Auth if more => {
                self.challenged = true;
                return self.told.push(format!("challenge {}", first.number));
            }
            Kind::Data if more => return self.message_wanted(first.number, code),
            // §3.2: HELO to a server that does not know EHLO.
            Kind::Hello if [500, 501, 502, 504].contains(&code) && self.falls_back() => {
                let line = "HELO c.example\r\n".into();
                self.queue[0] = Given { kind: Kind::Helo, line, end: None, ..first };
                return;
            }
            Kind::End | Kind::LastChunk if self.setup.lmtp => return self.delivery(&first, code),
            _ => {}
        }
        self.queue.remove(0);
        if first.kind != Kind::LoneDot {
            self.told.push(format!("reply {} {code}", first.number));
        }
        if nonsense {
            return self.close("Unintelligible");
        }
        self.settle(first.kind, yes, lines);
        // §3.8
        if code == 421 {
            self.close("Unavailable");
        }
    }

    fn falls_back(&self) -> bool {
        self.setup.may_helo && !self.setup.lmtp
    }

    /// §3.1
    fn greeting(&mut self, code: u16) {
        self.told.push(format!("greeting {code}"));
        match code {
            421 => self.close("Unavailable"),
            200..300 => self.settled = Place::Fresh,
            300..400 => self.close("Unintelligible"),
            _ => self.settled = Place::Rejected,
        }
    }

    /// What the answer to a command makes true.
    fn settle(&mut self, kind: Kind, yes: bool, lines: &[String]) {
        match kind {
            Kind::Hello | Kind::Helo if yes => {
                self.settled = Place::Ready;
                self.esmtp = kind == Kind::Hello;
                self.offer = if self.esmtp { lines[1..].to_vec() } else { vec![] };
                (self.transaction, self.accepted) = (false, 0);
            }
            Kind::Hello | Kind::Helo => self.settled = Place::Fresh,
            Kind::StartTls if yes && self.input.is_empty() => {
                self.settled = Place::Handshake;
                self.told.push("handshake".into());
            }
            // RFC 3207 §4.2, §6: nothing in clear behind the 220.
            Kind::StartTls if yes => self.close("Residue"),
            Kind::StartTls => self.settled = Place::Ready,
            // RFC 4954 §4: who cancelled is nobody.
            Kind::Auth => {
                self.settled = Place::Ready;
                self.authenticated |= yes && !self.cancelled;
                self.cancelled = false;
            }
            Kind::Mail => {
                let sent_chunks = self.has(Kind::Chunk) || self.has(Kind::LastChunk);
                self.settled = match yes {
                    true => Place::Mail,
                    false if sent_chunks => Place::Failed,
                    false => Place::Ready,
                };
                (self.transaction, self.accepted) = (yes, 0);
            }
            Kind::Rcpt => {
                self.accepted += usize::from(yes);
                if self.settled == Place::Mail {
                    self.settled = Place::Envelope;
                }
            }
            // RFC 3030 §2: RSET is needed now.
            Kind::Data => self.settled = Place::Failed,
            Kind::Chunk | Kind::LastChunk if !yes => self.settled = Place::Failed,
            Kind::Chunk if self.settled != Place::Failed => self.settled = Place::Chunks,
            Kind::LastChunk => self.message_taken(),
            Kind::End | Kind::Rset => {
                self.settled = Place::Ready;
                self.transaction = false;
            }
            Kind::Quit => self.close("Quit"),
            Kind::Chunk | Kind::LoneDot | Kind::Noop => {}
        }
    }

    fn message_taken(&mut self) {
        self.transaction = false;
        if self.settled != Place::Failed {
            self.settled = Place::Ready;
        }
    }

    /// The message may come. RFC 2920 §3.1: if nobody was accepted, an empty one is the way back; in LMTP
    /// nobody would answer it (RFC 2033 §4.2).
    fn message_wanted(&mut self, number: usize, code: u16) {
        self.queue.remove(0);
        if self.accepted > 0 {
            self.settled = Place::Dot;
            (self.body_at, self.body_failed) = (self.stream.len(), false);
            self.body.clear();
            self.told.push(format!("reply {number} {code}"));
        } else if self.setup.lmtp {
            self.told.push(format!("reply {number} {code}"));
            self.close("Unintelligible");
        } else {
            self.settled = Place::Ready;
            self.transaction = false;
            self.told.push(format!("skipped {number}"));
            let (kind, line) = (Kind::LoneDot, ".\r\n".into());
            self.queue.push(Given { number: 0, kind, line, octets: 0, end: None });
        }
    }

    /// RFC 2033 §4.2: one reply for each accepted recipient.
    fn delivery(&mut self, first: &Given, code: u16) {
        self.told.push(format!("delivery {} {} {code}", first.number, self.delivered));
        self.delivered += 1;
        if self.delivered >= self.accepted {
            self.delivered = 0;
            self.queue.remove(0);
            match first.kind {
                Kind::LastChunk if self.accepted == 0 => self.settled = Place::Failed,
                Kind::LastChunk => self.message_taken(),
                _ => {
                    self.settled = Place::Ready;
                    self.transaction = false;
                }
            }
        }
        if code == 421 {
            self.close("Unavailable");
        }
    }

    pub(super) fn close(&mut self, why: &str) {
        if self.settled != Place::Closed {
            self.settled = Place::Closed;
            self.told.push(format!("Closed({why})"));
            self.queue.clear();
            self.stream.truncate(self.taken);
            self.wait = None;
            self.linger = Some(self.now + 10);
        }
    }
}
