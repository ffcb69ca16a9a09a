//! A certificate that a client under test can check: by an authority made for the run.

use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig, crypto,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use std::{fs, io, path::PathBuf, sync::Arc};
use tempfile::TempDir;

/// Who the server is inside TLS.
pub struct Identity {
    pub(super) tls: Arc<ServerConfig>,
    /// The SHA-256 of its certificate.
    pub(super) sha256: [u8; 32],
    folder: TempDir,
}

impl Identity {
    /// New keys, of which nothing is left when it is dropped.
    ///
    /// # Errors
    /// There is no room for the certificate.
    pub fn new() -> io::Result<Self> {
        let folder = TempDir::with_prefix("smtp-conformance-")?;
        let (tls, certificate, pem) = authority().map_err(io::Error::other)?;
        fs::write(folder.path().join("ca.pem"), pem)?;
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, &certificate).as_ref());
        Ok(Self { tls, sha256, folder })
    }

    /// The certificate to trust.
    pub(super) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A server, its certificate, and the authority that has signed it, as PEM.
fn authority() -> Result<(Arc<ServerConfig>, CertificateDer<'static>, String), Failure> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "smtp-conformance, for one run");
    let key = KeyPair::generate()?;
    let root = params.self_signed(&key)?;
    let issuer = Issuer::new(params, key);
    let names = ["localhost", "127.0.0.1", "mx.example.test"].map(str::to_owned);
    let own = KeyPair::generate()?;
    let certificate = CertificateParams::new(names.to_vec())?.signed_by(&own, &issuer)?;
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone(), root.der().clone()];
    let secret = PrivateKeyDer::try_from(own.serialize_der())?;
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, secret)?;
    Ok((Arc::new(config), certificate.der().clone(), root.pem()))
}
