//! The aliases of the configuration, each followed to its ends.

#[cfg(test)]
mod tests;

use super::{
    DomainName, MailboxName, Recipients, Target, Who,
    recipients::{Domain, Entry, Found, Names, Table, moved},
};
use crate::config;
use smtp_proto::wire::{ForwardPath, LocalPart, Mailbox};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use toml::Spanned;

/// Recipients to whom one alias leads at most. More are a mailing list, which has an envelope
/// sender of its own (RFC 5321 §3.9.2).
pub const MAX_TARGETS: usize = 1_000;

/// Aliases that stand one behind the other at most.
pub const MAX_CHAIN: usize = 20;

/// Domains that contradict each other, or themselves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{says}")]
pub struct BadRecipients {
    /// Where in the file, in octets.
    pub offset: usize,
    /// What is wrong.
    pub says: String,
}

impl BadRecipients {
    fn at<T>(place: &Spanned<T>, says: impl Into<String>) -> Self {
        Self { offset: place.span().start, says: says.into() }
    }
}

impl Recipients {
    /// The recipients of these domains. Each has a postmaster (RFC 5321 §4.5.1): a mailbox, unless
    /// the domain has an alias of that name. The first domain's is the one without a domain.
    ///
    /// # Errors
    /// A name that leads to nobody, in a circle, or too far, or is two things.
    pub fn new(domains: &[config::Domain], delimiter: Option<char>) -> Result<Self, BadRecipients> {
        let mut table = names(domains, delimiter)?;
        let mut aliases = BTreeMap::new();
        for domain in domains {
            for alias in &domain.aliases {
                aliases.insert(key(domain.name.get_ref(), alias.name.get_ref().as_str()), alias);
            }
        }
        let mut walk = Walk { table: &table, aliases: &aliases, ends: BTreeMap::new() };
        for at in aliases.keys() {
            walk.follow(at, &mut Vec::new())?;
        }
        let mut catch_alls = Vec::new();
        for domain in domains.iter().filter(|domain| !domain.catch_all.is_empty()) {
            let name = domain.name.get_ref();
            catch_alls.push((name, walk.ends(name, &domain.catch_all, &mut Vec::new())?.targets));
        }
        let ends = walk.ends;
        for domain in domains {
            let Some(Domain::Own(names)) = table.domains.get_mut(domain.name.get_ref()) else {
                continue;
            };
            for alias in &domain.aliases {
                let name = alias.name.get_ref();
                let ends = ends.get(&key(domain.name.get_ref(), name.as_str()));
                let (Some(ends), Some(entry)) = (ends, names.entries.get_mut(name)) else {
                    continue;
                };
                entry.targets = Some(ends.targets.as_slice().into());
                if !ends.keep_copy && domain.mailboxes.contains(name) {
                    let says = format!(
                        "`{name}` is a mailbox as well: an alias that keeps a copy names itself"
                    );
                    return Err(BadRecipients::at(&alias.name, says));
                }
                if !ends.keep_copy {
                    // The postmaster's mailbox, if nobody asked for it.
                    entry.mailbox = None;
                }
            }
        }
        for (domain, targets) in catch_alls {
            if let Some(Domain::Own(names)) = table.domains.get_mut(domain) {
                names.catch_all = Some(targets.into());
            }
        }
        Ok(Self::of(table))
    }
}

/// All names, none of which leads anywhere yet.
fn names(domains: &[config::Domain], delimiter: Option<char>) -> Result<Table, BadRecipients> {
    let first = domains.first().map(|domain| domain.name.get_ref().clone());
    let mut table = Table { domains: BTreeMap::new(), first, delimiter };
    for domain in domains {
        let known = match &domain.alias_of {
            Some(other) => Domain::AliasOf(other.get_ref().clone()),
            None => Domain::Own(names_of(domain)?),
        };
        if table.domains.insert(domain.name.get_ref().clone(), known).is_some() {
            let says = format!("the domain {} is there twice", domain.name);
            return Err(BadRecipients::at(&domain.name, says));
        }
    }
    for other in domains.iter().filter_map(|domain| domain.alias_of.as_ref()) {
        let says = match table.domains.get(other.get_ref()) {
            Some(Domain::Own(_)) => continue,
            Some(Domain::AliasOf(_)) => "an alias of another domain itself",
            None => "not a domain of this file",
        };
        return Err(BadRecipients::at(other, format!("{other} is {says}")));
    }
    Ok(table)
}

fn names_of(domain: &config::Domain) -> Result<Names, BadRecipients> {
    let name = domain.name.get_ref();
    let mut entries = BTreeMap::<_, Entry>::new();
    for mailbox in domain.mailboxes.iter().chain([&MailboxName::postmaster()]) {
        let own = match domain.separate {
            true => mailbox.of(name),
            false => Ok(mailbox.clone()),
        };
        let own = own.map_err(|error| {
            BadRecipients::at(&domain.name, format!("`{mailbox}@{name}` cannot be: {error}"))
        })?;
        entries.entry(mailbox.clone()).or_default().mailbox = Some(own);
    }
    let mut aliases = BTreeSet::new();
    for alias in &domain.aliases {
        if !aliases.insert(alias.name.get_ref()) {
            let says = format!("the alias `{}` is there twice", alias.name);
            return Err(BadRecipients::at(&alias.name, says));
        }
        entries.entry(alias.name.get_ref().clone()).or_default();
    }
    Ok(Names { entries, catch_all: None, is_separate: domain.separate })
}

/// A name of a domain.
type Key = (DomainName, Box<str>);

