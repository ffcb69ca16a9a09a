//! AUTH (RFC 4954): SASL in SMTP. Offered under TLS only, unless the embedder says otherwise (§4:
//! no plaintext password without it); the list of mechanisms stands in the EHLO answer.

use super::{Extension, MailParam, Offer};
use crate::{
    client::Capabilities,
    violation::{SyntaxFault, Violation},
    wire::{CommandError, Mail, Mechanism, Xtext},
};
use alloc::vec::Vec;
use core::{fmt, ops::Deref};

pub(super) static EXTENSION: Extension = Extension {
    keyword: "AUTH",
    offered: |offer| {
        let extensions = offer.extensions;
        offer.esmtp && !extensions.auth.is_empty() && (offer.tls || extensions.auth_in_clear)
    },
    ehlo_params,
    mail: &[MailParam { keyword: "AUTH", parse }],
    announced,
    has: |capabilities| !capabilities.auth.is_empty(),
    used_by_mail: |mail| mail.auth.is_some(),
    ..Extension::DEFAULT
};

const BAD_AUTH: CommandError = CommandError::known(
    501,
    (5, 4),
    "Syntax: AUTH=mailbox in xtext, or AUTH=<>",
    Violation::Syntax(SyntaxFault::BadParameter),
);

/// The mechanisms of a server (RFC 4954 §3), a slice: each once, in the server's order; at most 32.
/// Up to four take no memory of their own, if all have a constant in [`Mechanism`].
#[derive(Clone)]
pub struct Mechanisms(Names);

#[derive(Clone)]
enum Names {
    /// So many of these.
    Few(usize, [Mechanism<'static>; FEW]),
    Many(Vec<Mechanism<'static>>),
}

/// Most servers have no more.
const FEW: usize = 4;

impl Mechanisms {
    /// Those of one server that are kept.
    const MOST: usize = 32;

    /// Takes one more, unless it is there or there are too many.
    fn add(&mut self, mechanism: Mechanism<'_>) {
        if self.len() == Self::MOST || self.contains(&mechanism) {
            return;
        }
        let mechanism = mechanism.into_static();
        match &mut self.0 {
            Names::Few(count @ ..FEW, names) => {
                names[*count] = mechanism;
                *count += 1;
            }
            Names::Few(_, names) => {
                let mut names = names.to_vec();
                names.push(mechanism);
                self.0 = Names::Many(names);
            }
            Names::Many(names) => names.push(mechanism),
        }
    }
}

impl Default for Mechanisms {
    fn default() -> Self {
        Self(Names::Few(0, [const { Mechanism::PLAIN }; FEW]))
    }
}

impl Deref for Mechanisms {
    type Target = [Mechanism<'static>];

    fn deref(&self) -> &Self::Target {
        match &self.0 {
            Names::Few(count, names) => &names[..*count],
            Names::Many(names) => names,
        }
    }
}

impl PartialEq for Mechanisms {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Mechanisms {}

impl fmt::Debug for Mechanisms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The AUTH parameter of MAIL (RFC 4954 §5): who submitted the message first.
///
/// Believe it only from a peer that you trust to say so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AuthParam<'b> {
    /// `<>`: nobody whom the peer trusts.
    Unknown,
    /// A mailbox, still encoded; no control character in it.
    Mailbox(Xtext<'b>),
}

impl AuthParam<'_> {
    /// The same parameter, owned.
    pub fn into_static(self) -> AuthParam<'static> {
        match self {
            Self::Unknown => AuthParam::Unknown,
            Self::Mailbox(mailbox) => AuthParam::Mailbox(mailbox.into_static()),
        }
    }
}

impl fmt::Display for AuthParam<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("<>"),
            Self::Mailbox(mailbox) => mailbox.fmt(f),
        }
    }
}

/// RFC 4954 §3(1): the EHLO keyword is followed by the mechanisms, in the embedder's order.
fn ehlo_params(offer: &Offer<'_>, out: &mut Vec<u8>) {
    for mechanism in &offer.extensions.auth {
        out.push(b' ');
        out.extend_from_slice(mechanism.as_str().as_bytes());
    }
}

/// RFC 4954 §3(1). What is no name of a mechanism is passed over, and so is one that was there.
/// Servers that also write `AUTH=`, for clients older than RFC 2554, say the same in both.
fn announced(capabilities: &mut Capabilities, params: &str) {
    for mechanism in params.split_ascii_whitespace().flat_map(Mechanism::parse) {
        capabilities.auth.add(mechanism);
    }
}

/// RFC 4954 §5: `AUTH=mailbox`, the mailbox in xtext, or `AUTH=<>`.
///
/// Deviation: what is decoded need not be a Mailbox, as clients put bare names of users here and
/// §5 lets a server ignore the value; it must not be empty or have a control character, which
/// could break a line where it is logged or relayed.
fn parse<'b>(
    mail: &mut Mail<'b>,
    value: Option<&'b str>,
    _: &Offer<'_>,
) -> Result<(), CommandError> {
    mail.auth = Some(match value.ok_or(BAD_AUTH)? {
        "<>" => AuthParam::Unknown,
        value => {
            let mailbox = Xtext::parse(value).map_err(|_| BAD_AUTH)?;
            if mailbox.octets().any(|octet| octet.is_ascii_control()) {
                return Err(BAD_AUTH);
            }
            AuthParam::Mailbox(mailbox)
        }
    });
    Ok(())
}
