//! From the first octet to a connection that can send: greeting, EHLO, TLS, AUTH.

use crate::world::{MESSAGE, envelope, lines, open, policy, welcome};
use smtp_client::{
    Cause, Connection, Envelope, Failure, Policy, Report, Said, Stage, Status, Tls, Watch,
    driver::{
        Acceptor, NewHandler, Peer, Service,
        sasl::Login,
        serve,
        tls::{ClientTls, Connector, Verified, Verify},
    },
    proto::{
        ext::Extensions,
        server::ServerConfig,
        wire::{Host, Mechanism},
    },
};
use std::{
    future::pending,
    sync::{Arc, Mutex},
};
use testkit::{clock::VirtualRuntime, memory::pair, tls::Authority};

/// How opening fails, and whether the server heard what the script has.
#[track_caller]
fn refused(script: &str, policy: Policy) -> (Failure, String) {
    let (world, opened) = open(script, policy);
    let failure = opened.unwrap_err();
    world.heard();
    let told = format!("{}: {}", failure.stage, failure.reply);
    (failure, told)
}

/// C-04, C-05
#[test]
fn a_greeting_says_whether_there_is_any_use() {
    for (greeting, permanent) in [
        ("421 4.3.2 later", false),
        ("450 later", false),
        ("554 5.3.2 no mail here", true),
        ("521 no", true),
    ] {
        // RFC 5321 §3.1: QUIT is all that may be said; after 421 there is nobody to say it to.
        let end = if greeting.starts_with("421") { "" } else { "C: QUIT\nS: 221 bye" };
        let (failure, told) = refused(&format!("S: {greeting}\n{end}"), policy());
        assert_eq!(told, format!("greeting: {greeting}"));
        assert_eq!(failure.is_permanent(), permanent);
        assert_eq!((failure.cause, failure.stage), (Cause::Server, Stage::Greeting));
    }
}

#[test]
fn a_server_that_says_nothing_or_nonsense_is_a_temporary_failure() {
    for (script, want) in [
        ("", "greeting: 451 4.4.2 the server closed the connection"),
        ("S| 220 mx", "greeting: 451 4.4.2 the server closed the connection"),
        ("T: 301s", "greeting: 451 4.4.2 the server took too long"),
        (
            "S: HTTP/1.1 400 Bad Request",
            "greeting: 451 4.5.0 what the server sent is no reply to what it was asked",
        ),
    ] {
        let (failure, told) = refused(script, policy());
        assert_eq!(told, want);
        assert!(!failure.is_permanent());
    }
}

/// C-02, C-03
#[test]
fn helo_is_enough() {
    let script = "S: 220 mx
        C: EHLO client.example.test
        S: 502 what
        C: HELO client.example.test
        S: 250 mx
        C: MAIL FROM:<a@example.test>
        S: 250 ok
        C: RCPT TO:<b@example.test>
        S: 250 ok
        C: DATA
        S: 354 go
        C: <MESSAGE>
        S: 250 taken";
    let (world, opened) = open(script, policy());
    let mut connection = opened.unwrap();
    let to = envelope(&["b@example.test"]).build().unwrap();
    assert!(world.runtime.run_until(connection.send(&to, MESSAGE)).is_all_sent());
}

#[test]
fn a_refused_ehlo_is_told() {
    let script = "S: 220 mx\nC: EHLO client.example.test\nS: 550 5.7.1 no\nC: QUIT\nS: 221 bye";
    assert_eq!(refused(script, policy()).1, "EHLO: 550 5.7.1 no");
}

fn roots(authority: &Authority) -> ClientTls {
    let pem = authority.certificate_pem();
    ClientTls::builder().roots_pem(pem.as_bytes()).unwrap().build().unwrap()
}

fn connector(verify: Verify) -> Connector {
    roots(&Authority::new()).connector("mx.example.test", verify).unwrap()
}

