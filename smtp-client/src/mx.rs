//! From a recipient's domain to the hosts that take its mail (RFC 5321 §5, RFC 7505).
//!
//! Ports are no matter of the DNS: the caller adds 25, or another.

use crate::resolve::{Mx, Outage, ResolveError, Resolver};
use futures_util::future::join_all;
use smtp_proto::{
    Class, EnhancedCode,
    wire::{AddressLiteral, Domain, HelloName, Host},
};
use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};
use thiserror::Error;

/// A host that may take the mail, with the addresses to try, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// Its name, to verify it and for logs. It may have an underscore.
    pub host: Host<'static>,
    /// That of its MX record; 0 if there was none.
    pub preference: u16,
    /// At least one.
    pub addresses: Vec<IpAddr>,
}

/// Finds next hops: who is asking, and how far to go.
///
/// RFC 5321 §5.1 allows limits on what is tried. Without them, a stranger's zone could have one
/// message knock at thousands of doors.
#[derive(Clone, Debug)]
pub struct Routing {
    /// Names under which this host takes mail. MX records that name it are cut, with all that are
    /// not preferred to them.
    pub own_names: Vec<Domain<'static>>,
    /// Addresses at which this host takes mail. They cut in the same way.
    pub own_addresses: Vec<IpAddr>,
    /// MX hosts whose addresses are asked for. 16 are more than any large provider has.
    pub max_hosts: usize,
    /// Addresses of each host. 8 leave four to each family.
    pub max_addresses_per_host: usize,
    /// Addresses in all. 32 are four full hosts.
    pub max_addresses: usize,
    /// Which addresses are gone to.
    pub reach: Reach,
}

/// How far from the Internet an address may be that a stranger's zone, or an address literal, sends
/// mail to. Multicast, broadcast and unspecified addresses are of no host, and never gone to.
///
/// An address of IPv6 that leads to one of IPv4 is as far as that: mapped, by NAT64, by 6to4.
///
/// Whoever may choose a recipient could have us talk to what only we can connect to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reach {
    /// Addresses of the Internet: none of the below.
    Internet,
    /// Those of private networks (RFC 1918, RFC 4193, RFC 6598, RFC 8215) and of the own link (RFC
    /// 3927), too:
    /// a host may have its own view of the DNS.
    #[default]
    Private,
    /// Those of this machine, too (RFC 6890: 127.0.0.0/8, ::1): for tests, and servers behind others.
    Loopback,
}

impl Reach {
    /// Whether `address` is within reach.
    #[must_use]
    pub const fn contains(self, address: IpAddr) -> bool {
        match Self::of(unwrapped(address)) {
            Some(least) => least as u8 <= self as u8,
            None => false,
        }
    }

    /// The least that reaches `address`; `None` if no host has it.
    const fn of(address: IpAddr) -> Option<Self> {
        let (nobody, loopback, private) = match address {
            IpAddr::V4(it) => {
                let [first, second, ..] = it.octets();
                let shared = first == 100 && second & 0xc0 == 64;
                // RFC 1122 §3.2.1.3: 0.0.0.0/8 is "this host on this network"; 240.0.0.0/4 is nobody's.
                let nobody = first == 0 || first >= 240 || it.is_multicast();
                (nobody, it.is_loopback(), it.is_private() || it.is_link_local() || shared)
            }
            IpAddr::V6(it) => {
                let private = it.is_unique_local() || it.is_unicast_link_local() || is_nat64(it);
                (it.is_unspecified() || it.is_multicast(), it.is_loopback(), private)
            }
        };
        match (nobody, loopback, private) {
            (true, ..) => None,
            (_, true, _) => Some(Self::Loopback),
            (.., true) => Some(Self::Private),
            _ => Some(Self::Internet),
        }
    }
}

/// NAT64 of the own network (RFC 8215): what is behind it is that network's to know.
const fn is_nat64(address: Ipv6Addr) -> bool {
    matches!(address.segments(), [0x64, 0xff9b, 1, ..])
}

/// The IPv4 address that packets to `address` reach in the end, where it has one in it: mapped
/// (RFC 4291 §2.5.5.2), by NAT64 (RFC 6052 §2.1), by 6to4 (RFC 3056 §2), or as those that are
/// "compatible" had it (RFC 4291 §2.5.5.1).
const fn unwrapped(address: IpAddr) -> IpAddr {
    let address = address.to_canonical();
    let IpAddr::V6(it) = address else { return address };
    let (high, low) = match it.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => (high, low),
        // `::` and `::1` are addresses of IPv6.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 || low > 1 => (high, low),
        _ => return address,
    };
    IpAddr::V4(Ipv4Addr::from_bits((high as u32) << 16 | low as u32))
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            own_names: Vec::new(),
            own_addresses: Vec::new(),
            max_hosts: 16,
            max_addresses_per_host: 8,
            max_addresses: 32,
            reach: Reach::default(),
        }
    }
}

