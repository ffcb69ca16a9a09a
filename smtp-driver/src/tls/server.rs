//! The server's side: its certificate.

use super::{ServerTls, Session, TlsError, names, read};
use crate::handler::{ClientCertificate, TlsInfo};
use std::{
    fmt, io,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

/// Where a listener takes its TLS configuration from: shared, and replaceable while it runs.
///
/// Clones are the same acceptor. A connection takes the configuration when its handshake begins,
/// so a replacement never touches one that is up.
#[derive(Clone)]
pub struct Acceptor(Arc<RwLock<Arc<rustls::ServerConfig>>>);

impl Acceptor {
    /// Takes a configuration: one of [`ServerTls`], with client certificates or several names, or
    /// one made elsewhere.
    #[must_use]
    pub fn new(config: Arc<rustls::ServerConfig>) -> Self {
        Self(Arc::new(RwLock::new(config)))
    }

    /// Reads a certificate chain, the server's own certificate first, and its private key (PKCS#8,
    /// PKCS#1 or SEC1), both PEM. The configuration is that of [`server_config`].
    ///
    /// # Errors
    /// [`TlsError`] names what does not fit.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        server_config(chain, key).map(Self::new)
    }

    /// The same from files. Reads them now, and blocks while it does.
    ///
    /// # Errors
    /// [`TlsError`] names the file, or what does not fit.
    pub fn from_pem_files(
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        Self::from_pem(&read(chain.as_ref())?, &read(key.as_ref())?)
    }

    /// Reads the files and replaces the configuration by theirs; on an error the old one stays.
    ///
    /// # Errors
    /// [`TlsError`] names the file, or what does not fit.
    pub fn reload_pem_files(
        &self,
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<(), TlsError> {
        self.replace(server_config(&read(chain.as_ref())?, &read(key.as_ref())?)?);
        Ok(())
    }

    /// Takes another configuration for the handshakes that begin from now on.
    pub fn replace(&self, config: Arc<rustls::ServerConfig>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// The configuration for the next handshake.
    #[must_use]
    pub fn current(&self) -> Arc<rustls::ServerConfig> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A handshake with the present configuration.
    pub(crate) fn begin(&self) -> io::Result<Session> {
        let config = self.current();
        let ems_required = config.require_ems;
        let connection = rustls::ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Session { connection: connection.into(), ems_required })
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").finish_non_exhaustive()
    }
}

/// A configuration for one certificate, of [`ServerTls`]: no client certificates, and no TLS 1.3
/// tickets.
///
/// # Errors
/// [`TlsError`] names what does not fit.
pub fn server_config(chain: &[u8], key: &[u8]) -> Result<Arc<rustls::ServerConfig>, TlsError> {
    ServerTls::new(chain, key)?.build()
}

/// What the handshake of a server agreed on.
pub(crate) fn server_info(session: &rustls::Connection) -> TlsInfo {
    let (version, cipher) = names(session);
    TlsInfo {
        version,
        cipher,
        server_name: match session {
            rustls::Connection::Server(session) => session.server_name().map(str::to_owned),
            rustls::Connection::Client(_) => None,
        },
        client_certificate: client_certificate(session),
    }
}

/// What the client has shown, and rustls has verified.
pub(crate) fn client_certificate(session: &rustls::Connection) -> Option<ClientCertificate> {
    let certificate = session.peer_certificates()?.first()?;
    Some(ClientCertificate(certificate.clone().into_owned()))
}
