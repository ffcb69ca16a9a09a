//! What the embedder's answers do.

use super::{
    connection::ServerConnection,
    decision::{Pending, Stale, Ticket, op},
    event::{Aborted, Event, ResetCause},
    phase::Trigger,
    questions::Kind,
};
use crate::{
    CloseReason,
    body::Framing,
    ext::{self, Extensions, Offer},
    line::LineReader,
    status::EnhancedCode,
    violation::Violation,
    wire::{Accepted, Base64, Host, Refused, write_reply},
};
use alloc::{sync::Arc, vec::Vec};
use core::fmt;

/// Answers to questions. Each takes its [`Pending`] by value, and fails only with [`Stale`].
impl ServerConnection {
    /// Yes, in the machine's words.
    ///
    /// # Errors
    /// [`Stale`]: the question is moot; nothing happened.
    pub fn accept<O: op::Accept>(&mut self, pending: Pending<O>) -> Result<(), Stale> {
        self.accept_ticket(pending.ticket, O::KIND, None)
    }

    /// Yes, in yours. For [`op::Connect`] and [`op::Xclient`] the code is 220 and your text follows
    /// the name of the server; everywhere else the reply is sent as it is.
    ///
    /// # Errors
    /// [`Stale`]: the question is moot; nothing happened.
    pub fn accept_with<O: op::Worded>(
        &mut self,
        pending: Pending<O>,
        reply: &Accepted<'_>,
    ) -> Result<(), Stale> {
        self.accept_ticket(pending.ticket, O::KIND, Some(reply))
    }

    /// No. A reply to RCPT is cut to 512 octets.
    ///
    /// # Errors
    /// [`Stale`]: the question is moot; nothing happened.
    pub fn refuse<O: op::Refuse>(
        &mut self,
        pending: Pending<O>,
        reply: &Refused<'_>,
    ) -> Result<(), Stale> {
        self.check(pending.ticket)?;
        self.refuse_ticket(pending.ticket, O::KIND, reply);
        Ok(())
    }

    /// No, and close once the reply has left. Questions asked after this one are moot; earlier ones
    /// are still answered.
    ///
    /// # Errors
    /// [`Stale`]: the question is moot; nothing happened.
    pub fn disconnect<O: op::Refuse>(
        &mut self,
        pending: Pending<O>,
        reply: &Refused<'_>,
    ) -> Result<(), Stale> {
        self.check(pending.ticket)?;
        self.replies.drop_after(pending.ticket);
        self.refuse_ticket(pending.ticket, O::KIND, reply);
        self.closing = Some(CloseReason::Refused);
        Ok(())
    }

    /// Accepts a greeting and offers this peer `extensions` in place of the configured ones, for
    /// the rest of the session or until TLS begins; after XCLIENT, until the client behind the proxy
    /// is greeted.
    ///
    /// # Errors
    /// [`Stale`]: the question is moot; nothing happened.
    pub fn advertise(
        &mut self,
        pending: Pending<op::Hello>,
        extensions: Arc<Extensions>,
    ) -> Result<(), Stale> {
        self.check(pending.ticket)?;
        self.advertised = Some(extensions);
        self.accept_hello(pending.ticket);
        Ok(())
    }

    /// Goes on with an AUTH exchange: 334 with `data`, which is encoded here. At most 2,048 octets
    /// of it are sent.
    ///
    /// # Errors
    /// [`Stale`]: the question is moot; nothing happened.
    pub fn challenge(&mut self, pending: Pending<op::Auth>, data: &[u8]) -> Result<(), Stale> {
        self.check(pending.ticket)?;
        let text = Base64::encode(&data[..data.len().min(2048)]);
        self.replies.answer(pending.ticket, |out, _| {
            out.extend_from_slice(b"334 ");
            out.extend_from_slice(text.as_str().as_bytes());
            out.extend_from_slice(b"\r\n");
        });
        self.go(Trigger::Challenged);
        Ok(())
    }

    /// TLS is up: everything the peer said in clear is forgotten (RFC 3207 §4.2).
    ///
    /// # Errors
    /// [`Stale`]: the question is moot; close the stream.
    pub fn establish(&mut self, pending: Pending<op::Handshake>) -> Result<(), Stale> {
        self.check(pending.ticket)?;
        self.replies.answer_silently(pending.ticket);
        self.go(Trigger::Established);
        self.session.tls = true;
        self.session.hello = None;
        self.session.authenticated = false;
        self.advertised = None;
        self.lines = LineReader::default();
        Ok(())
    }

    /// The handshake failed: the connection is over, and no SMTP text is sent.
    ///
    /// # Errors
    /// [`Stale`]: the question is moot; close the stream.
    pub fn abandon(&mut self, pending: Pending<op::Handshake>) -> Result<(), Stale> {
        self.check(pending.ticket)?;
        self.close(CloseReason::Abandoned, Aborted::Closed);
        Ok(())
    }

