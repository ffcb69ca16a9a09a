//! What the machine tells and asks its embedder.

use super::decision::{Pending, op};
use crate::{
    body::Framing,
    ext::{QueueName, Xclient},
    secret::Secret,
    violation::Violation,
    wire::{Base64, Hello, HelloName, Mail, Mechanism, Rcpt, Text, Verb},
};
use alloc::boxed::Box;
use core::fmt;

/// Something that the peer did. What carries a [`Pending`] is a question.
///
/// Events borrow the input they were parsed from, never the machine. Their `Debug` form may be
/// logged: it has addresses, but neither an octet of a message nor a response to AUTH.
#[non_exhaustive]
pub enum Event<'b> {
    /// The peer connected. Accept sends 220; refuse sends 554 or 421 and leaves the session open
    /// for QUIT only (RFC 5321 §3.1); disconnect closes it.
    Connect(Pending<op::Connect>),
    /// EHLO, HELO or LHLO. Accepted, it ends any open transaction and [`Event::Reset`] follows;
    /// refused, nothing changes (§4.1.4).
    Hello {
        /// Which of the three.
        kind: Hello,
        /// What the peer calls itself.
        name: HelloName<'b>,
        /// The question.
        pending: Pending<op::Hello>,
    },
    /// STARTTLS. Accept queues 220; [`Event::Handshake`] follows once that has left.
    StartTls(Pending<op::StartTls>),
    /// All plaintext is written and read. Do the handshake, then `establish` or `abandon`.
    Handshake(Pending<op::Handshake>),
    /// AUTH: the start of an exchange (RFC 4954 §4).
    Auth {
        /// An offered mechanism, in upper case or as the peer wrote it.
        mechanism: Mechanism<'b>,
        /// The initial response; empty for `=`.
        initial: Option<Secret<Base64<'b>>>,
        /// The question: accept, refuse or [`challenge`](super::ServerConnection::challenge).
        pending: Pending<op::Auth>,
    },
    /// The client's answer to a 334.
    AuthResponse {
        /// What it answered.
        data: Secret<Base64<'b>>,
        /// The question.
        pending: Pending<op::Auth>,
    },
    /// The exchange is over without your answer: forget its state. The peer has been told.
    AuthAborted(AuthAborted),
    /// MAIL: a transaction would start.
    Mail {
        /// The command.
        mail: Mail<'b>,
        /// The question.
        pending: Pending<op::Mail>,
    },
    /// RCPT. Several of these questions may be open at once
    /// ([`Limits::decisions_in_flight`](crate::Limits::decisions_in_flight)).
    Rcpt {
        /// The command.
        rcpt: Rcpt<'b>,
        /// The question.
        pending: Pending<op::Rcpt>,
    },
    /// DATA, or the first BDAT of a transaction. Accept sends 354 for DATA and nothing for BDAT.
    Data {
        /// Which of the two.
        framing: Framing,
        /// The question.
        pending: Pending<op::Data>,
    },
    /// A piece of the message, without the stuffed dots, as long as the input allows.
    Body(&'b [u8]),
    /// The message is complete. Accepting makes you responsible for it (§6.1).
    BodyEnd {
        /// Octets of the message.
        size: u64,
        /// The question.
        pending: Pending<op::Message>,
    },
    /// LMTP: the message is complete; one such event for each accepted recipient, in RCPT order.
    Delivery {
        /// Octets of the message.
        size: u64,
        /// Which recipient, counted from 0 among those accepted.
        index: u32,
        /// The question.
        pending: Pending<op::Delivery>,
    },
    /// The body will not be completed, or is refused: drop what you kept of it.
    BodyAborted(Aborted),
    /// The transaction is gone: drop the envelope.
    Reset(ResetCause),
    /// VRFY (§3.5.1). Accept answers 252.
    Verify {
        /// Its argument, without a trailing SMTPUTF8.
        what: Text<'b>,
        /// The question.
        pending: Pending<op::Verify>,
    },
    /// EXPN (§3.5.2), if switched on.
    Expand {
        /// Its argument, without a trailing SMTPUTF8.
        what: Text<'b>,
        /// The question.
        pending: Pending<op::Expand>,
    },
    /// ETRN (RFC 1985), if offered: start the queue, or say why not. Accept answers 250, and 251
    /// (nothing waits), 252 or 253 in your words; refuse with 458 or 459 (§5.2).
    Etrn {
        /// Whose mail is asked for.
        queue: QueueName<'b>,
        /// The question.
        pending: Pending<op::Etrn>,
    },
    /// XCLIENT, if offered: a proxy says who its client is. Accept sends 220, and the session begins
    /// again with that client; what is not mentioned stays as it was. Refuse leaves the session open
    /// for QUIT only, as a refused [`Connect`](Self::Connect) does.
    Xclient {
        /// What it says.
        client: Box<Xclient<'b>>,
        /// The question.
        pending: Pending<op::Xclient>,
    },
    /// HELP. Accept answers 214.
    Help {
        /// Its argument, perhaps empty.
        topic: Text<'b>,
        /// The question.
        pending: Pending<op::Help>,
    },
    /// A command of one of your own extensions
    /// ([`CustomExtension`](crate::ext::CustomExtension)). Accept answers 250.
    Command {
        /// The verb, as it was written.
        verb: Verb<'b>,
        /// All that follows it.
        args: Text<'b>,
        /// The question.
        pending: Pending<op::Command>,
    },
    /// The peer broke a rule. The machine has queued its reply; for logs, metrics and bans.
    Violation(Violation),
    /// QUIT, already answered.
    Quit,
}

