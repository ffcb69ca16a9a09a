//! The commands that an embedder gives.

use super::{
    config::Mode,
    connection::ClientConnection,
    event::CommandId,
    phase::{Phase, Trigger},
    queue::Kind,
};
use crate::{
    Misuse,
    ext::{self, BodyType, OtherParams, ParameterOf, QueueName, Xclient},
    wire::{Base64, HelloName, Mail, Mechanism, Rcpt, Text},
};
use alloc::boxed::Box;
use core::fmt;

/// Octets of a command line, CRLF included (RFC 5321 §4.5.3.1.4).
pub(super) const COMMAND_LINE: usize = 512;
/// What the parameters of MAIL or RCPT may add: SIZE 26, BODY 17, SMTPUTF8 10, DSN and AUTH 500 each
/// (RFC 1870 §3, RFC 6152 §2, RFC 6531 §3.4, RFC 3461 §5.1, RFC 4954 §3); BY 17, HOLDUNTIL 34,
/// MT-PRIORITY 15, REQUIRETLS 11 (RFC 2852 §2, RFC 4865 §3, RFC 6710 §3, RFC 8689 §2).
const PARAMETERS: usize = 26 + 17 + 10 + 500 + 500 + 17 + 34 + 15 + 11;
/// Octets of a line of an AUTH exchange, CRLF included (RFC 4954 §4).
const AUTH_LINE: usize = 12_288;

/// Commands. Each is queued, and leaves when the rules of RFC 2920 let it; its [`CommandId`] comes
/// back with the reply.
///
/// # Errors
/// Every one of them gives [`Misuse`] when it is out of sequence ([`Misuse::NotNow`]), when too much
/// is waiting ([`Misuse::Full`]), and when the connection is over ([`Misuse::Closed`]); nothing is
/// sent then. What else can be wrong stands with the command.
impl ClientConnection {
    /// EHLO, or LHLO in [`Mode::Lmtp`]. Where EHLO is not understood, HELO follows by itself and the
    /// reply to that is told (RFC 5321 §3.2).
    ///
    /// # Errors
    /// [`Misuse`]; not before the greeting.
    pub fn hello(&mut self, name: &HelloName<'_>) -> Result<CommandId, Misuse> {
        self.check_alone()?;
        let verb = match self.config.mode {
            Mode::Smtp => "EHLO",
            Mode::Lmtp => "LHLO",
        };
        let id = self.give(Kind::Hello, Trigger::Hello, format_args!("{verb} {name}"))?;
        self.name = Some(Box::new(name.clone().into_static()));
        Ok(id)
    }

    /// STARTTLS (RFC 3207). Accepted, [`ClientEvent::Handshake`](super::ClientEvent::Handshake)
    /// follows.
    ///
    /// # Errors
    /// [`Misuse::NotOffered`] where it is not, or TLS is up.
    pub fn start_tls(&mut self) -> Result<CommandId, Misuse> {
        if !self.capabilities.starttls || self.tls {
            return Err(self.unless_closed(Misuse::NotOffered("STARTTLS")));
        }
        self.check_alone()?;
        self.give(Kind::StartTls, Trigger::StartTlsCommand, format_args!("STARTTLS"))
    }

    /// AUTH (RFC 4954), with the initial response, not encoded, if the mechanism has one.
    ///
    /// # Errors
    /// [`Misuse::NotOffered`] where the mechanism is not. [`Misuse::LineTooLong`]: give the initial
    /// response after the first challenge.
    pub fn auth(
        &mut self,
        mechanism: &Mechanism<'_>,
        initial: Option<&[u8]>,
    ) -> Result<CommandId, Misuse> {
        if !self.capabilities.auth.contains(mechanism) {
            return Err(self.unless_closed(Misuse::NotOffered("AUTH")));
        }
        self.check_alone()?;
        // §4: no more AUTH commands after one that succeeded.
        if self.authenticated {
            return Err(Misuse::NotNow);
        }
        let (kind, on) = (Kind::Auth, Trigger::AuthCommand);
        match initial {
            None => self.give(kind, on, format_args!("AUTH {mechanism}")),
            // §4: an empty response is a single `=`.
            Some([]) => self.give(kind, on, format_args!("AUTH {mechanism} =")),
            Some(response) => {
                let response = Base64::encode(response);
                self.give(kind, on, format_args!("AUTH {mechanism} {response}"))
            }
        }
    }

