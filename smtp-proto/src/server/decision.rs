//! Questions and the answers they allow.

use core::{fmt, marker::PhantomData};

/// A question that waits for your answer.
///
/// Only the connection that asked it takes the answer, once, and only an answer that fits the
/// question `O`. On every other connection, and after its time-out, it is [`Stale`].
///
/// ```
/// use smtp_proto::{Instant, Step, server::{Event, ServerConfig, ServerConnection, Stale, Start}};
/// use smtp_proto::wire::Host;
///
/// let config = ServerConfig::builder(Host::parse("mx.example.test").unwrap()).build();
/// let mut smtp = ServerConnection::new(config, Start::Plain);
/// let mut input: &[u8] = b"";
/// let step = smtp.poll_event(&mut input, Instant::ZERO);
/// let Step::Event(Event::Connect(pending)) = step else { panic!("{step:?}") };
/// // It may be kept, and answered when you know. Too late is harmless:
/// smtp.handle_timeout(smtp.poll_timeout().unwrap());
/// assert!(!smtp.is_waiting(&pending));
/// assert_eq!(smtp.accept(pending), Err(Stale));
/// ```
#[must_use = "answer with accept, refuse or disconnect; otherwise the peer waits for the decision timer"]
pub struct Pending<O> {
    pub(super) ticket: Ticket,
    _op: PhantomData<fn() -> O>,
}

impl<O> Pending<O> {
    pub(super) fn new(ticket: Ticket) -> Self {
        Self { ticket, _op: PhantomData }
    }
}

impl<O> fmt::Debug for Pending<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pending({})", self.ticket.sequence)
    }
}

/// Which connection asked, and which of its questions this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) connection: usize,
    pub(super) sequence: u32,
}

/// The question is moot: its timer fired, the connection is over, or it was asked by another
/// connection. Nothing happened, and it is nobody's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the question is no longer open")]
pub struct Stale;

/// What can be asked, as types.
pub mod op {
    use super::super::questions::Kind;

    mod sealed {
        pub trait Sealed {
            #[doc(hidden)]
            const KIND: super::Kind;
        }
    }
    pub(crate) use sealed::Sealed;

    /// A question.
    pub trait Op: Sealed {}
    /// A question that [`accept`](crate::server::ServerConnection::accept) answers.
    pub trait Accept: Op {}
    /// A question whose acceptance may have your own words.
    pub trait Worded: Accept {}
    /// A question that may be refused.
    pub trait Refuse: Op {}

    macro_rules! ops {
        ($($(#[$doc:meta])* $name:ident: $($answer:ident)*;)*) => {$(
            $(#[$doc])*
            #[derive(Debug)]
            pub enum $name {}
            impl Sealed for $name {
                const KIND: Kind = Kind::$name;
            }
            impl Op for $name {}
            $(impl $answer for $name {})*
        )*};
    }

    ops! {
        /// May the peer talk to us?
        Connect: Accept Worded Refuse;
        /// Is its greeting acceptable?
        Hello: Accept Refuse;
        /// May TLS start?
        StartTls: Accept Refuse;
        /// Did the TLS handshake succeed? Answered by `establish` or `abandon`.
        Handshake: ;
        /// Is the peer who it says it is?
        Auth: Accept Refuse;
        /// May this sender start a transaction?
        Mail: Accept Worded Refuse;
        /// Is this recipient acceptable?
        Rcpt: Accept Worded Refuse;
        /// May the message follow?
        Data: Accept Refuse;
        /// Is the message safe with us?
        Message: Accept Worded Refuse;
        /// Is the message safe for this recipient?
        Delivery: Accept Worded Refuse;
        /// Does this user exist?
        Verify: Accept Worded Refuse;
        /// Who is on this list?
        Expand: Accept Worded Refuse;
        /// May the mail that waits be sent?
        Etrn: Accept Worded Refuse;
        /// May the session go on as this client's?
        Xclient: Accept Worded Refuse;
        /// What is there to say?
        Help: Accept Worded Refuse;
        /// What becomes of this command of an extension of yours?
        Command: Accept Worded Refuse;
    }
}
