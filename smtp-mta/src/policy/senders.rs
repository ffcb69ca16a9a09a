//! As whom a login may send.

use super::{DomainName, folded};
use crate::users::UserName;
use smtp_proto::wire::{Host, Mailbox};
use std::collections::{BTreeMap, BTreeSet};

/// A sender, or many, of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// `ada@example.org`
    Address(UserName),
    /// `@example.org`: every address of a domain.
    Domain(DomainName),
    /// `*`: every address, which is for another server that logs in.
    Anybody,
}

impl Sender {
    /// Reads `text`; `None` if it is none of the three.
    pub fn new(text: &str) -> Option<Self> {
        match text.strip_prefix('@') {
            Some(domain) => DomainName::new(domain).map(Self::Domain),
            None if text == "*" => Some(Self::Anybody),
            None => UserName::new(text).filter(|it| it.address().is_some()).map(Self::Address),
        }
    }
}

/// As whom each login may send: `ada` as `ada` of each local domain, `ada@example.org` as that
/// address, and as whom the configuration adds.
#[derive(Clone, Debug, Default)]
pub struct Senders {
    local: BTreeSet<DomainName>,
    more: BTreeMap<UserName, Vec<Sender>>,
}

impl Senders {
    /// With these local domains.
    pub fn new(local: impl IntoIterator<Item = DomainName>) -> Self {
        Self { local: local.into_iter().collect(), more: BTreeMap::new() }
    }

    /// Lets `login` send as these, too.
    pub fn allow(&mut self, login: UserName, senders: impl IntoIterator<Item = Sender>) {
        self.more.entry(login).or_default().extend(senders);
    }

    /// Whether `login` may send as `mailbox`.
    pub fn may(&self, login: &UserName, mailbox: &Mailbox<'_>) -> bool {
        let more = self.more.get(login).map(Vec::as_slice).unwrap_or_default();
        let anybody = more.contains(&Sender::Anybody);
        let Host::Domain(domain) = &mailbox.host else { return anybody };
        let Some(domain) = DomainName::new(domain.as_str()) else { return false };
        if anybody {
            // RFC 6409 §4.2: a name without a dot is somebody else's at the next server.
            return domain.is_qualified() || self.local.contains(&domain);
        }
        let local = folded(&mailbox.local_part.unquoted());
        let is = |name: &UserName| match name.address() {
            Some((name, of)) => name == local && of == domain.as_str(),
            None => name.as_str() == local && self.local.contains(&domain),
        };
        is(login)
            || more.iter().any(|sender| match sender {
                Sender::Address(address) => is(address),
                Sender::Domain(of) => *of == domain,
                Sender::Anybody => true,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(login: &str, mailbox: &str) -> bool {
        let domain = |name| DomainName::new(name).unwrap();
        let user = |name| UserName::new(name).unwrap();
        let mut senders = Senders::new([domain("a.example"), domain("b.example")]);
        let more = ["Sales@C.example", "@bücher.example"].map(|text| Sender::new(text).unwrap());
        senders.allow(user("ada"), more);
        senders.allow(user("gateway"), [Sender::Anybody]);
        senders.may(&user(login), &Mailbox::parse(mailbox).unwrap())
    }

    #[test]
    fn a_name_is_the_same_name_in_each_local_domain_and_no_other() {
        for (mailbox, allowed) in [
            ("bob@a.example", true),
            ("BOB@B.example", true),
            (r#""bob"@a.example"#, true),
            ("bob@c.example", false),
            ("bob@[192.0.2.1]", false),
            ("bobby@a.example", false),
            ("sales@c.example", false),
        ] {
            assert_eq!(may("bob", mailbox), allowed, "{mailbox}");
        }
    }

    #[test]
    fn an_address_is_that_address_only() {
        assert!(may("bob@a.example", "Bob@a.example"));
        assert!(!may("bob@a.example", "bob@b.example"));
        assert!(may("bob@elsewhere.example", "bob@elsewhere.example"));
    }

    #[test]
    fn the_configuration_adds_addresses_domains_and_all() {
        assert!(may("ada", "sales@c.example") && !may("ada", "other@c.example"));
        assert!(may("ada", "x@xn--bcher-kva.example") && may("ada", "ada@a.example"));
        assert!(may("gateway", "x@anywhere.example") && may("gateway", "x@[192.0.2.1]"));
        assert!(!may("gateway", "x@squeaky"));
    }

    #[test]
    fn what_is_no_sender_is_nothing() {
        for wrong in ["", "@", "x", "x@", "**", "@a b", "@*"] {
            assert_eq!(Sender::new(wrong), None, "{wrong}");
        }
    }
}
