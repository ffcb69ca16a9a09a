//! Logins that are bound to their TLS connection (RFC 5802 §6, RFC 9266).

use crate::{
    auth::{base64, challenge, proof},
    harness::{Connection, Plan, extensions, plain_service, service},
    tls::{TlsClient, authority},
};
use rustls::{
    SupportedProtocolVersion,
    version::{TLS12, TLS13},
};
use smtp_driver::{
    Acceptor,
    sasl::{ClientExchange, Login},
    tls::ChannelBinding,
};
use smtp_proto::{Limits, Timeouts, wire::Mechanism};
use std::sync::Arc;
use testkit::tls::Authority;

const PLUS: Mechanism<'static> = Mechanism::SCRAM_SHA_256_PLUS;
const BARE: Mechanism<'static> = Mechanism::SCRAM_SHA_256;

/// A connection to a server that offers both forms of SCRAM-SHA-256, after EHLO, and what it says to
/// that.
fn with_client(
    version: &'static SupportedProtocolVersion,
    ems_required: bool,
    test: impl FnOnce(&Connection, &mut TlsClient<'_>, &str),
) {
    let authority = Authority::new();
    let mut config = (*authority.server_config(&["mx.example.test"])).clone();
    config.require_ems = ems_required;
    let offered = extensions().auth([PLUS, BARE]);
    let service = service(offered, Limits::default(), Timeouts::default())
        .implicit_tls(Acceptor::new(Arc::new(config)));
    let connection = Connection::with(Plan::default(), service, 1 << 20, |stream| stream);
    let mut client = TlsClient::speaking(&connection, &authority, version);
    client.receive();
    let offer = client.send("EHLO client.example\r\n");
    test(&connection, &mut client, &offer);
}

/// What the client's end of the connection can be bound to.
fn exported(client: &TlsClient<'_>) -> [u8; 32] {
    let label = b"EXPORTER-Channel-Binding";
    client.session.export_keying_material([0; 32], label, Some(&[])).unwrap()
}

fn exchange(mechanism: &Mechanism<'_>, offered: &[Mechanism<'_>], to: [u8; 32]) -> ClientExchange {
    let login = Login::password("user", "pass");
    ClientExchange::new(&login, mechanism, offered, Some(ChannelBinding::from(to))).unwrap()
}

/// AUTH-20
#[test]
fn a_login_is_bound_to_its_tls_connection() {
    for (version, ems_required) in [(&TLS13, false), (&TLS12, true)] {
        with_client(version, ems_required, |connection, client, offer| {
            assert!(offer.contains("AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256\r\n"), "{offer}");
            let bound = exchange(&PLUS, &[PLUS, BARE], exported(client));
            let (reply, mut bound) = proof(client, &PLUS, bound);
            bound.respond(&challenge(&reply).unwrap()).unwrap();
            assert!(client.send("\r\n").starts_with("235 2.7.0"));
            bound.finish().unwrap();
            assert!(connection.noted("authenticated user"));
        });
    }
}

/// AUTH-20
#[test]
fn a_login_that_is_bound_to_another_connection_is_refused() {
    with_client(&TLS13, false, |connection, client, _| {
        let mut other = exported(client);
        other[0] ^= 1;
        let (reply, _) = proof(client, &PLUS, exchange(&PLUS, &[PLUS, BARE], other));
        assert!(reply.starts_with("535 5.7.8"), "{reply}");
        assert!(!connection.noted("authenticated user"));
    });
}

/// AUTH-20
#[test]
fn a_client_that_was_not_shown_the_offer_is_refused() {
    with_client(&TLS13, false, |connection, client, _| {
        // Somebody in between took it out of the answer to EHLO.
        let (reply, _) = proof(client, &BARE, exchange(&BARE, &[BARE], exported(client)));
        assert!(reply.starts_with("535 5.7.8"), "{reply}");
        assert!(!connection.noted("authenticated user"));
        // One that cannot bind may log in.
        let (reply, _) = proof(client, &BARE, exchange(&BARE, &[PLUS, BARE], exported(client)));
        assert!(challenge(&reply).is_some(), "{reply}");
    });
}

#[test]
fn the_name_of_the_mechanism_and_what_is_said_of_binding_belong_together() {
    for (mechanism, flag) in
        [(PLUS, "n"), (PLUS, "y"), (PLUS, "p=tls-unique"), (BARE, "p=tls-exporter")]
    {
        with_client(&TLS13, false, |_, client, _| {
            let first = base64(&format!("{flag},,n=user,r=N"));
            let reply = client.send(&format!("AUTH {mechanism} {first}\r\n"));
            assert!(reply.starts_with("535 5.7.8"), "{mechanism} {flag}: {reply}");
        });
    }
}

#[test]
fn nothing_is_offered_that_tls_1_2_may_give_to_two_connections() {
    with_client(&TLS12, false, |connection, client, offer| {
        assert!(offer.contains("AUTH SCRAM-SHA-256\r\n"), "{offer}");
        assert!(client.send("AUTH SCRAM-SHA-256-PLUS\r\n").starts_with("504 5.5.4"));
        // A client that could bind is right that it was not offered.
        let (reply, mut unbound) = proof(client, &BARE, exchange(&BARE, &[BARE], [7; 32]));
        unbound.respond(&challenge(&reply).unwrap()).unwrap();
        assert!(client.send("\r\n").starts_with("235 "));
        assert!(connection.noted("authenticated user"));
    });
}

#[test]
fn in_clear_there_is_nothing_to_bind_to() {
    let offered = extensions().auth([PLUS, BARE]).danger_auth_in_clear();
    let service = service(offered, Limits::default(), Timeouts::default());
    let connection = Connection::with(Plan::default(), service, 1 << 20, |stream| stream);
    connection.receive();
    let offer = connection.send("EHLO client.example\r\n");
    assert!(offer.contains("AUTH SCRAM-SHA-256\r\n"), "{offer}");
    assert!(connection.send("AUTH SCRAM-SHA-256-PLUS\r\n").starts_with("504 "));
}

#[test]
fn what_a_peer_alone_is_offered_is_looked_at_too() {
    let (authority, acceptor) = authority();
    let plan = Plan { offer: Some(extensions().auth([PLUS, BARE])), ..Plan::default() };
    let service = plain_service().starttls(acceptor);
    let connection = Connection::with(plan, service, 1 << 20, |stream| stream);
    connection.receive();
    connection.send("EHLO client.example\r\nSTARTTLS\r\n");
    let mut client = TlsClient::new(&connection, &authority);
    let offer = client.send("EHLO client.example\r\n");
    assert!(offer.contains("AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256\r\n"), "{offer}");
}
