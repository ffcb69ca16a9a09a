//! `[[domain]]`: for whom mail is accepted, and where it leads.

#[cfg(test)]
use super::reference;
use crate::policy::{DomainName, MailboxName};
use serde::{Deserialize, Deserializer, de};
use smtp_proto::wire::Mailbox;
use std::fmt;
use toml::Spanned;

/// A local domain. What may be wrong in view of the other domains has its place in the file with it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "Keys"))]
#[serde(try_from = "Keys")]
pub struct Domain {
    /// Its name, in A-labels or U-labels.
    pub name: Spanned<DomainName>,
    /// Its mailboxes, beside the postmaster's. Two domains that name the same one share it.
    pub mailboxes: Vec<MailboxName>,
    /// Names that lead elsewhere.
    pub aliases: Vec<Alias>,
    /// To whom mail goes that is for nobody else; empty: it is refused.
    pub catch_all: Vec<Spanned<Target>>,
    /// All addresses are those of this domain; the domain itself has none.
    pub alias_of: Option<Spanned<DomainName>>,
    /// The mailboxes are its own, whatever they are called: `NAME@DOMAIN`.
    pub separate: bool,
}

/// A name that leads elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name.
    pub name: Spanned<MailboxName>,
    /// To whom it leads; at least one.
    pub targets: Vec<Spanned<Target>>,
}

/// To whom an alias leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A name of the same domain, perhaps with a tag.
    Name(MailboxName),
    /// An address, here or elsewhere.
    Address(Mailbox<'static>),
}

impl Domain {
    /// A domain with these mailboxes and nothing else.
    pub fn new(name: DomainName, mailboxes: impl IntoIterator<Item = MailboxName>) -> Self {
        Self {
            name: Spanned::new(0..0, name),
            mailboxes: mailboxes.into_iter().collect(),
            aliases: Vec::new(),
            catch_all: Vec::new(),
            alias_of: None,
            separate: false,
        }
    }
}

/// A domain for which mail is accepted. Upper and lower case are the same, and every domain has a
/// postmaster as well (RFC 5321 §4.5.1).
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Keys {
    /// Its name.
    #[cfg_attr(test, schemars(with = "DomainName"))]
    name: Spanned<DomainName>,
    /// Its mailboxes. Those of the same name in two domains are one mailbox. They may only be left
    /// out where `alias_of` stands.
    mailboxes: Option<Vec<MailboxName>>,
    /// Names that lead elsewhere: each to a name of this domain, to an address anywhere, or to a
    /// list of them. One that names itself keeps a copy of what it forwards.
    #[serde(default, deserialize_with = "aliases")]
    #[cfg_attr(test, schemars(with = "reference::Aliases"))]
    aliases: Vec<Alias>,
    /// Who gets what is for nobody else.
    #[serde(default, deserialize_with = "targets")]
    #[cfg_attr(test, schemars(with = "reference::Targets"))]
    catch_all: Vec<Spanned<Target>>,
    /// The domain whose addresses these are, all of them; no other key but `name` goes with it.
    #[cfg_attr(test, schemars(with = "Option<DomainName>"))]
    alias_of: Option<Spanned<DomainName>>,
    /// Whether the mailboxes are this domain's own, `mail/NAME@DOMAIN/`, and so the users, whose
    /// names are addresses; they are not unless it says so.
    #[serde(default)]
    separate: bool,
}

impl TryFrom<Keys> for Domain {
    type Error = &'static str;

    fn try_from(keys: Keys) -> Result<Self, Self::Error> {
        let Keys { name, mailboxes, aliases, catch_all, alias_of, separate } = keys;
        let has_more =
            mailboxes.is_some() || !aliases.is_empty() || !catch_all.is_empty() || separate;
        if alias_of.is_some() && has_more {
            return Err("`alias_of` needs no other key but `name`");
        }
        if mailboxes.is_none() && alias_of.is_none() {
            return Err("missing key `mailboxes`");
        }
        let mailboxes = mailboxes.unwrap_or_default();
        Ok(Self { name, mailboxes, aliases, catch_all, alias_of, separate })
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        target(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

fn target(text: &str) -> Result<Target, String> {
    let written = text.escape_debug();
    if text.contains('@') {
        let mailbox = Mailbox::parse(text).map_err(|_| format!("`{written}` is not an address"))?;
        return Ok(Target::Address(mailbox.into_static()));
    }
    MailboxName::new(text)
        .map(Target::Name)
        .map_err(|error| format!("`{written}` cannot be: {error}"))
}

/// A table whose values are targets.
fn aliases<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Alias>, D::Error> {
    struct Table;

    impl<'de> de::Visitor<'de> for Table {
        type Value = Vec<Alias>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table of names, each with the names or addresses to which it leads")
        }

        fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Vec<Alias>, A::Error> {
            let mut aliases = Vec::new();
            while let Some((name, Targets(targets))) = map.next_entry()? {
                aliases.push(Alias { name, targets });
            }
            Ok(aliases)
        }
    }

    from.deserialize_map(Table)
}

fn targets<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Spanned<Target>>, D::Error> {
    Targets::deserialize(from).map(|targets| targets.0)
}

/// One target, or several in a list.
struct Targets(Vec<Spanned<Target>>);

enum OneOrMore {
    One(Target),
    More(Vec<Spanned<Target>>),
}

impl<'de> Deserialize<'de> for Targets {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let targets = Spanned::<OneOrMore>::deserialize(from)?;
        let at = targets.span();
        Ok(Self(match targets.into_inner() {
            OneOrMore::One(target) => vec![Spanned::new(at, target)],
            OneOrMore::More(targets) => targets,
        }))
    }
}

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = OneOrMore;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or an address, or a list of them")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMore, E> {
                target(text).map(OneOrMore::One).map_err(E::custom)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMore, A::Error> {
                let mut targets = Vec::new();
                while let Some(target) = seq.next_element()? {
                    targets.push(target);
                }
                match targets.is_empty() {
                    true => Err(de::Error::custom("at least one is needed")),
                    false => Ok(OneOrMore::More(targets)),
                }
            }
        }

        from.deserialize_any(Visitor)
    }
}
