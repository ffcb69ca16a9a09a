//! Whom the DNS is asked by, if anybody.

use smtp_client::{
    proto::wire::Domain,
    resolve::{DnsConfig, Mx, Outage, ResolveError, Resolver},
    runtime::tokio::{Dns, DnsRuntime},
};
use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
};

/// The name servers, if there are any: a server whose mail goes only to mailboxes of its own or to
/// addresses needs none.
#[derive(Clone)]
pub struct Names(Option<Dns>);

impl Names {
    /// Asks `servers`, or without any those of the system. Must be called within a runtime of
    /// tokio.
    ///
    /// # Errors
    /// The runtime has no sockets for it.
    pub fn new(servers: &[SocketAddr]) -> io::Result<Self> {
        let config = match servers {
            [] => DnsConfig::system(),
            servers => Ok(DnsConfig::new(servers.into())),
        };
        match config {
            Ok(config) if !config.servers.is_empty() => {
                Ok(Self(Some(Dns::new(&config, DnsRuntime::default())?)))
            }
            Ok(_) => Ok(Self::without("the system names none")),
            Err(error) => Ok(Self::without(&error.to_string())),
        }
    }

    fn without(reason: &str) -> Self {
        tracing::warn!(reason, "no name server: mail to other domains will wait");
        Self(None)
    }

    fn servers(&self) -> Result<&Dns, ResolveError> {
        self.0.as_ref().ok_or(ResolveError::Temporary(Outage::Unreachable))
    }
}

impl Resolver for Names {
    async fn mx(&self, domain: &Domain<'_>) -> Result<Vec<Mx>, ResolveError> {
        self.servers()?.mx(domain).await
    }

    async fn addresses(&self, host: &Domain<'_>) -> Result<Vec<IpAddr>, ResolveError> {
        self.servers()?.addresses(host).await
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}