    /// Answers the question of an event that you have no opinion about, if it has one. Nothing is
    /// taken responsibility for: recipients and messages are refused with 451, AUTH and STARTTLS
    /// are refused, and the rest is accepted but EXPN, ETRN, XCLIENT and what
    /// your own extensions add.
    pub fn answer_default(&mut self, event: Event<'_>) {
        // A question that has become moot needs no answer.
        let _ = match event {
            Event::Connect(pending) => self.accept(pending),
            Event::Hello { pending, .. } => self.accept(pending),
            Event::StartTls(pending) => self.refuse(pending, &Refused::TLS_UNAVAILABLE),
            Event::Handshake(pending) => self.abandon(pending),
            Event::Auth { pending, .. } | Event::AuthResponse { pending, .. } => {
                self.refuse(pending, &Refused::NO_SUCH_MECHANISM)
            }
            Event::Mail { pending, .. } => self.accept(pending),
            Event::Rcpt { pending, .. } => self.refuse(pending, &Refused::TRY_LATER),
            Event::Data { pending, .. } => self.accept(pending),
            Event::BodyEnd { pending, .. } => self.refuse(pending, &Refused::TRY_LATER),
            Event::Delivery { pending, .. } => self.refuse(pending, &Refused::TRY_LATER),
            Event::Verify { pending, .. } => self.accept(pending),
            Event::Expand { pending, .. } => self.refuse(pending, &Refused::NOT_IMPLEMENTED),
            Event::Etrn { pending, .. } => self.refuse(pending, &Refused::NOT_IMPLEMENTED),
            Event::Xclient { pending, .. } => self.refuse(pending, &Refused::UNAUTHORIZED),
            Event::Help { pending, .. } => self.accept(pending),
            Event::Command { pending, .. } => self.refuse(pending, &Refused::NOT_IMPLEMENTED),
            Event::AuthAborted(_)
            | Event::Body(_)
            | Event::BodyAborted(_)
            | Event::Reset(_)
            | Event::Violation(_)
            | Event::Quit => Ok(()),
        };
    }

    fn check(&self, ticket: Ticket) -> Result<(), Stale> {
        if self.replies.is_open(ticket) { Ok(()) } else { Err(Stale) }
    }

    fn accept_ticket(
        &mut self,
        ticket: Ticket,
        kind: Kind,
        words: Option<&Accepted<'_>>,
    ) -> Result<(), Stale> {
        self.check(ticket)?;
        match kind {
            Kind::Connect => {
                self.answer_greeting(ticket, words);
                self.go(Trigger::ConnectAccepted);
                return Ok(());
            }
            Kind::Xclient => {
                self.answer_greeting(ticket, words);
                self.session.hello = None;
                self.session.authenticated = self.asked.login;
                self.go(Trigger::XclientAccepted);
                return Ok(());
            }
            Kind::Hello => {
                if self.session.hello.is_none() {
                    // What a proxy was offered is not for its client.
                    self.advertised = None;
                }
                self.accept_hello(ticket);
                return Ok(());
            }
            Kind::Data => {
                self.accept_data(ticket);
                return Ok(());
            }
            _ => {}
        }
        let (code, subject, detail, text) = match kind {
            Kind::StartTls => (220, 0, 0, "Ready to start TLS"),
            Kind::Auth => (235, 7, 0, "Authentication successful"),
            Kind::Mail => (250, 1, 0, "Originator ok"),
            Kind::Rcpt => (250, 1, 5, "Recipient ok"),
            Kind::Etrn => (250, 0, 0, "Ok, queuing for this node started"),
            Kind::Verify => {
                (252, 1, 5, "Cannot verify, but will accept message and attempt delivery")
            }
            Kind::Help => (214, 0, 0, "This server speaks RFC 5321; ask its postmaster for help"),
            _ => (250, 0, 0, "Ok"),
        };
        let enhanced = EnhancedCode::of(code, subject, detail);
        let (code, enhanced, text) =
            words.map_or((code, enhanced, text), |own| (own.code, own.enhanced, own.text.as_str()));
        self.replies.answer(ticket, |out, most| write_reply(out, code, Some(enhanced), text, most));
        match kind {
            Kind::StartTls => {
                if self.phase.in_transaction() {
                    self.forget_transaction(ResetCause::StartTls);
                }
                self.go(Trigger::StartTlsAccepted);
            }
            Kind::Auth => {
                self.session.authenticated = true;
                self.in_auth = false;
                self.go(Trigger::AuthEnded);
            }
            Kind::Mail => {
                self.session.transactions = self.session.transactions.saturating_add(1);
                self.session.smtputf8 = self.asked.smtputf8;
                self.session.body = self.asked.body;
                self.go(Trigger::MailAccepted);
            }
            Kind::Rcpt => {
                self.session.recipients += 1;
                self.go(Trigger::RcptAccepted);
            }
            Kind::Message => self.end_transaction(ResetCause::Delivered),
            _ => {}
        }
        Ok(())
    }

    /// 220, the name of the server, and which protocol it speaks (RFC 5321 §4.2, RFC 2033 §4).
    fn answer_greeting(&mut self, ticket: Ticket, words: Option<&Accepted<'_>>) {
        let default = if self.config.mode == super::Mode::Lmtp { "LMTP" } else { "ESMTP" };
        // Only the first line of your text: the greeting is one line.
        let text = words.map_or(default, |own| own.text.as_str());
        let text = text.split('\n').next().unwrap_or(default);
        let config = &self.config;
        self.replies.answer(ticket, |out, _| {
            push(out, format_args!("220 {} {text}\r\n", config.host));
        });
    }

