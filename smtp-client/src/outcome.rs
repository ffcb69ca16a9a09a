//! What became of each recipient, and why.

use crate::mx::NoRoute;
use smtp_driver::tls::ClientTlsInfo;
use smtp_proto::{Class, EnhancedCode, wire::Reply};
use std::{fmt, io, sync::Arc};

/// How far a delivery had come when its fate was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Finding the hosts that take the mail (RFC 5321 §5.1).
    Route,
    /// Making the connection.
    Connect,
    /// The greeting (RFC 5321 §3.1).
    Greeting,
    /// EHLO, HELO or LHLO.
    Hello,
    /// STARTTLS and the handshake.
    Tls,
    /// AUTH.
    Auth,
    /// Before MAIL: what the server offers does not suffice for this message.
    Prepare,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA, or the octets of the message.
    Data,
    /// The end of the message: the reply to it is what counts (§4.1.1.4, §6.1).
    End,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Route => "routing",
            Self::Connect => "connecting",
            Self::Greeting => "greeting",
            Self::Hello => "EHLO",
            Self::Tls => "TLS",
            Self::Auth => "AUTH",
            Self::Prepare => "before MAIL",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::End => "end of message",
        })
    }
}

/// What stands behind a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The server said so; the reply is its own.
    Server,
    /// The DNS names no host, or does not answer.
    Route,
    /// No connection could be made, or it was lost.
    Connection,
    /// The server took too long.
    Timeout,
    /// The server broke the protocol, and nobody knows what it did.
    Protocol,
    /// The TLS handshake failed, or what the policy demands was not offered or not verified.
    Tls,
    /// The server and the policy have no way to authenticate in common, or the server could not
    /// prove that it knows the password.
    Auth,
    /// The server does not offer what the message or the address needs.
    NotOffered,
    /// The message itself cannot be sent, or cannot be read.
    Message,
    /// A limit of recipients or transactions was reached.
    Limit,
}

/// Why something did not work: where, what is to be told about it, and who says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host}: {stage}: {reply}")]
pub struct Failure {
    /// How far it had come.
    pub stage: Stage,
    /// The reply of the server; or one made here, by [`Reply::local`], if there was none. It is
    /// shared, for one reply may decide for thousands of recipients.
    pub reply: Arc<Reply<'static>>,
    /// Who says so.
    pub cause: Cause,
    /// The server, by the name that it was connected by.
    pub host: Arc<str>,
}

impl Failure {
    /// A failure that the server has told of.
    pub(crate) fn server(
        stage: Stage,
        reply: impl Into<Arc<Reply<'static>>>,
        host: &Arc<str>,
    ) -> Self {
        Self { stage, reply: reply.into(), cause: Cause::Server, host: host.clone() }
    }

    /// A failure that nobody but us knows of.
    pub(crate) fn local(
        stage: Stage,
        cause: Cause,
        enhanced: EnhancedCode,
        text: &str,
        host: &Arc<str>,
    ) -> Self {
        Self { stage, reply: Reply::local(enhanced, text).into(), cause, host: host.clone() }
    }

    /// A host that could not be connected to.
    #[must_use]
    pub fn unreachable(host: impl Into<Arc<str>>, error: &io::Error) -> Self {
        let (stage, cause) = (Stage::Connect, Cause::Connection);
        let text = format!("no connection: {error}");
        // RFC 3463 §3.5: no answer from host.
        Self::local(stage, cause, EnhancedCode::transient(4, 1), &text, &host.into())
    }

    /// Mail for `domain` has nowhere to go.
    #[must_use]
    pub fn no_route(domain: impl Into<Arc<str>>, none: &NoRoute) -> Self {
        Self::local(Stage::Route, Cause::Route, none.code(), &none.to_string(), &domain.into())
    }

