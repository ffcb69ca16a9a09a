//! Who may send to whom.

use super::{Destination, DomainName, Recipients, Senders};
use crate::{config::Role, users::UserName};
use ipnet::IpNet;
use smtp_proto::wire::{AddressLiteral, ForwardPath, Host, Mailbox, Refused, ReversePath};
use std::net::IpAddr;

/// A network of the configuration: `192.0.2.0/24`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// Reads `text`; `None` if it is no network, or has bits set behind its prefix.
    pub fn new(text: &str) -> Option<Self> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse().ok()?,
        };
        (network.trunc() == network).then_some(Self(network))
    }

    /// Whether `address` is in it; one of IPv4 that came over IPv6 is the same.
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// What the listener is for.
    pub role: Role,
    /// Where the client is.
    pub address: Option<IpAddr>,
    /// As whom it has logged in.
    pub login: Option<&'a UserName>,
}

/// Who may send what to whom.
///
/// Mail goes to other domains only for a login, or for a client of a listed network on a listener
/// of role `mx`. The list is empty unless configured: this machine is not on it either. What stands
/// in a local part, such as another address, never matters, and source routes are dropped as they
/// are read (RFC 5321 §3.6.1). An alias may lead to another domain whoever sends: its targets are
/// the configuration's, and nothing of what the client says is in them.
#[derive(Clone, Debug)]
pub struct Policy {
    recipients: Recipients,
    relay_networks: Vec<Network>,
    senders: Senders,
}

impl Policy {
    /// A policy of these parts.
    pub fn new(recipients: Recipients, relay_networks: Vec<Network>, senders: Senders) -> Self {
        Self { recipients, relay_networks, senders }
    }

    /// The local recipients.
    pub fn recipients(&self) -> &Recipients {
        &self.recipients
    }

    /// Where mail for the recipient `to` goes.
    ///
    /// # Errors
    /// 550 5.7.1 if its domain is not local and the client may not send there, 550 5.1.1 if it is
    /// local and there is no such recipient.
    pub fn recipient(
        &self,
        client: &Client<'_>,
        to: &ForwardPath<'_>,
    ) -> Result<Destination, Refused<'static>> {
        let destination = self.recipients.find(to)?;
        let is_elsewhere = destination == Destination::Elsewhere;
        let goes =
            !is_elsewhere || self.may_relay(client) && to.mailbox().is_some_and(can_be_relayed);
        if goes { Ok(destination) } else { Err(Refused::RELAY_DENIED) }
    }

    /// Whether `client` may send as `from`. Without a login the question is not ours.
    ///
    /// # Errors
    /// 550 5.7.1 (RFC 6409 §6.1).
    pub fn sender(
        &self,
        client: &Client<'_>,
        from: &ReversePath<'_>,
    ) -> Result<(), Refused<'static>> {
        match (client.login, from) {
            (Some(login), ReversePath::Mailbox(mailbox)) => self.author(login, mailbox),
            // Notices of a mail program go out with no sender (RFC 8098 §3).
            (Some(_), ReversePath::Null) | (None, _) => Ok(()),
        }
    }

    /// Whether `login` may send as `author`.
    ///
    /// # Errors
    /// 550 5.7.1 (RFC 6409 §6.1).
    pub fn author(&self, login: &UserName, author: &Mailbox<'_>) -> Result<(), Refused<'static>> {
        if self.senders.may(login, author, &self.recipients) {
            Ok(())
        } else {
            Err(super::not_your_address())
        }
    }

    fn may_relay(&self, client: &Client<'_>) -> bool {
        match client.role {
            Role::Submission | Role::Submissions => client.login.is_some(),
            Role::Mx => client
                .address
                .is_some_and(|address| self.relay_networks.iter().any(|it| it.contains(address))),
            Role::Lmtp => false,
        }
    }
}

