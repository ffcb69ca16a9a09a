//! TLS with our server: what is verified, and what is told.

use crate::world::{
    Link, World, ask_for_body, code, greet, hello, quit, scripted, server_config, tell,
};
use rustls::server::WebPkiClientVerifier;
use smtp_driver::{
    Acceptor, Pool, Runtime, Service, Stream,
    client::LinkError,
    middleware::Chop,
    tls::{ClientTls, ClientTlsInfo, TlsError, Verified, Verify},
};
use smtp_proto::{
    CloseReason, Timer,
    client::{ClientConfig, ClientEvent},
    ext::Extensions,
};
use std::sync::Arc;
use testkit::{
    clock::VirtualRuntime,
    memory::pair,
    tls::{Authority, Identity},
};

const NAME: &str = "mx.example.test";

fn acceptor(identity: &Identity) -> Acceptor {
    Acceptor::from_pem(identity.chain_pem.as_bytes(), identity.key_pem.as_bytes()).unwrap()
}

fn starttls(acceptor: Acceptor) -> Service {
    Service::new(server_config(Extensions::new().starttls())).unwrap().starttls(acceptor)
}

fn believing(authority: &Authority) -> ClientTls {
    let roots = authority.certificate_pem();
    ClientTls::builder().roots_pem(roots.as_bytes()).unwrap().build().unwrap()
}

/// Asks for TLS, up to where the handshake is ours.
async fn ask_for_tls<S: Stream>(link: &mut Link<S>) {
    greet(link).await;
    let id = link.machine().start_tls().unwrap();
    assert_eq!(code(link, id).await, 220);
    assert_eq!(tell(link).await, format!("{:?}", ClientEvent::Handshake));
}

/// STARTTLS with a server that has `acceptor`, a message if it works, and what the handshake told.
fn upgrade(
    acceptor: Acceptor,
    tls: &ClientTls,
    name: &str,
    verify: Verify,
) -> Result<ClientTlsInfo, LinkError> {
    let (world, client) = World::new(starttls(acceptor), 4096);
    let mut link = world.link(Chop::new(client, 1000, 1));
    let connector = tls.connector(name, verify).unwrap();
    let done = world.runtime.run_until(async {
        ask_for_tls(&mut link).await;
        let done = link.handshake(&connector).await;
        match &done {
            Ok(_) => {
                assert!(link.machine().is_tls());
                assert!(!link.machine().capabilities().pipelining, "forgotten");
                hello(&mut link).await;
                assert!(!link.machine().capabilities().starttls);
                ask_for_body(&mut link).await;
                link.end_body(b"x\r\n").await.unwrap();
                assert_eq!(tell(&mut link).await, "reply 250");
                assert!(link.is_alive());
                quit(link).await;
            }
            Err(_) => {
                assert!(!link.is_reusable());
                assert_eq!(tell(&mut link).await, "closed Abandoned");
                link.close().await;
            }
        }
        done
    });
    let end = world.runtime.run_until(world.task).unwrap();
    match done {
        Ok(_) => assert_eq!((end, world.policy.delivered().len()), (CloseReason::Quit, 1)),
        Err(_) => assert_eq!(end, CloseReason::Abandoned),
    }
    done
}

fn reason(info: Result<ClientTlsInfo, LinkError>) -> String {
    match info.unwrap().verified {
        Verified::No(reason) => reason,
        Verified::Yes => panic!("verified"),
    }
}

#[test]
fn a_right_certificate_is_told_as_verified() {
    let authority = Authority::new();
    let tls = believing(&authority);
    for verify in [Verify::Required, Verify::Opportunistic] {
        let acceptor = acceptor(&authority.identity(&[NAME]));
        let info = upgrade(acceptor, &tls, NAME, verify).unwrap();
        assert_eq!(info.version, "TLSv1.3");
        assert!(info.cipher.starts_with("TLS13_"), "{}", info.cipher);
        assert_eq!(info.server_name, NAME);
        assert_eq!(info.verified, Verified::Yes);
    }
}

