//! What each command does: is it legal here, does it parse, and what is asked.

use super::{
    config::Mode,
    connection::{Asked, ServerConnection},
    decision::Pending,
    event::{Aborted, AuthAborted, Event, ResetCause},
    phase::{Phase, Trigger},
    questions::Kind,
};
use crate::{
    CloseReason, Secret, Step,
    body::Framing,
    ext::{BodyType, etrn_args, has_etrn, xclient_args},
    line::Line,
    status::EnhancedCode,
    violation::{SyntaxFault, Violation},
    wire::{
        Base64, Chunk, Fault, Hello, Mail, Mechanism, Rcpt, Refused, Verb, auth_args, bdat_args,
        hello_args, no_args, split_verb, text_args, utf8_args, verify_args,
    },
};
use alloc::boxed::Box;

/// 2.0.0
pub(super) const SUCCESS: Option<EnhancedCode> = Some(EnhancedCode::of(250, 0, 0));
pub(super) const TOO_MANY_ERRORS: Refused<'static> = Refused::known(421, 7, 0, "Too many errors");
const LINE_TOO_LONG: Refused<'static> = Refused::known(500, 5, 2, "Line too long");
const AUTH_TOO_LONG: Refused<'static> =
    Refused::known(500, 5, 6, "Authentication exchange line is too long");
const BAD_LINE: Refused<'static> =
    Refused::known(500, 5, 2, "Bare CR, bare LF or NUL in a command");
const UNKNOWN: Refused<'static> = Refused::known(500, 5, 1, "Command not recognized");
const SEQUENCE: Refused<'static> = Refused::known(503, 5, 1, "Bad sequence of commands");
/// RFC 3030 §3: DATA cannot carry it.
const BINARY: Refused<'static> = Refused::known(503, 5, 1, "BODY=BINARYMIME needs BDAT");
const NO_RECIPIENTS: Refused<'static> = Refused::known(503, 5, 1, "No valid recipients");
const FOREIGN: Refused<'static> = Refused::known(421, 7, 0, "This is a mail server");
const NO_MORE_RECIPIENTS: Refused<'static> = Refused::known(452, 5, 3, "Too many recipients");
const NO_MORE_TRANSACTIONS: Refused<'static> =
    Refused::known(452, 5, 3, "Too many messages in this session");
const NEEDS_TLS: Refused<'static> =
    Refused::known(538, 7, 11, "Encryption required for authentication");
const CANCELLED: Refused<'static> = Refused::known(501, 7, 0, "Authentication cancelled");
const BAD_BASE64: Refused<'static> = Refused::known(501, 5, 2, "Cannot decode response");

