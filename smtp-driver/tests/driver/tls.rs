//! STARTTLS and implicit TLS, with a real handshake in memory.

use crate::harness::{Connection, Plan, plain_service};
use rustls::{SupportedProtocolVersion, crypto::aws_lc_rs, pki_types::ServerName};
use smtp_driver::{Acceptor, Service, TlsError, middleware::Chop, server_config};
use smtp_proto::{CloseReason, Timeouts, Timer};
use std::{
    io::{self, Read, Write},
    sync::Arc,
    time::Duration,
};
use testkit::tls::Authority;

/// A TLS client at the other end of a connection.
pub(crate) struct TlsClient<'c> {
    pub(crate) connection: &'c Connection,
    pub(crate) session: rustls::ClientConnection,
}

impl<'c> TlsClient<'c> {
    pub(crate) fn new(connection: &'c Connection, authority: &Authority) -> Self {
        let name = ServerName::try_from("mx.example.test").unwrap();
        Self::with(connection, authority.client_config(), name)
    }

    /// The same in one version of TLS.
    pub(crate) fn speaking(
        connection: &'c Connection,
        authority: &Authority,
        version: &'static SupportedProtocolVersion,
    ) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(authority.roots())
            .with_no_client_auth();
        let name = ServerName::try_from("mx.example.test").unwrap();
        Self::with(connection, Arc::new(config), name)
    }

    pub(crate) fn with(
        connection: &'c Connection,
        config: Arc<rustls::ClientConfig>,
        name: ServerName<'static>,
    ) -> Self {
        let mut session = rustls::ClientConnection::new(config, name).unwrap();
        session.set_buffer_limit(None);
        let mut client = Self { connection, session };
        client.exchange().unwrap();
        assert!(!client.session.is_handshaking());
        client
    }

    /// The server ends the handshake.
    pub(crate) fn refused(
        connection: &'c Connection,
        config: Arc<rustls::ClientConfig>,
        name: ServerName<'static>,
    ) {
        let session = rustls::ClientConnection::new(config, name).unwrap();
        let mut client = Self { connection, session };
        let alert = client.exchange().unwrap_err();
        assert!(matches!(alert, rustls::Error::AlertReceived(_)), "{alert:?}");
    }

    /// Moves records both ways until there are no more.
    fn exchange(&mut self) -> Result<(), rustls::Error> {
        loop {
            let mut records = Vec::new();
            while self.session.wants_write() {
                self.session.write_tls(&mut records).unwrap();
            }
            assert_eq!(self.connection.peer.put(&records), records.len());
            self.connection.runtime.run_ready();
            let answer = self.connection.peer.take();
            if records.is_empty() && answer.is_empty() {
                return Ok(());
            }
            let mut answer = &answer[..];
            while !answer.is_empty() {
                self.session.read_tls(&mut answer).unwrap();
                self.session.process_new_packets()?;
            }
        }
    }

    pub(crate) fn send(&mut self, text: &str) -> String {
        self.session.writer().write_all(text.as_bytes()).unwrap();
        self.exchange().unwrap();
        self.receive()
    }

    pub(crate) fn receive(&mut self) -> String {
        let mut text = Vec::new();
        match self.session.reader().read_to_end(&mut text) {
            Ok(_) => {}
            Err(e) => assert_eq!(e.kind(), io::ErrorKind::WouldBlock),
        }
        String::from_utf8(text).unwrap()
    }
}

pub(crate) fn authority() -> (Authority, Acceptor) {
    let authority = Authority::new();
    let identity = authority.identity(&["mx.example.test"]);
    let acceptor =
        Acceptor::from_pem(identity.chain_pem.as_bytes(), identity.key_pem.as_bytes()).unwrap();
    (authority, acceptor)
}

fn open(service: Service) -> Connection {
    Connection::with(Plan::default(), service, 1 << 20, |stream| stream)
}

