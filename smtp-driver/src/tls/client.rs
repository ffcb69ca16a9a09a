//! The client's side: what it believes and shows, and how that went with one server.

use super::{Session, TlsError, certificates, identity, names, read};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, UnixTime},
    version::{TLS12, TLS13},
};
use smtp_proto::{EnhancedCode, wire::Reply};
use std::{
    fmt,
    net::IpAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

/// Whom a client believes, and which certificate of its own it shows: made once, for all
/// connections. [`connector`](Self::connector) makes of it what one destination needs.
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    verifier: Arc<dyn ServerCertVerifier>,
}

/// Builds a [`ClientTls`].
#[must_use]
pub struct ClientTlsBuilder {
    roots: RootCertStore,
    verifier: Option<Arc<dyn ServerCertVerifier>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
    tls12: bool,
}

/// What must be right, and what becomes of a server where it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verify {
    /// The certificate, for the name that was asked for; else the handshake fails.
    Required,
    /// The same, but any certificate is taken, and [`ClientTlsInfo::verified`] says what was wrong: against an
    /// eavesdropper this is better than clear text (RFC 7435).
    Opportunistic,
}

/// TLS with one destination: what is asked for, and what must be right.
///
/// A policy for a destination makes this value: Required with a name for a smarthost, Opportunistic
/// for a host that an MX record names.
#[derive(Clone)]
pub struct Connector {
    tls: ClientTls,
    name: ServerName<'static>,
    verify: Verify,
}

/// What a client's handshake agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientTlsInfo {
    /// Such as `TLSv1.3`.
    pub version: &'static str,
    /// Such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The name that the certificate should be for. A DNS name was told to the server (SNI).
    pub server_name: String,
    /// Whether the server is who it should be.
    pub verified: Verified,
}

/// What verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// The certificate is valid, for this name, by a chain to a root; and the server has its key.
    Yes,
    /// It is not, for this reason, in words for people: one line, printable, though it may have
    /// words of the certificate in it. Anybody could be at the other end.
    No(String),
}

impl ClientTls {
    /// A builder that believes Mozilla's roots, shows no certificate, and speaks TLS 1.2 and 1.3.
    ///
    /// The roots are those of `webpki-roots`, compiled in: they are there in an empty container,
    /// too, and no verification asks an operating system, which on some does IO that would hold up
    /// all connections of a thread. For the roots of your system give its PEM file to
    /// [`roots_pem_file`](ClientTlsBuilder::roots_pem_file), or its own verifier to
    /// [`verifier`](ClientTlsBuilder::verifier).
    pub fn builder() -> ClientTlsBuilder {
        ClientTlsBuilder {
            roots: RootCertStore::empty(),
            verifier: None,
            identity: None,
            tls12: true,
        }
    }

    /// TLS with the server called `name`: a DNS name or an IP address, which may stand as an address
    /// literal does, such as `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3).
    ///
    /// # Errors
    /// [`TlsError::ServerName`] if it is none of them.
    pub fn connector(&self, name: &str, verify: Verify) -> Result<Connector, TlsError> {
        let name = match in_literal(name) {
            Some(address) => ServerName::IpAddress(address.into()),
            None => ServerName::try_from(name.to_owned())
                .map_err(|_| TlsError::ServerName(name.to_owned()))?,
        };
        Ok(Connector { tls: self.clone(), name, verify })
    }
}

/// The address of an address literal, if `name` is one.
fn in_literal(name: &str) -> Option<IpAddr> {
    let literal = name.strip_prefix('[')?.strip_suffix(']')?;
    let address = match literal.split_at_checked("IPv6:".len()) {
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6:") => address,
        _ => literal,
    };
    address.parse().ok()
}