    /// Answers a challenge; `response` is not encoded.
    ///
    /// # Errors
    /// [`Misuse::LineTooLong`]; [`Misuse::NotNow`] if no challenge waits.
    pub fn respond(&mut self, response: &[u8]) -> Result<(), Misuse> {
        self.go_on_auth(format_args!("{}", Base64::encode(response)))
    }

    /// Cancels the exchange, instead of an answer to a challenge.
    ///
    /// # Errors
    /// [`Misuse::NotNow`] if no challenge waits.
    pub fn cancel(&mut self) -> Result<(), Misuse> {
        self.go_on_auth(format_args!("*"))?;
        self.cancelled = true;
        Ok(())
    }

    fn go_on_auth(&mut self, text: fmt::Arguments<'_>) -> Result<(), Misuse> {
        if self.phase != Phase::Auth || !self.challenged {
            return Err(self.unless_closed(Misuse::NotNow));
        }
        if !self.queue.go_on(text, AUTH_LINE) {
            return Err(Misuse::LineTooLong);
        }
        self.challenged = false;
        Ok(())
    }

    /// MAIL: starts a transaction. One whose recipients were all refused is still open, and needs
    /// [`rset`](Self::rset) first.
    ///
    /// # Errors
    /// [`Misuse::NotOffered`] for a parameter that the server does not know, [`Misuse::TooLarge`]
    /// for a size over its limit, [`Misuse::BeyondOffer`] for a time to deliver by or to hold beyond
    /// what it announced, [`Misuse::NeedsTls`], [`Misuse::NeedsSmtpUtf8`].
    pub fn mail(&mut self, mail: &Mail<'_>) -> Result<CommandId, Misuse> {
        self.check_room()?;
        if let Some(keyword) = ext::missing_for_mail(mail, &self.capabilities) {
            return Err(Misuse::NotOffered(keyword));
        }
        self.check_other(ParameterOf::Mail, &mail.other)?;
        if let (Some(size), Some(most)) = (mail.size, self.capabilities.max_size)
            && size > most
        {
            return Err(Misuse::TooLarge);
        }
        if let (Some(by), Some(least)) = (mail.deliver_by, self.capabilities.min_deliver_by)
            && by.is_below(least)
        {
            return Err(Misuse::BeyondOffer("DELIVERBY"));
        }
        if let (Some(hold), Some(offered)) = (mail.hold, self.capabilities.future_release)
            && !offered.allows(hold)
        {
            return Err(Misuse::BeyondOffer("FUTURERELEASE"));
        }
        if mail.require_tls && !self.tls {
            return Err(Misuse::NeedsTls);
        }
        if !mail.smtputf8 && !mail.from.is_ascii() {
            return Err(Misuse::NeedsSmtpUtf8);
        }
        // The replies of a transaction must be in before the next can begin, but for the last one.
        if !self.queue.unanswered().iter().all(|open| open.kind.ends_transaction()) {
            return Err(Misuse::NotNow);
        }
        let id = self.give(Kind::Mail, Trigger::MailCommand, format_args!("MAIL {mail}"))?;
        self.transaction.smtputf8 = mail.smtputf8;
        self.transaction.body = mail.body;
        Ok(id)
    }

    /// RCPT: one recipient.
    ///
    /// # Errors
    /// [`Misuse::NotOffered`] for a parameter that the server does not know,
    /// [`Misuse::NeedsSmtpUtf8`].
    pub fn rcpt(&mut self, rcpt: &Rcpt<'_>) -> Result<CommandId, Misuse> {
        if let Some(keyword) = ext::missing_for_rcpt(rcpt, &self.capabilities) {
            return Err(self.unless_closed(Misuse::NotOffered(keyword)));
        }
        self.check_other(ParameterOf::Rcpt, &rcpt.other)?;
        if !self.transaction.smtputf8 && !rcpt.to.is_ascii() {
            return Err(self.unless_closed(Misuse::NeedsSmtpUtf8));
        }
        self.give(Kind::Rcpt, Trigger::Rcpt, format_args!("RCPT {rcpt}"))
    }