#[test]
fn what_is_wrong_with_a_certificate_fails_or_is_told() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let tls = believing(&authority);
    for (identity, word) in [
        // All authorities of the test kit have one name.
        (stranger.identity(&[NAME]), "BadSignature"),
        (authority.identity(&["other.example.test"]), "not valid for name"),
    ] {
        match upgrade(acceptor(&identity), &tls, NAME, Verify::Required) {
            Err(LinkError::Tls(e)) => assert!(e.to_string().contains(word), "{e}"),
            other => panic!("{other:?}"),
        }
        let told = reason(upgrade(acceptor(&identity), &tls, NAME, Verify::Opportunistic));
        assert!(told.contains(word), "{told}");
    }
    // Mozilla's roots do not know us either.
    let tls = ClientTls::builder().build().unwrap();
    let told =
        reason(upgrade(acceptor(&authority.identity(&[NAME])), &tls, NAME, Verify::Opportunistic));
    assert!(told.contains("UnknownIssuer"), "{told}");
}

#[test]
fn a_copied_certificate_is_not_verified_without_its_key() {
    #[derive(Debug)]
    struct Thief(Arc<rustls::sign::CertifiedKey>);
    impl rustls::server::ResolvesServerCert for Thief {
        fn resolve(
            &self,
            _: rustls::server::ClientHello<'_>,
        ) -> Option<Arc<rustls::sign::CertifiedKey>> {
            Some(self.0.clone())
        }
    }
    let authority = Authority::new();
    let tls = believing(&authority);
    let (victim, other) = (authority.identity(&[NAME]), authority.identity(&[NAME]));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = provider.key_provider.load_private_key(other.key).unwrap();
    let stolen = Arc::new(rustls::sign::CertifiedKey::new(victim.chain, key));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Thief(stolen.clone())));
        let acceptor = Acceptor::new(Arc::new(config));
        let refused = upgrade(acceptor.clone(), &tls, NAME, Verify::Required);
        assert!(matches!(refused, Err(LinkError::Tls(_))), "{refused:?}");
        let told = reason(upgrade(acceptor, &tls, NAME, Verify::Opportunistic));
        assert!(told.contains("BadSignature"), "{told}");
    }
}

#[test]
fn tls_12_can_be_refused() {
    let authority = Authority::new();
    let identity = authority.identity(&[NAME]);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)
        .unwrap();
    let acceptor = Acceptor::new(Arc::new(config));
    let info = upgrade(acceptor.clone(), &believing(&authority), NAME, Verify::Required).unwrap();
    assert_eq!((info.version, info.verified), ("TLSv1.2", Verified::Yes));
    let tls = ClientTls::builder().roots_pem(authority.certificate_pem().as_bytes()).unwrap();
    let tls = tls.without_tls12().build().unwrap();
    let refused = upgrade(acceptor, &tls, NAME, Verify::Opportunistic);
    assert!(matches!(refused, Err(LinkError::Tls(_))), "{refused:?}");
}

#[test]
fn a_server_that_wants_a_certificate_of_the_client_gets_it() {
    let authority = Authority::new();
    let (server, client) = (authority.identity(&[NAME]), authority.identity(&["client.test"]));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = Arc::new(authority.roots());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).build().unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(server.chain, server.key)
        .unwrap();
    let acceptor = Acceptor::new(Arc::new(config));
    let pem = authority.certificate_pem();
    let tls = ClientTls::builder().roots_pem(pem.as_bytes()).unwrap();
    let tls = tls.client_certificate(client.chain_pem.as_bytes(), client.key_pem.as_bytes());
    upgrade(acceptor, &tls.build().unwrap(), NAME, Verify::Required).unwrap();
}

#[test]
fn tls_from_the_first_octet_carries_a_large_message() {
    let authority = Authority::new();
    for (size, capacity, chunk) in [(2 << 20, 64 << 10, 300_001), (200_000, 999, 70_001)] {
        let octets = crate::message::message(size);
        let acceptor = acceptor(&authority.identity(&[NAME]));
        let config = server_config(Extensions::new().chunking());
        let service = Service::new(config).unwrap().implicit_tls(acceptor);
        let (world, client) = World::new(service, capacity);
        let config = ClientConfig::builder().build();
        let connector = believing(&authority).connector(NAME, Verify::Required).unwrap();
        world.runtime.run_until(async {
            let stream = Chop::new(client, 50_000, 5);
            let over = Link::over_tls(
                stream,
                world.runtime.clone(),
                config,
                world.pool.clone(),
                &connector,
            );
            let (mut link, info) = over.await.unwrap();
            assert_eq!(info.verified, Verified::Yes);
            greet(&mut link).await;
            ask_for_body(&mut link).await;
            for chunk in octets.chunks(chunk) {
                link.write_body(chunk).await.unwrap();
            }
            link.end_body(b"").await.unwrap();
            assert_eq!(tell(&mut link).await, "reply 250");
            assert_eq!(tell(&mut link).await, "idle");
            assert!(link.is_alive());
            assert_eq!(world.pool.lent(), 0);
            quit(link).await;
        });
        assert!(world.policy.delivered()[0].octets == octets);
    }
}

