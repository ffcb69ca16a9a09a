//! AUTH inside TLS.

use crate::{
    harness::{Connection, Plan, plain_service},
    tls::{TlsClient, authority},
};
use smtp_driver::sasl::{ClientExchange, Login};
use smtp_proto::{
    Timeouts,
    wire::{Base64, Mechanism},
};

fn with_client(test: impl FnOnce(&Connection, &mut TlsClient<'_>)) {
    let (authority, acceptor) = authority();
    let service = plain_service().implicit_tls(acceptor);
    let connection = Connection::with(Plan::default(), service, 1 << 20, |stream| stream);
    let mut client = TlsClient::new(&connection, &authority);
    client.receive();
    client.send("EHLO client.example\r\n");
    test(&connection, &mut client);
}

pub(crate) fn base64(octets: &str) -> String {
    Base64::encode(octets.as_bytes()).as_str().to_owned()
}

fn plain(name: &str, password: &str) -> String {
    format!("AUTH PLAIN {}\r\n", base64(&format!("\0{name}\0{password}")))
}

#[test]
fn plain_with_an_initial_response_authenticates() {
    with_client(|connection, client| {
        assert!(client.send(&plain("user", "pass")).starts_with("235 2.7.0"));
        assert!(connection.noted("authenticated user"));
        assert!(client.send(&plain("user", "pass")).starts_with("503 "));
    });
}

#[test]
fn plain_without_one_is_asked_with_an_empty_challenge() {
    with_client(|connection, client| {
        assert_eq!(client.send("AUTH PLAIN\r\n"), "334 \r\n");
        let response = base64("\0user\0pass") + "\r\n";
        assert!(client.send(&response).starts_with("235 "));
        assert!(connection.noted("authenticated user"));
    });
}

/// AUTH-14
#[test]
fn login_asks_for_name_and_password() {
    with_client(|connection, client| {
        assert_eq!(client.send("AUTH LOGIN\r\n"), "334 VXNlcm5hbWU6\r\n");
        assert_eq!(client.send(&(base64("user") + "\r\n")), "334 UGFzc3dvcmQ6\r\n");
        assert!(client.send(&(base64("pass") + "\r\n")).starts_with("235 "));
        assert!(connection.noted("authenticated user"));
    });
}

#[test]
fn an_unknown_user_and_a_wrong_password_are_told_the_same() {
    with_client(|connection, client| {
        let unknown = client.send(&plain("nobody", "pass"));
        let wrong = client.send(&plain("user", "wrong"));
        assert!(wrong.starts_with("535 5.7.8"), "{wrong}");
        assert_eq!(unknown, wrong);
        assert!(!connection.notes().iter().any(|note| note.starts_with("authenticated")));
    });
}

#[test]
fn what_cannot_be_checked_now_is_454_and_what_is_not_known_504() {
    with_client(|_, client| {
        assert!(client.send(&plain("broken", "pass")).starts_with("454 4.7.0"));
        assert!(client.send("AUTH CRAM-MD5\r\n").starts_with("504 5.5.4"));
    });
}

/// SEC-AUTH-01
#[test]
fn a_cancelled_exchange_leaves_nothing_behind() {
    with_client(|_, client| {
        client.send("AUTH LOGIN\r\n");
        client.send(&(base64("user") + "\r\n"));
        assert!(client.send("*\r\n").starts_with("501 "));
        assert_eq!(client.send("AUTH LOGIN\r\n"), "334 VXNlcm5hbWU6\r\n");
    });
}

#[test]
fn a_check_that_takes_too_long_is_454() {
    with_client(|connection, client| {
        assert_eq!(client.send(&plain("slow", "pass")), "");
        connection.runtime.run_for(Timeouts::default().decision);
        let reply = client.send("NOOP\r\n");
        assert!(reply.starts_with("454 ") && reply.contains("\r\n250 "), "{reply}");
    });
}

#[test]
fn passwords_show_in_no_debug_form() {
    let password = smtp_proto::Secret::new("hunter2".to_owned());
    assert!(!format!("{password:?}").contains("hunter2"));
    let service = format!("{:?}", plain_service());
    assert!(service.contains("credentials: false"), "{service}");
}

/// A login of our client by SCRAM-SHA-256 up to the server's last word: 334 with its own proof, or
/// what it refuses with.
fn scram(client: &mut TlsClient<'_>, login: &Login) -> (String, ClientExchange) {
    let exchange = ClientExchange::new(login, &Mechanism::SCRAM_SHA_256, &[], None).unwrap();
    proof(client, &Mechanism::SCRAM_SHA_256, exchange)
}

pub(crate) fn proof(
    client: &mut TlsClient<'_>,
    mechanism: &Mechanism<'_>,
    mut exchange: ClientExchange,
) -> (String, ClientExchange) {
    let first = exchange.initial().unwrap().unwrap().into_inner();
    let reply = client.send(&format!("AUTH {mechanism} {}\r\n", Base64::encode(&first)));
    let Some(challenge) = challenge(&reply) else { return (reply, exchange) };
    let proof = exchange.respond(&challenge).unwrap().into_inner();
    (client.send(&format!("{}\r\n", Base64::encode(&proof))), exchange)
}

pub(crate) fn challenge(reply: &str) -> Option<Vec<u8>> {
    let text = reply.strip_prefix("334 ")?.trim_end();
    Some(Base64::parse(text).unwrap().decode())
}

/// AUTH-17
#[test]
fn scram_proves_both_sides_before_235() {
    with_client(|connection, client| {
        let (reply, mut exchange) = scram(client, &Login::password("user", "pass"));
        assert!(!connection.noted("authenticated user"));
        let last = exchange.respond(&challenge(&reply).unwrap()).unwrap().into_inner();
        assert_eq!(last, b"");
        assert!(client.send("\r\n").starts_with("235 2.7.0"));
        exchange.finish().unwrap();
        assert!(connection.noted("authenticated user"));
    });
}

/// AUTH-19
#[test]
fn scram_may_begin_without_an_initial_response() {
    with_client(|_, client| {
        assert_eq!(client.send("AUTH SCRAM-SHA-256\r\n"), "334 \r\n");
        let reply = client.send(&(base64("n,,n=user,r=N") + "\r\n"));
        let first = String::from_utf8(challenge(&reply).unwrap()).unwrap();
        assert!(first.starts_with("r=N") && first.contains(",i=15000"), "{first}");
    });
}

/// AUTH-21
#[test]
fn scram_tells_an_unknown_user_what_it_tells_a_wrong_password() {
    with_client(|connection, client| {
        let (unknown, _) = scram(client, &Login::password("nobody", "pass"));
        let (wrong, _) = scram(client, &Login::password("user", "wrong"));
        assert!(wrong.starts_with("535 5.7.8"), "{wrong}");
        assert_eq!(unknown, wrong);
        assert!(!connection.notes().iter().any(|note| note.starts_with("authenticated")));
    });
}

#[test]
fn scram_does_not_act_as_another_and_says_when_keys_cannot_be_found() {
    with_client(|_, client| {
        let boss = Login::password("user", "pass").acting_as("boss");
        assert!(scram(client, &boss).0.starts_with("535 5.7.8"));
        assert!(scram(client, &Login::password("broken", "pass")).0.starts_with("454 4.7.0"));
    });
}

#[test]
fn a_proof_without_its_last_line_is_no_login() {
    for last in ["*\r\n", "YQ==\r\n"] {
        with_client(|connection, client| {
            let (reply, _) = scram(client, &Login::password("user", "pass"));
            assert!(challenge(&reply).is_some());
            assert!(client.send(last).starts_with('5'));
            assert!(!connection.noted("authenticated user"));
            assert!(client.send("AUTH LOGIN\r\n").starts_with("334 "));
        });
    }
}

/// AUTH-18
#[test]
fn scram_with_what_is_not_of_it_is_535() {
    for first in ["", "n,,n=user", "=,=,="] {
        with_client(|_, client| {
            let first = match first {
                "" => "=".to_owned(),
                first => base64(first),
            };
            let reply = client.send(&format!("AUTH SCRAM-SHA-256 {first}\r\n"));
            assert!(reply.starts_with("535 5.7.8"), "{first}: {reply}");
        });
    }
}