/// TLS-15
#[test]
fn starttls_upgrades_and_the_session_begins_anew() {
    let (authority, acceptor) = authority();
    let connection = open(plain_service().starttls(acceptor));
    connection.receive();
    let offer = connection.send("EHLO client.example\r\n");
    assert!(offer.contains("STARTTLS") && !offer.contains("AUTH"), "{offer}");
    assert!(connection.send("STARTTLS\r\n").starts_with("220 "));
    let mut client = TlsClient::new(&connection, &authority);
    assert!(connection.noted("tls TLSv1.3 Some(\"mx.example.test\")"), "{:?}", connection.notes());
    assert!(client.send("MAIL FROM:<a@example.test>\r\n").starts_with("503 "));
    let offer = client.send("EHLO client.example\r\n");
    assert!(!offer.contains("STARTTLS") && offer.contains("AUTH PLAIN LOGIN"), "{offer}");
    let replies = client.send("MAIL FROM:<a@example.test>\r\nRCPT TO:<b@example.test>\r\nDATA\r\n");
    assert!(replies.contains("\r\n354 "), "{replies}");
    let text = "a line of text\r\n".repeat(5_000);
    assert_eq!(client.send(&text), "");
    assert_eq!(client.send(".\r\n"), "250 2.6.0 kept\r\n");
    assert!(connection.noted("end 80000 for <b@example.test>=16"));
    assert_eq!(connection.pool.lent(), 0, "idle inside TLS holds no buffer either");
    client.session.writer().write_all(b"QUIT\r\n").unwrap();
    client.exchange().unwrap();
    let mut last = Vec::new();
    client.session.reader().read_to_end(&mut last).expect("close_notify came");
    assert!(last.starts_with(b"221 "));
    assert_eq!(connection.end().unwrap(), CloseReason::Quit);
}

/// TLS-11
#[test]
fn implicit_tls_greets_inside_tls() {
    let (authority, acceptor) = authority();
    let connection = open(plain_service().implicit_tls(acceptor));
    assert_eq!(connection.receive(), "");
    let mut client = TlsClient::new(&connection, &authority);
    let greeting = client.receive();
    assert_eq!(greeting, "220 mx.example.test ESMTP\r\n");
    assert!(!client.send("EHLO client.example\r\n").contains("STARTTLS"));
    assert_eq!(connection.notes()[0], "tls TLSv1.3 Some(\"mx.example.test\")");
}

#[test]
fn a_handshake_cut_into_small_pieces_succeeds() {
    let (authority, acceptor) = authority();
    for (most, seed) in [(1, 1), (3, 2), (100, 3)] {
        let service = plain_service().implicit_tls(acceptor.clone());
        let connection = Connection::with(Plan::default(), service, 1 << 20, |stream| {
            Chop::new(stream, most, seed)
        });
        let mut client = TlsClient::new(&connection, &authority);
        assert!(client.receive().starts_with("220 "));
        assert!(client.send("NOOP\r\n".repeat(500).as_str()).len() > 500 * 5);
        assert!(client.send("QUIT\r\n").starts_with("221 "));
    }
}

#[test]
fn implicit_tls_that_never_begins_is_given_up() {
    let (_, acceptor) = authority();
    let connection = open(plain_service().implicit_tls(acceptor));
    let timeouts = Timeouts::default();
    connection.pass(timeouts.handshake + timeouts.linger);
    assert!(connection.task.is_finished());
    assert_eq!(connection.end().unwrap(), CloseReason::Timeout(Timer::Handshake));
}

#[test]
fn the_stop_signal_ends_a_handshake_that_comes_first() {
    let (_, acceptor) = authority();
    let connection = open(plain_service().implicit_tls(acceptor));
    connection.stop.stop();
    connection.runtime.run_ready();
    assert_eq!(connection.end().unwrap(), CloseReason::Shutdown);
}

#[test]
fn a_command_injected_behind_starttls_is_never_run() {
    let (_, acceptor) = authority();
    let evil = "MAIL FROM:<evil@example.test>\r\n";
    // In the same segment as STARTTLS, whole or only begun.
    for injected in [evil, "MAIL FR"] {
        let connection = open(plain_service().starttls(acceptor.clone()));
        connection.receive();
        connection.send("EHLO client.example\r\n");
        let replies = connection.send(format!("STARTTLS\r\n{injected}"));
        assert!(replies.starts_with("503 "), "{replies}");
        assert!(connection.noted("violation Residue"));
        assert!(!connection.noted("mail <evil@example.test>"));
        connection.pass(Duration::from_secs(10));
        assert!(connection.task.is_finished());
    }
    // After the 220: rustls takes it for a record, and refuses it.
    let connection = open(plain_service().starttls(acceptor));
    connection.receive();
    connection.send("EHLO client.example\r\nSTARTTLS\r\n");
    connection.peer.put(evil.as_bytes());
    connection.runtime.run_ready();
    let alert = connection.peer.take();
    assert_eq!(alert.first(), Some(&21), "an alert record");
    assert!(!connection.noted("mail <evil@example.test>"));
    assert_eq!(connection.end().unwrap(), CloseReason::Abandoned);
}

#[test]
fn a_command_read_ahead_of_starttls_is_residue() {
    let (_, acceptor) = authority();
    // STARTTLS lies in the buffer while EHLO is decided, and what follows is read ahead.
    let plan = Plan { hello: Duration::from_millis(50), ..Plan::default() };
    let connection =
        Connection::with(plan, plain_service().starttls(acceptor), 1 << 20, |stream| stream);
    connection.receive();
    connection.send("EHLO client.example\r\nSTARTTLS\r\n");
    connection.send("MAIL FROM:<evil@example.test>\r\n");
    connection.pass(Duration::from_millis(50));
    assert!(connection.noted("violation Residue"), "{:?}", connection.notes());
    assert!(!connection.noted("mail <evil@example.test>"));
    assert_eq!(connection.end().unwrap(), CloseReason::Residue);
}