    /// DATA. With a 354 the octets of the message are wanted: [`body`](Self::body), then
    /// [`end_body`](Self::end_body).
    ///
    /// # Errors
    /// [`Misuse::NeedsBdat`] after a MAIL with [`BodyType::BinaryMime`] (RFC 3030 §3).
    pub fn data(&mut self) -> Result<CommandId, Misuse> {
        if self.transaction.body == BodyType::BinaryMime {
            return Err(self.unless_closed(Misuse::NeedsBdat));
        }
        self.give(Kind::Data, Trigger::DataCommand, format_args!("DATA"))
    }

    /// Hands out octets of the message: consumes from the front of `chunk` and fills `pieces`, of
    /// at least three, with what to write; says how many it filled. Call it until `chunk` is empty.
    ///
    /// # Errors
    /// [`Misuse::Content`] for octets that may not be sent; [`Misuse::NotNow`] unless 354 came.
    pub fn body<'b>(
        &mut self,
        chunk: &mut &'b [u8],
        pieces: &mut [&'b [u8]],
    ) -> Result<usize, Misuse> {
        let Some(encoder) = &mut self.encoder else {
            return Err(self.unless_closed(Misuse::NotNow));
        };
        let n = match encoder.encode(chunk, pieces) {
            Ok(n) => n,
            Err(fault) => {
                self.encoder = None;
                return Err(fault.into());
            }
        };
        self.queue.hand_out(pieces[..n].iter().map(|piece| piece.len() as u64).sum());
        Ok(n)
    }

    /// The message is complete: its last line ending and the dot line stand behind what was handed
    /// out. The id is that of the reply.
    ///
    /// # Errors
    /// [`Misuse::Content`] if its last octet is a bare CR; [`Misuse::NotNow`] unless 354 came.
    pub fn end_body(&mut self) -> Result<CommandId, Misuse> {
        let encoder = self.encoder.take().ok_or_else(|| self.unless_closed(Misuse::NotNow))?;
        let end = encoder.finish()?;
        self.go(Trigger::EndBody);
        let id = self.queue.end_message(Kind::End, end);
        self.queue.release();
        Ok(id)
    }

    /// BDAT (RFC 3030): `size` octets are yours to write behind
    /// [`poll_transmit`](Self::poll_transmit). They must be lines that end in CRLF, as an
    /// [`Encoder`](crate::body::Encoder) with [`Framing::Chunked`](crate::body::Framing::Chunked)
    /// makes them; with [`BodyType::BinaryMime`] they may be any. The next command can be given
    /// once they are written.
    ///
    /// # Errors
    /// [`Misuse::NotOffered`]; [`Misuse::NotNow`] while it could not leave at once: without
    /// PIPELINING the replies to all RCPTs come first.
    pub fn bdat(&mut self, size: u64, last: bool) -> Result<CommandId, Misuse> {
        self.check_room()?;
        if !self.capabilities.chunking {
            return Err(Misuse::NotOffered("CHUNKING"));
        }
        let known = self.queue.unanswered().is_empty();
        if !self.queue.may_leave_at_once() || (known && self.transaction.accepted == 0) {
            return Err(Misuse::NotNow);
        }
        let trigger = if last { Trigger::BdatLast } else { Trigger::Bdat };
        let end = if last { " LAST" } else { "" };
        let id = self.give(Kind::Chunk { last }, trigger, format_args!("BDAT {size}{end}"))?;
        self.queue.hand_out(size);
        Ok(id)
    }

    /// RSET: ends the transaction.
    ///
    /// # Errors
    /// [`Misuse`].
    pub fn rset(&mut self) -> Result<CommandId, Misuse> {
        self.give(Kind::Rset, Trigger::Rset, format_args!("RSET"))
    }

    /// NOOP: asks whether the server is there.
    ///
    /// # Errors
    /// [`Misuse`].
    pub fn noop(&mut self) -> Result<CommandId, Misuse> {
        self.give(Kind::Noop, Trigger::Noop, format_args!("NOOP"))
    }

    /// ETRN (RFC 1985): asks the server to send what waits for us, on connections of its own.
    ///
    /// # Errors
    /// [`Misuse::NotOffered`]; [`Misuse::NotNow`] in a transaction.
    pub fn etrn(&mut self, queue: &QueueName<'_>) -> Result<CommandId, Misuse> {
        if !self.capabilities.etrn {
            return Err(self.unless_closed(Misuse::NotOffered("ETRN")));
        }
        self.give(Kind::Etrn, Trigger::Etrn, format_args!("ETRN {queue}"))
    }

