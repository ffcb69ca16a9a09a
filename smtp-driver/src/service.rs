//! What all connections of a listener share.

use crate::{handler::Peer, recv_buffer::Pool, sasl::Credentials, tls::Acceptor};
use smtp_proto::server::{ServerConfig, Start};
use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

/// What all connections of a listener share: the configuration of the machine, TLS, passwords and
/// receive buffers. Cheap to clone.
///
/// ```
/// # use smtp_driver::Service;
/// # use smtp_proto::{server::ServerConfig, wire::Host};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = ServerConfig::builder(Host::parse("mx.example.org")?).build();
/// let service = Service::new(config)?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Service {
    config: Arc<ServerConfig>,
    start: Start,
    tls: Option<Acceptor>,
    credentials: Option<Arc<dyn Credentials>>,
    pool: Pool,
    greeting_delay: Duration,
    proxies: Arc<[IpAddr]>,
}

/// Why a service cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A receive buffer cannot hold the longest line that the limits allow and an octet more.
    #[error("receive buffers of {size} octets are too small: the limits need more than {unread}")]
    BufferTooSmall {
        /// Octets of a buffer of the pool.
        size: usize,
        /// [`Limits::max_unread`](smtp_proto::Limits::max_unread) of the configuration.
        unread: usize,
    },
    /// The server's own name is not in ASCII, as the greeting and the answer to EHLO must be (RFC
    /// 6531 §3.7.1): it has to be given in A-labels.
    #[error("the server's own name has to be given in A-labels")]
    NameNotAscii,
}

impl Service {
    /// RCPT questions open at once for a configuration that leaves the machine's default of 1.
    pub const DECISIONS_IN_FLIGHT: usize = 32;

    /// A service in clear text, without TLS and passwords, with a pool of its own.
    ///
    /// [`Handler::rcpt`](crate::Handler::rcpt) may run several times at once, so where the
    /// configuration has the machine's default of one open RCPT question, the service has
    /// [`DECISIONS_IN_FLIGHT`](Self::DECISIONS_IN_FLIGHT).
    ///
    /// # Errors
    /// [`ConfigError::BufferTooSmall`] if the limits allow lines longer than a buffer of the
    /// default pool, [`ConfigError::NameNotAscii`] if the host of the configuration has U-labels.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, ConfigError> {
        if !config.host().is_ascii() {
            return Err(ConfigError::NameNotAscii);
        }
        let in_flight = config.limits().decisions_in_flight;
        let service = Self {
            config,
            start: Start::Plain,
            tls: None,
            credentials: None,
            pool: Pool::default(),
            greeting_delay: Duration::ZERO,
            proxies: Arc::default(),
        };
        let service = match in_flight {
            0 | 1 => service.decisions_in_flight(Self::DECISIONS_IN_FLIGHT),
            _ => service,
        };
        service.check()
    }

    /// Offers these receive buffers instead, to be shared with other listeners.
    ///
    /// # Errors
    /// [`ConfigError::BufferTooSmall`] if the limits allow lines longer than a buffer.
    pub fn pool(mut self, pool: Pool) -> Result<Self, ConfigError> {
        self.pool = pool;
        self.check()
    }

    /// At most `n` RCPT questions are open at once; at least 1.
    #[must_use]
    pub fn decisions_in_flight(mut self, n: usize) -> Self {
        let mut limits = *self.config.limits();
        limits.decisions_in_flight = n;
        self.config = self.config.to_builder().limits(limits).build();
        self
    }

    /// What STARTTLS begins; the configuration must offer it, too. Without an acceptor the answer
    /// to STARTTLS is 454.
    #[must_use]
    pub fn starttls(mut self, acceptor: Acceptor) -> Self {
        self.start = Start::Plain;
        self.tls = Some(acceptor);
        self
    }

    /// TLS from the first octet, as on port 465 (RFC 8314 §3.3).
    #[must_use]
    pub fn implicit_tls(mut self, acceptor: Acceptor) -> Self {
        self.start = Start::Tls;
        self.tls = Some(acceptor);
        self
    }

    /// Who checks passwords; the configuration must offer AUTH, too. Without it AUTH is refused.
    #[must_use]
    pub fn credentials(mut self, credentials: impl Credentials) -> Self {
        self.credentials = Some(Arc::new(credentials));
        self
    }

    /// How long the greeting waits for a peer that speaks too early (RFC 5321 §4.3.1); such a peer
    /// ends the wait. Zero unless said.
    ///
    /// It is cut to half of the time that a decision may last.
    #[must_use]
    pub fn greeting_delay(mut self, delay: Duration) -> Self {
        self.greeting_delay = delay;
        self
    }

    /// The addresses of proxies in front of the [`Server`](crate::Server) that say by a PROXY header
    /// (HAProxy's, version 1 or 2) who their clients are. A connection from one of them must begin
    /// with the header, before TLS, within the time of a TLS handshake, and is closed without a word
    /// if it does not; [`Peer`] is the client then, and the proxy is not bounded by address. From
    /// everybody else a header is an unknown command.
    #[must_use]
    pub fn proxies(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.proxies = addresses.into_iter().collect();
        self
    }

    /// The configuration of the machine.
    #[must_use]
    pub fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }

    /// The TLS acceptor, to replace its certificate.
    #[must_use]
    pub fn acceptor(&self) -> Option<&Acceptor> {
        self.tls.as_ref()
    }

    /// The receive buffers.
    #[must_use]
    pub fn buffers(&self) -> &Pool {
        &self.pool
    }

    /// The acceptor, if TLS begins with the first octet.
    pub(crate) fn implicit(&self) -> Option<&Acceptor> {
        self.tls.as_ref().filter(|_| self.start == Start::Tls)
    }

    pub(crate) fn start(&self) -> Start {
        self.start
    }

    pub(crate) fn passwords(&self) -> Option<&dyn Credentials> {
        self.credentials.as_deref()
    }

    /// Whether this peer must say who its client is.
    pub(crate) fn is_proxy(&self, peer: &Peer) -> bool {
        let address = peer.remote.map(|address| address.ip().to_canonical());
        address.is_some_and(|address| self.proxies.contains(&address))
    }

    pub(crate) fn delay(&self) -> Duration {
        self.greeting_delay.min(self.config.timeouts().decision / 2)
    }

    fn check(self) -> Result<Self, ConfigError> {
        let (size, unread) = (self.pool.buffer_size(), self.config.limits().max_unread());
        if size > unread { Ok(self) } else { Err(ConfigError::BufferTooSmall { size, unread }) }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("config", &self.config)
            .field("start", &self.start)
            .field("tls", &self.tls)
            .field("credentials", &self.credentials.is_some())
            .field("pool", &self.pool)
            .field("greeting_delay", &self.greeting_delay)
            .field("proxies", &self.proxies)
            .finish()
    }
}
