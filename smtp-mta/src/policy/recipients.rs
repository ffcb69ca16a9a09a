//! Which recipients exist.

use super::{DomainName, MailboxName, folded};
use smtp_proto::wire::{ForwardPath, Host, Mailbox, Refused};
use std::collections::{BTreeMap, BTreeSet};

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

    /// Whether the domain of `to` is local, or there is none.
    pub fn is_local(&self, to: &ForwardPath<'_>) -> bool {
        match to.mailbox().map(|mailbox| &mailbox.host) {
            Some(Host::Domain(domain)) => {
                DomainName::new(domain.as_str()).is_some_and(|domain| self.0.contains_key(&domain))
            }
            Some(Host::Literal(_)) => false,
            None => true,
        }
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
    use crate::policy::BadName;

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