    /// XCLIENT (Postfix): the session goes on for the client that is told. Accepted, it begins
    /// again: say [`hello`](Self::hello).
    ///
    /// # Errors
    /// [`Misuse::NotOffered`] where it is not, or an attribute in it is not; [`Misuse::NotNow`] in a
    /// transaction.
    pub fn xclient(&mut self, client: &Xclient<'_>) -> Result<CommandId, Misuse> {
        if !self.capabilities.xclient.is_some_and(|offer| offer.covers(client)) {
            return Err(self.unless_closed(Misuse::NotOffered("XCLIENT")));
        }
        self.check_alone()?;
        self.give(Kind::Xclient, Trigger::XclientCommand, format_args!("XCLIENT {client}"))
    }

    /// A command of one of your own extensions, outside of messages.
    ///
    /// # Errors
    /// [`Misuse::Unregistered`] if no extension in the configuration has it,
    /// [`Misuse::NotOffered`] where the server does not announce that extension.
    pub fn command(&mut self, verb: &str, args: &Text<'_>) -> Result<CommandId, Misuse> {
        let extension = self.config.custom.command(verb).map(|extension| extension.keyword());
        self.check_custom(extension)?;
        let space = if args.as_str().is_empty() { "" } else { " " };
        self.give(Kind::Command, Trigger::Command, format_args!("{verb}{space}{args}"))
    }

    /// Whether the server announces the extension with this keyword.
    fn check_custom(&self, extension: Option<&'static str>) -> Result<(), Misuse> {
        let keyword = extension.ok_or_else(|| self.unless_closed(Misuse::Unregistered))?;
        match self.capabilities.custom(keyword) {
            Some(_) => Ok(()),
            None => Err(self.unless_closed(Misuse::NotOffered(keyword))),
        }
    }

    fn check_other(&self, of: ParameterOf, params: &OtherParams<'_>) -> Result<(), Misuse> {
        params.iter().try_for_each(|(keyword, _)| {
            let found = self.config.custom.parameter(of, keyword);
            self.check_custom(found.map(|(_, extension)| extension))
        })
    }

    /// QUIT. After its reply the connection is over.
    ///
    /// # Errors
    /// [`Misuse::NotNow`] in the middle of a message: [`abort`](Self::abort) then.
    pub fn quit(&mut self) -> Result<CommandId, Misuse> {
        self.give(Kind::Quit, Trigger::Quit, format_args!("QUIT"))
    }

    /// Queues a command, if it is in sequence and not too long.
    fn give(
        &mut self,
        kind: Kind,
        on: Trigger,
        text: fmt::Arguments<'_>,
    ) -> Result<CommandId, Misuse> {
        self.check_room()?;
        let next = self.phase.next(on).ok_or(Misuse::NotNow)?;
        let most = match kind {
            Kind::Mail | Kind::Rcpt => COMMAND_LINE + PARAMETERS,
            _ => COMMAND_LINE,
        };
        let id = self.queue.command(kind, text, most).ok_or(Misuse::LineTooLong)?;
        self.phase = next;
        if !self.is_first_moot() {
            self.queue.release();
        }
        Ok(id)
    }

    /// What changes all that follows is given when nothing is on its way.
    fn check_alone(&self) -> Result<(), Misuse> {
        self.check_room()?;
        if self.queue.unanswered().is_empty() { Ok(()) } else { Err(Misuse::NotNow) }
    }

    fn check_room(&self) -> Result<(), Misuse> {
        let limits = &self.config.limits;
        if self.phase == Phase::Closed {
            return Err(Misuse::Closed);
        }
        if self.queue.handed_out() > 0 {
            return Err(Misuse::NotNow);
        }
        let full = self.queue.unwritten() >= limits.send_buffer
            || self.queue.unanswered().len() >= limits.unanswered;
        if full { Err(Misuse::Full) } else { Ok(()) }
    }

    pub(super) fn unless_closed(&self, misuse: Misuse) -> Misuse {
        if self.phase == Phase::Closed { Misuse::Closed } else { misuse }
    }
}