/// C-20, C-21, C-53
#[test]
fn without_the_tls_that_is_required_there_is_no_mail_and_no_login() {
    let mut policy = policy();
    policy.tls = Tls::Required(connector(Verify::Required));
    policy.login = Some(Login::password("user1", "secret1"));
    policy.danger_login_unprotected = true;
    for (extension, exchange) in [
        ("AUTH PLAIN", ""),
        ("STARTTLS", "C: STARTTLS\nS: 454 4.7.0 not now\n"),
        ("STARTTLS", "C: STARTTLS\nS: 502 no\n"),
    ] {
        let script = welcome(&[extension]) + exchange + "C: QUIT\nS: 221 bye";
        let (failure, told) = refused(&script, policy.clone());
        assert!(told.starts_with("TLS: 451 4.7.4 "), "{told}");
        assert!(!failure.is_permanent(), "it is no fault of a message");
        assert_eq!(failure.cause, Cause::Tls);
    }
}

#[test]
fn opportunistic_tls_goes_on_in_clear() {
    let mut policy = policy();
    policy.tls = Tls::Opportunistic(connector(Verify::Opportunistic));
    for script in [
        welcome(&[]) + "C: QUIT\nS: 221 bye",
        welcome(&["STARTTLS"]) + "C: STARTTLS\nS: 454 4.7.0 not now\nC: QUIT\nS: 221 bye",
    ] {
        let (world, opened) = open(&script, policy.clone());
        let connection = opened.unwrap();
        assert_eq!(connection.tls(), None);
        world.runtime.run_until(connection.quit());
        world.heard();
    }
}

/// C-22
#[test]
fn what_follows_the_220_in_clear_is_not_believed() {
    let mut policy = policy();
    policy.tls = Tls::Required(connector(Verify::Required));
    let script = welcome(&["STARTTLS"])
        + "C: STARTTLS\nS: 220 go\nS: 250-evil\nS: 250 AUTH PLAIN\nC: <CLOSED>";
    let (failure, told) = refused(&script, policy);
    assert!(told.starts_with("TLS: 451 4.7.5 "), "{told}");
    assert_eq!(failure.cause, Cause::Tls);
}

/// C-53, C-54
#[test]
fn no_password_travels_where_anybody_can_listen() {
    let mut policy = policy();
    policy.login = Some(Login::password("user1", "secret1"));
    let script = welcome(&["AUTH PLAIN LOGIN"]) + "C: QUIT\nS: 221 bye";
    let (failure, told) = refused(&script, policy.clone());
    assert_eq!(told, "AUTH: 451 4.7.11 no login in clear text");
    assert_eq!(failure.cause, Cause::Auth);
    policy.danger_login_unprotected = true;
    let exchange = "C: AUTH PLAIN AHVzZXIxAHNlY3JldDE=\n";
    for (reply, want) in [
        ("S: 235 in", None),
        ("S: 535 5.7.8 wrong", Some("AUTH: 535 5.7.8 wrong")),
        ("S: 454 4.7.0 later", Some("AUTH: 454 4.7.0 later")),
        // Not of the mechanism: cancelled.
        (
            "S: 334 !\nC: *\nS: 501 ok",
            Some("AUTH: 451 4.7.8 the server's message is not of the mechanism"),
        ),
    ] {
        let script = welcome(&["AUTH PLAIN LOGIN"]) + exchange + reply + "\nC: QUIT\nS: 221 bye";
        match want {
            Some(want) => assert_eq!(refused(&script, policy.clone()).1, want),
            None => {
                let (world, opened) = open(&script, policy.clone());
                let connection = opened.unwrap();
                assert_eq!(connection.mechanism(), Some(&Mechanism::PLAIN));
                world.runtime.run_until(connection.quit());
                world.heard();
            }
        }
    }
}

#[test]
fn a_login_needs_a_mechanism_that_both_know() {
    let mut policy = policy();
    policy.login = Some(Login::password("user1", "secret1"));
    policy.danger_login_unprotected = true;
    let script = welcome(&["AUTH XOAUTH2 GSSAPI"]) + "C: QUIT\nS: 221 bye";
    assert!(refused(&script, policy.clone()).1.starts_with("AUTH: 451 4.7.4 "));
    policy.mechanism = Some(Mechanism::LOGIN);
    let script = welcome(&["AUTH PLAIN"]) + "C: QUIT\nS: 221 bye";
    assert!(refused(&script, policy).1.starts_with("AUTH: 451 4.7.4 "));
}

