//! What a listener shows, and what it asks for.

use super::{TlsError, certificates, identity};
use rustls::{
    RootCertStore, ServerConfig,
    client::verify_server_name,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::ServerName,
    server::{
        ClientHello, NoServerSessionStorage, ParsedCertificate, ResolvesServerCert,
        WebPkiClientVerifier,
    },
    sign::CertifiedKey,
};
use std::{fmt, sync::Arc};

/// Builds the TLS configuration of a listener: TLS 1.2 and 1.3 by aws-lc-rs.
///
/// Each configuration remembers its sessions for itself: what a client was told by one listener is
/// worth nothing at another.
///
/// ```
/// # use smtp_driver::{Acceptor, TlsError, tls::ServerTls};
/// # fn listener(chain: &[u8], key: &[u8], other: (&[u8], &[u8]), ca: &[u8]) -> Result<Acceptor, TlsError> {
/// let config = ServerTls::new(chain, key)?
///     .certificate(other.0, other.1)?
///     .client_certificates(ca, false)?
///     .build()?;
/// # Ok(Acceptor::new(config)) }
/// ```
#[must_use]
pub struct ServerTls {
    provider: Arc<CryptoProvider>,
    /// The first one for names that no other is for.
    certificates: Vec<Arc<CertifiedKey>>,
    clients: Option<Clients>,
    tickets: bool,
}

/// Whose certificates are asked for.
struct Clients {
    roots: RootCertStore,
    required: bool,
}

impl ServerTls {
    /// Shows this certificate, unless there is [another](Self::certificate) for the name that the
    /// client asks for: the chain, the server's own certificate first, and its private key (PKCS#8,
    /// PKCS#1 or SEC1), both PEM.
    ///
    /// # Errors
    /// [`TlsError`] names what does not fit.
    pub fn new(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let certificates = Vec::new();
        Self { provider, certificates, clients: None, tickets: false }.certificate(chain, key)
    }

    /// Shows this one to a client that asks for a name (SNI, RFC 6066 §3) for which it is and no
    /// certificate before it.
    ///
    /// # Errors
    /// [`TlsError`] names what does not fit.
    pub fn certificate(mut self, chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let (chain, key) = identity(chain, key)?;
        let certified = CertifiedKey::from_der(chain, key, &self.provider)?;
        // What cannot be read now would be for no name later.
        ParsedCertificate::try_from(certified.end_entity_cert()?)?;
        self.certificates.push(Arc::new(certified));
        Ok(self)
    }

    /// Asks clients for a certificate that one of these roots has signed (PEM, at least one). With
    /// `required` a client without is turned away, and one with another certificate is in any case.
    /// No session is resumed then, so that what is told as verified has been verified now.
    ///
    /// # Errors
    /// [`TlsError`] says what is wrong with the roots.
    pub fn client_certificates(mut self, roots: &[u8], required: bool) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        for root in certificates(roots)? {
            store.add(root)?;
        }
        self.clients = Some(Clients { roots: store, required });
        Ok(self)
    }

    /// Sends tickets by which a client resumes a session of TLS 1.3. Do without where other servers
    /// bring mail: some large ones break on tickets behind STARTTLS, and few would resume.
    pub fn tickets(mut self) -> Self {
        self.tickets = true;
        self
    }

    /// The finished configuration.
    ///
    /// # Errors
    /// [`TlsError`] says what does not fit.
    pub fn build(self) -> Result<Arc<ServerConfig>, TlsError> {
        let Self { provider, certificates, clients, tickets } = self;
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?;
        let asks = clients.is_some();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(Clients { roots, required }) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                let verifier = match required {
                    true => verifier,
                    false => verifier.allow_unauthenticated(),
                };
                builder.with_client_cert_verifier(verifier.build()?)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(ByName(certificates)));
        if asks {
            config.session_storage = Arc::new(NoServerSessionStorage {});
        }
        if asks || !tickets {
            config.send_tls13_tickets = 0;
        }
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

/// The first certificate that is for the name asked for; the first of all if none is.
#[derive(Debug)]
struct ByName(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let first = self.0.first()?;
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let is_for = |certified: &&Arc<CertifiedKey>| {
            let parsed = certified.end_entity_cert().and_then(ParsedCertificate::try_from);
            let name = name.as_ref();
            name.zip(parsed.ok()).is_some_and(|(name, it)| verify_server_name(&it, name).is_ok())
        };
        let found = match self.0.len() {
            1 => None,
            _ => self.0.iter().find(is_for),
        };
        Some(found.unwrap_or(first).clone())
    }
}
