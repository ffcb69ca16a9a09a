//! The commands: when they may be given (RFC 5321 §4.1.4), and the octets of messages.

use super::{Command, Given, Kind, Model, Place, ends_group};

impl Model {
    pub(super) fn take(&mut self, command: Command) -> Result<(), &'static str> {
        if command == Command::Abort || command == Command::Abandon {
            self.close(if command == Command::Abort { "Aborted" } else { "Abandoned" });
            return Ok(());
        }
        let place = self.place();
        if place == Place::Closed {
            return Err("Closed");
        }
        let full = || match self.queue.len() >= self.setup.unanswered {
            // §4.1.1.4, RFC 3030 §2: the octets of a message first.
            _ if self.taken < self.octets_end => Err("NotNow"),
            true => Err("Full"),
            false => Ok(()),
        };
        let only = |allowed: bool| if allowed { Ok(()) } else { Err("NotNow") };
        let alone = self.queue.is_empty();
        // RFC 5321 §4.1.4, §2.2.1: in order, and nothing that was not offered.
        let (kind, line) = match command {
            Command::Hello => {
                full()?;
                only(alone && matches!(place, Place::Fresh | Place::Ready))?;
                let verb = if self.setup.lmtp { "LHLO" } else { "EHLO" };
                (Kind::Hello, format!("{verb} c.example"))
            }
            Command::StartTls => {
                if self.tls || !self.offers("STARTTLS") {
                    return Err("NotOffered");
                }
                full()?;
                only(alone && place == Place::Ready)?;
                (Kind::StartTls, "STARTTLS".into())
            }
            // RFC 4954 §4: once, and not in a transaction.
            Command::Auth => {
                if !self.offers("AUTH LOGIN") {
                    return Err("NotOffered");
                }
                full()?;
                only(alone && place == Place::Ready && !self.authenticated)?;
                (Kind::Auth, "AUTH LOGIN".into())
            }
            Command::Respond | Command::Cancel => {
                only(self.challenged)?;
                self.challenged = false;
                self.cancelled = command == Command::Cancel;
                let first = &mut self.queue[0];
                first.line = if self.cancelled { "*\r\n" } else { "eA==\r\n" }.into();
                first.end = None;
                return Ok(());
            }
            // §3.3: the replies of a transaction come before the next begins, but for the last.
            Command::Mail => {
                full()?;
                let last = |it: &Given| matches!(it.kind, Kind::End | Kind::LoneDot | Kind::Rset);
                only(place == Place::Ready && self.queue.iter().all(last))?;
                (Kind::Mail, "MAIL FROM:<a@b.example>".into())
            }
            Command::Rcpt(n) => {
                full()?;
                only(matches!(place, Place::Mail | Place::Envelope))?;
                (Kind::Rcpt, format!("RCPT TO:<{n}@d.example>"))
            }
            Command::Data => {
                full()?;
                only(place == Place::Envelope)?;
                (Kind::Data, "DATA".into())
            }
            // RFC 3030 §2: to somebody, and at once, since its octets follow it.
            Command::Bdat(size, last) => {
                full()?;
                if !self.offers("CHUNKING") {
                    return Err("NotOffered");
                }
                let somebody = !alone || self.accepted > 0;
                let at_once =
                    alone || (self.pipelines() && !self.queue.iter().any(|it| ends_group(it.kind)));
                only(matches!(place, Place::Envelope | Place::Chunks) && somebody && at_once)?;
                let (kind, end) = if last { (Kind::LastChunk, " LAST") } else { (Kind::Chunk, "") };
                let octets = "x".repeat(size.into());
                self.queue_line(kind, format!("BDAT {size}{end}\r\n{octets}"), octets.len());
                return Ok(());
            }
            Command::Body(text) => return self.take_body(text),
            Command::EndBody => return self.end_body(),
            // RFC 5321 §4.1.1.5, §4.1.1.9, §4.1.1.10; behind a BDAT that may have failed only RSET.
            Command::Rset => {
                full()?;
                only(!matches!(
                    place,
                    Place::Start
                        | Place::Rejected
                        | Place::Fresh
                        | Place::Dot
                        | Place::Handshake
                        | Place::Waiting
                ))?;
                (Kind::Rset, "RSET".into())
            }
            Command::Noop => {
                full()?;
                only(matches!(
                    place,
                    Place::Fresh | Place::Ready | Place::Mail | Place::Envelope | Place::Failed
                ))?;
                (Kind::Noop, "NOOP".into())
            }
            Command::Quit => {
                full()?;
                only(!matches!(
                    place,
                    Place::Start | Place::Dot | Place::Handshake | Place::Waiting
                ))?;
                (Kind::Quit, "QUIT".into())
            }
            // RFC 3207 §4.2: all that the server said is forgotten.
            _ => {
                only(place == Place::Handshake)?;
                self.settled = Place::Fresh;
                self.offer.clear();
                (self.tls, self.esmtp, self.authenticated) = (true, false, false);
                return Ok(());
            }
        };
        self.queue_line(kind, line + "\r\n", 0);
        Ok(())
    }

    pub(super) fn queue_line(&mut self, kind: Kind, line: String, octets: usize) {
        self.given += 1;
        self.queue.push(Given { number: self.given, kind, line, octets, end: None });
    }

    /// §2.3.8: no bare CR or LF leaves; what stands before it has left. A CR at the end may be the first
    /// half of a CRLF.
    fn take_body(&mut self, text: &str) -> Result<(), &'static str> {
        self.wants_body()?;
        self.body += text;
        let known = self.body.strip_suffix('\r').unwrap_or(&self.body);
        let (good, outcome) = match bare(known).filter(|_| !self.setup.normalise) {
            Some(at) => (&known[..at], Err("Content")),
            None => (known, Ok(())),
        };
        self.body_failed = outcome.is_err();
        self.stream = self.stream[..self.body_at].to_owned() + &on_the_wire(good);
        self.octets_end = self.stream.len();
        outcome
    }

    /// §4.1.1.4: the message, a CRLF if its last line has none, and the dot.
    fn end_body(&mut self) -> Result<(), &'static str> {
        self.wants_body()?;
        if self.body.ends_with('\r') && !self.setup.normalise {
            self.body_failed = true;
            return Err("Content");
        }
        let body = on_the_wire(&self.body);
        let end = if body.is_empty() || body.ends_with("\r\n") { ".\r\n" } else { "\r\n.\r\n" };
        self.stream = self.stream[..self.body_at].to_owned() + &body + end;
        self.queue_line(Kind::End, String::new(), 0);
        Ok(())
    }

    fn wants_body(&self) -> Result<(), &'static str> {
        let wants = self.settled == Place::Dot && !self.body_failed && !self.has(Kind::End);
        if wants { Ok(()) } else { Err("NotNow") }
    }
}

/// The octets that a message leaves as. RFC 5321 §2.3.8: its lines end in CRLF. §4.5.2: a dot that begins
/// a line is doubled.
fn on_the_wire(body: &str) -> String {
    let body = body.replace("\r\n", "\n").replace('\r', "\n");
    let stuffed = |line: &str| if line.starts_with('.') { format!(".{line}") } else { line.into() };
    body.split('\n').map(stuffed).collect::<Vec<String>>().join("\r\n")
}

/// Where a CR without LF, or an LF without CR, stands.
fn bare(text: &str) -> Option<usize> {
    let octets = text.as_bytes();
    (0..octets.len()).find(|&at| match octets[at] {
        b'\r' => octets.get(at + 1) != Some(&b'\n'),
        b'\n' => at == 0 || octets[at - 1] != b'\r',
        _ => false,
    })
}
