//! Who may send what to whom, and the names that this is about.

mod aliases;
mod expansion;
mod recipients;
mod relay;
mod senders;

pub use aliases::{BadRecipients, MAX_CHAIN, MAX_TARGETS};
pub use expansion::{Expanded, expand};
pub use recipients::{Destination, Recipients, Target, Who};
pub use relay::{Client, Network, Policy};
pub use senders::{Sender, Senders};

use icu_normalizer::ComposingNormalizer;
use smtp_proto::{EnhancedCode, wire::Refused};
use std::{borrow::Borrow, fmt, sync::Arc};

/// The name of a mailbox here, which is also that of its folder: `NAME`, or `NAME@DOMAIN` for one that
/// belongs to a domain alone. It comes from the configuration, never from a peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxName(Arc<str>);

/// Why a name cannot be that of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing.
    #[error("a mailbox needs a name")]
    Empty,
    /// More than 64 octets (RFC 5321 §4.5.3.1.1).
    #[error("the name of a mailbox has at most 64 octets")]
    Long,
    /// More than 255 octets, and so no name of a folder.
    #[error("a name with its domain has at most 255 octets")]
    LongAddress,
    /// It would be a hidden folder, or the one above.
    #[error("the name of a mailbox must not start with a dot")]
    Dot,
    /// It would not be one folder, or is no name that a peer could send.
    #[error(
        "the name of a mailbox must not contain a slash, `@`, `<`, `>`, or a control character"
    )]
    Character,
}

impl MailboxName {
    /// Where mail for the postmaster goes.
    pub const POSTMASTER: &str = "postmaster";

    /// Checks `name`; upper and lower case are the same.
    ///
    /// # Errors
    /// [`BadName`] says what is wrong with it.
    pub fn new(name: &str) -> Result<Self, BadName> {
        if name.is_empty() {
            return Err(BadName::Empty);
        }
        if name.len() > 64 {
            return Err(BadName::Long);
        }
        if name.starts_with('.') {
            return Err(BadName::Dot);
        }
        if name.contains(|c: char| c.is_control() || matches!(c, '/' | '\\' | '@' | '<' | '>')) {
            return Err(BadName::Character);
        }
        Ok(Self(folded(name).into()))
    }

    /// The mailbox of this name that belongs to `domain` alone. No other mailbox has an `@`.
    ///
    /// # Errors
    /// [`BadName::LongAddress`].
    pub fn of(&self, domain: &DomainName) -> Result<Self, BadName> {
        let name = format!("{self}@{domain}");
        if name.len() > 255 { Err(BadName::LongAddress) } else { Ok(Self(name.into())) }
    }

    /// The postmaster's.
    pub fn postmaster() -> Self {
        Self(Self::POSTMASTER.into())
    }

    /// The one of a server that nobody configured.
    pub fn you() -> Self {
        Self("you".into())
    }

    /// The name, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What local parts are compared by: lower case, composed characters (RFC 6532 §3.1), because the
/// same name is typed differently on different machines.
pub(crate) fn folded(local_part: &str) -> String {
    ComposingNormalizer::new_nfc().normalize(local_part).to_lowercase()
}

impl Borrow<str> for MailboxName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The A-label form of a domain, in lower case: what domains are compared by (RFC 5890 §2.3.2.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(Box<str>);

impl DomainName {
    /// Checks and converts `text`, in A-labels or U-labels; a dot at its end is left out. `None` if
    /// it is no domain name.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let ascii = idna::domain_to_ascii_strict(text).ok()?;
        (!ascii.is_empty()).then(|| Self(ascii.into()))
    }

    /// Whether it has a dot: one without it means something near by, if anything.
    pub fn is_qualified(&self) -> bool {
        self.0.contains('.')
    }

    /// This machine, as seen from itself (RFC 6761 §6.3).
    pub fn localhost() -> Self {
        Self("localhost".into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// 550 5.7.1 (RFC 6409 §6.1).
fn not_your_address() -> Refused<'static> {
    let reply = Refused::new(550, EnhancedCode::permanent(7, 1), "You may not send as this sender");
    reply.unwrap_or(Refused::DENIED)
}
