//! Which recipients exist, and where they lead.

use super::{DomainName, MailboxName, folded};
use smtp_proto::wire::{Domain as WireDomain, ForwardPath, Host, Mailbox, Refused};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The local domains with their mailboxes and aliases. Cheap to clone.
///
/// All aliases are followed to their ends when this is made, so that looking a recipient up is one
/// step, and what it gives leads no further. The peer's text is only ever compared: what goes on is
/// what was configured, but for a local part that is a mailbox's, which goes on as it was written.
#[derive(Clone, Debug)]
pub struct Recipients(Arc<Table>);

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) domains: BTreeMap<DomainName, Domain>,
    /// Whose postmaster it is that has no domain.
    pub(super) first: Option<DomainName>,
    /// What stands before a tag.
    pub(super) delimiter: Option<char>,
}

#[derive(Debug)]
pub(super) enum Domain {
    /// It has names of its own.
    Own(Names),
    /// Its addresses are those of that domain, which has names of its own.
    AliasOf(DomainName),
}

/// The names of a domain.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) entries: BTreeMap<MailboxName, Entry>,
    pub(super) catch_all: Option<Arc<[Target]>>,
    /// Whether its mailboxes are its own.
    pub(super) is_separate: bool,
}

/// What a name is: a mailbox, an alias, or both, if the alias keeps a copy.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) mailbox: Option<MailboxName>,
    pub(super) targets: Option<Arc<[Target]>>,
}

/// Where mail for a recipient goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Into this mailbox.
    Mailbox(MailboxName),
    /// To these in its place; at least one.
    Others(Arc<[Target]>),
    /// To another server, as it is written.
    Elsewhere,
}

/// A recipient to whom an alias leads in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The address.
    pub to: ForwardPath<'static>,
    /// Whose it is.
    pub who: Who,
}

/// Who gets a message in the end: what is equal here is one recipient, however it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// A mailbox here.
    Mailbox(MailboxName),
    /// An address elsewhere. Its local part is only that server's to read (RFC 5321 §2.3.11).
    Elsewhere(Box<str>),
}

impl Who {
    /// Who `to` is, whose mail goes to `destination`; `None` for one whose place others take.
    pub fn new(to: &ForwardPath<'_>, destination: &Destination) -> Option<Self> {
        match (destination, to.mailbox()) {
            (Destination::Mailbox(name), _) => Some(Self::Mailbox(name.clone())),
            (Destination::Elsewhere, Some(mailbox)) => Some(Self::elsewhere(mailbox)),
            (Destination::Elsewhere, None) | (Destination::Others(_), _) => None,
        }
    }

    pub(super) fn elsewhere(mailbox: &Mailbox<'_>) -> Self {
        let local = mailbox.local_part.unquoted();
        Self::Elsewhere(match domain(mailbox) {
            Some(domain) => format!("{local}@{domain}").into(),
            None => format!("{local}@{}", mailbox.host).into(),
        })
    }
}

/// The domain of a mailbox.
pub(super) fn domain(mailbox: &Mailbox<'_>) -> Option<DomainName> {
    match &mailbox.host {
        Host::Domain(domain) => DomainName::new(domain.as_str()),
        Host::Literal(_) => None,
    }
}

/// A local address, as far as it is known.
#[derive(Debug)]
pub(super) struct Found<'t> {
    /// The domain whose names count.
    pub(super) domain: &'t DomainName,
    pub(super) names: &'t Names,
    /// What the local part is compared by; without its tag, unless it has a name of its own.
    pub(super) name: String,
    pub(super) entry: Option<&'t Entry>,
}

impl Table {
    /// The address `local` at `domain`; `None` if that is not local.
    pub(super) fn find(&self, local: &str, domain: &DomainName) -> Option<Found<'_>> {
        let (mut domain, mut known) = self.domains.get_key_value(domain)?;
        if let Domain::AliasOf(other) = known {
            (domain, known) = self.domains.get_key_value(other)?;
        }
        let Domain::Own(names) = known else { return None };
        let mut name = folded(local);
        let mut entry = names.entries.get(name.as_str());
        if entry.is_none()
            && let Some(delimiter) = self.delimiter
            && let Some((untagged, _)) = name.split_once(delimiter)
            && !untagged.is_empty()
        {
            let end = untagged.len();
            entry = names.entries.get(untagged);
            name.truncate(end);
        }
        Some(Found { domain, names, name, entry })
    }

    /// The same for `mailbox`.
    pub(super) fn known(&self, mailbox: &Mailbox<'_>) -> Option<Found<'_>> {
        self.find(&mailbox.local_part.unquoted(), &domain(mailbox)?)
    }
}