fn key(domain: &DomainName, name: &str) -> Key {
    (domain.clone(), name.into())
}

/// Follows aliases.
struct Walk<'c> {
    table: &'c Table,
    aliases: &'c BTreeMap<Key, &'c config::Alias>,
    /// Of those that were followed.
    ends: BTreeMap<Key, Arc<Ends>>,
}

/// Where an alias leads.
#[derive(Debug, Default)]
struct Ends {
    /// Each once, in their order.
    targets: Vec<Target>,
    /// Aliases that stand one behind the other, itself included.
    chain: usize,
    /// It names itself, which is a mailbox as well.
    keep_copy: bool,
}

impl Walk<'_> {
    /// Where the alias `at` leads, to which `path` has led.
    fn follow(&mut self, at: &Key, path: &mut Vec<Key>) -> Result<Arc<Ends>, BadRecipients> {
        if let Some(ends) = self.ends.get(at) {
            return Ok(Arc::clone(ends));
        }
        let targets = self.aliases.get(at).map(|alias| alias.targets.as_slice());
        path.push(at.clone());
        let ends = Arc::new(self.ends(&at.0, targets.unwrap_or_default(), path)?);
        path.pop();
        self.ends.insert(at.clone(), Arc::clone(&ends));
        Ok(ends)
    }

    /// Where `targets` of `domain` lead, to which `path` has led.
    fn ends(
        &mut self,
        domain: &DomainName,
        targets: &[Spanned<config::Target>],
        path: &mut Vec<Key>,
    ) -> Result<Ends, BadRecipients> {
        let (mut ends, mut seen) = (Ends::default(), BTreeSet::new());
        let mut chain = 0;
        for target in targets {
            let mut add = |end: &Target| {
                if seen.insert(end.who.clone()) {
                    ends.targets.push(end.clone());
                }
            };
            match self.step(domain, target, path.last())? {
                Step::End(end) => add(&end),
                Step::Copy(end) => {
                    add(&end);
                    ends.keep_copy = true;
                }
                Step::Alias(next) => {
                    if path.contains(&next) {
                        return Err(circle(target, path, &next));
                    }
                    if path.len() == MAX_CHAIN {
                        return Err(too_far(target));
                    }
                    let further = self.follow(&next, path)?;
                    if further.chain == MAX_CHAIN && !path.is_empty() {
                        return Err(too_far(target));
                    }
                    further.targets.iter().for_each(add);
                    chain = chain.max(further.chain);
                }
            }
            if ends.targets.len() > MAX_TARGETS {
                let says = format!("it leads to more than {MAX_TARGETS} recipients");
                return Err(BadRecipients::at(target, says));
            }
        }
        ends.chain = chain + 1;
        Ok(ends)
    }

    /// What `target` of `domain` is for the alias at `from`.
    fn step(
        &self,
        domain: &DomainName,
        target: &Spanned<config::Target>,
        from: Option<&Key>,
    ) -> Result<Step, BadRecipients> {
        let bad = |says| BadRecipients::at(target, says);
        let mailbox = match target.get_ref() {
            config::Target::Address(mailbox) => mailbox.clone(),
            config::Target::Name(name) => {
                let address = address(name, domain);
                address.ok_or_else(|| bad(format!("`{name}` cannot be written as an address")))?
            }
        };
        let Some(Found { domain, name, entry, .. }) = self.table.known(&mailbox) else {
            let who = Who::elsewhere(&mailbox);
            return Ok(Step::End(Target { to: ForwardPath::Mailbox(mailbox), who }));
        };
        let Some(entry) = entry else {
            let says = format!("{domain} has neither a mailbox nor an alias `{name}`");
            return Err(bad(says));
        };
        let at = key(domain, &name);
        let end = entry.mailbox.as_ref().map(|own| Target {
            to: ForwardPath::Mailbox(moved(&mailbox, domain).unwrap_or(mailbox)),
            who: Who::Mailbox(own.clone()),
        });
        match (self.aliases.contains_key(&at), end) {
            (true, Some(end)) if from == Some(&at) => Ok(Step::Copy(end)),
            (false, Some(end)) => Ok(Step::End(end)),
            _ => Ok(Step::Alias(at)),
        }
    }
}

/// What a target is.
enum Step {
    /// A recipient.
    End(Target),
    /// The mailbox of the alias itself.
    Copy(Target),
    /// Another alias; or the alias itself, if there is no such mailbox.
    Alias(Key),
}

fn circle(target: &Spanned<config::Target>, path: &[Key], next: &Key) -> BadRecipients {
    let from = path.iter().position(|at| at == next).unwrap_or_default();
    let names = path[from..].iter().chain([next]);
    let names: Vec<_> = names.map(|(domain, name)| format!("{name}@{domain}")).collect();
    BadRecipients::at(target, format!("it leads in a circle: {}", names.join(" -> ")))
}

fn too_far(target: &Spanned<config::Target>) -> BadRecipients {
    BadRecipients::at(target, format!("more than {MAX_CHAIN} aliases one behind the other"))
}

/// The address of `name`, in quotes if need be.
fn address(name: &MailboxName, domain: &DomainName) -> Option<Mailbox<'static>> {
    let name = name.as_str();
    let text = match LocalPart::parse(name) {
        Ok(plain) if plain.unquoted() == name => format!("{name}@{domain}"),
        _ => format!("\"{}\"@{domain}", name.replace('\\', r"\\").replace('"', "\\\"")),
    };
    Mailbox::parse(&text).map(Mailbox::into_static).ok()
}
