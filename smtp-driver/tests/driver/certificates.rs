//! The certificates of a listener, and those of its clients.

use crate::{
    harness::{Connection, Plan, plain_service},
    tls::TlsClient,
};
use rustls::{
    ClientConfig, HandshakeKind, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::ServerName,
    version::{TLS12, TLS13},
};
use smtp_driver::{Acceptor, TlsError, tls::ServerTls};
use std::sync::Arc;
use testkit::tls::{Authority, Identity};

fn builder(identity: &Identity) -> ServerTls {
    ServerTls::new(identity.chain_pem.as_bytes(), identity.key_pem.as_bytes()).unwrap()
}

fn and(tls: ServerTls, identity: &Identity) -> ServerTls {
    tls.certificate(identity.chain_pem.as_bytes(), identity.key_pem.as_bytes()).unwrap()
}

fn open(tls: ServerTls) -> Connection {
    open_at(&Acceptor::new(tls.build().unwrap()))
}

fn open_at(acceptor: &Acceptor) -> Connection {
    let service = plain_service().implicit_tls(acceptor.clone());
    Connection::with(Plan::default(), service, 1 << 20, |stream| stream)
}

/// A client that believes the authority, and shows `identity`.
fn client(
    authority: &Authority,
    version: &'static SupportedProtocolVersion,
    identity: Option<&Identity>,
) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(authority.roots());
    Arc::new(match identity {
        None => config.with_no_client_auth(),
        Some(it) => config.with_client_auth_cert(it.chain.clone(), it.key.clone_key()).unwrap(),
    })
}

fn name(name: &str) -> ServerName<'static> {
    ServerName::try_from(name.to_owned()).unwrap()
}

/// TLS-16
#[test]
fn the_certificate_is_the_one_for_the_name_that_is_asked_for() {
    let authority = Authority::new();
    let first = authority.identity(&["mx.example.test", "old.example.test"]);
    let second = authority.identity(&["mail.example.test", "*.hosted.test", "old.example.test"]);
    let mut anything = ClientConfig::clone(&authority.client_config());
    anything.dangerous().set_certificate_verifier(Arc::new(blind::Blind));
    let mut nameless = anything.clone();
    nameless.enable_sni = false;
    let (anything, nameless) = (Arc::new(anything), Arc::new(nameless));
    for (config, asked, shown) in [
        (&anything, "mx.example.test", &first),
        (&anything, "MAIL.example.test", &second),
        (&anything, "a.hosted.test", &second),
        (&anything, "a.b.hosted.test", &first),
        (&anything, "old.example.test", &first),
        (&anything, "unknown.example.test", &first),
        (&nameless, "mail.example.test", &first),
    ] {
        let connection = open(and(builder(&first), &second));
        let client = TlsClient::with(&connection, config.clone(), name(asked));
        let certificates = client.session.peer_certificates().unwrap();
        assert_eq!(certificates, shown.chain, "{asked}");
    }
}

#[test]
fn a_client_shows_its_certificate_if_it_has_one() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = authority.identity(&["mx.example.test"]);
    let user = clients.identity(&["user.example.test"]);
    for version in [&TLS12, &TLS13] {
        for (required, shown) in [(false, None), (false, Some(&user)), (true, Some(&user))] {
            let roots = clients.certificate_pem();
            let tls = builder(&server).client_certificates(roots.as_bytes(), required).unwrap();
            let connection = open(tls);
            let config = client(&authority, version, shown);
            let mut client = TlsClient::with(&connection, config, name("mx.example.test"));
            assert!(client.receive().starts_with("220 "));
            let noted = connection.notes().iter().any(|note| note.contains("certificate"));
            assert_eq!(noted, shown.is_some());
        }
    }
}

#[test]
fn a_client_without_the_certificate_that_is_required_is_turned_away_and_so_is_one_with_another() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = authority.identity(&["mx.example.test"]);
    // Signed by somebody else.
    let other = authority.identity(&["user.example.test"]);
    for version in [&TLS12, &TLS13] {
        for (required, shown) in [(true, None), (true, Some(&other)), (false, Some(&other))] {
            let roots = clients.certificate_pem();
            let tls = builder(&server).client_certificates(roots.as_bytes(), required).unwrap();
            let connection = open(tls);
            let config = client(&authority, version, shown);
            TlsClient::refused(&connection, config, name("mx.example.test"));
            assert!(connection.notes().is_empty(), "{:?}", connection.notes());
        }
    }
}

/// How the handshakes go with each of `listeners` in turn, by a client that keeps what it is told.
fn kinds(
    authority: &Authority,
    version: &'static SupportedProtocolVersion,
    listeners: &[&Acceptor],
) -> Vec<HandshakeKind> {
    let config = client(authority, version, None);
    let kind = |acceptor: &&Acceptor| {
        let connection = open_at(acceptor);
        let mut client = TlsClient::with(&connection, config.clone(), name("mx.example.test"));
        assert!(client.send("NOOP\r\n").contains("250 "));
        client.session.handshake_kind().unwrap()
    };
    listeners.iter().map(kind).collect()
}

#[test]
fn a_session_of_one_listener_is_none_of_another() {
    use HandshakeKind::{Full, Resumed};
    let authority = Authority::new();
    let server = authority.identity(&["mx.example.test"]);
    let acceptor = |tls: ServerTls| Acceptor::new(tls.build().unwrap());
    let one = acceptor(builder(&server).tickets());
    let other = acceptor(builder(&server).tickets());
    for version in [&TLS12, &TLS13] {
        assert_eq!(kinds(&authority, version, &[&one, &one]), [Full, Resumed]);
        assert_eq!(kinds(&authority, version, &[&one, &other]), [Full, Full]);
    }
    // Without tickets TLS 1.3 resumes nothing.
    let without = acceptor(builder(&server));
    assert_eq!(kinds(&authority, &TLS13, &[&without, &without]), [Full, Full]);
    // Where clients show certificates, each is verified anew.
    let roots = authority.certificate_pem();
    let asking = || builder(&server).client_certificates(roots.as_bytes(), false).unwrap();
    for version in [&TLS12, &TLS13] {
        let asking = acceptor(asking().tickets());
        assert_eq!(kinds(&authority, version, &[&asking, &asking]), [Full, Full]);
    }
}

#[test]
fn roots_that_are_none_are_refused() {
    let identity = Authority::new().identity(&["mx.example.test"]);
    let without = builder(&identity).client_certificates(b"", true);
    assert!(matches!(without, Err(TlsError::NoCertificate)));
}

mod blind {
    //! A client that takes any certificate, to look at it.

    use rustls::{
        DigitallySignedStruct, Error, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName, UnixTime},
    };

    #[derive(Debug)]
    pub(super) struct Blind;

    impl ServerCertVerifier for Blind {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
        }
    }
}