/// The words for `wrong`, which may quote what the peer has sent: filtered and cut as a reply's are.
fn printable(wrong: &Error) -> String {
    Reply::local(EnhancedCode::transient(7, 5), &wrong.to_string()).text().to_string()
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

impl ClientTlsBuilder {
    /// Believes these roots, and no others: PEM, and at least one. Again: these, too.
    ///
    /// # Errors
    /// [`TlsError`] says what is wrong with them.
    pub fn roots_pem(mut self, pem: &[u8]) -> Result<Self, TlsError> {
        for root in certificates(pem)? {
            self.roots.add(root)?;
        }
        Ok(self)
    }

    /// The same from a file. Reads it now, and blocks while it does.
    ///
    /// # Errors
    /// [`TlsError`] names the file, or says what is wrong with the roots.
    pub fn roots_pem_file(self, path: impl AsRef<Path>) -> Result<Self, TlsError> {
        self.roots_pem(&read(path.as_ref())?)
    }

    /// Believes what `verifier` believes, instead of any roots. It is asked in the middle of a
    /// handshake, so it must not block.
    pub fn verifier(mut self, verifier: Arc<dyn ServerCertVerifier>) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Shows this certificate where the server asks for one: the chain, the client's own
    /// certificate first, and its private key (PKCS#8, PKCS#1 or SEC1), both PEM.
    pub fn client_certificate(mut self, chain: &[u8], key: &[u8]) -> Self {
        self.identity = Some((chain.to_owned(), key.to_owned()));
        self
    }

    /// TLS 1.3 only.
    pub fn without_tls12(mut self) -> Self {
        self.tls12 = false;
        self
    }

    /// The finished value.
    ///
    /// # Errors
    /// [`TlsError`] says what does not fit.
    pub fn build(self) -> Result<ClientTls, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match self.verifier {
            Some(verifier) => verifier,
            None => {
                let mut roots = self.roots;
                if roots.is_empty() {
                    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
                }
                WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone())
                    .build()?
            }
        };
        let versions = [&TLS13, &TLS12];
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(if self.tls12 { &versions } else { &versions[..1] })?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone());
        let mut config = match self.identity {
            Some((chain, key)) => {
                let (chain, key) = identity(&chain, &key)?;
                config.with_client_auth_cert(chain, key)?
            }
            None => config.with_no_client_auth(),
        };
        // A resumed session is not verified anew; what is told as verified has been verified now.
        config.resumption = Resumption::disabled();
        Ok(ClientTls { config: Arc::new(config), verifier })
    }
}

impl fmt::Debug for ClientTlsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTlsBuilder").finish_non_exhaustive()
    }
}

impl Connector {
    /// What must be right.
    #[must_use]
    pub fn verify(&self) -> &Verify {
        &self.verify
    }

    /// Begins a handshake.
    pub(crate) fn begin(&self) -> Result<(Session, Handshake), Error> {
        let (config, recorder) = match self.verify {
            Verify::Required => (self.tls.config.clone(), None),
            Verify::Opportunistic => {
                let recorder = Arc::new(Recorder {
                    verifier: self.tls.verifier.clone(),
                    found: Mutex::new(None),
                });
                let mut config = (*self.tls.config).clone();
                config.dangerous().set_certificate_verifier(recorder.clone());
                (Arc::new(config), Some(recorder))
            }
        };
        let ems_required = config.require_ems;
        let connection = ClientConnection::new(config, self.name.clone())?.into();
        let handshake = Handshake { name: self.name.clone(), recorder };
        Ok((Session { connection, ems_required }, handshake))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("name", &self.name)
            .field("verify", &self.verify)
            .finish_non_exhaustive()
    }
}

/// A handshake under way, as far as rustls does not keep it.
pub(crate) struct Handshake {
    name: ServerName<'static>,
    recorder: Option<Arc<Recorder>>,
}

impl Handshake {
    /// What a finished handshake agreed on.
    pub(crate) fn info(&self, connection: &rustls::Connection) -> ClientTlsInfo {
        let (version, cipher) = names(connection);
        // Without a recorder it could only be finished by one that was right.
        let wrong = self.recorder.as_ref().and_then(|recorder| recorder.found());
        ClientTlsInfo {
            version,
            cipher,
            server_name: self.name.to_str().into_owned(),
            verified: wrong.map_or(Verified::Yes, |wrong| Verified::No(printable(&wrong))),
        }
    }
}

/// Takes any certificate and any signature, after it has asked a real verifier about each, and
/// keeps the first thing that was wrong.
///
/// The signatures count as much as the certificate, which anybody can copy: only they prove that
/// the server has its key.
#[derive(Debug)]
struct Recorder {
    verifier: Arc<dyn ServerCertVerifier>,
    found: Mutex<Option<Error>>,
}

impl Recorder {
    fn found(&self) -> Option<Error> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn record<T>(&self, outcome: Result<T, Error>, instead: T) -> Result<T, Error> {
        outcome.or_else(|wrong| {
            self.found.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(wrong);
            Ok(instead)
        })
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let outcome = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        self.record(outcome, ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let outcome = self.verifier.verify_tls12_signature(message, cert, dss);
        self.record(outcome, HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let outcome = self.verifier.verify_tls13_signature(message, cert, dss);
        self.record(outcome, HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