impl Recipients {
    pub(super) fn of(table: Table) -> Self {
        Self(Arc::new(table))
    }

    /// All mailboxes, each once, the postmaster's among them.
    pub fn mailboxes(&self) -> BTreeSet<MailboxName> {
        let entries = self.0.domains.values().flat_map(|domain| match domain {
            Domain::Own(names) => names.entries.values().collect(),
            Domain::AliasOf(_) => Vec::new(),
        });
        entries.filter_map(|entry| entry.mailbox.clone()).collect()
    }

    /// Where mail for `to` goes; [`Destination::Elsewhere`] if its domain is not local.
    ///
    /// # Errors
    /// 550 5.1.1 if there is no such recipient in a local domain.
    pub fn find(&self, to: &ForwardPath<'_>) -> Result<Destination, Refused<'static>> {
        let Some(found) = self.look_up(to) else { return Ok(Destination::Elsewhere) };
        let Found { domain, names, entry, .. } = found;
        let targets = match entry {
            Some(entry) => entry.targets.as_ref(),
            None => names.catch_all.as_ref(),
        };
        if let Some(targets) = targets {
            return Ok(Destination::Others(Arc::clone(targets)));
        }
        let mailbox = entry.and_then(|entry| entry.mailbox.clone()).ok_or(Refused::NO_SUCH_USER)?;
        Ok(match to.mailbox().and_then(|written| moved(written, domain)) {
            Some(to) => {
                let to = ForwardPath::Mailbox(to);
                Destination::Others([Target { to, who: Who::Mailbox(mailbox) }].into())
            }
            None => Destination::Mailbox(mailbox),
        })
    }

    /// The mailbox of `to`, once its mail goes nowhere else.
    ///
    /// # Errors
    /// 550 5.7.1 if its domain is not local, 550 5.1.1 if there is no such mailbox.
    pub fn mailbox(&self, to: &ForwardPath<'_>) -> Result<MailboxName, Refused<'static>> {
        let entry = self.look_up(to).ok_or(Refused::RELAY_DENIED)?.entry;
        entry.and_then(|entry| entry.mailbox.clone()).ok_or(Refused::NO_SUCH_USER)
    }

    /// What is known of `mailbox`; `None` if its domain is not local.
    pub(super) fn known(&self, mailbox: &Mailbox<'_>) -> Option<Found<'_>> {
        self.0.known(mailbox)
    }

    /// The domain whose names count for `domain`, which is itself unless it is an alias; `None` if it
    /// is not local.
    pub(super) fn real_domain(&self, domain: &str) -> Option<&DomainName> {
        let (name, known) = self.0.domains.get_key_value(&DomainName::new(domain)?)?;
        match known {
            Domain::Own(_) => Some(name),
            Domain::AliasOf(other) => Some(other),
        }
    }

    fn look_up(&self, to: &ForwardPath<'_>) -> Option<Found<'_>> {
        match to {
            ForwardPath::Mailbox(mailbox) => self.0.known(mailbox),
            ForwardPath::Postmaster => self.0.find(MailboxName::POSTMASTER, self.0.first.as_ref()?),
        }
    }
}

/// `written` in the domain whose addresses are meant, if that is another one: routes are by domain.
pub(super) fn moved(written: &Mailbox<'_>, domain: &DomainName) -> Option<Mailbox<'static>> {
    if self::domain(written).as_ref() == Some(domain) {
        return None;
    }
    let host = Host::Domain(WireDomain::parse(domain.as_str()).ok()?.into_static());
    Some(Mailbox { local_part: written.local_part.clone().into_static(), host })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, policy::BadName};

    /// Where mail for `path` goes, in short.
    fn found(path: &str) -> String {
        let config = Config::parse(
            "[[domain]]
             name = 'mx.example'
             mailboxes = ['you', 'First.Last', \"o'hara jr\", 'jürgen', 'you+own']
             [[domain]]
             name = 'bücher.example'
             mailboxes = []
             aliases = { info = 'you@mx.example', team = ['postmaster', 'x@far.example'] }
             [[domain]]
             name = 'own.example'
             mailboxes = ['you']
             separate = true
             catch_all = 'you'
             [[domain]]
             name = 'same.example'
             alias_of = 'mx.example'",
            "x.toml".as_ref(),
        );
        let (path, _) = ForwardPath::parse(path).unwrap();
        match config.unwrap().recipients().unwrap().find(&path) {
            Ok(Destination::Mailbox(name)) => name.to_string(),
            Ok(Destination::Elsewhere) => "elsewhere".into(),
            Ok(Destination::Others(targets)) => {
                let targets: Vec<_> = targets.iter().map(|target| target.to.to_string()).collect();
                targets.join(" ")
            }
            Err(reply) => {
                assert_eq!(reply, Refused::NO_SUCH_USER);
                "nobody".into()
            }
        }
    }

    #[track_caller]
    fn finds(path: &str, expected: &str) {
        assert_eq!(found(path), expected, "{path}");
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
        finds("<postmaster@own.example>", "postmaster@own.example");
        finds("<postmaster@elsewhere.example>", "elsewhere");
    }

    #[test]
    fn unknown_and_foreign_recipients_are_told_apart() {
        finds("<nobody@mx.example>", "nobody");
        finds("<you@bücher.example>", "nobody");
        finds("<you@elsewhere.example>", "elsewhere");
        finds("<you@sub.mx.example>", "elsewhere");
        finds("<you@[127.0.0.1]>", "elsewhere");
    }

    #[test]
    fn a_tag_makes_no_difference_unless_it_is_a_name_of_its_own() {
        finds("<you+lists@mx.example>", "you");
        finds("<YOU+a+b@mx.example>", "you");
        finds(r#"<"you+a b"@mx.example>"#, "you");
        finds("<you+@mx.example>", "you");
        finds("<You+Own@mx.example>", "you+own");
        finds("<you+own+more@mx.example>", "you");
        finds("<nobody+you@mx.example>", "nobody");
        finds("<+you@mx.example>", "nobody");
        finds("<you-lists@mx.example>", "nobody");
        finds("<info+x@bücher.example>", "<you@mx.example>");
    }

    #[test]
    fn an_alias_leads_to_others_and_a_domain_to_another() {
        finds("<INFO@bücher.example>", "<you@mx.example>");
        finds("<team@bücher.example>", "<postmaster@xn--bcher-kva.example> <x@far.example>");
        finds("<You+Tag@same.example>", "<You+Tag@mx.example>");
        finds("<nobody@same.example>", "nobody");
        finds("<postmaster@same.example>", "<postmaster@mx.example>");
    }

    #[test]
    fn a_separate_domain_has_mailboxes_of_its_own() {
        finds("<You@own.example>", "you@own.example");
        finds("<anybody@own.example>", "<you@own.example>");
        finds(r#"<"../x"@own.example>"#, "<you@own.example>");
    }

    #[test]
    fn the_percent_hack_and_its_like_lead_nowhere_else() {
        for local in [
            "you%elsewhere.example",
            "elsewhere.example!you",
            r#""you@elsewhere.example""#,
            r#""x+you@elsewhere.example""#,
        ] {
            finds(&format!("<{local}@mx.example>"), "nobody");
            finds(&format!("<{local}@own.example>"), "<you@own.example>");
        }
        finds(r#"<"you+x@elsewhere.example"@mx.example>"#, "you");
        finds("<you+%elsewhere.example@mx.example>", "you");
    }

    #[test]
    fn no_path_gets_out_of_the_mail_folder() {
        for local in ["../you", "/etc/passwd", "you/../you", "..", ".", "you/"] {
            finds(&format!("<\"{local}\"@mx.example>"), "nobody");
        }
        finds("<\"you+/../../x\"@mx.example>", "you");
        for name in ["", ".", "..", ".you", "a/b", "a\0b", "a\nb", "a\\b", "a@b"] {
            assert!(MailboxName::new(name).is_err(), "{name:?}");
        }
        assert_eq!(MailboxName::new(&"x".repeat(65)), Err(BadName::Long));
        let long = DomainName::new(&format!("{0}.{0}.{0}.example", "x".repeat(61))).unwrap();
        let name = MailboxName::new(&"x".repeat(64)).unwrap();
        assert_eq!(name.of(&long), Err(BadName::LongAddress));
        assert_eq!(MailboxName::you().of(&long).unwrap().as_str(), format!("you@{long}"));
    }
}
