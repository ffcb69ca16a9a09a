//! Name servers, asked through hickory.
//!
//! hickory without its tokio feature takes any runtime in under a hundred lines, so its random ids,
//! ports and letter cases, its retries, TCP after truncation and cache need not be written here.

use super::{Mx, Outage, ResolveError, Resolver};
use futures_util::future::join;
use hickory_resolver::{
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    lookup::Lookup,
    net::{
        DnsError, NetError,
        runtime::{RuntimeProvider, Time},
    },
    proto::{
        op::ResponseCode,
        rr::{Name, RData, RecordType},
    },
    system_conf::read_system_conf,
};
use smtp_proto::wire::Domain;
use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

/// Which name servers to ask, and how patiently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsConfig {
    /// Name servers that ask others for us, over UDP and TCP. At least one.
    pub servers: Vec<SocketAddr>,
    /// How long to wait for an answer before the question is asked again.
    pub timeout: Duration,
    /// How often it is asked again.
    pub retries: usize,
    /// Answers to keep, for as long as they say and a day at most; 0 keeps none.
    pub cache: u64,
}

impl DnsConfig {
    /// Asks `servers`; two retries, five seconds each; 8,192 answers are kept.
    #[must_use]
    pub fn new(servers: Vec<SocketAddr>) -> Self {
        let defaults = ResolverOpts::default();
        Self {
            servers,
            timeout: defaults.timeout,
            retries: defaults.attempts,
            cache: defaults.cache_size,
        }
    }

    /// What the system is configured to: `/etc/resolv.conf`, its search list aside.
    ///
    /// # Errors
    /// The file cannot be read, or names no server.
    pub fn system() -> io::Result<Self> {
        let (config, options) = read_system_conf().map_err(io::Error::other)?;
        let servers = config.name_servers().iter().filter_map(|server| {
            Some(SocketAddr::new(server.ip, server.connections.first()?.port))
        });
        let (timeout, retries) = (options.timeout, options.attempts);
        Ok(Self { timeout, retries, ..Self::new(servers.collect()) })
    }
}

/// Asks name servers, and keeps their answers for as long as they may be kept. Clones share both.
///
/// A question takes `timeout` times the number of tries, at most, and a socket of its own meanwhile.
/// The file of hosts is not read, and `localhost` is the loopback interface (RFC 6761 §6.3).
///
/// The addresses of a host are those of IPv6 and IPv4 by turns, IPv6 first, so that neither family
/// can hide the other (RFC 5321 §5.2); within a family they stay in the order given.
#[derive(Clone)]
pub struct Dns<P: RuntimeProvider> {
    resolver: Arc<hickory_resolver::Resolver<P>>,
    patience: Duration,
}

impl<P: RuntimeProvider> Dns<P> {
    /// Asks the servers of `config`, with `runtime`'s sockets and timers.
    ///
    /// # Errors
    /// `config` names no server.
    pub fn new(config: &DnsConfig, runtime: P) -> io::Result<Self> {
        if config.servers.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no name server"));
        }
        let servers = config.servers.iter().map(|server| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            let connections = connections.map(|mut connection| {
                connection.port = server.port();
                connection
            });
            NameServerConfig::new(server.ip(), true, connections.into())
        });
        let servers = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        let mut builder = hickory_resolver::Resolver::builder_with_config(servers, runtime);
        let options = builder.options_mut();
        options.timeout = config.timeout;
        options.attempts = config.retries;
        options.cache_size = config.cache;
        options.use_hosts_file = ResolveHosts::Never;
        options.case_randomization = true;
        let resolver = Arc::new(builder.build().map_err(io::Error::other)?);
        let tries = u32::try_from(config.retries).unwrap_or(u32::MAX).saturating_add(1);
        Ok(Self { resolver, patience: config.timeout.saturating_mul(tries) })
    }

    /// Asks for `record_type` of `domain`.
    async fn lookup<T>(
        &self,
        domain: &Domain<'_>,
        record_type: RecordType,
        wanted: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, ResolveError> {
        // What is too long for the DNS is not in it.
        let mut name = Name::from_ascii(domain.as_str()).map_err(|_| ResolveError::NoDomain)?;
        name.set_fqdn(true);
        let resolver = Arc::clone(&self.resolver);
        let question = async move { resolver.lookup(name, record_type).await };
        let answer: Lookup = P::Timer::timeout(self.patience, question)
            .await
            .map_err(|_| Outage::TimedOut)?
            .map_err(|error| meaning(&error))?;
        let found: Vec<T> =
            answer.answers().iter().filter_map(|record| wanted(&record.data)).collect();
        // Without an error there should be records. Mail is not returned for a riddle.
        if found.is_empty() { Err(Outage::Malformed.into()) } else { Ok(found) }
    }
}

impl<P: RuntimeProvider> Resolver for Dns<P> {
    async fn mx(&self, domain: &Domain<'_>) -> Result<Vec<Mx>, ResolveError> {
        let wanted = |data: &RData| match data {
            // Servers write a name that is part of the question as it was asked: with letters in
            // random case, by which connections could not be found again.
            RData::MX(mx) => {
                let exchange = mx.exchange.to_lowercase().to_ascii();
                Some(Mx { preference: mx.preference, exchange })
            }
            _ => None,
        };
        self.lookup(domain, RecordType::MX, wanted).await
    }

    async fn addresses(&self, host: &Domain<'_>) -> Result<Vec<IpAddr>, ResolveError> {
        let v6 = self.lookup(host, RecordType::AAAA, RData::ip_addr);
        let v4 = self.lookup(host, RecordType::A, RData::ip_addr);
        match join(v6, v4).await {
            (Ok(v6), Ok(v4)) => Ok(by_turns(v6, v4)),
            (Ok(addresses), Err(_)) | (Err(_), Ok(addresses)) => Ok(addresses),
            (Err(outage @ ResolveError::Temporary(_)), _) => Err(outage),
            (Err(_), Err(error)) => Err(error),
        }
    }
}

impl<P: RuntimeProvider> fmt::Debug for Dns<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dns").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// One of `first`, one of `second`, and so on until both are empty.
fn by_turns<T>(first: Vec<T>, second: Vec<T>) -> Vec<T> {
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut merged = Vec::with_capacity(first.len() + second.len());
    while first.len() + second.len() > 0 {
        merged.extend(first.next());
        merged.extend(second.next());
    }
    merged
}

/// What hickory's error says about the records.
fn meaning(error: &NetError) -> ResolveError {
    let outage = match error {
        NetError::Dns(DnsError::NoRecordsFound(answer)) => match answer.response_code {
            ResponseCode::NXDomain => return ResolveError::NoDomain,
            // NS without SOA points to other servers: it is no answer at all (RFC 2308 §2.2).
            ResponseCode::NoError if answer.ns.is_some() && answer.soa.is_none() => Outage::Refused,
            ResponseCode::NoError => return ResolveError::NoData,
            _ => Outage::ServerFailure,
        },
        NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => Outage::Refused,
        NetError::Dns(_) => Outage::ServerFailure,
        NetError::Timeout => Outage::TimedOut,
        NetError::Io(_) | NetError::NoConnections | NetError::Busy => Outage::Unreachable,
        _ => Outage::Malformed,
    };
    outage.into()
}
