//! Who may send to whom.

use super::{DomainName, MailboxName, Recipients, Senders};
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

/// What becomes of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is one of ours.
    Local(MailboxName),
    /// It is somebody else's, and the client may send there.
    Relay,
    /// Neither.
    Refuse(Refused<'static>),
}

/// Who may send what to whom.
///
/// Mail goes to other domains only for a login, or for a client of a listed network on a listener
/// of role `mx`. The list is empty unless configured: this machine is not on it either. What stands
/// in a local part, such as another address, never matters, and source routes are dropped as they
/// are read (RFC 5321 §3.6.1).
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

    /// What becomes of the recipient `to`.
    pub fn recipient(&self, client: &Client<'_>, to: &ForwardPath<'_>) -> Decision {
        match self.recipients.find(to) {
            Ok(mailbox) => Decision::Local(mailbox),
            Err(reply) if self.recipients.is_local(to) => Decision::Refuse(reply),
            Err(_) if self.may_relay(client) && to.mailbox().is_some_and(can_be_relayed) => {
                Decision::Relay
            }
            Err(reply) => Decision::Refuse(reply),
        }
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
        if self.senders.may(login, author) { Ok(()) } else { Err(super::not_your_address()) }
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

    fn policy() -> Policy {
        let domain = |name| DomainName::new(name).unwrap();
        let mut recipients = Recipients::default();
        recipients.add(domain("mx.example"), [MailboxName::you()]);
        let networks = ["192.0.2.0/24", "2001:db8::/32"].map(|text| Network::new(text).unwrap());
        Policy::new(recipients, networks.into(), Senders::new([domain("mx.example")]))
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

    fn decide(client: &Client<'_>, path: &str) -> Decision {
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
                true => Decision::Relay,
                false => Decision::Refuse(Refused::RELAY_DENIED),
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
                assert_eq!(decision, Decision::Refuse(Refused::NO_SUCH_USER), "{path}");
            }
        }
    }

    #[test]
    fn local_recipients_are_local_for_everybody() {
        let login = UserName::new("you").unwrap();
        for client in clients(&login) {
            for path in ["<you@mx.example>", "<@elsewhere.example:you@mx.example>"] {
                assert_eq!(decide(&client, path), Decision::Local(MailboxName::you()));
            }
            let postmaster = Decision::Local(MailboxName::postmaster());
            assert_eq!(decide(&client, "<postmaster>"), postmaster);
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
            assert_eq!(decision, Decision::Refuse(Refused::RELAY_DENIED), "{host}");
        }
        let decision = decide(&client, "<x@squeaky>");
        assert_eq!(decision, Decision::Refuse(Refused::RELAY_DENIED));
        assert_eq!(decide(&client, "<x@[198.51.100.1]>"), Decision::Relay);
        assert_eq!(decide(&client, "<x@[IPv6:2001:db8::1]>"), Decision::Relay);
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