#[test]
fn starttls_without_a_certificate_is_refused_for_now() {
    let connection = open(plain_service());
    connection.receive();
    connection.send("EHLO client.example\r\n");
    assert!(connection.send("STARTTLS\r\n").starts_with("454 4.7.0"));
}

#[test]
fn a_stream_that_ends_without_close_notify_aborts_the_body() {
    let (authority, acceptor) = authority();
    let connection = open(plain_service().implicit_tls(acceptor));
    let mut client = TlsClient::new(&connection, &authority);
    client
        .send("EHLO client.example\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<b@example.test>\r\n");
    client.send("DATA\r\n");
    client.send("half a mess");
    connection.peer.close();
    connection.runtime.run_ready();
    let notes = connection.notes();
    assert_eq!(notes[notes.len() - 2..], ["aborted Eof", "reset Closed"]);
    assert_eq!(connection.end().unwrap(), CloseReason::Eof);
}

#[test]
fn a_replaced_certificate_serves_the_next_handshake() {
    let (_, acceptor) = authority();
    let other = Authority::new();
    let connection = open(plain_service().implicit_tls(acceptor.clone()));
    acceptor.replace(other.server_config(&["mx.example.test"]));
    let later = open(plain_service().implicit_tls(acceptor));
    TlsClient::new(&later, &other);
    drop(connection);
}

#[test]
fn a_wrong_certificate_or_key_is_named() {
    let authority = Authority::new();
    let (one, two) =
        (authority.identity(&["a.example.test"]), authority.identity(&["b.example.test"]));
    let make = |chain: &str, key: &str| server_config(chain.as_bytes(), key.as_bytes());
    assert!(matches!(make("", &one.key_pem), Err(TlsError::NoCertificate)));
    assert!(matches!(make(&one.chain_pem, ""), Err(TlsError::NoKey)));
    assert!(matches!(make(&one.chain_pem, &two.key_pem), Err(TlsError::Refused(_))));
    assert_eq!(make(&one.chain_pem, &one.key_pem).unwrap().send_tls13_tickets, 0);
    let missing = Acceptor::from_pem_files("/nonexistent/chain.pem", "/nonexistent/key.pem");
    let error = missing.unwrap_err().to_string();
    assert!(error.starts_with("/nonexistent/chain.pem: "), "{error}");
}

/// TLS-12, RFC 8996 §4, §5: a ClientHello of TLS 1.0 and of 1.1 is answered with an alert
#[test]
fn tls_1_0_and_1_1_are_refused() {
    for minor in [1, 2] {
        let (_, acceptor) = authority();
        let connection = open(plain_service().implicit_tls(acceptor));
        // Random octets, no session, a cipher suite, no compression, ecdsa_secp256r1_sha256.
        let suite = [0, 0, 2, 0xc0, 0x2b, 1, 0];
        let signatures = [0, 8, 0, 13, 0, 4, 0, 2, 4, 3];
        let hello = [&[3, minor][..], &[7; 32], &suite, &signatures].concat();
        let length = u8::try_from(hello.len()).unwrap();
        let record = [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat();
        assert_eq!(connection.peer.put(&record), record.len());
        connection.runtime.run_ready();
        let protocol_version = [21, 3, 3, 0, 2, 2, 70];
        assert_eq!(connection.peer.take(), protocol_version);
        assert_eq!(connection.end().unwrap(), CloseReason::Abandoned);
    }
}

/// TLS-16, RFC 7672 §3: a client that asks for no name or for another one is served all the same
#[test]
fn the_name_that_a_client_asks_for_does_not_matter() {
    let (authority, acceptor) = authority();
    let other = authority.identity(&["mx.example.test", "other.example.test"]);
    acceptor.replace(server_config(other.chain_pem.as_bytes(), other.key_pem.as_bytes()).unwrap());
    let mut nameless = rustls::ClientConfig::clone(&authority.client_config());
    nameless.enable_sni = false;
    for (config, name, told) in [
        (Arc::new(nameless), "mx.example.test", "None"),
        (authority.client_config(), "other.example.test", "Some(\"other.example.test\")"),
    ] {
        let connection = open(plain_service().implicit_tls(acceptor.clone()));
        let name = ServerName::try_from(name).unwrap();
        assert!(TlsClient::with(&connection, config, name).receive().starts_with("220 "));
        assert!(connection.noted(&format!("tls TLSv1.3 {told}")));
    }
}
