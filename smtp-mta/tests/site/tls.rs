//! TLS to the site.

use super::Site;
use rustls::{
    ALL_VERSIONS, ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A TLS stream to the site that trusts only its own certificate.
pub(crate) fn tls(
    site: &Site,
    name: &str,
    stream: TcpStream,
) -> StreamOwned<ClientConnection, TcpStream> {
    trusting(&certificate(site, name), name, stream)
}

/// The certificate that the site made for itself.
pub(crate) fn certificate(site: &Site, name: &str) -> PathBuf {
    site.folder.path().join("tls").join(format!("{name}.crt"))
}

/// A TLS stream to `name` that trusts only the certificate of the file.
pub(crate) fn trusting(
    certificate: &Path,
    name: &str,
    stream: TcpStream,
) -> StreamOwned<ClientConnection, TcpStream> {
    connected(&client(certificate, ALL_VERSIONS), name, stream)
}

/// A client that trusts only the certificate of the file.
pub(crate) fn client(
    certificate: &Path,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// A TLS stream of a client that may have talked to the server before.
pub(crate) fn connected(
    config: &Arc<ClientConfig>,
    name: &str,
    stream: TcpStream,
) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::clone(config), name).unwrap(), stream)
}

/// Says each line and hears a reply that starts as the other.
#[track_caller]
pub(crate) fn dialogue(stream: &mut (impl Read + Write), lines: &[(&str, &str)]) {
    let mut replies = BufReader::new(stream);
    for (say, hear) in lines {
        replies.get_mut().write_all(say.as_bytes()).unwrap();
        let mut line = String::new();
        while line.is_empty() || line.as_bytes().get(3) == Some(&b'-') {
            line.clear();
            assert_ne!(replies.read_line(&mut line).unwrap(), 0);
        }
        assert!(line.starts_with(hear), "{say:?}: {line:?}");
    }
}