#[test]
fn a_server_that_does_not_do_its_part_of_a_handshake_is_left() {
    let tls = ClientTls::builder().build().unwrap();
    let connector = tls.connector(NAME, Verify::Opportunistic).unwrap();
    let late = CloseReason::Timeout(Timer::Handshake);
    // STARTTLS.
    let (runtime, mut link, server) = asked_for_tls(b"220 go\r\n");
    runtime.run_until(async {
        assert_eq!(tell(&mut link).await, "reply 220");
        assert_eq!(tell(&mut link).await, format!("{:?}", ClientEvent::Handshake));
        let silent = link.handshake(&connector).await;
        assert!(matches!(silent, Err(LinkError::Closed(why)) if why == late), "{silent:?}");
        assert_eq!(runtime.now().as_micros(), 60_000_000);
        assert_eq!(tell(&mut link).await, format!("closed {late:?}"));
    });
    drop(server);
    // From the start.
    let (client, server) = pair(4096);
    let runtime = VirtualRuntime::new();
    let config = ClientConfig::builder().build();
    let over = Link::over_tls(client, runtime.clone(), config, Pool::default(), &connector);
    let silent = runtime.run_until(over).map(|_| ());
    assert!(matches!(silent, Err(LinkError::Closed(why)) if why == late), "{silent:?}");
    drop(server);
}

#[test]
fn a_server_that_speaks_clear_text_is_a_fault_of_tls() {
    let tls = ClientTls::builder().build().unwrap();
    let connector = tls.connector(NAME, Verify::Opportunistic).unwrap();
    let (client, server) = pair(4096);
    server.put(b"220 mx.example.test ESMTP\r\n");
    let runtime = VirtualRuntime::new();
    let config = ClientConfig::builder().build();
    let over = Link::over_tls(client, runtime.clone(), config, Pool::default(), &connector);
    let refused = runtime.run_until(over).map(|_| ());
    assert!(matches!(refused, Err(LinkError::Tls(_))), "{refused:?}");
}

#[test]
fn a_server_that_leaves_in_the_handshake_is_an_error_of_the_stream() {
    let tls = ClientTls::builder().build().unwrap();
    let connector = tls.connector(NAME, Verify::Opportunistic).unwrap();
    let (client, server) = pair(4096);
    server.close();
    let runtime = VirtualRuntime::new();
    let config = ClientConfig::builder().build();
    let over = Link::over_tls(client, runtime.clone(), config, Pool::default(), &connector);
    let left = runtime.run_until(over).map(|_| ());
    assert!(matches!(left, Err(LinkError::Io(_))), "{left:?}");
}

/// A server of the test's own that answers STARTTLS with `reply`.
fn asked_for_tls(reply: &[u8]) -> (VirtualRuntime, Link, testkit::memory::MemoryStream) {
    let (runtime, mut link, server) = scripted(4096);
    server.put(b"220 mx.example.test\r\n");
    runtime.run_until(async {
        assert_eq!(tell(&mut link).await, "greeting 220");
        let name = smtp_proto::wire::HelloName::parse("client.example.test").unwrap();
        link.machine().hello(&name).unwrap();
        assert!(!crate::link::begin_and_drop(link.next()));
        server.put(b"250-mx.example.test\r\n250 STARTTLS\r\n");
        assert_eq!(tell(&mut link).await, "reply 250");
        link.machine().start_tls().unwrap();
        assert!(!crate::link::begin_and_drop(link.next()));
        let _ = server.take();
        server.put(reply);
    });
    (runtime, link, server)
}

