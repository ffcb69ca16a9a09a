//! How a client behaves.

use crate::{
    body::LineEndings,
    ext::{CustomExtension, CustomExtensions},
};
use alloc::sync::Arc;
use core::time::Duration;

/// Which protocol is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// SMTP, or message submission.
    #[default]
    Smtp,
    /// LMTP (RFC 2033): LHLO, and a reply for each recipient.
    Lmtp,
}

/// How long the server may take. The defaults are those of RFC 5321 §4.5.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// The greeting (§4.5.3.2.1: 5 minutes).
    pub greeting: Duration,
    /// The reply to MAIL (§4.5.3.2.2: 5 minutes).
    pub mail: Duration,
    /// The reply to RCPT (§4.5.3.2.3: 5 minutes; longer where lists are expanded at once).
    pub rcpt: Duration,
    /// The reply to DATA (§4.5.3.2.4: 2 minutes).
    pub data: Duration,
    /// One write that the server takes some octets of (§4.5.3.2.5: 3 minutes).
    pub block: Duration,
    /// The reply to the end of the message (§4.5.3.2.6: 10 minutes).
    pub message: Duration,
    /// The reply to any other command.
    pub command: Duration,
    /// The reply to QUIT, after which nothing is at stake.
    pub quit: Duration,
    /// A TLS handshake.
    pub handshake: Duration,
    /// Flushing and closing after `Closed`.
    pub linger: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            greeting: Duration::from_secs(5 * 60),
            mail: Duration::from_secs(5 * 60),
            rcpt: Duration::from_secs(5 * 60),
            data: Duration::from_secs(2 * 60),
            block: Duration::from_secs(3 * 60),
            message: Duration::from_secs(10 * 60),
            command: Duration::from_secs(5 * 60),
            quit: Duration::from_secs(60),
            handshake: Duration::from_secs(60),
            linger: Duration::from_secs(10),
        }
    }
}

/// How much of each thing a connection may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Octets of one reply with all its lines; at least 512 (RFC 5321 §4.5.3.1.5). A receive
    /// buffer must have room for as many.
    pub reply: usize,
    /// Octets of commands that wait to be written, beyond which a command is
    /// [`Misuse::Full`](crate::Misuse::Full).
    pub send_buffer: usize,
    /// Commands without a reply, beyond which another is [`Misuse::Full`](crate::Misuse::Full).
    pub unanswered: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { reply: 16 << 10, send_buffer: 16 << 10, unanswered: 1_000 }
    }
}

/// The configuration of a client, shared by its connections.
#[derive(Clone, Debug, Default)]
pub struct ClientConfig {
    pub(super) mode: Mode,
    pub(super) limits: Limits,
    pub(super) timeouts: Timeouts,
    pub(super) line_endings: LineEndings,
    pub(super) no_pipelining: bool,
    pub(super) no_helo: bool,
    pub(super) strict: bool,
    pub(super) custom: CustomExtensions,
}

impl ClientConfig {
    /// Starts a configuration.
    pub fn builder() -> ClientConfigBuilder {
        ClientConfigBuilder(Self::default())
    }

    /// A builder that starts from this configuration.
    pub fn to_builder(&self) -> ClientConfigBuilder {
        ClientConfigBuilder(self.clone())
    }

    /// Which protocol is spoken.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The timers.
    pub fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// What becomes of a bare CR or LF in a message.
    pub fn line_endings(&self) -> LineEndings {
        self.line_endings
    }
}

/// Builds a [`ClientConfig`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientConfigBuilder(ClientConfig);

impl ClientConfigBuilder {
    /// Which protocol is spoken; SMTP unless said.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.0.mode = mode;
        self
    }

    /// The bounds; each is raised to its minimum.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = Limits {
            reply: limits.reply.max(512),
            send_buffer: limits.send_buffer.max(1 << 10),
            unanswered: limits.unanswered.max(1),
        };
        self
    }

    /// The timers.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.0.timeouts = timeouts;
        self
    }

    /// What becomes of a bare CR or LF in a message; checked unless said.
    pub fn line_endings(mut self, line_endings: LineEndings) -> Self {
        self.0.line_endings = line_endings;
        self
    }

    /// One command at a time, also where PIPELINING is offered.
    pub fn without_pipelining(mut self) -> Self {
        self.0.no_pipelining = true;
        self
    }

    /// No HELO where EHLO is not understood (RFC 5321 §3.2).
    pub fn without_helo(mut self) -> Self {
        self.0.no_helo = true;
        self
    }

    /// A reply with a [`Deviation`](crate::wire::Deviation) ends the connection.
    pub fn strict(mut self) -> Self {
        self.0.strict = true;
        self
    }

    /// An extension of your own: what servers say of it is kept in
    /// [`Capabilities::custom`](super::Capabilities::custom), and what it has may be sent to those
    /// that announce it. There is room for eight, each with a keyword of its own.
    pub fn custom(mut self, extension: CustomExtension) -> Self {
        self.0.custom.add(extension);
        self
    }

    /// The configuration, ready to be shared.
    pub fn build(self) -> Arc<ClientConfig> {
        Arc::new(self.0)
    }
}
