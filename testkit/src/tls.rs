//! Throw-away certificates, and TLS configurations that use them.

use crate::line::{Line, SocketLine};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned,
    crypto::{CryptoProvider, aws_lc_rs},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::{
    future::{Future, ready},
    io::{self, Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

/// A certificate authority that lives as long as the test.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, ready to be served or written to files.
#[derive(Debug)]
pub struct Identity {
    /// The chain, the server's own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
    /// The chain as PEM.
    pub chain_pem: String,
    /// The key as PEM.
    pub key_pem: String,
}

impl Authority {
    /// A new authority with a new key.
    ///
    /// # Panics
    /// If the key cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names to be wrong");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be made");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a new key can sign");
        Self { issuer }
    }

    /// A certificate for `names`, such as `mx.example.test`.
    ///
    /// # Panics
    /// If a name cannot stand in a certificate.
    #[must_use]
    pub fn identity(&self, names: &[&str]) -> Identity {
        let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
        let params = CertificateParams::new(names).expect("names of example.test");
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.signed_by(&key, &self.issuer).expect("the authority can sign");
        Identity {
            chain: vec![certificate.der().clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            chain_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        }
    }

    /// What a server needs that is called `names`.
    ///
    /// # Panics
    /// If a name cannot stand in a certificate.
    #[must_use]
    pub fn server_config(&self, names: &[&str]) -> Arc<ServerConfig> {
        let identity = self.identity(names);
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider has the default versions")
            .with_no_client_auth()
            .with_single_cert(identity.chain, identity.key)
            .expect("the key is that of the certificate");
        Arc::new(config)
    }

    /// Its own certificate as PEM, for those who are to trust it.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        self.issuer.pem()
    }

    /// The same for rustls.
    ///
    /// # Panics
    /// If the authority's own certificate is not acceptable.
    #[must_use]
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a certificate made here");
        roots
    }

    /// What a client needs that trusts this authority and nobody else.
    ///
    /// # Panics
    /// If the authority's own certificate is not acceptable.
    #[must_use]
    pub fn client_config(&self) -> Arc<ClientConfig> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider has the default versions")
            .with_root_certificates(self.roots())
            .with_no_client_auth();
        Arc::new(config)
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// A client's socket inside TLS.
#[derive(Debug)]
pub struct TlsLine(StreamOwned<ClientConnection, TcpStream>);

impl TlsLine {
    /// Does the handshake over `line` with the server called `name`.
    ///
    /// # Errors
    /// Those of the socket and of TLS; also that `name` is not one.
    pub fn handshake(line: SocketLine, config: Arc<ClientConfig>, name: &str) -> io::Result<Self> {
        let name = name.to_owned().try_into().map_err(io::Error::other)?;
        let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, line.into_inner());
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self(stream))
    }

    /// The server's own certificate.
    #[must_use]
    pub fn certificate(&self) -> Option<CertificateDer<'static>> {
        Some(self.0.conn.peer_certificates()?.first()?.clone().into_owned())
    }
}

impl Line for TlsLine {
    fn write(&mut self, octets: &[u8]) -> impl Future<Output = io::Result<()>> {
        ready(self.0.write_all(octets).and_then(|()| self.0.flush()))
    }

    fn read(&mut self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        ready(self.0.read(buf))
    }

    fn finish(&mut self) -> impl Future<Output = io::Result<()>> {
        self.0.conn.send_close_notify();
        ready(self.0.flush())
    }

    fn pass(&mut self, _: Duration) -> impl Future<Output = io::Result<()>> {
        ready(Err(io::ErrorKind::Unsupported.into()))
    }
}
