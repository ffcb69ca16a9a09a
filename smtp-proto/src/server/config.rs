//! What a server offers and tolerates.

use crate::{ext::Extensions, limits::Limits, timer::Timeouts, wire::Host};
use alloc::sync::Arc;

/// Which protocol is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// SMTP between servers (RFC 5321).
    #[default]
    Smtp,
    /// Message submission (RFC 6409): MAIL needs AUTH first.
    Submission,
    /// LMTP (RFC 2033): LHLO, and a reply for each recipient.
    Lmtp,
}

/// What becomes of a bare CR or LF in a message. None of them ever ends a message: only
/// `CRLF . CRLF` does, and that is not configurable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BareLineEnding {
    /// Swallow the message to its true end, answer 521 5.5.2 and close.
    #[default]
    Refuse,
    /// Deliver CRLF in its place.
    Normalise,
    /// Keep the octet as data.
    Pass,
}

/// The configuration of a server, shared by all its connections.
///
/// ```
/// use smtp_proto::{Limits, ext::Extensions, server::{Mode, ServerConfig}, wire::Host};
///
/// let mut limits = Limits::default();
/// limits.message = 25 << 20; // octets
/// let config = ServerConfig::builder(Host::parse("mx.example.test").unwrap())
///     .mode(Mode::Smtp)
///     .extensions(Extensions::new().smtputf8().chunking())
///     .limits(limits)
///     .build();
/// assert_eq!(config.limits().message, 26_214_400);
/// ```
#[derive(Clone, Debug)]
pub struct ServerConfig {
    pub(crate) host: Host<'static>,
    pub(crate) mode: Mode,
    pub(crate) extensions: Arc<Extensions>,
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    pub(crate) bare: BareLineEnding,
}

impl ServerConfig {
    /// Starts a configuration for the server that calls itself `host`, in A-labels: the greeting
    /// and the answer to EHLO are ASCII (RFC 6531 §3.7.1).
    pub fn builder(host: Host<'static>) -> ServerConfigBuilder {
        ServerConfigBuilder(Self {
            host,
            mode: Mode::default(),
            extensions: Arc::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            bare: BareLineEnding::default(),
        })
    }

    /// A builder that starts from this configuration.
    pub fn to_builder(&self) -> ServerConfigBuilder {
        ServerConfigBuilder(self.clone())
    }

    /// The name in the greeting and in the answer to EHLO.
    pub fn host(&self) -> &Host<'static> {
        &self.host
    }

    /// Which protocol is spoken.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What is offered unless [`ServerConnection::advertise`](super::ServerConnection::advertise)
    /// says otherwise for a peer.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The bounds, none below the RFCs' minimum.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The timers.
    pub fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }
}

/// Builds a [`ServerConfig`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ServerConfigBuilder(ServerConfig);

impl ServerConfigBuilder {
    /// Which protocol is spoken; SMTP unless said.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.0.mode = mode;
        self
    }

    /// What is offered.
    pub fn extensions(mut self, extensions: Extensions) -> Self {
        self.0.extensions = Arc::new(extensions);
        self
    }

    /// The bounds; each is raised to its RFC minimum.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits.at_least_rfc();
        self
    }

    /// The timers.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.0.timeouts = timeouts;
        self
    }

    /// What becomes of a bare CR or LF in a message.
    pub fn bare_line_endings(mut self, bare: BareLineEnding) -> Self {
        self.0.bare = bare;
        self
    }

    /// The configuration, ready to be shared.
    pub fn build(self) -> Arc<ServerConfig> {
        Arc::new(self.0)
    }
}