#[test]
fn what_is_watched_has_no_secret_and_no_message() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let lines = said.clone();
    let mut policy = policy();
    policy.watch = Some(Watch::new(move |said| {
        lines.lock().unwrap().push(match said {
            Said::Client(line) => format!("C: {line}"),
            Said::Body(size) => format!("C: [{size} octets]"),
            Said::Server(_, reply) => format!("S: {reply}"),
            _ => String::new(),
        });
    }));
    policy.login = Some(Login::password("user1", "secret1"));
    policy.danger_login_unprotected = true;
    let script = welcome(&["AUTH LOGIN"])
        + "C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: dXNlcjE=
        S: 334 UGFzc3dvcmQ6
        C: c2VjcmV0MQ==
        S: 235 in
        C: MAIL FROM:<a@example.test>
        S: 250 ok
        C: RCPT TO:<b@example.test>
        S: 250 ok
        C: DATA
        S: 354 go
        C: <MESSAGE>
        S: 250 taken";
    let (world, opened) = open(&script, policy);
    let mut connection = opened.unwrap();
    let to = envelope(&["b@example.test"]).build().unwrap();
    assert!(world.runtime.run_until(connection.send(&to, MESSAGE)).is_all_sent());
    let said = said.lock().unwrap().join("\n");
    assert!(!said.contains("c2VjcmV0MQ") && !said.contains("dot"), "{said}");
    assert!(said.contains("C: AUTH LOGIN\nC: ***\nC: ***\nS: 235 in"), "{said}");
    assert!(said.contains("C: [25 octets]\nS: 250 taken"), "{said}");
}

type Opened = (VirtualRuntime, testkit::policy::Policy, Result<crate::world::Conn, Failure>);

/// A connection by `policy` to our own server, whose certificate is of `authority`.
fn open_to_ours(authority: &Authority, policy: Policy, implicit: bool) -> Opened {
    let extensions =
        Extensions::new().starttls().chunking().auth([Mechanism::PLAIN, Mechanism::LOGIN]);
    open_to(authority, extensions, policy, implicit)
}

/// The same, to one with these extensions.
fn open_to(
    authority: &Authority,
    extensions: Extensions,
    policy: Policy,
    implicit: bool,
) -> Opened {
    const PEER: Peer = Peer { remote: None, local: None };
    let host = Host::parse("mx.example.test").unwrap();
    let config = ServerConfig::builder(host).extensions(extensions).build();
    let acceptor = Acceptor::new(authority.server_config(&["mx.example.test"]));
    let taken = testkit::policy::Policy::new();
    let service = Service::new(config).unwrap().credentials(taken.clone());
    let service = match implicit {
        true => service.implicit_tls(acceptor),
        false => service.starttls(acceptor),
    };
    let runtime = VirtualRuntime::new();
    let (client, server) = pair(1 << 16);
    let handler = taken.new_handler(&PEER);
    drop(runtime.spawn(serve(server, PEER, runtime.clone(), service, handler, pending())));
    let opened = runtime.run_until(Connection::open(
        client,
        runtime.clone(),
        "mx.example.test",
        Arc::new(policy),
    ));
    (runtime, taken, opened)
}

#[test]
fn a_verified_server_is_given_the_password() {
    let authority = Authority::new();
    let connector = roots(&authority).connector("mx.example.test", Verify::Required).unwrap();
    for implicit in [false, true] {
        let mut policy = policy();
        policy.tls = match implicit {
            true => Tls::Implicit(connector.clone()),
            false => Tls::Required(connector.clone()),
        };
        policy.login = Some(Login::password("user1", "secret1"));
        let (runtime, taken, opened) = open_to_ours(&authority, policy, implicit);
        let mut connection = opened.unwrap();
        let to = envelope(&["user1@example.test"]).build().unwrap();
        let report = runtime.run_until(connection.send(&to, MESSAGE));
        assert!(report.is_all_sent(), "{report:?}");
        assert_eq!(report.tls.unwrap().verified, Verified::Yes);
        assert_eq!(taken.delivered()[0].octets, MESSAGE.as_bytes());
        assert_eq!(taken.delivered()[0].identity.as_deref(), Some("user1"));
    }
}

