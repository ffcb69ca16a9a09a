//! Where mail goes next: a mailbox here, an LMTP server, the hosts of the recipient's domain, or a
//! smarthost.
//!
//! Policy has decided before that a message may go to a recipient; here it is only sent on its way.
//! Of the rules of the configuration that fit, the most specific wins:
//!
//! 1. by the recipient's domain: the domain itself, before the longest `*.` above it, before a rule
//!    for all recipients;
//! 2. among these by the sender: the address, before its domain, before the longest `*.` above
//!    that, before a rule for all senders;
//! 3. of equals the first in the file.
//!
//! Mail for a local domain stays here unless a rule names that very domain, so that "all mail to
//! the smarthost" does not send away what belongs here. Where no rule fits, the domain's MX records
//! say where mail goes. A notice has no sender: only rules for all senders fit it.

mod rule;

pub use rule::Rule;

use crate::{policy::DomainName, queue::Timestamp};
use smtp_proto::wire::{ForwardPath, Host, Mailbox, ReversePath};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// Where mail goes next, and how. What has the same route can share a connection and a
/// transaction, and has one [lane](crate::lane).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    /// Into the mailboxes of this server, by the recipient's address.
    Local,
    /// To an LMTP server (RFC 2033).
    Lmtp {
        /// Where it listens.
        server: LmtpServer,
        /// How to go there.
        way: Arc<Way>,
    },
    /// To the hosts that the DNS names for a domain (RFC 5321 §5.1).
    Mx {
        /// What stands behind the `@`, in lower case and A-labels: a domain, or an address literal
        /// in its brackets.
        domain: Arc<str>,
        /// How to go there.
        way: Arc<Way>,
    },
    /// To a server that takes it further.
    Smarthost {
        /// Which.
        host: Smarthost,
        /// How to go there.
        way: Arc<Way>,
    },
}

impl Route {
    /// How to go there; nothing to say of local mailboxes.
    pub fn way(&self) -> Option<&Way> {
        match self {
            Self::Local => None,
            Self::Lmtp { way, .. } | Self::Mx { way, .. } | Self::Smarthost { way, .. } => {
                Some(way)
            }
        }
    }
}

/// For logs and for people; two routes of a different [`Way`] may look the same.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Lmtp { server, .. } => write!(f, "lmtp {server}"),
            Self::Mx { domain, .. } => write!(f, "mx {domain}"),
            Self::Smarthost { host, .. } => write!(f, "smarthost {host}"),
        }
    }
}

/// How mail goes to another server.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Way {
    /// The addresses to connect from, the first of each family; none: the system's choice.
    pub source: Vec<IpAddr>,
    /// What to say in EHLO; `None`: the name of this server.
    pub hello: Option<DomainName>,
    /// How connections to MX hosts are encrypted. A smarthost has its own.
    pub tls: Tls,
    /// Where mail goes when none of a domain's hosts can be reached, in this order.
    pub fallback: Vec<Smarthost>,
    /// The port of MX hosts; `None`: 25. Another is for a network of one's own.
    pub port: Option<u16>,
    /// MX hosts may be at addresses of this machine.
    pub loopback: bool,
    /// Most transactions at the same time; `None`: that of all lanes.
    pub connections: Option<u32>,
    /// Most transactions in a time.
    pub rate: Option<Rate>,
}

/// Where an LMTP server listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LmtpServer {
    /// On a port.
    Tcp(HostName, u16),
    /// On a Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for LmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) => host.with_port(*port, f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A server that takes mail further.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Smarthost {
    /// Its name or address. MX records are not asked for.
    pub host: HostName,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: Tls,
    /// With what to log in.
    pub login: Option<Login>,
    /// The file with who may have signed its certificate, PEM; without it: who signs for the Web.
    pub ca_file: Option<PathBuf>,
}

impl fmt::Display for Smarthost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.with_port(self.port, f)
    }
}

/// With what to log in at a smarthost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Login {
    /// The name.
    pub user: Box<str>,
    /// The file whose first line is the password.
    pub password_file: PathBuf,
}

/// How a connection is encrypted.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Deserialize,
    clap::ValueEnum,
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// By STARTTLS where it is offered, whatever the certificate (RFC 7435); else not at all.
    #[default]
    Opportunistic,
    /// By STARTTLS, and the certificate must be right.
    Required,
    /// From the first octet (RFC 8314 §3.3), and the certificate must be right.
    Implicit,
    /// Never.
    Off,
}