    /// Whether it will fail again if nothing is changed (RFC 5321 §4.2.1). What is not clear may be
    /// tried again. What has to be changed may be the login: messages are [`Status::Delayed`] then.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.reply.class() == Some(Class::Permanent)
    }

    /// The enhanced code of the reply, or the one that says no more than its class (RFC 3463
    /// §3.1, `X.0.0`).
    #[must_use]
    pub fn enhanced(&self) -> EnhancedCode {
        enhanced(&self.reply)
    }
}

/// What became of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The server has taken the message for it, and with it the responsibility (RFC 5321 §6.1).
    Sent,
    /// Not now: try again later (§4.5.4.1). Where the connection was lost while the server had all
    /// of the message, it may have it twice then; it is never lost.
    Delayed,
    /// Not at all: tell the sender.
    Failed,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sent => "sent",
            Self::Delayed => "delayed",
            Self::Failed => "failed",
        })
    }
}

/// What became of one recipient, and who says so.
#[must_use = "the recipient may not have the message"]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// In short.
    pub status: Status,
    /// How far it had come.
    pub stage: Stage,
    /// The reply that decided; of the server, or made here. Recipients for whom the same reply
    /// decided share it.
    pub reply: Arc<Reply<'static>>,
    /// Who says so.
    pub cause: Cause,
    /// The server.
    pub host: Arc<str>,
    /// Whether the server may have the message although it never said so: it was given all of it,
    /// and the connection was lost. Another try, here or elsewhere, may double it (RFC 1047).
    pub in_doubt: bool,
}

impl Outcome {
    /// The message was taken.
    pub(crate) fn sent(reply: Arc<Reply<'static>>, host: &Arc<str>) -> Self {
        let (stage, cause) = (Stage::End, Cause::Server);
        let host = host.clone();
        Self { status: Status::Sent, stage, reply, cause, host, in_doubt: false }
    }

    /// To be tried again, whatever the class of the reply.
    pub(crate) fn delayed(failure: Failure) -> Self {
        Self { status: Status::Delayed, ..failure.into() }
    }

    /// The enhanced code of the reply, or the one that says no more than its class.
    #[must_use]
    pub fn enhanced(&self) -> EnhancedCode {
        enhanced(&self.reply)
    }
}

impl From<Failure> for Outcome {
    /// [Permanent](Failure::is_permanent) is failed, but for what is no fault of the message: a
    /// limit that was reached, and a login that was refused.
    fn from(failure: Failure) -> Self {
        let is_others = failure.cause == Cause::Limit || failure.stage == Stage::Auth;
        let is_final = failure.is_permanent() && !is_others;
        let status = if is_final { Status::Failed } else { Status::Delayed };
        let Failure { stage, reply, cause, host } = failure;
        Self { status, stage, reply, cause, host, in_doubt: false }
    }
}

fn enhanced(reply: &Reply<'_>) -> EnhancedCode {
    let general = |class| EnhancedCode::new(class, 0, 0);
    reply.enhanced().or_else(|| general(reply.class()?)).unwrap_or(EnhancedCode::transient(0, 0))
}

/// What became of a message.
#[must_use = "a recipient may not have the message"]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// One for each recipient, in the order of the envelope.
    pub outcomes: Vec<Outcome>,
    /// Whether the server was told when notices are wanted (RFC 3461). If not, and the envelope
    /// asks for one of success, you owe it: "relayed" (§5.2.2).
    pub dsn_passed_on: bool,
    /// How the message travelled; `None`: in clear.
    pub tls: Option<ClientTlsInfo>,
}

impl Report {
    /// A report of `recipients` that all met with the same failure.
    pub fn failed(recipients: usize, failure: &Failure) -> Self {
        let outcomes = vec![Outcome::from(failure.clone()); recipients];
        Self { outcomes, dsn_passed_on: false, tls: None }
    }

    /// Whether every recipient has it.
    #[must_use]
    pub fn is_all_sent(&self) -> bool {
        self.outcomes.iter().all(|outcome| outcome.status == Status::Sent)
    }

    /// How many recipients have met with `status`.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.status == status).count()
    }
}