#[test]
fn a_server_that_is_not_who_it_should_be_gets_neither_mail_nor_password() {
    let authority = Authority::new();
    let stranger = roots(&Authority::new());
    let mut policy = policy();
    policy.login = Some(Login::password("user1", "secret1"));
    policy.tls = Tls::Required(stranger.connector("mx.example.test", Verify::Required).unwrap());
    let (_, _, opened) = open_to_ours(&authority, policy.clone(), false);
    let failure = opened.unwrap_err();
    assert_eq!((failure.stage, failure.cause), (Stage::Tls, Cause::Tls));
    assert_eq!(failure.enhanced().to_string(), "4.7.5");
    // It is encrypted, but nobody knows with whom: no password.
    let connector = stranger.connector("mx.example.test", Verify::Opportunistic).unwrap();
    policy.tls = Tls::Opportunistic(connector);
    let (_, _, opened) = open_to_ours(&authority, policy.clone(), false);
    assert_eq!(opened.unwrap_err().enhanced().to_string(), "4.7.11");
    // Mail goes, and it is told that nobody knows.
    policy.login = None;
    let (runtime, _, opened) = open_to_ours(&authority, policy, false);
    let mut connection = opened.unwrap();
    let to = envelope(&["user1@example.test"]).build().unwrap();
    let report = runtime.run_until(connection.send(&to, MESSAGE));
    assert!(report.is_all_sent());
    assert!(matches!(report.tls.unwrap().verified, Verified::No(_)));
}

#[test]
fn a_message_that_must_have_tls_goes_to_verified_servers_that_pass_it_on_so() {
    let authority = Authority::new();
    let mut mail = envelope(&["user1@example.test"]).build().unwrap().mail().clone();
    mail.require_tls = true;
    let to = Envelope::from_mail(mail).to("user1@example.test").build().unwrap();
    let opportunistic = |authority: &Authority| {
        let connector = roots(authority).connector("mx.example.test", Verify::Opportunistic);
        Tls::Opportunistic(connector.unwrap())
    };
    let plain = Extensions::new().starttls();
    let promising = plain.clone().requiretls();
    for (tls, extensions, status, code) in [
        (Tls::None, &promising, Status::Failed, "5.7.10"),
        (opportunistic(&Authority::new()), &promising, Status::Failed, "5.7.10"),
        (opportunistic(&authority), &plain, Status::Failed, "5.7.30"),
        (opportunistic(&authority), &promising, Status::Sent, "2.0.0"),
    ] {
        let mut policy = policy();
        policy.tls = tls;
        let (runtime, _, opened) = open_to(&authority, extensions.clone(), policy, false);
        let report = runtime.run_until(opened.unwrap().send(&to, MESSAGE));
        let outcome = &report.outcomes[0];
        assert_eq!((outcome.status, &*outcome.enhanced().to_string()), (status, code));
    }
}

/// C-54
#[test]
fn a_login_that_is_refused_is_no_fault_of_the_message() {
    let mut policy = policy();
    policy.login = Some(Login::password("user", "wrong"));
    policy.danger_login_unprotected = true;
    let script = welcome(&["AUTH PLAIN"])
        + "C: AUTH PLAIN AHVzZXIAd3Jvbmc=
        S: 535 5.7.8 no
        C: QUIT
        S: 221 bye";
    let (world, opened) = open(&script, policy);
    let failure = opened.unwrap_err();
    assert!(failure.is_permanent(), "it need not be tried elsewhere");
    assert_eq!(lines(&Report::failed(1, &failure)), ["delayed AUTH: 535 5.7.8 no"]);
    world.heard();
}