/// A name or an address to connect to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostName {
    /// To be looked up in the DNS.
    Name(DomainName),
    /// An address.
    Address(IpAddr),
}

impl HostName {
    fn with_port(&self, port: u16, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name}:{port}"),
            Self::Address(address) => write!(f, "{}", SocketAddr::new(*address, port)),
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// So many in a time, evenly spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate {
    /// How many; at least one.
    pub count: u32,
    /// In which time.
    pub per: Duration,
}

impl Rate {
    /// The first moment for one more after one at `last`.
    pub(crate) fn after(self, last: Timestamp) -> Timestamp {
        last + self.per / self.count.max(1)
    }
}

/// Knows the rules.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Router {
    local: BTreeSet<DomainName>,
    rules: Vec<Rule>,
    /// The rules for a domain, by their places in `rules`.
    domains: BTreeMap<DomainName, Vec<usize>>,
    /// The rules for what is below a domain.
    below: BTreeMap<Box<str>, Vec<usize>>,
    /// The rules for all recipients.
    all: Vec<usize>,
    /// How mail goes that no rule fits.
    by_mx: Arc<Way>,
}

impl Router {
    /// A router for the `local` domains and the `rules` of the configuration.
    pub fn new(local: impl IntoIterator<Item = DomainName>, rules: Vec<Rule>) -> Self {
        let mut router = Self { local: local.into_iter().collect(), ..Self::default() };
        for (place, rule) in rules.iter().enumerate() {
            if rule.recipients.is_empty() {
                router.all.push(place);
            }
            for pattern in &rule.recipients {
                match pattern {
                    Pattern::All => router.all.push(place),
                    Pattern::Domain(name) => {
                        router.domains.entry(name.clone()).or_default().push(place);
                    }
                    Pattern::Below(name) => {
                        router.below.entry(name.as_str().into()).or_default().push(place);
                    }
                }
            }
        }
        router.rules = rules;
        router
    }

    /// Where a message from `from` goes for its recipient `to`.
    pub fn route(&self, from: &ReversePath<'_>, to: &ForwardPath<'_>) -> Route {
        let ForwardPath::Mailbox(Mailbox { host, .. }) = to else {
            return Route::Local;
        };
        let name = match host {
            Host::Domain(domain) => DomainName::new(domain.as_str()),
            Host::Literal(_) => None,
        };
        let sender = from.mailbox();
        let exact = name.as_ref().and_then(|name| self.domains.get(name));
        let is_local = name.as_ref().is_some_and(|name| self.local.contains(name));
        let rule = exact.and_then(|places| self.best(places, sender)).or_else(|| {
            if is_local {
                return None;
            }
            let parents = name.iter().flat_map(|name| parents(name.as_str()));
            parents
                .filter_map(|parent| self.below.get(parent))
                .chain([&self.all])
                .find_map(|places| self.best(places, sender))
        });
        match rule {
            None if is_local => Route::Local,
            None => by_mx(host, name, &self.by_mx),
            Some(rule) => match &rule.to {
                To::Mx => by_mx(host, name, &rule.way),
                To::Lmtp(server) => Route::Lmtp { server: server.clone(), way: rule.way.clone() },
                To::Smarthost(host) => {
                    Route::Smarthost { host: host.clone(), way: rule.way.clone() }
                }
            },
        }
    }

    /// The rule that fits `sender` best of those at `places`.
    fn best(&self, places: &[usize], sender: Option<&Mailbox<'_>>) -> Option<&Rule> {
        let fitting = places.iter().filter_map(|&place| {
            let rule = self.rules.get(place)?;
            Some((rule.fits_sender(sender)?, rule))
        });
        // The first of equals, where `max_by_key` has the last.
        fitting.rev().max_by_key(|(fit, _)| *fit).map(|(_, rule)| rule)
    }
}

fn by_mx(host: &Host<'_>, name: Option<DomainName>, way: &Arc<Way>) -> Route {
    let domain = match name {
        Some(name) => name.as_str().into(),
        None => host.to_string().to_lowercase().into(),
    };
    Route::Mx { domain, way: way.clone() }
}

/// The domains above `name`, the longest first.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').map(|(dot, _)| &name[dot + 1..])
}

/// Which domains a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// `*`
    All,
    /// `example.com`
    Domain(DomainName),
    /// `*.example.com`: those below it, at any depth, not itself.
    Below(DomainName),
}

/// Where a rule sends mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum To {
    #[default]
    Mx,
    Lmtp(LmtpServer),
    Smarthost(Smarthost),
}
