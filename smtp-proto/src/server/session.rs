//! What is known of a session at a moment.

use super::config::ServerConfig;
use crate::{
    ext::{BodyType, Offer},
    wire::Hello,
};

/// A copy of the facts of a session: small, and safe to keep while the machine goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// TLS is up.
    pub tls: bool,
    /// How the peer greeted, once that was accepted.
    pub hello: Option<Hello>,
    /// An AUTH exchange succeeded.
    pub authenticated: bool,
    /// The peer spoke before the greeting.
    pub early_talker: bool,
    /// The open transaction asked for SMTPUTF8.
    pub smtputf8: bool,
    /// The open transaction's BODY.
    pub body: BodyType,
    /// Recipients accepted in the open transaction.
    pub recipients: u32,
    /// Message octets delivered so far in the open transaction.
    pub size: u64,
    /// Transactions accepted, the open one included.
    pub transactions: u32,
    /// Rules broken.
    pub violations: u16,
    /// AUTH exchanges that failed.
    pub auth_failures: u16,
}

impl Session {
    /// The peer greeted with EHLO or LHLO.
    pub fn esmtp(&self) -> bool {
        matches!(self.hello, Some(Hello::Ehlo | Hello::Lhlo))
    }

    /// What a peer in this session is offered by default.
    pub(super) fn offer<'a>(&self, config: &'a ServerConfig) -> Offer<'a> {
        Offer {
            extensions: &config.extensions,
            limits: &config.limits,
            mode: config.mode,
            esmtp: self.esmtp(),
            tls: self.tls,
        }
    }
}
