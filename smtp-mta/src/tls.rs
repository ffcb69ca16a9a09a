//! The certificates, from files or made here.

use crate::{
    config::{Certificate, ClientCertificate, Clients, Config, KeyPair, Listener, TlsStart},
    policy::DomainName,
};
use rcgen::{CertificateParams, DistinguishedName, DnType};
use rustls::ServerConfig;
use smtp_driver::{
    Acceptor,
    tls::{ClientTls, ServerTls, TlsError},
};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

/// The files of a listener's TLS, and what becomes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Files {
    /// The first one for names that no other is for.
    certificates: Vec<KeyPair>,
    clients: Option<Clients>,
    tickets: bool,
}

/// The TLS of a listener, what its files were when they were read, and where it is replaced.
#[derive(Clone, Debug)]
pub struct Watch {
    listener: SocketAddr,
    files: Files,
    seen: Vec<Option<Stamp>>,
    acceptor: Acceptor,
}

/// By what a file is known to be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: u64,
    modified: Option<SystemTime>,
}

impl Watch {
    /// The TLS of `listener`, with the sessions that it has remembered `before`.
    fn new(listener: SocketAddr, files: Files, before: Option<&Self>) -> Result<Self, String> {
        // Before they are read: what changes meanwhile is another the next time.
        let seen = files.stamps();
        let before = before.map(|before| before.acceptor.current());
        let acceptor = Acceptor::new(files.read(before.as_deref())?);
        Ok(Self { listener, files, seen, acceptor })
    }

    /// Where the listener takes its TLS from.
    pub fn acceptor(&self) -> &Acceptor {
        &self.acceptor
    }

    /// The files, and by what each was known when it was read.
    pub fn seen(&self) -> impl Iterator<Item = (&Path, Option<Stamp>)> {
        self.files.paths().zip(self.seen.iter().copied())
    }

    /// Reads the files again if one of them is another than before, and has the listener use them:
    /// `None` if not, so that what is wrong with them is told once. Blocks.
    pub fn changed(&mut self) -> Option<Result<(), String>> {
        let found = self.files.stamps();
        let before = std::mem::replace(&mut self.seen, found);
        let read = || {
            let config = self.files.read(Some(&self.acceptor.current()))?;
            self.acceptor.replace(config);
            Ok(())
        };
        (before != self.seen).then(read)
    }
}

impl Files {
    /// Those of `listener`; `own` is the folder of the certificate that the server makes for itself,
    /// which is made if it is missing.
    fn of(config: &Config, listener: &Listener, own: &Path) -> Result<Self, String> {
        let certificates = match (listener.certificates.as_slice(), &config.tls) {
            ([], Certificate::Files { certificate, key }) => {
                vec![KeyPair { certificate: certificate.clone(), key: key.clone() }]
            }
            ([], Certificate::SelfMade) => {
                let (certificate, key) = self_made(&config.hostname, own);
                if !certificate.exists() || !key.exists() {
                    make(&config.hostname, &certificate, &key).map_err(|error| {
                        format!("cannot make {}: {error}", certificate.display())
                    })?;
                }
                vec![KeyPair { certificate, key }]
            }
            (own, _) => own.to_vec(),
        };
        let tickets = listener.role.is_submission();
        Ok(Self { certificates, clients: listener.clients.clone(), tickets })
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        let pairs = self.certificates.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
        let paths = pairs.chain(self.clients.as_ref().map(|clients| &clients.ca_file));
        paths.map(PathBuf::as_path)
    }

    fn stamps(&self) -> Vec<Option<Stamp>> {
        self.paths().map(stamp).collect()
    }

    /// What is configured by them. It remembers the sessions that the one `before` has remembered,
    /// which was configured by the same; but not where clients show certificates, for a session that
    /// is resumed is not verified again, and the authorities in the file may be others now.
    fn read(&self, before: Option<&ServerConfig>) -> Result<Arc<ServerConfig>, String> {
        let mut tls: Option<ServerTls> = None;
        for KeyPair { certificate, key } in &self.certificates {
            let (chain, private) = (octets(certificate)?, octets(key)?);
            let with = match tls {
                None => ServerTls::new(&chain, &private),
                Some(tls) => tls.certificate(&chain, &private),
            };
            tls = Some(with.map_err(|error| match error {
                TlsError::Key(_) | TlsError::NoKey => unusable(key, &error),
                _ => unusable(certificate, &error),
            })?);
        }
        let mut tls = tls.ok_or("there is no certificate")?;
        if let Some(Clients { ca_file, certificate }) = &self.clients {
            let required = *certificate == ClientCertificate::Required;
            tls = tls
                .client_certificates(&octets(ca_file)?, required)
                .map_err(|error| unusable(ca_file, &error))?;
        }
        if self.tickets {
            tls = tls.tickets();
        }
        let mut config =
            tls.build().map_err(|error| format!("cannot use the certificates: {error}"))?;
        if let Some(before) = before.filter(|_| self.clients.is_none()) {
            Arc::make_mut(&mut config).session_storage = Arc::clone(&before.session_storage);
        }
        Ok(config)
    }
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("cannot use {}: {error}", path.display())
}

