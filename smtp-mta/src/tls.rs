//! The certificate, from files or made here.

use crate::{config::Certificate, policy::DomainName};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::{ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use smtp_driver::tls::{ClientTls, TlsError};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

/// The two files of a certificate, and what they were when they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    certificate: PathBuf,
    key: PathBuf,
    seen: [Option<Stamp>; 2],
}

/// By what a file is known to be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: Option<SystemTime>,
}

impl Watch {
    fn new(certificate: PathBuf, key: PathBuf) -> Self {
        let seen = [stamp(&certificate), stamp(&key)];
        Self { certificate, key, seen }
    }

    /// Reads the files again if one of them is another than before: `None` if not, so that what is
    /// wrong with them is told once. Blocks.
    pub fn changed(&mut self) -> Option<Result<Arc<ServerConfig>, String>> {
        let found = [stamp(&self.certificate), stamp(&self.key)];
        // Before they are read: what changes meanwhile is another the next time.
        let before = std::mem::replace(&mut self.seen, found);
        (before != found).then(|| read(&self.certificate, &self.key))
    }
}

/// `None` if the file is not there, or cannot be seen.
fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some(Stamp { inode: found.ino(), size: found.len(), modified: found.modified().ok() })
}

/// Reads the certificate, and gives what tells when its files change; `own` is the folder of the one that the server makes for itself, which is
/// made if it is missing. Blocks.
///
/// # Errors
/// A plain sentence that names the file.
pub fn load(
    certificate: &Certificate,
    hostname: &DomainName,
    own: &Path,
) -> Result<(Arc<ServerConfig>, Watch), String> {
    let (certificate, key) = match certificate {
        Certificate::Files { certificate, key } => (certificate.clone(), key.clone()),
        Certificate::SelfMade => {
            let (certificate, key) = self_made(hostname, own);
            if !certificate.exists() || !key.exists() {
                make(hostname, &certificate, &key)
                    .map_err(|error| format!("cannot make {}: {error}", certificate.display()))?;
            }
            (certificate, key)
        }
    };
    let watch = Watch::new(certificate, key);
    let config = read(&watch.certificate, &watch.key)?;
    Ok((config, watch))
}

/// Checks that the certificate files can be used, as far as they are configured.
///
/// # Errors
/// As [`load`].
pub fn check(certificate: &Certificate) -> Result<(), String> {
    match certificate {
        Certificate::Files { certificate, key } => read(certificate, key).map(drop),
        Certificate::SelfMade => Ok(()),
    }
}

/// TLS to other servers, of which it believes what is signed by the certificates in `ca_file`, or by
/// those whom Mozilla believes. Blocks.
///
/// # Errors
/// The file cannot be used, or TLS does not work at all.
pub fn client(ca_file: Option<&Path>) -> Result<ClientTls, TlsError> {
    let builder = ClientTls::builder();
    match ca_file {
        Some(path) => builder.roots_pem_file(path)?.build(),
        None => builder.build(),
    }
}

/// The paths of the certificate that the server makes for itself, and of its key.
pub fn self_made(hostname: &DomainName, own: &Path) -> (PathBuf, PathBuf) {
    let path = |suffix| own.join(format!("{hostname}.{suffix}"));
    (path("crt"), path("key"))
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, String> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        format!("cannot use {}: {error}", path.display())
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(certificate, &error))?;
    if chain.is_empty() {
        return Err(failed(certificate, &"there is no certificate in it"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(key, &error))?;
    let mut config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(certificate, &error))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| failed(certificate, &error))?;
    // Some large senders break on session tickets behind STARTTLS, and few would resume.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Makes a certificate for `hostname` and for this machine as seen from itself.
fn make(hostname: &DomainName, certificate: &Path, key: &Path) -> Result<(), io::Error> {
    let mut params = CertificateParams::new([hostname.as_str().into(), "localhost".into()])
        .map_err(io::Error::other)?;
    for address in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
        params.subject_alt_names.push(rcgen::SanType::IpAddress(address));
    }
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "smtp-mta, made by itself");
    let pair = KeyPair::generate().map_err(io::Error::other)?;
    let signed = params.self_signed(&pair).map_err(io::Error::other)?;
    write(key, &pair.serialize_pem())?;
    write(certificate, &signed.pem())
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn our_own_certificate_is_kept_and_its_key_is_secret() {
        let folder = tempfile::tempdir().unwrap();
        let name = DomainName::new("mx.example").unwrap();
        load(&Certificate::SelfMade, &name, folder.path()).unwrap();
        let (certificate, key) = self_made(&name, folder.path());
        let first = fs::read(&certificate).unwrap();
        load(&Certificate::SelfMade, &name, folder.path()).unwrap();
        assert_eq!(fs::read(&certificate).unwrap(), first);
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn files_that_change_are_read_and_what_is_wrong_with_them_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let name = DomainName::localhost();
        let new = |folder: &str| {
            let own = self_made(&name, &PathBuf::from(folder));
            make(&name, &own.0, &own.1).unwrap();
            own
        };
        let path = folder.path().to_str().unwrap();
        let (certificate, key) = new(path);
        let files = Certificate::Files { certificate: certificate.clone(), key: key.clone() };
        let (_, mut watch) = load(&files, &name, folder.path()).unwrap();
        assert!(watch.changed().is_none());

        let renewed = folder.path().join("renewed");
        fs::create_dir(&renewed).unwrap();
        let (next_certificate, next_key) = new(renewed.to_str().unwrap());
        fs::rename(next_certificate, &certificate).unwrap();
        // The key is still the one of the other.
        let wrong = watch.changed().unwrap().unwrap_err();
        assert!(wrong.contains(".crt: "), "{wrong}");
        assert!(watch.changed().is_none());
        fs::rename(next_key, &key).unwrap();
        assert!(watch.changed().unwrap().is_ok());
        assert!(watch.changed().is_none());

        fs::remove_file(&key).unwrap();
        assert!(watch.changed().unwrap().unwrap_err().contains(".key: "));
        assert!(watch.changed().is_none());
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let name = DomainName::localhost();
        load(&Certificate::SelfMade, &name, folder.path()).unwrap();
        let (certificate, key) = self_made(&name, folder.path());
        let wrong = |certificate: &Path, key: &Path| {
            let files = Certificate::Files { certificate: certificate.into(), key: key.into() };
            check(&files).unwrap_err()
        };

        let missing = folder.path().join("missing.pem");
        assert!(wrong(&missing, &key).contains("missing.pem"));
        assert!(wrong(&certificate, &missing).contains("missing.pem"));
        // The two exchanged: no certificate in the one, no key in the other.
        assert!(wrong(&key, &certificate).contains(".key: there is no certificate in it"));
        let other = folder.path().join("other");
        fs::create_dir(&other).unwrap();
        load(&Certificate::SelfMade, &name, &other).unwrap();
        let (_, other_key) = self_made(&name, &other);
        assert!(wrong(&certificate, &other_key).contains(".crt: "));
    }
}
