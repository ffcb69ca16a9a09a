//! What a TLS connection is known by at both its ends, and nowhere else.

use rustls::ProtocolVersion;
use std::fmt;

/// What a TLS connection is known by at both its ends, and nowhere else: `tls-exporter`, 32 octets
/// (RFC 9266). A login that is bound to it cannot be passed on over another connection.
#[derive(Clone, PartialEq, Eq)]
pub struct ChannelBinding([u8; 32]);

impl ChannelBinding {
    /// That of `connection`; `None` before its handshake is done. In TLS 1.2 two connections may
    /// have the same one, unless they have the extended master secret (§4.1), which only
    /// `ems_required` shows: rustls does not tell.
    pub(crate) fn of(connection: &rustls::Connection, ems_required: bool) -> Option<Self> {
        let is_unique = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => true,
            Some(ProtocolVersion::TLSv1_2) => ems_required,
            _ => false,
        };
        // §2. In TLS 1.2 an empty context is not the same as none (RFC 5705 §4).
        let export =
            || connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[]));
        is_unique.then(export)?.ok().map(Self)
    }

    pub(crate) fn as_octets(&self) -> &[u8] {
        &self.0
    }
}

/// What another implementation of TLS exports for the label `EXPORTER-Channel-Binding` and an empty
/// context (§2), from TLS 1.3 or with the extended master secret.
impl From<[u8; 32]> for ChannelBinding {
    fn from(exported: [u8; 32]) -> Self {
        Self(exported)
    }
}

impl fmt::Debug for ChannelBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelBinding").finish_non_exhaustive()
    }
}