/// Why mail cannot go to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoRoute {
    /// The domain does not exist, or has neither MX nor address records (RFC 5321 §5.1).
    #[error("no such domain")]
    NoDomain,
    /// It has U-labels that are none, or an address literal of an unknown kind.
    #[error("not a domain of the Internet")]
    NotInternet,
    /// Its owner says that it takes no mail (RFC 7505). Who checks the domain of a sender answers
    /// 5.7.27 instead of this code (RFC 7505 §4.2).
    #[error("the domain does not accept mail")]
    NullMx,
    /// The best host for it is this host, which does not think so (RFC 5321 §5.1).
    #[error("mail for the domain loops back to this host")]
    Loop,
    /// It has MX records, and no host among them has an address (RFC 5321 §5.1).
    #[error("no host that takes the domain's mail can be found")]
    NoUsableHost,
    /// Its hosts, or its address literal, are at addresses beyond [`Routing::reach`].
    #[error("the domain's mail would go to addresses where none is to go")]
    OutOfReach,
    /// It may be known later.
    #[error(transparent)]
    Temporary(#[from] Outage),
}

impl NoRoute {
    /// Its enhanced status code (RFC 3463); the class says whether to try again.
    #[must_use]
    pub const fn code(&self) -> EnhancedCode {
        match self {
            Self::NoDomain | Self::NotInternet => const { code(Class::Permanent, 1, 2) },
            Self::NullMx => const { code(Class::Permanent, 1, 10) },
            Self::Loop => const { code(Class::Permanent, 4, 6) },
            Self::NoUsableHost | Self::OutOfReach => const { code(Class::Permanent, 4, 4) },
            Self::Temporary(_) => const { code(Class::Transient, 4, 3) },
        }
    }
}

/// A constant of three good numbers, or the build fails.
const fn code(class: Class, subject: u16, detail: u16) -> EnhancedCode {
    match EnhancedCode::new(class, subject, detail) {
        Some(code) => code,
        None => unreachable!(),
    }
}

impl Routing {
    /// The hosts that take mail for `destination`, in the order in which to try them. At least one.
    ///
    /// Hosts of equal preference are shuffled by `seed`, which should be a fresh random number for
    /// each call; equal seeds give equal orders (RFC 5321 §5.1: "MUST randomize them").
    ///
    /// A domain that has MX records is never tried at its own addresses. A host whose addresses are
    /// not known now is passed over if another has some.
    ///
    /// # Errors
    /// [`NoRoute`].
    pub async fn next_hops<R: Resolver>(
        &self,
        resolver: &R,
        destination: &Host<'_>,
        seed: u64,
    ) -> Result<Vec<NextHop>, NoRoute> {
        let domain = match destination {
            Host::Domain(domain) => in_ascii(domain)?,
            Host::Literal(literal) => return self.at_literal(literal),
        };
        let (records, unusable) = match resolver.mx(&domain).await {
            Ok(records) if !records.is_empty() => (records, NoRoute::NoUsableHost),
            Ok(_) | Err(ResolveError::NoData) => (implicit(&domain), NoRoute::NoDomain),
            Err(ResolveError::NoDomain) => return Err(NoRoute::NoDomain),
            Err(ResolveError::Temporary(outage)) => return Err(outage.into()),
        };
        let exchangers = self.exchangers(records, seed)?;
        let questions = exchangers.iter().map(|exchanger| resolver.addresses(&exchanger.name));
        let answers = join_all(questions).await;
        self.hops(exchangers.into_iter().zip(answers).collect(), unusable)
    }

    /// The hosts to ask the addresses of, in their order.
    fn exchangers(&self, mut records: Vec<Mx>, seed: u64) -> Result<Vec<Exchanger>, NoRoute> {
        if records.iter().all(|record| record.exchange == ".") {
            return Err(NoRoute::NullMx);
        }
        let own = records.iter().filter(|record| self.is_own_name(&record.exchange));
        if let Some(own) = own.map(|record| record.preference).min() {
            records.retain(|record| record.preference < own);
            if records.is_empty() {
                return Err(NoRoute::Loop);
            }
        }
        fastrand::Rng::with_seed(seed).shuffle(&mut records);
        records.sort_by_key(|record| record.preference);
        let mut seen = HashSet::new();
        let usable = records.into_iter().filter_map(Exchanger::new);
        Ok(usable
            .filter(|exchanger| seen.insert(exchanger.name.as_str().to_ascii_lowercase()))
            .take(self.max_hosts)
            .collect())
    }