impl fmt::Debug for Event<'_> {
    /// As derived, but for [`Body`](Self::Body), which shows how many octets there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, fields): (_, &[(&str, &dyn fmt::Debug)]) = match self {
            Self::Connect(pending) => return f.debug_tuple("Connect").field(pending).finish(),
            Self::StartTls(pending) => return f.debug_tuple("StartTls").field(pending).finish(),
            Self::Handshake(pending) => return f.debug_tuple("Handshake").field(pending).finish(),
            Self::AuthAborted(why) => return f.debug_tuple("AuthAborted").field(why).finish(),
            Self::Body(octets) => return write!(f, "Body([{} octets])", octets.len()),
            Self::BodyAborted(why) => return f.debug_tuple("BodyAborted").field(why).finish(),
            Self::Reset(cause) => return f.debug_tuple("Reset").field(cause).finish(),
            Self::Violation(why) => return f.debug_tuple("Violation").field(why).finish(),
            Self::Quit => return f.write_str("Quit"),
            Self::Hello { kind, name, pending } => {
                ("Hello", &[("kind", kind), ("name", name), ("pending", pending)])
            }
            Self::Auth { mechanism, initial, pending } => {
                ("Auth", &[("mechanism", mechanism), ("initial", initial), ("pending", pending)])
            }
            Self::AuthResponse { data, pending } => {
                ("AuthResponse", &[("data", data), ("pending", pending)])
            }
            Self::Mail { mail, pending } => ("Mail", &[("mail", mail), ("pending", pending)]),
            Self::Rcpt { rcpt, pending } => ("Rcpt", &[("rcpt", rcpt), ("pending", pending)]),
            Self::Data { framing, pending } => {
                ("Data", &[("framing", framing), ("pending", pending)])
            }
            Self::BodyEnd { size, pending } => ("BodyEnd", &[("size", size), ("pending", pending)]),
            Self::Delivery { size, index, pending } => {
                ("Delivery", &[("size", size), ("index", index), ("pending", pending)])
            }
            Self::Verify { what, pending } => ("Verify", &[("what", what), ("pending", pending)]),
            Self::Expand { what, pending } => ("Expand", &[("what", what), ("pending", pending)]),
            Self::Etrn { queue, pending } => ("Etrn", &[("queue", queue), ("pending", pending)]),
            Self::Xclient { client, pending } => {
                ("Xclient", &[("client", client), ("pending", pending)])
            }
            Self::Help { topic, pending } => ("Help", &[("topic", topic), ("pending", pending)]),
            Self::Command { verb, args, pending } => {
                ("Command", &[("verb", verb), ("args", args), ("pending", pending)])
            }
        };
        let mut event = f.debug_struct(name);
        for (name, field) in fields {
            event.field(name, field);
        }
        event.finish()
    }
}

/// Why a body ended before its end, or was refused at it by the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Aborted {
    /// The peer closed its side.
    Eof,
    /// The peer was too slow.
    Timeout,
    /// The message is over [`Limits::message`](crate::Limits::message).
    TooLarge,
    /// A bare CR or LF under [`BareLineEnding::Refuse`](super::BareLineEnding::Refuse).
    BareLineEnding,
    /// A text line is over [`Limits::text_line`](crate::Limits::text_line).
    TextLineTooLong,
    /// RSET or EHLO between two BDAT.
    Reset,
    /// The connection is over for another reason.
    Closed,
}

/// Why an AUTH exchange ended without a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthAborted {
    /// The client sent `*`.
    Cancelled,
    /// The client's answer was not base64, or too long.
    Malformed,
    /// A decision was late.
    Timeout,
    /// The connection is over.
    Closed,
}

/// What ended a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResetCause {
    /// RSET.
    Rset,
    /// A new EHLO, HELO or LHLO.
    Hello,
    /// TLS began.
    StartTls,
    /// The message was accepted. LMTP: every recipient has its answer.
    Delivered,
    /// The message was refused, by you or by the machine.
    Refused,
    /// The connection is over.
    Closed,
}
