//! Logins by a token (RFC 7628) and by a certificate (RFC 4422, appendix A).

use crate::{
    auth::{base64, challenge},
    harness::{Connection, Plan, extensions, service},
    tls::TlsClient,
};
use rustls::{ClientConfig, crypto::aws_lc_rs, pki_types::ServerName};
use smtp_driver::{
    Acceptor,
    sasl::{ClientExchange, Login},
    tls::ServerTls,
};
use smtp_proto::{
    Limits, Timeouts,
    wire::{Base64, Mechanism},
};
use std::sync::Arc;
use testkit::tls::Authority;

const MECHANISMS: [Mechanism<'static>; 4] =
    [Mechanism::EXTERNAL, Mechanism::OAUTHBEARER, Mechanism::XOAUTH2, Mechanism::PLAIN];

/// A connection after EHLO, of a client with a certificate or without, and what it is offered.
fn with_client(certificate: bool, test: impl FnOnce(&Connection, &mut TlsClient<'_>, &str)) {
    let authority = Authority::new();
    let server = authority.identity(&["mx.example.test"]);
    let tls = ServerTls::new(server.chain_pem.as_bytes(), server.key_pem.as_bytes())
        .and_then(|tls| tls.client_certificates(authority.certificate_pem().as_bytes(), false))
        .and_then(ServerTls::build)
        .unwrap();
    let service = service(extensions().auth(MECHANISMS), Limits::default(), Timeouts::default())
        .implicit_tls(Acceptor::new(tls));
    let connection = Connection::with(Plan::default(), service, 1 << 20, |stream| stream);
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authority.roots());
    let user = authority.identity(&["user.example.test"]);
    let config = match certificate {
        true => config.with_client_auth_cert(user.chain, user.key).unwrap(),
        false => config.with_no_client_auth(),
    };
    let name = ServerName::try_from("mx.example.test").unwrap();
    let mut client = TlsClient::with(&connection, Arc::new(config), name);
    client.receive();
    let offer = client.send("EHLO client.example\r\n");
    test(&connection, &mut client, &offer);
}

/// The reply to our own client's first message, and its exchange.
fn begun(
    client: &mut TlsClient<'_>,
    login: &Login,
    mechanism: &Mechanism<'_>,
) -> (String, ClientExchange) {
    let mut exchange = ClientExchange::new(login, mechanism, &[], None).unwrap();
    let first = exchange.initial().unwrap().unwrap().into_inner();
    let first = match first.as_slice() {
        [] => "=".to_owned(),
        first => Base64::encode(first).as_str().to_owned(),
    };
    (client.send(&format!("AUTH {mechanism} {first}\r\n")), exchange)
}

#[test]
fn a_token_that_is_right_is_a_login() {
    for mechanism in [Mechanism::OAUTHBEARER, Mechanism::XOAUTH2] {
        with_client(false, |connection, client, _| {
            let (reply, _) = begun(client, &Login::token("user", "token"), &mechanism);
            assert!(reply.starts_with("235 2.7.0"), "{reply}");
            assert!(connection.noted("authenticated user"));
        });
        with_client(false, |_, client, _| {
            assert_eq!(client.send(&format!("AUTH {mechanism}\r\n")), "334 \r\n");
            let mut exchange =
                ClientExchange::new(&Login::token("user", "token"), &mechanism, &[], None).unwrap();
            let first = exchange.initial().unwrap().unwrap().into_inner();
            let reply = client.send(&format!("{}\r\n", Base64::encode(&first)));
            assert!(reply.starts_with("235 "), "{reply}");
        });
    }
}

#[test]
fn why_a_token_is_not_taken_is_told_before_535() {
    let json = r#"{"status":"invalid_token","scope":"mail"}"#;
    let xoauth2 = r#"{"status":"401","schemes":"bearer","scope":"mail"}"#;
    for (mechanism, json) in [(Mechanism::OAUTHBEARER, json), (Mechanism::XOAUTH2, xoauth2)] {
        with_client(false, |connection, client, _| {
            // RFC 7628 §3.2.3: whatever the client answers, and were it a token that is right.
            let right = base64("n,,\x01auth=Bearer token\x01\x01");
            for answer in [None, Some(right.as_str())] {
                let (reply, mut exchange) = begun(client, &Login::token("user", "old"), &mechanism);
                let told = challenge(&reply).unwrap();
                assert_eq!(String::from_utf8(told.clone()).unwrap(), json);
                let dummy = exchange.respond(&told).unwrap().into_inner();
                let dummy = Base64::encode(&dummy);
                let reply = client.send(&format!("{}\r\n", answer.unwrap_or(dummy.as_str())));
                assert!(reply.starts_with("535 5.7.8"), "{reply}");
            }
            assert!(!connection.noted("authenticated user"));
        });
    }
}

#[test]
fn a_token_that_cannot_be_checked_now_is_454_and_what_is_no_token_535() {
    with_client(false, |_, client, _| {
        let broken = Login::token("user", "broken");
        assert!(begun(client, &broken, &Mechanism::OAUTHBEARER).0.starts_with("454 4.7.0"));
        let reply = client.send(&format!("AUTH OAUTHBEARER {}\r\n", base64("n,,\x01\x01")));
        assert!(reply.starts_with("535 5.7.8"), "{reply}");
    });
}

/// AUTH-22
#[test]
fn external_is_for_who_has_shown_a_certificate() {
    with_client(true, |connection, client, offer| {
        assert!(offer.contains("AUTH EXTERNAL OAUTHBEARER XOAUTH2 PLAIN\r\n"), "{offer}");
        let (reply, _) = begun(client, &Login::external(), &Mechanism::EXTERNAL);
        assert!(reply.starts_with("235 2.7.0"), "{reply}");
        assert!(connection.noted("authenticated user"));
    });
    with_client(false, |connection, client, offer| {
        assert!(offer.contains("AUTH OAUTHBEARER XOAUTH2 PLAIN\r\n"), "{offer}");
        let (reply, _) = begun(client, &Login::external(), &Mechanism::EXTERNAL);
        assert!(reply.starts_with("504 5.5.4"), "{reply}");
        assert!(!connection.noted("authenticated user"));
    });
}

#[test]
fn who_may_act_as_whom_is_for_the_credentials_to_say() {
    with_client(true, |connection, client, _| {
        let boss = Login::external().acting_as("boss");
        assert!(begun(client, &boss, &Mechanism::EXTERNAL).0.starts_with("535 5.7.8"));
        let nul = client.send(&format!("AUTH EXTERNAL {}\r\n", base64("us\0er")));
        assert!(nul.starts_with("535 5.7.8"), "{nul}");
        assert!(!connection.noted("authenticated user"));
        assert_eq!(client.send("AUTH EXTERNAL\r\n"), "334 \r\n");
        assert!(client.send(&format!("{}\r\n", base64("user"))).starts_with("235 "));
    });
}

#[test]
fn in_clear_no_token_is_asked_for() {
    let offered = extensions().auth(MECHANISMS).danger_auth_in_clear();
    let service = service(offered, Limits::default(), Timeouts::default());
    let connection = Connection::with(Plan::default(), service, 1 << 20, |stream| stream);
    connection.receive();
    let offer = connection.send("EHLO client.example\r\n");
    assert!(offer.contains("AUTH PLAIN\r\n"), "{offer}");
    assert!(connection.send("AUTH XOAUTH2\r\n").starts_with("504 "));
}