fn octets(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| unusable(path, &error))
}

/// `None` if the file is not there, or cannot be seen.
fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some(Stamp { inode: found.ino(), size: found.len(), modified: found.modified().ok() })
}

/// The TLS of `listener`; `None` if it has none. `own` is the folder of the certificate that the
/// server makes for itself, which is made if it is missing. Blocks.
///
/// If it is among those `before`, at the same address with the same files for the same ends, it is
/// taken from there with the TLS sessions that it remembers: it resumes none that began under other
/// rules.
///
/// # Errors
/// A plain sentence that names the file.
pub fn load(
    config: &Config,
    listener: &Listener,
    own: &Path,
    before: &mut Vec<Watch>,
) -> Result<Option<Watch>, String> {
    if listener.tls == TlsStart::Off {
        return Ok(None);
    }
    let files = Files::of(config, listener, own)?;
    let is_same = |it: &Watch| it.listener == listener.address && it.files == files;
    let before = before.iter().position(is_same).map(|at| before.swap_remove(at));
    Watch::new(listener.address, files, before.as_ref()).map(Some)
}

/// Checks that the files of all certificates can be used, as far as they are configured.
///
/// # Errors
/// As [`load`].
pub fn check(config: &Config) -> Result<(), String> {
    let own = |pairs: Vec<KeyPair>, clients| Files { certificates: pairs, clients, tickets: false };
    if let Certificate::Files { certificate, key } = &config.tls {
        let pair = KeyPair { certificate: certificate.clone(), key: key.clone() };
        own(vec![pair], None).read(None)?;
    }
    for listener in &config.listeners {
        if !listener.certificates.is_empty() {
            own(listener.certificates.clone(), None).read(None)?;
        }
        if let Some(clients) = &listener.clients {
            client(Some(&clients.ca_file)).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
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

/// Makes a certificate for `hostname` and for this machine as seen from itself.
fn make(hostname: &DomainName, certificate: &Path, key: &Path) -> Result<(), io::Error> {
    let mut params = CertificateParams::new([hostname.as_str().into(), "localhost".into()])
        .map_err(io::Error::other)?;
    for address in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
        params.subject_alt_names.push(rcgen::SanType::IpAddress(address));
    }
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "smtp-mta, made by itself");
    let pair = rcgen::KeyPair::generate().map_err(io::Error::other)?;
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
    use crate::config::Role;
    use std::os::unix::fs::PermissionsExt;

    /// A configuration with these files, or none.
    fn config(name: &str, files: Option<(&Path, &Path)>) -> Config {
        let tls = match files {
            None => Certificate::SelfMade,
            Some((certificate, key)) => {
                Certificate::Files { certificate: certificate.into(), key: key.into() }
            }
        };
        Config { hostname: DomainName::new(name).unwrap(), tls, ..Config::default() }
    }

    fn listener(role: Role) -> Listener {
        Listener::new("127.0.0.1:0".parse().unwrap(), role, TlsStart::Starttls)
    }

    fn load_for_all(config: &Config, own: &Path) -> Watch {
        load(config, &listener(Role::Mx), own, &mut Vec::new()).unwrap().unwrap()
    }

    /// The files of a new certificate in `folder`.
    fn new(folder: &Path) -> (PathBuf, PathBuf) {
        let name = DomainName::localhost();
        let own = self_made(&name, folder);
        make(&name, &own.0, &own.1).unwrap();
        own
    }

    #[test]
    fn our_own_certificate_is_kept_and_its_key_is_secret() {
        let folder = tempfile::tempdir().unwrap();
        let config = config("mx.example", None);
        load_for_all(&config, folder.path());
        let (certificate, key) = self_made(&config.hostname, folder.path());
        let first = fs::read(&certificate).unwrap();
        load_for_all(&config, folder.path());
        assert_eq!(fs::read(&certificate).unwrap(), first);
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn files_that_change_are_read_and_what_is_wrong_with_them_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = new(folder.path());
        let mut watch =
            load_for_all(&config("localhost", Some((&certificate, &key))), folder.path());
        assert!(watch.changed().is_none());

        let renewed = folder.path().join("renewed");
        fs::create_dir(&renewed).unwrap();
        let (next_certificate, next_key) = new(&renewed);
        fs::rename(next_certificate, &certificate).unwrap();
        let before = watch.acceptor().current();
        // The key is still the one of the other.
        let wrong = watch.changed().unwrap().unwrap_err();
        assert!(wrong.contains(".crt: "), "{wrong}");
        assert!(watch.changed().is_none());
        assert!(Arc::ptr_eq(&before, &watch.acceptor().current()));
        fs::rename(next_key, &key).unwrap();
        assert!(watch.changed().unwrap().is_ok());
        let renewed = watch.acceptor().current();
        assert!(!Arc::ptr_eq(&before, &renewed));
        assert!(Arc::ptr_eq(&before.session_storage, &renewed.session_storage));
        assert!(watch.changed().is_none());

        fs::remove_file(&key).unwrap();
        assert!(watch.changed().unwrap().unwrap_err().contains(".key: "));
        assert!(watch.changed().is_none());
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = new(folder.path());
        let wrong = |certificate: &Path, key: &Path| {
            let for_all = check(&config("localhost", Some((certificate, key)))).unwrap_err();
            // The same for a pair of one listener.
            let mut of_one = listener(Role::Submission);
            let pair = |certificate: &Path, key: &Path| KeyPair {
                certificate: certificate.into(),
                key: key.into(),
            };
            of_one.certificates = vec![pair(certificate, key)];
            let config = Config { listeners: vec![of_one], ..config("localhost", None) };
            assert_eq!(check(&config).unwrap_err(), for_all);
            for_all
        };

        let missing = folder.path().join("missing.pem");
        assert!(wrong(&missing, &key).contains("missing.pem"));
        assert!(wrong(&certificate, &missing).contains("missing.pem"));
        // The two exchanged: no certificate in the one, no key in the other.
        let exchanged = wrong(&key, &certificate);
        assert!(
            exchanged.contains(".key: the certificate chain has no certificate"),
            "{exchanged}"
        );
        assert!(wrong(&certificate, &certificate).contains(".crt: there is no private key"));
        let other = folder.path().join("other");
        fs::create_dir(&other).unwrap();
        let (_, other_key) = new(&other);
        assert!(wrong(&certificate, &other_key).contains(".crt: "));
    }

    #[test]
    fn the_file_with_those_who_sign_for_clients_is_looked_at_and_watched() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = new(folder.path());
        let ca_file = folder.path().join("clients.pem");
        let clients =
            Clients { ca_file: ca_file.clone(), certificate: ClientCertificate::Required };
        let listener = Listener { clients: Some(clients), ..listener(Role::Submission) };
        let config = Config {
            listeners: vec![listener.clone()],
            ..config("localhost", Some((&certificate, &key)))
        };
        assert!(check(&config).unwrap_err().contains("clients.pem: "));
        fs::copy(&certificate, &ca_file).unwrap();
        check(&config).unwrap();
        let mut watch = load(&config, &listener, folder.path(), &mut Vec::new()).unwrap().unwrap();
        assert_eq!(watch.seen().count(), 3);
        fs::write(&ca_file, "").unwrap();
        assert!(watch.changed().unwrap().unwrap_err().contains("clients.pem: "));
    }

    #[test]
    fn tickets_are_for_users_only_and_none_is_for_who_shows_a_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, _) = new(folder.path());
        let tickets = |listener| {
            let config = config("localhost", None);
            let watch = load(&config, &listener, folder.path(), &mut Vec::new()).unwrap();
            watch.unwrap().acceptor().current().send_tls13_tickets
        };
        assert_eq!([Role::Mx, Role::Lmtp].map(|role| tickets(listener(role))), [0, 0]);
        assert_ne!(tickets(listener(Role::Submission)), 0);
        let clients = Clients { ca_file: certificate, certificate: ClientCertificate::Optional };
        let asks = Listener { clients: Some(clients), ..listener(Role::Submission) };
        assert_eq!(tickets(asks), 0);
    }

    #[test]
    fn sessions_are_remembered_as_long_as_a_listener_is_configured_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = new(folder.path());
        let files = Some((&*certificate, &*key));
        let users = listener(Role::Submission);
        let load = |config: &Config, listener: &Listener, before: &[Watch]| {
            load(config, listener, folder.path(), &mut before.to_vec()).unwrap().unwrap()
        };
        let first = load(&config("localhost", files), &users, &[]);
        let is_kept = |config: &Config, listener: &Listener| {
            let then = first.acceptor.current();
            let now = load(config, listener, std::slice::from_ref(&first)).acceptor.current();
            assert!(!Arc::ptr_eq(&then, &now));
            Arc::ptr_eq(&then.session_storage, &now.session_storage)
        };
        let same = config("localhost", files);
        assert!(is_kept(&same, &users));

        let clients =
            Clients { ca_file: certificate.clone(), certificate: ClientCertificate::Optional };
        let address = "127.0.0.2:0".parse().unwrap();
        for other in [
            Listener { clients: Some(clients), ..users.clone() },
            Listener { address, ..users.clone() },
            listener(Role::Mx),
        ] {
            assert!(!is_kept(&same, &other), "{other:?}");
        }
        assert!(!is_kept(&config("mx.example", None), &users));

        let clients =
            Clients { ca_file: certificate.clone(), certificate: ClientCertificate::Optional };
        let asking = Listener { clients: Some(clients), ..users.clone() };
        let then = load(&same, &asking, &[]);
        let now = load(&same, &asking, std::slice::from_ref(&then));
        let storage = |watch: &Watch| Arc::clone(&watch.acceptor.current().session_storage);
        assert!(
            !Arc::ptr_eq(&storage(&then), &storage(&now)),
            "a client's certificate is looked at again"
        );
    }
}
