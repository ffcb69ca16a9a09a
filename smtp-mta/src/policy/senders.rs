//! As whom a login may send.

use super::{DomainName, Recipients, folded, recipients::Found};
use crate::users::UserName;
use smtp_proto::wire::{Host, Mailbox};
use std::collections::BTreeMap;

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

/// As whom each login may send: `ada` as `ada` of each local domain that has no mailboxes of its own,
/// `ada@example.org` as that address; with a tag or without; as every alias that leads there, to
/// them alone or to others too; and as whom the configuration adds. That a catch-all leads there
/// lets nobody send as everybody.
#[derive(Clone, Debug, Default)]
pub struct Senders {
    more: BTreeMap<UserName, Vec<Sender>>,
}

impl Senders {
    /// Lets `login` send as these, too.
    pub fn allow(&mut self, login: UserName, senders: impl IntoIterator<Item = Sender>) {
        self.more.entry(login).or_default().extend(senders);
    }

    /// Whether `login` may send as `mailbox`.
    pub fn may(&self, login: &UserName, mailbox: &Mailbox<'_>, recipients: &Recipients) -> bool {
        let more = self.more.get(login).map(Vec::as_slice).unwrap_or_default();
        let anybody = more.contains(&Sender::Anybody);
        let Host::Domain(domain) = &mailbox.host else { return anybody };
        let Some(domain) = DomainName::new(domain.as_str()) else { return false };
        let known = recipients.known(mailbox);
        if anybody {
            // RFC 6409 §4.2: a name without a dot is somebody else's at the next server.
            return domain.is_qualified() || known.is_some();
        }
        let local = folded(&mailbox.local_part.unquoted());
        let is = |name: &UserName| match &known {
            Some(found) => {
                is_own(name, found, &local, recipients) || leads_to(name, found, recipients)
            }
            None => name.address() == Some((&local, domain.as_str())),
        };
        is(login)
            || more.iter().any(|sender| match sender {
                Sender::Address(address) => is(address),
                Sender::Domain(of) => *of == domain,
                Sender::Anybody => true,
            })
    }
}

/// Whether `name` has the address that was `found`, which may be written with a tag, as `local`.
fn is_own(name: &UserName, found: &Found<'_>, local: &str, recipients: &Recipients) -> bool {
    let (own, is_here) = match name.address() {
        Some((own, domain)) => (own, recipients.real_domain(domain) == Some(found.domain)),
        None => (name.as_str(), !found.names.is_separate),
    };
    is_here && (own == local || own == found.name)
}

/// Whether the alias that was `found`, if it is one, leads to `name`.
fn leads_to(name: &UserName, found: &Found<'_>, recipients: &Recipients) -> bool {
    let targets = found.entry.and_then(|entry| entry.targets.as_deref()).unwrap_or_default();
    let mut found = targets.iter().filter_map(|it| recipients.known(it.to.mailbox()?));
    found.any(|target| is_own(name, &target, &target.name, recipients))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn may(login: &str, mailbox: &str) -> bool {
        let config = Config::parse(
            "[[domain]]
             name = 'a.example'
             mailboxes = ['ada', 'bob', 'bob+club']
             catch_all = 'bob'
             [domain.aliases]
             sales = ['ada', 'x@far.example']
             info = ['sales', 'eve@own.example']
             out = 'x@far.example'
             [[domain]]
             name = 'b.example'
             mailboxes = []
             [[domain]]
             name = 'own.example'
             mailboxes = ['ada', 'eve']
             separate = true
             [[domain]]
             name = 'same.example'
             alias_of = 'a.example'
             [[user]]
             name = 'ada'
             may_send_as = ['Sales@C.example', '@bücher.example', 'bob+ada@a.example']
             [[user]]
             name = 'gateway'
             may_send_as = ['*']",
            "x.toml".as_ref(),
        );
        let login = UserName::new(login).unwrap();
        config.unwrap().policy().unwrap().author(&login, &Mailbox::parse(mailbox).unwrap()).is_ok()
    }

    #[track_caller]
    fn check(login: &str, mailboxes: &[(&str, bool)]) {
        for (mailbox, allowed) in mailboxes {
            assert_eq!(may(login, mailbox), *allowed, "{login} as {mailbox}");
        }
    }

    #[test]
    fn a_name_is_the_same_name_in_each_local_domain_and_no_other() {
        check(
            "bob",
            &[
                ("bob@a.example", true),
                ("BOB@B.example", true),
                (r#""bob"@a.example"#, true),
                ("bob@same.example", true),
                ("bob@c.example", false),
                ("bob@[192.0.2.1]", false),
                ("bobby@a.example", false),
                ("sales@c.example", false),
            ],
        );
    }

    #[test]
    fn mailboxes_of_a_separate_domain_are_other_peoples() {
        check("ada", &[("ada@own.example", false), ("eve@own.example", false)]);
        check("ada@own.example", &[("ada@own.example", true), ("ada@a.example", false)]);
        check("eve", &[("eve@own.example", false), ("info@a.example", false)]);
        check("eve@own.example", &[("info@a.example", true), ("sales@a.example", false)]);
    }

    #[test]
    fn an_address_is_that_address_only() {
        check("bob@a.example", &[("Bob@a.example", true), ("bob@b.example", false)]);
        check("bob@a.example", &[("bob@same.example", true), ("Bob+x@a.example", true)]);
        check("bob@same.example", &[("bob@a.example", true), ("bob@b.example", false)]);
        check("bob@elsewhere.example", &[("bob@elsewhere.example", true)]);
        check("bob@elsewhere.example", &[("bob+x@elsewhere.example", false)]);
    }

    #[test]
    fn an_alias_belongs_to_all_to_whom_it_leads_and_a_catch_all_to_nobody() {
        for login in ["ada", "ada@a.example", "ada@same.example"] {
            check(login, &[("sales@a.example", true), ("Info+x@same.example", true)]);
            check(login, &[("out@a.example", false), ("postmaster@a.example", false)]);
        }
        check("bob", &[("sales@a.example", false), ("whoever@a.example", false)]);
        check("x@far.example", &[("sales@a.example", false)]);
    }

    #[test]
    fn a_tag_is_its_owners() {
        check("bob", &[("bob+x@a.example", true), ("bob+club@a.example", false)]);
        check("bob+club", &[("bob+club@a.example", true), ("bob@a.example", false)]);
        check("bob+x", &[("bob+x@a.example", true), ("bob@a.example", false)]);
        check("ada", &[("bob+ada@a.example", true), ("bob+x@a.example", false)]);
    }

    #[test]
    fn the_configuration_adds_addresses_domains_and_all() {
        check("ada", &[("sales@c.example", true), ("other@c.example", false)]);
        check("ada", &[("x@xn--bcher-kva.example", true), ("ada@a.example", true)]);
        check("gateway", &[("x@anywhere.example", true), ("x@[192.0.2.1]", true)]);
        check("gateway", &[("x@squeaky", false), ("whoever@a.example", true)]);
    }

    #[test]
    fn what_is_no_sender_is_nothing() {
        for wrong in ["", "@", "x", "x@", "**", "@a b", "@*"] {
            assert_eq!(Sender::new(wrong), None, "{wrong}");
        }
    }
}
