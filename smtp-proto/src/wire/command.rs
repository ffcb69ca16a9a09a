//! Commands: the verb, and what MAIL and RCPT carry (RFC 5321 §4.1.1).

use crate::{
    ext::{AuthParam, BodyType, Notify, Offer, Orcpt, Ret},
    violation::{SyntaxFault, Violation},
    wire::{ForwardPath, Refused, ReversePath, Xtext},
};
use alloc::borrow::Cow;

/// How the peer greeted (RFC 5321 §4.1.1.1, RFC 2033 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hello {
    /// HELO: no extensions.
    Helo,
    /// EHLO.
    Ehlo,
    /// LHLO: LMTP.
    Lhlo,
}

/// What MAIL says (RFC 5321 §4.1.1.2): the start of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail<'b> {
    /// Where notices about the message go; a source route before it was dropped.
    pub from: ReversePath<'b>,
    /// SIZE (RFC 1870): how long the peer thinks the message is, in octets.
    pub size: Option<u64>,
    /// BODY (RFC 6152).
    pub body: BodyType,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// RET (RFC 3461 §4.3).
    pub ret: Option<Ret>,
    /// ENVID (RFC 3461 §4.4), still encoded.
    pub envid: Option<Xtext<'b>>,
    /// AUTH (RFC 4954 §5).
    pub auth: Option<AuthParam<'b>>,
}

/// What RCPT says (RFC 5321 §4.1.1.3): one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rcpt<'b> {
    /// The recipient; a source route before it was dropped.
    pub to: ForwardPath<'b>,
    /// NOTIFY (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// ORCPT (RFC 3461 §4.2), still encoded.
    pub orcpt: Option<Orcpt<'b>>,
}

/// The verb of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verb<'b> {
    /// EHLO, HELO or LHLO.
    Hello(Hello),
    /// MAIL
    Mail,
    /// RCPT
    Rcpt,
    /// DATA
    Data,
    /// BDAT (RFC 3030)
    Bdat,
    /// RSET
    Rset,
    /// NOOP
    Noop,
    /// QUIT
    Quit,
    /// VRFY
    Vrfy,
    /// EXPN
    Expn,
    /// HELP
    Help,
    /// STARTTLS (RFC 3207)
    StartTls,
    /// AUTH (RFC 4954)
    Auth,
    /// A verb of another protocol (GET, POST, CONNECT …).
    Foreign,
    /// Anything else, as it was written.
    Other(Cow<'b, str>),
}

/// A refused command line: the reply for the peer and the fact for the embedder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reply: Refused<'static>,
    pub(crate) violation: Violation,
}

impl<'b> Mail<'b> {
    /// A transaction from `from`, with no parameter.
    pub fn new(from: ReversePath<'b>) -> Self {
        Self {
            from,
            size: None,
            body: BodyType::default(),
            smtputf8: false,
            ret: None,
            envid: None,
            auth: None,
        }
    }

    /// Parses what follows the verb MAIL, for a peer that was made `offer`.
    pub(crate) fn parse(args: &'b str, offer: &Offer<'_>) -> Result<Self, Fault> { let _ = (args, offer); todo!() }
    /// Owned.
    pub fn into_static(self) -> Mail<'static> { todo!() }
}
impl<'b> Rcpt<'b> {
    /// The recipient `to`, with no parameter.
    pub fn new(to: ForwardPath<'b>) -> Self { Self { to, notify: None, orcpt: None } }

    /// Parses what follows the verb RCPT, for a peer that was made `offer`. `smtputf8`: the transaction asked for it.
    pub(crate) fn parse(args: &'b str, offer: &Offer<'_>, smtputf8: bool) -> Result<Self, Fault> { let _ = (args, offer, smtputf8); todo!() }
    /// Owned.
    pub fn into_static(self) -> Rcpt<'static> { todo!() }
}
/// Splits a line into its verb and what follows the space behind it (trailing blanks dropped).
pub(crate) fn split_verb(line: &[u8]) -> (Verb<'_>, &[u8]) { let _ = line; todo!() }