    /// The hosts with the addresses that were found; `unusable` if there are none.
    fn hops(&self, mut found: Vec<Found>, unusable: NoRoute) -> Result<Vec<NextHop>, NoRoute> {
        let own = found.iter().filter(|(_, answer)| {
            answer.iter().flatten().any(|address| self.is_own_address(*address))
        });
        if let Some(own) = own.map(|(exchanger, _)| exchanger.preference).min() {
            found.retain(|(exchanger, _)| exchanger.preference < own);
            if found.is_empty() {
                return Err(NoRoute::Loop);
            }
        }
        let mut none = unusable;
        let mut left = self.max_addresses;
        let mut hops = Vec::with_capacity(found.len());
        for (Exchanger { name, preference }, answer) in found {
            match answer {
                Ok(mut addresses) => {
                    let found_any = !addresses.is_empty();
                    addresses.retain(|address| self.reach.contains(*address));
                    if found_any && addresses.is_empty() && none == unusable {
                        none = NoRoute::OutOfReach;
                    }
                    addresses.truncate(self.max_addresses_per_host.min(left));
                    left -= addresses.len();
                    if !addresses.is_empty() {
                        hops.push(NextHop { host: Host::Domain(name), preference, addresses });
                    }
                }
                Err(ResolveError::Temporary(outage)) => none = outage.into(),
                Err(ResolveError::NoDomain | ResolveError::NoData) => {}
            }
        }
        if hops.is_empty() { Err(none) } else { Ok(hops) }
    }

    /// RFC 5321 §4.1.3: an address literal is the host to go to.
    fn at_literal(&self, literal: &AddressLiteral<'_>) -> Result<Vec<NextHop>, NoRoute> {
        let address = match *literal {
            AddressLiteral::V4(address) => IpAddr::V4(address),
            AddressLiteral::V6(address) => IpAddr::V6(address),
            AddressLiteral::General { .. } => return Err(NoRoute::NotInternet),
        };
        if self.is_own_address(address) {
            return Err(NoRoute::Loop);
        }
        if !self.reach.contains(address) {
            return Err(NoRoute::OutOfReach);
        }
        let host = Host::Literal(address.into());
        Ok(vec![NextHop { host, preference: 0, addresses: vec![address] }])
    }

    fn is_own_name(&self, exchange: &str) -> bool {
        let name = without_dot(exchange);
        self.own_names.iter().any(|own| own.as_str().eq_ignore_ascii_case(name))
    }

    fn is_own_address(&self, address: IpAddr) -> bool {
        self.own_addresses.iter().any(|own| unwrapped(*own) == unwrapped(address))
    }
}

/// A host that an MX record names.
struct Exchanger {
    name: Domain<'static>,
    preference: u16,
}

/// A host, and what its addresses are.
type Found = (Exchanger, Result<Vec<IpAddr>, ResolveError>);

impl Exchanger {
    /// `None` if no host can have the name of the record. One that looks like an address is not
    /// looked up: some resolvers would take it for one.
    fn new(Mx { preference, exchange }: Mx) -> Option<Self> {
        let name = without_dot(&exchange);
        if name.parse::<Ipv4Addr>().is_ok() {
            return None;
        }
        // The rule for names in HELO, for the underscores that hosts of the field have.
        match HelloName::parse(name).ok()?.host() {
            Host::Domain(name) => Some(Self { name: name.clone().into_static(), preference }),
            Host::Literal(_) => None,
        }
    }
}

/// RFC 5321 §5.1: without MX records, "an implicit MX RR, with a preference of 0, pointing to that
/// host".
fn implicit(domain: &Domain<'_>) -> Vec<Mx> {
    vec![Mx { preference: 0, exchange: domain.as_str().into() }]
}

fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// The domain with A-labels for its U-labels (RFC 5891 §5).
pub(crate) fn in_ascii(domain: &Domain<'_>) -> Result<Domain<'static>, NoRoute> {
    if domain.is_ascii() {
        return Ok(domain.clone().into_static());
    }
    let ascii = idna::domain_to_ascii(domain.as_str()).map_err(|_| NoRoute::NotInternet)?;
    Domain::parse(&ascii).map(Domain::into_static).map_err(|_| NoRoute::NotInternet)
}
