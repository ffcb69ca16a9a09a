//! `[[route]]`: a rule of the configuration.
//!
//! ```toml
//! [[route]]                              # all that no other rule fits, to the provider
//! smarthost = { host = "relay.example", login = "me", password_file = "/etc/relay-password" }
//!
//! [[route]]
//! recipients = ["mail.example"]          # also "*.mail.example", all below it; default: all
//! lmtp = "unix:/run/dovecot/lmtp"        # or "127.0.0.1:24"
//!
//! [[route]]
//! senders = ["news.example"]             # also "*.news.example", "me@news.example"; default: all
//! source = ["192.0.2.7", "2001:db8::7"]  # addresses to connect from
//! hello = "news.example"                 # what to say in EHLO
//! tls = "required"                       # of MX hosts: opportunistic (default), required, off
//! port = 2525                            # of MX hosts, in a network of one's own; 25 by default
//! loopback = true                        # MX hosts may be on this machine; default: false
//! fallback = ["relay.example:587"]       # smarthosts, when no MX host can be reached
//! connections = 5                        # most at the same time
//! rate = "100/1m"                        # most messages in a time, evenly spread
//! ```
//!
//! A smarthost is a table, or only `"host"` or `"host:port"`. Its `tls` is `required` by default,
//! or `implicit`, `opportunistic`, `off`; a login demands one of the first two. Its `port` is 587,
//! 465 for `implicit`, 25 for `off`. Its certificate is verified, if at all, by `ca_file`, PEM.

use super::{HostName, LmtpServer, Login, Pattern, Rate, Smarthost, Tls, To, Way, parents};
#[cfg(test)]
use crate::config::reference;
use crate::{policy::DomainName, retry::parse_time};
use serde::{
    Deserialize, Deserializer,
    de::{self, value::MapAccessDeserializer},
};
use smtp_proto::wire::{Host, Mailbox};
use std::{fmt, net::IpAddr, path::PathBuf, sync::Arc};

/// A rule of the configuration: which mail goes where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "Table"))]
#[serde(try_from = "Table")]
pub struct Rule {
    /// Empty: all.
    pub(super) recipients: Vec<Pattern>,
    /// Empty: all.
    pub(super) senders: Vec<Sender>,
    pub(super) to: To,
    pub(super) way: Arc<Way>,
}

/// Which senders a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Domain(Pattern),
    /// The local part as it is written, for only its host knows what it means (RFC 5321 §2.4).
    Address(Box<str>, DomainName),
}

/// How well a rule fits a sender; the greater the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    All,
    /// By the length of the domain that the sender's is below.
    Below(usize),
    Domain,
    Address,
}

impl Rule {
    /// How well `sender` fits, if it does; `None` is the sender of a notice.
    pub(super) fn fits_sender(&self, sender: Option<&Mailbox<'_>>) -> Option<Fit> {
        if self.senders.is_empty() {
            return Some(Fit::All);
        }
        let domain = sender.and_then(|sender| match &sender.host {
            Host::Domain(domain) => DomainName::new(domain.as_str()),
            Host::Literal(_) => None,
        });
        let fit = |pattern: &Sender| match pattern {
            Sender::Domain(Pattern::All) => Some(Fit::All),
            Sender::Domain(Pattern::Domain(name)) => {
                (domain.as_ref() == Some(name)).then_some(Fit::Domain)
            }
            Sender::Domain(Pattern::Below(name)) => {
                let mut above = domain.iter().flat_map(|domain| parents(domain.as_str()));
                above.any(|above| above == name.as_str()).then(|| Fit::Below(name.as_str().len()))
            }
            Sender::Address(local_part, name) => {
                let same = |sender: &Mailbox<'_>| *sender.local_part.unquoted() == **local_part;
                (domain.as_ref() == Some(name) && sender.is_some_and(same)).then_some(Fit::Address)
            }
        };
        self.senders.iter().filter_map(fit).max()
    }
}