    fn accept_hello(&mut self, ticket: Ticket) {
        if self.message.take_open() {
            self.notices.body_aborted = Some(Aborted::Reset);
        }
        if self.phase.in_transaction() {
            self.forget_transaction(ResetCause::Hello);
        }
        self.session.hello = Some(self.asked.hello);
        self.go(Trigger::HelloAccepted);
        // Shared, so that the offer does not borrow the connection while its replies are written.
        let (config, advertised) = (self.config.clone(), self.advertised.clone());
        let offer = Offer {
            extensions: advertised.as_deref().unwrap_or(&config.extensions),
            ..self.session.offer(&config)
        };
        self.replies.answer(ticket, |out, _| write_hello(out, &config.host, &offer));
    }

    fn accept_data(&mut self, ticket: Ticket) {
        match self.message.framing {
            Framing::Dot => {
                self.replies.answer(ticket, |out, _| {
                    out.extend_from_slice(b"354 Start mail input; end with <CRLF>.<CRLF>\r\n");
                });
                self.go(Trigger::DataAccepted);
            }
            Framing::Chunked => {
                self.replies.answer_silently(ticket);
                self.go(Trigger::ChunkBegins);
            }
        }
        self.begin_message();
    }

    /// Writes a refusal in the place of its question.
    pub(super) fn answer_refused(&mut self, ticket: Ticket, reply: &Refused<'_>) {
        self.replies.answer(ticket, |out, most| {
            write_reply(out, reply.code, Some(reply.enhanced), reply.text.as_str(), most);
        });
    }

    /// Refuses an open question.
    pub(super) fn refuse_ticket(&mut self, ticket: Ticket, kind: Kind, reply: &Refused<'_>) {
        const TOO_MANY_FAILURES: Refused<'static> =
            Refused::known(421, 7, 0, "Too many authentication failures");
        match kind {
            Kind::Connect | Kind::Hello => {
                // No enhanced code on a greeting, nor on the answer to one (RFC 2034 §3).
                self.replies.answer(ticket, |out, most| {
                    write_reply(out, reply.code, None, reply.text.as_str(), most);
                });
                if kind == Kind::Connect {
                    self.go(Trigger::ConnectRefused);
                }
            }
            Kind::Auth => {
                self.in_auth = false;
                self.session.auth_failures = self.session.auth_failures.saturating_add(1);
                if self.session.auth_failures >= self.config.limits.auth_failures {
                    self.answer_refused(ticket, &TOO_MANY_FAILURES);
                    self.closing = Some(CloseReason::Violations);
                } else {
                    self.answer_refused(ticket, reply);
                }
                self.go(Trigger::AuthEnded);
            }
            Kind::Data if self.message.framing == Framing::Chunked => {
                self.replies.answer_silently(ticket);
                self.go(Trigger::ChunkFails);
                self.swallow_chunk(reply);
            }
            Kind::Data => {
                self.answer_refused(ticket, reply);
                if self.past_data {
                    self.count_violation(Violation::PastData);
                    self.closing = Some(CloseReason::Violations);
                }
            }
            Kind::Message => {
                self.answer_refused(ticket, reply);
                self.end_transaction(ResetCause::Refused);
            }
            Kind::Mail | Kind::Rcpt => {
                self.answer_refused(ticket, reply);
                self.excuse_group();
            }
            Kind::Handshake => self.close(CloseReason::Abandoned, Aborted::Closed),
            Kind::Xclient => {
                self.answer_refused(ticket, reply);
                self.go(Trigger::XclientRefused);
            }
            _ => self.answer_refused(ticket, reply),
        }
    }
}

/// The answer to EHLO, HELO or LHLO (RFC 5321 §4.1.1.1).
fn write_hello(out: &mut Vec<u8>, host: &Host<'_>, offer: &Offer<'_>) {
    let offered = || ext::ALL.iter().filter(|extension| (extension.offered)(offer));
    let custom = || offer.extensions.custom.iter().filter(|_| offer.esmtp);
    let mut left = offered().count() + custom().count();
    push(out, format_args!("250{}{host}\r\n", separator(left)));
    for extension in offered() {
        left -= 1;
        push(out, format_args!("250{}{}", separator(left), extension.keyword));
        (extension.ehlo_params)(offer, out);
        out.extend_from_slice(b"\r\n");
    }
    for extension in custom() {
        left -= 1;
        push(out, format_args!("250{}{}", separator(left), extension.keyword()));
        if !extension.announcement().is_empty() {
            push(out, format_args!(" {}", extension.announcement()));
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn separator(lines_left: usize) -> char {
    if lines_left > 0 { '-' } else { ' ' }
}

/// Appends formatted text.
fn push(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    struct Sink<'a>(&'a mut Vec<u8>);
    impl fmt::Write for Sink<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    // The sink never fails.
    let _ = fmt::write(&mut Sink(out), text);
}