impl ServerConnection {
    /// Takes a line: a command, or the peer's part of an AUTH exchange.
    #[inline]
    pub(super) fn take_line<'b>(&mut self, line: Line<'b>, rest: &[u8]) -> Option<Step<Event<'b>>> {
        self.deadlines.stop();
        let in_auth = self.phase == Phase::Auth;
        match line {
            Line::Whole(line) if in_auth => return self.auth_response(line).map(Step::Event),
            Line::Whole(line) => return self.command(line, rest),
            Line::TooLong if in_auth => self.auth_fault(&AUTH_TOO_LONG),
            Line::TooLong => self.fault(&LINE_TOO_LONG, Violation::LineTooLong),
            Line::Bad if in_auth => self.auth_fault(&BAD_BASE64),
            Line::Bad => self.fault(&BAD_LINE, Violation::BadLine),
            Line::Partial => {}
        }
        None
    }

    #[inline]
    fn command<'b>(&mut self, line: &'b [u8], rest: &[u8]) -> Option<Step<Event<'b>>> {
        if self.session.violations >= self.config.limits.violations {
            // The rule that was one too many was broken by a message, which had its own answer.
            self.say(&TOO_MANY_ERRORS);
            self.closing = Some(CloseReason::Violations);
            return None;
        }
        let (verb, args) = split_verb(line);
        if !matches!(verb, Verb::Rcpt | Verb::Data | Verb::Bdat) {
            self.excused = 0;
        }
        match self.run(&verb, args, rest) {
            Ok(event) => event.map(Step::Event),
            Err(fault) => self.refuse_command(&verb, fault),
        }
    }

    #[inline]
    fn run<'b>(
        &mut self,
        verb: &Verb<'b>,
        args: &'b [u8],
        rest: &[u8],
    ) -> Result<Option<Event<'b>>, Fault> {
        match *verb {
            Verb::Hello(kind) => self.hello(kind, args),
            Verb::Mail => self.mail(args),
            Verb::Rcpt => self.rcpt(args),
            Verb::Data => self.data(args, rest),
            Verb::Bdat => self.bdat(args, rest),
            Verb::Rset => self.rset(args),
            Verb::Noop => self.legal(Trigger::Noop).map(|()| self.ok()),
            Verb::Quit => self.quit(args),
            Verb::Vrfy => self.legal(Trigger::Vrfy).and_then(|()| {
                let (what, _) = verify_args(args)?;
                Ok(Some(Event::Verify { what, pending: self.ask(Kind::Verify) }))
            }),
            Verb::Expn if !self.offer().extensions.expn => {
                Err(Fault::new(Refused::NOT_IMPLEMENTED, Violation::UnknownCommand))
            }
            Verb::Expn => self.legal(Trigger::Expn).and_then(|()| {
                let (what, _) = verify_args(args)?;
                Ok(Some(Event::Expand { what, pending: self.ask(Kind::Expand) }))
            }),
            Verb::Help => self.legal(Trigger::Help).and_then(|()| {
                let topic = text_args(args)?;
                Ok(Some(Event::Help { topic, pending: self.ask(Kind::Help) }))
            }),
            Verb::Other(_) if self.offers_command(verb.as_str()) => {
                self.legal(Trigger::Command).and_then(|()| {
                    let args = text_args(args)?;
                    let verb = verb.clone();
                    Ok(Some(Event::Command { verb, args, pending: self.ask(Kind::Command) }))
                })
            }
            Verb::Etrn => self.etrn(args),
            Verb::Xclient => self.xclient(args),
            Verb::StartTls => self.start_tls(args, rest),
            Verb::Auth => self.auth(args),
            Verb::Foreign => {
                self.count_violation(Violation::ForeignProtocol);
                self.say(&FOREIGN);
                self.closing = Some(CloseReason::Violations);
                Ok(None)
            }
            Verb::Other(_) => Err(Fault::new(UNKNOWN, Violation::UnknownCommand)),
        }
    }

    /// Answers a command that was not done.
    #[cold]
    fn refuse_command<'b>(&mut self, verb: &Verb<'b>, fault: Fault) -> Option<Step<Event<'b>>> {
        let Fault { reply, violation } = fault;
        if matches!(violation, Violation::TooManyRecipients | Violation::TooManyTransactions) {
            // Asking for too much is no offence: RFC 5321 §4.5.3.1.10 wants the client to go on.
            self.say(&reply);
            self.excuse_group();
            return Some(Step::Event(Event::Violation(violation)));
        }
        if let Verb::Hello(_) = verb {
            // No enhanced code on the answer to a greeting (RFC 2034 §3).
            let reply = self.judge(&reply, violation);
            self.replies.say(reply.code, None, reply.text.as_str());
            return None;
        }
        self.fault(&reply, violation);
        match verb {
            Verb::Data => self.excused = 0,
            Verb::Mail => self.excuse_group(),
            // One out of sequence excuses nothing: no transaction was open before it.
            Verb::Rcpt if violation != Violation::Sequence => self.excuse_group(),
            _ => {}
        }
        None
    }

    /// Whether the table has a row for the command here.
    fn legal(&self, command: Trigger) -> Result<(), Fault> {
        match self.phase.next(command) {
            Some(_) => Ok(()),
            None => Err(Fault::new(SEQUENCE, Violation::Sequence)),
        }
    }

    /// Whether it is a command of an extension of the embedder's that this peer is offered.
    fn offers_command(&self, verb: &str) -> bool {
        let offer = self.offer();
        offer.esmtp && offer.extensions.custom.command(verb).is_some()
    }

    /// The peer has renounced extensions (RFC 5321 §4.1.1.1).
    fn said_helo(&self) -> bool {
        self.session.hello == Some(Hello::Helo)
    }

    /// 250 to a command that asks nothing.
    fn ok<'b>(&mut self) -> Option<Event<'b>> {
        self.replies.say(250, SUCCESS, "Ok");
        None
    }

    fn hello<'b>(&mut self, kind: Hello, args: &'b [u8]) -> Result<Option<Event<'b>>, Fault> {
        if (kind == Hello::Lhlo) != (self.config.mode == Mode::Lmtp) {
            return Err(Fault::new(UNKNOWN, Violation::UnknownCommand));
        }
        self.legal(Trigger::Hello)?;
        let name = hello_args(args)?;
        self.asked.hello = kind;
        Ok(Some(Event::Hello { kind, name, pending: self.ask(Kind::Hello) }))
    }

    fn mail<'b>(&mut self, args: &'b [u8]) -> Result<Option<Event<'b>>, Fault> {
        self.legal(Trigger::MailCommand)?;
        if self.config.mode == Mode::Submission && !self.session.authenticated {
            return Err(Fault::new(Refused::AUTH_REQUIRED, Violation::Sequence));
        }
        let mail = Mail::parse(utf8_args(args)?, &self.offer())?;
        if self.session.transactions >= self.config.limits.transactions {
            return Err(Fault::new(NO_MORE_TRANSACTIONS, Violation::TooManyTransactions));
        }
        self.asked = Asked { smtputf8: mail.smtputf8, body: mail.body, ..self.asked };
        Ok(Some(Event::Mail { mail, pending: self.ask(Kind::Mail) }))
    }

    fn rcpt<'b>(&mut self, args: &'b [u8]) -> Result<Option<Event<'b>>, Fault> {
        self.legal(Trigger::Rcpt)?;
        let rcpt = Rcpt::parse(utf8_args(args)?, &self.offer(), self.session.smtputf8)?;
        if self.session.recipients >= self.config.limits.recipients {
            return Err(Fault::new(NO_MORE_RECIPIENTS, Violation::TooManyRecipients));
        }
        Ok(Some(Event::Rcpt { rcpt, pending: self.ask(Kind::Rcpt) }))
    }

    fn data<'b>(&mut self, args: &[u8], rest: &[u8]) -> Result<Option<Event<'b>>, Fault> {
        let legal = match self.phase {
            Phase::Mail => Err(Fault::new(NO_RECIPIENTS, Violation::Sequence)),
            Phase::Envelope if self.session.body == BodyType::BinaryMime => {
                Err(Fault::new(BINARY, Violation::Sequence))
            }
            _ => self.legal(Trigger::Data),
        };
        if let Err(fault) = legal.and_then(|()| no_args(args)) {
            return Err(self.past_data(fault, rest));
        }
        self.message.framing = Framing::Dot;
        self.past_data = !rest.is_empty();
        self.excused = 0;
        Ok(Some(Event::Data { framing: Framing::Dot, pending: self.ask(Kind::Data) }))
    }

    /// Octets behind a refused DATA are the message, or part of it: they must not run as commands.
    fn past_data(&mut self, fault: Fault, rest: &[u8]) -> Fault {
        if rest.is_empty() {
            return fault;
        }
        self.closing = Some(CloseReason::Violations);
        Fault { violation: Violation::PastData, ..fault }
    }

    fn bdat<'b>(&mut self, args: &[u8], rest: &[u8]) -> Result<Option<Event<'b>>, Fault> {
        let offered = self.offer().extensions.chunking && !self.said_helo();
        let Chunk { size, last } = match bdat_args(args) {
            Ok(chunk) => chunk,
            Err(_) if !offered => {
                let unknown = Fault::new(Refused::NOT_IMPLEMENTED, Violation::UnknownCommand);
                return Err(self.past_data(unknown, rest));
            }
            Err(fault) => {
                // How many octets follow is not known; the message cannot be completed.
                if self.phase.next(Trigger::ChunkFails).is_some() {
                    self.fail_message(Aborted::Reset);
                }
                return Err(self.past_data(fault, rest));
            }
        };
        self.message.set_chunk(size, last);
        if !offered {
            let violation = Violation::UnknownCommand;
            return Ok(self.refuse_chunk(&Refused::NOT_IMPLEMENTED, violation));
        }
        if self.legal(Trigger::Bdat).is_err() {
            return Ok(self.refuse_chunk(&SEQUENCE, Violation::Sequence));
        }
        if self.session.size.saturating_add(size) > self.config.limits.message {
            self.fail_message(Aborted::TooLarge);
            return Ok(self.refuse_chunk(&Refused::TOO_LARGE, Violation::MessageTooLarge));
        }
        if self.phase == Phase::Chunks {
            self.go(Trigger::ChunkBegins);
            return Ok(None);
        }
        self.message.framing = Framing::Chunked;
        Ok(Some(Event::Data { framing: Framing::Chunked, pending: self.ask(Kind::Data) }))
    }

    /// A BDAT has failed (RFC 3030 §2): no further one can mend the message.
    fn fail_message(&mut self, why: Aborted) {
        if self.message.take_open() {
            self.notices.body_aborted = Some(why);
        }
        self.go(Trigger::ChunkFails);
    }

    /// The octets of a refused BDAT are swallowed, never parsed; the reply leaves at their end.
    fn refuse_chunk<'b>(&mut self, reply: &Refused<'_>, violation: Violation) -> Option<Event<'b>> {
        let reply = self.judge(reply, violation);
        self.swallow_chunk(reply);
        None
    }

    fn rset<'b>(&mut self, args: &[u8]) -> Result<Option<Event<'b>>, Fault> {
        self.legal(Trigger::Rset)?;
        no_args(args)?;
        if self.message.take_open() {
            self.notices.body_aborted = Some(Aborted::Reset);
        }
        if self.phase.in_transaction() {
            self.forget_transaction(ResetCause::Rset);
        }
        self.go(Trigger::Rset);
        Ok(self.ok())
    }

    fn quit<'b>(&mut self, args: &[u8]) -> Result<Option<Event<'b>>, Fault> {
        self.legal(Trigger::Quit)?;
        no_args(args)?;
        self.replies.say(221, SUCCESS, "Bye");
        self.notices.quit = true;
        self.close_by(Trigger::Quit, CloseReason::Quit, Aborted::Closed);
        Ok(None)
    }

    fn start_tls<'b>(&mut self, args: &[u8], rest: &[u8]) -> Result<Option<Event<'b>>, Fault> {
        if !self.offer().extensions.starttls {
            return Err(Fault::new(Refused::NOT_IMPLEMENTED, Violation::UnknownCommand));
        }
        if self.session.tls {
            return Err(Fault::new(SEQUENCE, Violation::Sequence));
        }
        self.legal(Trigger::StartTls)?;
        no_args(args)?;
        if !rest.is_empty() {
            self.closing = Some(CloseReason::Residue);
            return Err(Fault::new(SEQUENCE, Violation::Residue));
        }
        Ok(Some(Event::StartTls(self.ask(Kind::StartTls))))
    }

    fn etrn<'b>(&mut self, args: &'b [u8]) -> Result<Option<Event<'b>>, Fault> {
        if !has_etrn(&self.offer()) || self.said_helo() {
            return Err(Fault::new(Refused::NOT_IMPLEMENTED, Violation::UnknownCommand));
        }
        self.legal(Trigger::Etrn)?;
        let queue = etrn_args(args)?;
        Ok(Some(Event::Etrn { queue, pending: self.ask(Kind::Etrn) }))
    }

    /// A proxy that has been told EHLO once may say XCLIENT again before it repeats it.
    fn xclient<'b>(&mut self, args: &'b [u8]) -> Result<Option<Event<'b>>, Fault> {
        if !self.offer().extensions.xclient || self.said_helo() {
            return Err(Fault::new(Refused::UNAUTHORIZED, Violation::UnknownCommand));
        }
        self.legal(Trigger::Xclient)?;
        let client = Box::new(xclient_args(args)?);
        self.asked.login = client.has_login();
        Ok(Some(Event::Xclient { client, pending: self.ask(Kind::Xclient) }))
    }

    fn auth<'b>(&mut self, args: &'b [u8]) -> Result<Option<Event<'b>>, Fault> {
        let extensions = self.offer().extensions;
        if extensions.auth.is_empty() || self.said_helo() {
            return Err(Fault::new(Refused::NOT_IMPLEMENTED, Violation::UnknownCommand));
        }
        self.legal(Trigger::AuthCommand)?;
        if self.session.authenticated {
            return Err(Fault::new(SEQUENCE, Violation::Sequence));
        }
        if !self.session.tls && !extensions.auth_in_clear {
            return Err(Fault::new(NEEDS_TLS, Violation::AuthInClear));
        }
        let (mechanism, initial): (Mechanism<'b>, Option<Base64<'b>>) = auth_args(args)?;
        if !extensions.auth.contains(&mechanism) {
            let violation = Violation::Syntax(SyntaxFault::Argument);
            return Err(Fault::new(Refused::NO_SUCH_MECHANISM, violation));
        }
        self.in_auth = true;
        let initial = initial.map(Secret::new);
        Ok(Some(Event::Auth { mechanism, initial, pending: self.ask(Kind::Auth) }))
    }

    /// The peer's answer to a 334 (RFC 4954 §4).
    fn auth_response<'b>(&mut self, line: &'b [u8]) -> Option<Event<'b>> {
        if line == b"*" {
            self.end_auth(AuthAborted::Cancelled);
            self.say(&CANCELLED);
            return None;
        }
        let data = core::str::from_utf8(line).ok().and_then(|text| Base64::parse(text).ok());
        let Some(data) = data else {
            self.auth_fault(&BAD_BASE64);
            return None;
        };
        let pending: Pending<_> = self.ask(Kind::Auth);
        Some(Event::AuthResponse { data: Secret::new(data), pending })
    }

    fn auth_fault(&mut self, reply: &Refused<'_>) {
        self.end_auth(AuthAborted::Malformed);
        self.fault(reply, Violation::BadAuthResponse);
    }

    fn end_auth(&mut self, why: AuthAborted) {
        self.in_auth = false;
        self.notices.auth_aborted = Some(why);
        self.go(Trigger::AuthEnded);
    }
}