/// Where mail goes that does not go to the hosts in the DNS, and how mail goes. The route for the
/// recipient's domain comes before one for all; of these the one for the sender.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Table {
    /// For recipients of these domains: `example.org`, `*.example.org` for all below it; none: all.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<reference::Patterns>"))]
    recipients: Vec<Pattern>,
    /// For mail from these domains, written as above, or addresses; none: all.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<reference::Senders>"))]
    senders: Vec<Sender>,
    /// To this LMTP server.
    #[cfg_attr(test, schemars(with = "Option<reference::Lmtp>"))]
    lmtp: Option<LmtpServer>,
    /// To this server, which takes it further.
    #[cfg_attr(test, schemars(with = "Option<SmarthostTable>"))]
    smarthost: Option<Smarthost>,
    /// The addresses to connect from, one of each family; none: the system's choice.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<reference::Ip>"))]
    source: Vec<IpAddr>,
    /// What to say in EHLO; none: `hostname`.
    hello: Option<DomainName>,
    /// How connections to hosts in the DNS are encrypted; `"opportunistic"` unless it says
    /// otherwise, never `"implicit"`.
    tls: Option<Tls>,
    /// The port of hosts in the DNS, in a network of your own; 25 unless it says otherwise.
    port: Option<u16>,
    /// Whether hosts in the DNS may be on this machine; they may not unless it says so.
    #[serde(default)]
    loopback: bool,
    /// Smarthosts for mail whose hosts cannot be reached, in this order; written as above.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<reference::Smarthost>"))]
    fallback: Vec<Smarthost>,
    /// Most connections at the same time; none: as many as the destination bears, up to 20.
    connections: Option<u32>,
    /// Most messages in a time, evenly spread, such as `100/1m`.
    #[cfg_attr(test, schemars(with = "Option<reference::Rate>"))]
    rate: Option<Rate>,
}

impl TryFrom<Table> for Rule {
    type Error = &'static str;

    fn try_from(table: Table) -> Result<Self, Self::Error> {
        let to = match (table.lmtp, table.smarthost) {
            (None, None) => To::Mx,
            (Some(server), None) => To::Lmtp(server),
            (None, Some(host)) => To::Smarthost(host),
            (Some(_), Some(_)) => return Err("`lmtp` and `smarthost` exclude each other"),
        };
        if to != To::Mx && table.tls.is_some() {
            return Err("`tls` is for MX hosts; a smarthost has its own, in its table");
        }
        if to != To::Mx && table.port.is_some() {
            return Err("`port` is for MX hosts; a smarthost has its own, in its table");
        }
        if to != To::Mx && table.loopback {
            return Err("`loopback` is for MX hosts; others may be on this machine anyway");
        }
        if matches!(to, To::Lmtp(_)) && !table.fallback.is_empty() {
            return Err("`fallback` is for mail to other hosts, not for `lmtp`");
        }
        if table.tls == Some(Tls::Implicit) {
            return Err("an MX host does not begin with TLS: `required` or `opportunistic`");
        }
        if table.connections == Some(0) {
            return Err("`connections` must be at least 1");
        }
        let two =
            |family: fn(&IpAddr) -> bool| table.source.iter().filter(|ip| family(ip)).count() > 1;
        if two(IpAddr::is_ipv4) || two(IpAddr::is_ipv6) {
            return Err("`source` takes one address of each family");
        }
        let way = Way {
            source: table.source,
            hello: table.hello,
            tls: table.tls.unwrap_or_default(),
            port: table.port,
            loopback: table.loopback,
            fallback: table.fallback,
            connections: table.connections,
            rate: table.rate,
        };
        let (recipients, senders) = (table.recipients, table.senders);
        Ok(Self { recipients, senders, to, way: way.into() })
    }
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("*.") {
            Some(name) => DomainName::new(name).map(Self::Below),
            None if text == "*" => Some(Self::All),
            None => DomainName::new(text).map(Self::Domain),
        }
    }
}

/// Reads a string by `parse`; `kind` says in an error what it should have been.
fn text<'de, D: Deserializer<'de>, T>(
    from: D,
    parse: impl FnOnce(&str) -> Option<T>,
    kind: &str,
) -> Result<T, D::Error> {
    let text = String::deserialize(from)?;
    parse(&text).ok_or_else(|| de::Error::custom(format_args!("`{text}` is not {kind}")))
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text(from, Self::parse, "a domain, `*.` and a domain, or `*`")
    }
}

impl<'de> Deserialize<'de> for Sender {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let parse = |text: &str| match text.rsplit_once('@') {
            Some((local_part, name)) if !local_part.is_empty() => {
                Some(Self::Address(local_part.into(), DomainName::new(name)?))
            }
            Some(_) => None,
            None => Pattern::parse(text).map(Self::Domain),
        };
        text(from, parse, "an address, a domain, `*.` and a domain, or `*`")
    }
}

