//! ETRN (RFC 1985): a client asks for the mail that waits for it, which the server then brings to it
//! on connections of its own. A submission server never offers it (RFC 6409 §7).

use super::{Extension, Offer};
use crate::{
    server::Mode,
    violation::{SyntaxFault, Violation},
    wire::{CommandError, Domain, Malformed, Text},
};
use core::fmt;

pub(super) static EXTENSION: Extension = Extension {
    keyword: "ETRN",
    offered: |offer| offer.esmtp && has_etrn(offer),
    announced: |capabilities, _| capabilities.etrn = true,
    ..Extension::DEFAULT
};

/// Whether those who said EHLO have the command.
pub(crate) fn has_etrn(offer: &Offer<'_>) -> bool {
    offer.extensions.etrn && offer.mode != Mode::Submission
}

const BAD_QUEUE: CommandError = CommandError::known(
    501,
    (5, 4),
    "Syntax: ETRN domain, @domain or #queue",
    Violation::Syntax(SyntaxFault::Argument),
);

/// Octets of the name of a queue, as of a domain.
const MAX_NAME: usize = 255;

/// What ETRN asks for (RFC 1985 §5.1).
///
/// Its `Display` form is the argument: `@example.org`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QueueName<'b> {
    /// The mail for a host or domain.
    Domain(Domain<'b>),
    /// `@`: that for a domain and all below it.
    Subdomains(Domain<'b>),
    /// `#`: a queue that both sides have agreed upon; graphic ASCII.
    Queue(Text<'b>),
}

impl<'b> QueueName<'b> {
    /// Checks the argument of ETRN.
    ///
    /// RFC 1985 §5.1: `ETRN [<option character>]<node-name>`, where the option character is `@` or
    /// `#`. What a queue may be called is not said there: here up to 255 graphic characters of
    /// ASCII.
    ///
    /// # Errors
    /// [`Malformed`] if it is anything else.
    pub fn parse(argument: &'b str) -> Result<Self, Malformed> {
        const BAD: Malformed = Malformed::of("name of a queue");
        if let Some(domain) = argument.strip_prefix('@') {
            return Domain::parse(domain).map(Self::Subdomains);
        }
        let Some(name) = argument.strip_prefix('#') else {
            return Domain::parse(argument).map(Self::Domain);
        };
        let fits = (1..=MAX_NAME).contains(&name.len());
        if !fits || !name.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err(BAD);
        }
        Text::parse(name).map(Self::Queue)
    }

    /// The same name, owned.
    pub fn into_static(self) -> QueueName<'static> {
        match self {
            Self::Domain(domain) => QueueName::Domain(domain.into_static()),
            Self::Subdomains(domain) => QueueName::Subdomains(domain.into_static()),
            Self::Queue(name) => QueueName::Queue(name.into_static()),
        }
    }
}

impl fmt::Display for QueueName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(f),
            Self::Subdomains(domain) => write!(f, "@{domain}"),
            Self::Queue(name) => write!(f, "#{name}"),
        }
    }
}

/// The argument of ETRN, or 501 5.5.4.
pub(crate) fn etrn_args(args: &[u8]) -> Result<QueueName<'_>, CommandError> {
    let text = core::str::from_utf8(args).map_err(|_| BAD_QUEUE)?;
    QueueName::parse(text).map_err(|_| BAD_QUEUE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};

    #[test]
    fn a_name_is_read_as_it_was_written() {
        for text in ["example.org", "@example.org", "#uncle", "#@#", "localhost"] {
            assert_eq!(QueueName::parse(text).unwrap().to_string(), text);
        }
        assert!(matches!(QueueName::parse("@a.example"), Ok(QueueName::Subdomains(_))));
        assert!(matches!(QueueName::parse("#a.example"), Ok(QueueName::Queue(_))));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in
            ["", "@", "#", "a b", "#a b", "a..b", "@#a", "[192.0.2.1]", "#\u{fc}", "a@b", "#\x1b"]
        {
            assert!(QueueName::parse(text).is_err(), "{text:?}");
        }
        assert!(QueueName::parse(&format!("#{}", "x".repeat(256))).is_err());
        assert!(etrn_args(b"\xff").is_err());
    }
}