/// Whether there is a way to the host that leaves this machine: nobody talks through us to what
/// listens on loopback, or to a whole network.
fn can_be_relayed(to: &Mailbox<'_>) -> bool {
    match &to.host {
        // RFC 6409 §4.2: a name without a dot is somebody else's at the next server.
        Host::Domain(domain) => {
            DomainName::new(domain.as_str()).is_some_and(|domain| domain.is_qualified())
        }
        Host::Literal(AddressLiteral::V4(address)) => {
            let nowhere = address.is_unspecified() || address.is_broadcast();
            let near = address.is_loopback() || address.is_link_local();
            !(nowhere || near || address.is_multicast())
        }
        Host::Literal(AddressLiteral::V6(address)) => match address.to_ipv4_mapped() {
            Some(_) => false,
            None => {
                let near = address.is_loopback() || address.is_unicast_link_local();
                !(near || address.is_unspecified() || address.is_multicast())
            }
        },
        Host::Literal(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, policy::MailboxName};

    fn policy() -> Policy {
        let config = Config::parse(
            "relay_networks = ['192.0.2.0/24', '2001:db8::/32']
             [[domain]]
             name = 'mx.example'
             mailboxes = ['you']
             aliases = { out = 'o@far.example' }",
            "x.toml".as_ref(),
        );
        config.unwrap().policy().unwrap()
    }

    const ROLES: [Role; 4] = [Role::Mx, Role::Submission, Role::Submissions, Role::Lmtp];

    /// Who there may be: each role, with a login and without, in a listed network, on this machine
    /// and elsewhere.
    fn clients(login: &UserName) -> Vec<Client<'_>> {
        let addresses =
            ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "127.0.0.1", "::1", "198.51.100.1"];
        let mut clients = Vec::new();
        for role in ROLES {
            for login in [None, Some(login)] {
                clients.push(Client { role, address: None, login });
                for address in addresses {
                    clients.push(Client { role, address: address.parse().ok(), login });
                }
            }
        }
        clients
    }

    fn decide(client: &Client<'_>, path: &str) -> Result<Destination, Refused<'static>> {
        policy().recipient(client, &ForwardPath::parse(path).unwrap().0)
    }

    #[test]
    fn mail_leaves_for_a_login_or_a_listed_network_and_for_nobody_else() {
        let login = UserName::new("you").unwrap();
        for client in clients(&login) {
            let listed = client.address.is_some_and(|it| {
                ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"].contains(&&*it.to_string())
            });
            let allowed = match client.role {
                Role::Mx => listed,
                Role::Submission | Role::Submissions => client.login.is_some(),
                Role::Lmtp => false,
            };
            let expected = match allowed {
                true => Ok(Destination::Elsewhere),
                false => Err(Refused::RELAY_DENIED),
            };
            for path in ["<x@elsewhere.example>", "<@mx.example,@b.example:x@elsewhere.example>"] {
                assert_eq!(decide(&client, path), expected, "{client:?}");
            }
        }
    }

    #[test]
    fn an_address_in_a_local_part_goes_nowhere_whoever_sends() {
        let login = UserName::new("you").unwrap();
        for client in clients(&login) {
            for path in [
                "<x%elsewhere.example@mx.example>",
                "<elsewhere.example!x@mx.example>",
                r#"<"x@elsewhere.example"@mx.example>"#,
                r#"<"x%elsewhere.example"@mx.example>"#,
                "<@elsewhere.example:x%elsewhere.example@mx.example>",
            ] {
                let decision = decide(&client, path);
                assert_eq!(decision, Err(Refused::NO_SUCH_USER), "{path}");
            }
        }
    }

    #[test]
    fn a_forward_leads_where_the_configuration_says_whoever_sends_and_whatever_they_add() {
        let login = UserName::new("you").unwrap();
        for client in clients(&login) {
            for path in [
                "<out@mx.example>",
                "<out+x@mx.example>",
                "<out+x%elsewhere.example@mx.example>",
                r#"<"out+x@elsewhere.example"@mx.example>"#,
                "<@elsewhere.example:out@mx.example>",
            ] {
                let Ok(Destination::Others(targets)) = decide(&client, path) else {
                    panic!("{path} leads nowhere");
                };
                let to: Vec<_> = targets.iter().map(|target| target.to.to_string()).collect();
                assert_eq!(to, ["<o@far.example>"], "{path}");
            }
        }
    }

    #[test]
    fn local_recipients_are_local_for_everybody() {
        let login = UserName::new("you").unwrap();
        for client in clients(&login) {
            for path in ["<you@mx.example>", "<@elsewhere.example:you@mx.example>"] {
                let you = Destination::Mailbox(MailboxName::you());
                assert_eq!(decide(&client, path), Ok(you));
            }
            let postmaster = Destination::Mailbox(MailboxName::postmaster());
            assert_eq!(decide(&client, "<postmaster>"), Ok(postmaster));
        }
    }

    #[test]
    fn nobody_reaches_what_is_on_this_machine_through_a_literal_or_a_bare_name() {
        let login = UserName::new("you").unwrap();
        let client = Client { role: Role::Submission, address: None, login: Some(&login) };
        for host in [
            "127.0.0.1",
            "127.1.2.3",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "169.254.1.1",
            "IPv6:::1",
            "IPv6:::",
            "IPv6:fe80::1",
            "IPv6:ff02::1",
            "IPv6:::ffff:127.0.0.1",
            "x400:abc",
        ] {
            let decision = decide(&client, &format!("<x@[{host}]>"));
            assert_eq!(decision, Err(Refused::RELAY_DENIED), "{host}");
        }
        let decision = decide(&client, "<x@squeaky>");
        assert_eq!(decision, Err(Refused::RELAY_DENIED));
        for literal in ["<x@[198.51.100.1]>", "<x@[IPv6:2001:db8::1]>"] {
            assert_eq!(decide(&client, literal), Ok(Destination::Elsewhere));
        }
    }

    #[test]
    fn a_login_sends_as_itself_or_as_nobody() {
        let login = UserName::new("you").unwrap();
        let policy = policy();
        let with = |login, from: &str| {
            let client = Client { role: Role::Submission, address: None, login };
            policy.sender(&client, &ReversePath::parse(from).unwrap().0).is_ok()
        };
        for (from, allowed) in [
            ("<you@mx.example>", true),
            ("<>", true),
            ("<other@mx.example>", false),
            ("<you@elsewhere.example>", false),
            ("<you@[192.0.2.1]>", false),
        ] {
            assert_eq!(with(Some(&login), from), allowed, "{from}");
            assert!(with(None, from), "{from}");
        }
    }

    #[test]
    fn networks_are_whole() {
        for wrong in ["", "x", "192.0.2.1/24", "192.0.2.0/33", "::/129", "2001:db8::1/32"] {
            assert_eq!(Network::new(wrong), None, "{wrong}");
        }
        let one = Network::new("192.0.2.1").unwrap();
        assert!(one.contains([192, 0, 2, 1].into()) && !one.contains([192, 0, 2, 2].into()));
    }
}