impl HostName {
    /// A name, or an address, which may have brackets.
    fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        match bare.parse() {
            Ok(address) => Some(Self::Address(address)),
            Err(_) => DomainName::new(text).map(Self::Name),
        }
    }

    /// The same with a port behind it, if there is one.
    fn parse_with_port(text: &str) -> Option<(Self, Option<u16>)> {
        match text.rsplit_once(':') {
            // An IPv6 address with a port has brackets.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                let port = port.parse().ok().filter(|port| *port != 0)?;
                Some((Self::parse(host)?, Some(port)))
            }
            _ => Some((Self::parse(text)?, None)),
        }
    }
}

impl<'de> Deserialize<'de> for HostName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text(from, Self::parse, "the name or the address of a host")
    }
}

impl<'de> Deserialize<'de> for LmtpServer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let parse = |text: &str| match text.strip_prefix("unix:") {
            Some(path) => (!path.is_empty()).then(|| Self::Unix(path.into())),
            None => match HostName::parse_with_port(text)? {
                (host, Some(port)) => Some(Self::Tcp(host, port)),
                (_, None) => None,
            },
        };
        text(from, parse, "an LMTP server such as `127.0.0.1:24` or `unix:/run/dovecot/lmtp`")
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let parse = |text: &str| {
            let (count, per) = text.split_once('/')?;
            let count = count.parse().ok().filter(|count| *count > 0)?;
            Some(Self { count, per: parse_time(per)? })
        };
        text(from, parse, "a rate such as `10/1m` or `1/30s`")
    }
}

/// A server that takes mail further. Only its name and port may stand there as well:
/// `smarthost = "relay.example:587"`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct SmarthostTable {
    /// Its name or address; MX records are not asked for.
    #[cfg_attr(test, schemars(with = "reference::Host"))]
    host: HostName,
    /// Its port; 587, or 465 for `"implicit"`, 25 for `"off"`.
    port: Option<u16>,
    /// How the connection is encrypted; `"required"` unless it says otherwise.
    tls: Option<Tls>,
    /// The name to log in with, which needs `"required"` or `"implicit"`.
    login: Option<Box<str>>,
    /// The file whose first line is the password; read each time.
    password_file: Option<PathBuf>,
    /// A PEM file with who may have signed its certificate; none: those who sign for the Web.
    ca_file: Option<PathBuf>,
}

impl TryFrom<SmarthostTable> for Smarthost {
    type Error = &'static str;

    fn try_from(table: SmarthostTable) -> Result<Self, Self::Error> {
        let tls = table.tls.unwrap_or(Tls::Required);
        let login = match (table.login, table.password_file) {
            (Some(user), Some(password_file)) => Some(Login { user, password_file }),
            (None, None) => None,
            (Some(_), None) => return Err("`login` needs a `password_file` beside it"),
            (None, Some(_)) => return Err("`password_file` needs a `login` beside it"),
        };
        let is_verified = matches!(tls, Tls::Required | Tls::Implicit);
        if table.ca_file.is_some() && !is_verified {
            return Err(
                "`ca_file` needs tls = \"required\" or \"implicit\", or nothing is verified",
            );
        }
        if login.is_some() && !is_verified {
            return Err("a login needs tls = \"required\" or \"implicit\" (RFC 8314)");
        }
        if table.port == Some(0) {
            return Err("there is no port 0");
        }
        let port = table.port.unwrap_or(match tls {
            Tls::Required | Tls::Opportunistic => 587,
            Tls::Implicit => 465,
            Tls::Off => 25,
        });
        Ok(Self { host: table.host, port, tls, login, ca_file: table.ca_file })
    }
}

impl<'de> Deserialize<'de> for Smarthost {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct TextOrTable;

        impl<'de> de::Visitor<'de> for TextOrTable {
            type Value = Smarthost;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a smarthost such as \"relay.example:587\", or a table with its `host`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Smarthost, E> {
                let (host, port) = HostName::parse_with_port(text)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))?;
                let (tls, login, password_file, ca_file) = (None, None, None, None);
                let table = SmarthostTable { host, port, tls, login, password_file, ca_file };
                table.try_into().map_err(E::custom)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Smarthost, A::Error> {
                let table = SmarthostTable::deserialize(MapAccessDeserializer::new(map))?;
                table.try_into().map_err(de::Error::custom)
            }
        }

        from.deserialize_any(TextOrTable)
    }
}
