//! A configuration with bounds and extensions of its own.

use smtp_proto::{
    Limits, Timeouts,
    ext::Extensions,
    server::ServerConfig,
    wire::{Host, Malformed},
};
use std::{sync::Arc, time::Duration};

/// A server of messages up to a megabyte, whose policy decides within thirty seconds.
///
/// # Errors
/// `host` is no domain and no address literal.
pub fn small_messages(host: &str) -> Result<Arc<ServerConfig>, Malformed> {
    let mut limits = Limits::default();
    limits.message = 1 << 20; // octets; EHLO shows it as SIZE
    limits.recipients = 100;
    let mut timeouts = Timeouts::default();
    timeouts.decision = Duration::from_secs(30); // then the machine says 451
    Ok(ServerConfig::builder(Host::parse(host)?.into_static())
        .extensions(Extensions::new().smtputf8().chunking())
        .limits(limits)
        .timeouts(timeouts)
        .build())
}
