//! TLS by rustls' own sans-IO connection: [`Acceptor`] for a server, [`ClientTls`] and
//! [`Connector`] for a client.

mod channel_binding;
mod client;
mod server;
mod server_tls;

pub use channel_binding::ChannelBinding;
pub use client::{ClientTls, ClientTlsBuilder, ClientTlsInfo, Connector, Verified, Verify};
pub use server::{Acceptor, server_config};
pub(crate) use server::{client_certificate, server_info};
pub use server_tls::ServerTls;

use rustls::{
    client::VerifierBuilderError,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a certificate, its key, or roots cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The certificates are not PEM.
    #[error("the certificate chain is not valid PEM: {0:?}")]
    Chain(pem::Error),
    /// There is no certificate where the chain should be.
    #[error("the certificate chain has no certificate")]
    NoCertificate,
    /// The key is not PEM.
    #[error("the private key is not valid PEM: {0:?}")]
    Key(pem::Error),
    /// There is no key where one should be.
    #[error("there is no private key")]
    NoKey,
    /// rustls refuses them: the key is not that of the certificate, or of a kind it does not know.
    #[error("the certificate and its key cannot be used: {0}")]
    Refused(#[from] rustls::Error),
    /// The roots cannot be used, or there is none.
    #[error("the root certificates cannot be used: {0}")]
    Roots(#[from] VerifierBuilderError),
    /// Neither a DNS name nor an IP address.
    #[error("{0:?} is not a name that a certificate could be for")]
    ServerName(String),
}

/// Certificates in PEM; at least one.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(TlsError::Chain)?;
    if found.is_empty() { Err(TlsError::NoCertificate) } else { Ok(found) }
}

/// A chain, its own certificate first, and the private key of that, both PEM.
fn identity(
    chain: &[u8],
    key: &[u8],
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| match e {
        pem::Error::NoItemsFound => TlsError::NoKey,
        e => TlsError::Key(e),
    });
    Ok((certificates(chain)?, key?))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source })
}

/// A connection of rustls, and what it does not tell of itself.
pub(crate) struct Session {
    pub(crate) connection: rustls::Connection,
    /// With TLS 1.2 it has the extended master secret (RFC 7627), or no handshake.
    pub(crate) ems_required: bool,
}

/// The names of the version and the cipher suite.
fn names(session: &rustls::Connection) -> (&'static str, String) {
    let version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "unknown",
    };
    let cipher = session.negotiated_cipher_suite();
    (version, cipher.map(|suite| format!("{:?}", suite.suite())).unwrap_or_default())
}
