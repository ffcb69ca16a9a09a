//! Which recipients exist.

use icu_normalizer::ComposingNormalizer;
use smtp_proto::wire::{ForwardPath, Host, Mailbox, Refused};
use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// The name of a mailbox here, which is also that of its folder. It comes from the configuration,
/// never from a peer.
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
fn folded(local_part: &str) -> String {
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

/// The local domains and their mailboxes.
#[derive(Clone, Debug, Default)]
pub struct Recipients(BTreeMap<DomainName, BTreeSet<MailboxName>>);

impl Recipients {
    /// Adds `mailboxes` to `domain`, which every domain's postmaster belongs to anyway
    /// (RFC 5321 §4.5.1).
    pub fn add(&mut self, domain: DomainName, mailboxes: impl IntoIterator<Item = MailboxName>) {
        let known = self.0.entry(domain).or_default();
        known.insert(MailboxName::postmaster());
        known.extend(mailboxes);
    }

    /// All mailboxes, each once, the postmaster's among them.
    pub fn mailboxes(&self) -> BTreeSet<MailboxName> {
        let mut all: BTreeSet<_> = self.0.values().flatten().cloned().collect();
        all.insert(MailboxName::postmaster());
        all
    }

    /// The mailbox of a recipient.
    ///
    /// # Errors
    /// 550 5.7.1 if its domain is not local, 550 5.1.1 if there is no such mailbox.
    pub fn find(&self, to: &ForwardPath<'_>) -> Result<MailboxName, Refused<'static>> {
        match to {
            ForwardPath::Postmaster => Ok(MailboxName::postmaster()),
            ForwardPath::Mailbox(Mailbox { local_part, host: Host::Domain(domain) }) => {
                self.look_up(&local_part.unquoted(), domain.as_str())
            }
            ForwardPath::Mailbox(Mailbox { host: Host::Literal(_), .. }) => {
                Err(Refused::RELAY_DENIED)
            }
        }
    }

    /// The same for a local part without its quotes, and a domain.
    fn look_up(&self, local: &str, domain: &str) -> Result<MailboxName, Refused<'static>> {
        let known = DomainName::new(domain).and_then(|domain| self.0.get(&domain));
        let mailboxes = known.ok_or(Refused::RELAY_DENIED)?;
        // The peer's text is only ever compared: what goes on is the name that was configured.
        mailboxes.get(folded(local).as_str()).cloned().ok_or(Refused::NO_SUCH_USER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipients() -> Recipients {
        let mut recipients = Recipients::default();
        let names = ["you", "First.Last", "o'hara jr", "jürgen"];
        recipients.add(
            DomainName::new("mx.example").unwrap(),
            names.map(|name| MailboxName::new(name).unwrap()),
        );
        recipients.add(DomainName::new("bücher.example").unwrap(), []);
        recipients
    }

    #[track_caller]
    fn finds(path: &str, mailbox: &str) {
        let (path, _) = ForwardPath::parse(path).unwrap();
        assert_eq!(recipients().find(&path).map(|name| name.to_string()), Ok(mailbox.into()));
    }

    #[track_caller]
    fn refuses(path: &str, reply: Refused<'static>) {
        let (path, _) = ForwardPath::parse(path).unwrap();
        assert_eq!(recipients().find(&path), Err(reply));
    }

    #[test]
    fn local_part_and_domain_are_compared_without_case() {
        finds("<you@mx.example>", "you");
        finds("<YOU@MX.Example>", "you");
        finds("<first.LAST@mx.example>", "first.last");
        finds("<JÜRGEN@mx.example>", "jürgen");
        finds("<ju\u{308}rgen@mx.example>", "jürgen");
    }

    #[test]
    fn a_quoted_local_part_is_the_same_mailbox() {
        finds(r#"<"you"@mx.example>"#, "you");
        finds(r#"<"y\ou"@mx.example>"#, "you");
        finds(r#"<"O'Hara Jr"@mx.example>"#, "o'hara jr");
    }

    #[test]
    fn the_postmaster_is_always_there() {
        finds("<postmaster>", "postmaster");
        finds("<PostMaster>", "postmaster");
        finds("<POSTMASTER@mx.example>", "postmaster");
        finds("<postmaster@xn--bcher-kva.example>", "postmaster");
        refuses("<postmaster@elsewhere.example>", Refused::RELAY_DENIED);
    }

    #[test]
    fn unknown_and_foreign_recipients_are_told_apart() {
        refuses("<nobody@mx.example>", Refused::NO_SUCH_USER);
        refuses("<you@bücher.example>", Refused::NO_SUCH_USER);
        refuses("<you@elsewhere.example>", Refused::RELAY_DENIED);
        refuses("<you@sub.mx.example>", Refused::RELAY_DENIED);
        refuses("<you@[127.0.0.1]>", Refused::RELAY_DENIED);
    }

    #[test]
    fn the_percent_hack_and_its_like_do_not_relay() {
        refuses("<you%elsewhere.example@mx.example>", Refused::NO_SUCH_USER);
        refuses("<elsewhere.example!you@mx.example>", Refused::NO_SUCH_USER);
        refuses(r#"<"you@elsewhere.example"@mx.example>"#, Refused::NO_SUCH_USER);
    }

    #[test]
    fn no_path_gets_out_of_the_mail_folder() {
        for local in ["../you", "/etc/passwd", "you/../you", "..", ".", "you/"] {
            let reply = recipients().look_up(local, "mx.example");
            assert_eq!(reply, Err(Refused::NO_SUCH_USER), "{local}");
        }
        for name in ["", ".", "..", ".you", "a/b", "a\0b", "a\nb", "a\\b", "a@b"] {
            assert!(MailboxName::new(name).is_err(), "{name:?}");
        }
        assert_eq!(MailboxName::new(&"x".repeat(65)), Err(BadName::Long));
    }
}