/// C-22
#[test]
fn replies_put_in_front_of_the_handshake_are_not_believed() {
    // CVE-2021-22947 and its like.
    let (runtime, mut link, server) =
        asked_for_tls(b"220 go\r\n250-evil.example.test\r\n250 AUTH PLAIN\r\n");
    let tls = ClientTls::builder().build().unwrap();
    let connector = tls.connector(NAME, Verify::Opportunistic).unwrap();
    runtime.run_until(async {
        assert_eq!(tell(&mut link).await, "reply 220");
        assert_eq!(tell(&mut link).await, "closed Residue");
        assert!(link.handshake(&connector).await.is_err());
        assert!(link.machine().capabilities().auth.is_empty());
        link.close().await;
    });
    assert_eq!(server.take(), b"", "not an octet of a handshake, and no command");
}

#[test]
fn a_handshake_that_is_dropped_leaves_a_link_that_says_so() {
    let (runtime, mut link, server) = asked_for_tls(b"220 go\r\n");
    let tls = ClientTls::builder().build().unwrap();
    let connector = tls.connector(NAME, Verify::Opportunistic).unwrap();
    runtime.run_until(async {
        assert_eq!(tell(&mut link).await, "reply 220");
        assert_eq!(tell(&mut link).await, format!("{:?}", ClientEvent::Handshake));
    });
    assert!(!crate::link::begin_and_drop(link.handshake(&connector)));
    assert!(!link.is_reusable());
    runtime.run_until(async { assert!(matches!(link.next().await, Err(LinkError::Io(_)))) });
    drop(server);
}

#[test]
fn what_cannot_be_used_is_named() {
    let builder = || ClientTls::builder();
    assert!(matches!(builder().roots_pem(b"no PEM"), Err(TlsError::NoCertificate)));
    let missing = builder().roots_pem_file("/nowhere/roots.pem");
    assert!(matches!(missing, Err(TlsError::File { .. })));
    let identity = Authority::new().identity(&[NAME]);
    let keyless = builder().client_certificate(identity.chain_pem.as_bytes(), b"").build();
    assert!(matches!(keyless, Err(TlsError::NoKey)));
    let tls = builder().build().unwrap();
    for name in ["", "mx..test", "a b", "-", "[]", "[mx.example.test]", "[192.0.2.1"] {
        let refused = tls.connector(name, Verify::Required);
        assert!(matches!(refused, Err(TlsError::ServerName(it)) if it == name), "{name:?}");
    }
    for name in ["mx.example.test", "192.0.2.1", "2001:db8::1"] {
        tls.connector(name, Verify::Required).unwrap();
    }
}

#[test]
fn an_address_literal_is_the_address_that_the_certificate_must_be_for() {
    let authority = Authority::new();
    let tls = believing(&authority);
    for (literal, address) in [
        ("[192.0.2.1]", "192.0.2.1"),
        ("[IPv6:2001:db8::1]", "2001:db8::1"),
        ("[ipv6:2001:db8::1]", "2001:db8::1"),
    ] {
        let right = acceptor(&authority.identity(&[address]));
        let info = upgrade(right, &tls, literal, Verify::Required).unwrap();
        assert_eq!((&*info.server_name, info.verified), (address, Verified::Yes));
        let other = acceptor(&authority.identity(&["192.0.2.2"]));
        assert!(upgrade(other, &tls, literal, Verify::Required).is_err(), "{literal}");
    }
}

#[test]
fn what_a_certificate_says_cannot_write_into_a_log() {
    let authority = Authority::new();
    let lines = "x\nDec 1 mx sent to=<you> status=sent \u{1b}[2J";
    let long = format!("{}.test", "y".repeat(10_000));
    for name in [lines, &long] {
        let identity = authority.identity(&[name]);
        let info =
            upgrade(acceptor(&identity), &believing(&authority), NAME, Verify::Opportunistic);
        let Verified::No(why) = info.unwrap().verified else { panic!("believed") };
        assert!(!why.is_empty() && why.len() < 512, "{}", why.len());
        assert!(why.chars().all(|c| matches!(c, ' '..='~' | '\u{fffd}')), "{why:?}");
    }
}
