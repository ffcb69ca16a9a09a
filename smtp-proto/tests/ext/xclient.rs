//! XCLIENT (Postfix, XCLIENT_README).

use crate::session::Server;
use smtp_proto::{
    ext::{Extensions, Fact, Proto},
    server::{Event, Mode},
    wire::{Mechanism, Refused},
};
use std::sync::Arc;

/// A server whose every peer is a proxy; it has something against 192.0.2.66.
fn server() -> Server {
    Server::new().with(|server| {
        server.extensions = Extensions::new().danger_xclient();
        server.desk = |machine, event| {
            match event {
                Event::Xclient { client, pending } => {
                    let addr = client.addr.and_then(Fact::known).map(|addr| addr.to_string());
                    if addr.as_deref() == Some("192.0.2.66") {
                        machine.refuse(pending, &Refused::DENIED).unwrap();
                    } else {
                        machine.accept(pending).unwrap();
                    }
                }
                event => return Some(event),
            }
            None
        };
    })
}

const OFFER: &str = "S: 250-mx.example.test
        S: 250-PIPELINING
        S: 250-SIZE 52428800
        S: 250-8BITMIME
        S: 250-ENHANCEDSTATUSCODES
        S: 250 XCLIENT NAME REVERSE_NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";

/// XCL-02, XCLIENT_README, "Server response"
#[test]
fn the_session_begins_again_with_the_client_that_was_told() {
    server().hold(&format!(
        r"S: 220
        C: EHLO proxy.example.test
        {OFFER}
        C: XCLIENT NAME=client.example.test ADDR=192.0.2.9 PORT=40000
        S: 220 mx.example.test ESMTP
        C: MAIL FROM:<a@client.example.test>
        S: 503 5.5.1 ...
        C: XCLIENT HELO=client.example.test PROTO=ESMTP
        S: 220 mx.example.test ESMTP
        C: EHLO client.example.test
        {OFFER}
        C: MAIL FROM:<a@client.example.test>
        S: 250"
    ));
}

#[test]
fn the_event_has_what_the_proxy_said() {
    let server = server().with(|server| {
        server.desk = |machine, event| match event {
            Event::Xclient { client, pending } => {
                let helo = client.helo.clone().and_then(Fact::known).unwrap();
                assert_eq!(helo.as_str(), "[192.0.2.9]");
                assert_eq!(client.name, Some(Fact::Unavailable));
                assert_eq!(client.reverse_name, Some(Fact::TemporarilyUnavailable));
                assert_eq!(client.proto, Some(Fact::Known(Proto::Smtp)));
                assert_eq!((client.port, client.login), (None, None));
                machine.accept(pending).unwrap();
                None
            }
            event => Some(event),
        };
    });
    server.greeted().hold(
        r"C: xclient name=[unavailable] Reverse_Name=[TempUnavail] HELO=[192.0.2.9] proto=smtp
        S: 220",
    );
}

/// XCLIENT_README: 501
#[test]
fn a_malformed_attribute_is_refused_and_changes_nothing() {
    for args in [
        "",
        " ",
        " NAME",
        " NAME=",
        " ADDR=client.example",
        " ADDR=2001:db8::1",
        " PORT=65536",
        " COLOUR=red",
        " ADDR=192.0.2.9 ADDR=192.0.2.9",
        " NAME=+0D+0ARCPT",
        " PROTO=LMTP",
    ] {
        server().greeted().hold(&format!(
            r"C: XCLIENT{args}
            S: 501 5.5.4 ...
            C: MAIL FROM:<a@client.example.test>
            S: 250"
        ));
    }
}

/// XCLIENT_README: 503
#[test]
fn it_has_no_place_in_a_transaction() {
    server().in_transaction().hold(
        r"C: XCLIENT ADDR=192.0.2.9
        S: 503 5.5.1 ...
        C: DATA
        S: 354",
    );
}

/// XCLIENT_README: what the client would have met when it connected
#[test]
fn a_client_that_is_refused_can_only_quit() {
    server().greeted().hold(
        r"C: XCLIENT ADDR=192.0.2.66
        S: 554 5.7.1 ...
        C: MAIL FROM:<a@client.example.test>
        S: 503
        C: XCLIENT ADDR=192.0.2.9
        S: 503
        C: QUIT
        S: 221
        S: <CLOSED>",
    );
}

/// LOGIN: a submission server takes mail from whom the proxy has seen log in, and from nobody else
#[test]
fn a_login_at_the_proxy_counts_until_the_next_client() {
    let submission = server().with(|server| {
        server.mode = Mode::Submission;
        let extensions = server.extensions.clone();
        server.extensions = extensions.auth([Mechanism::PLAIN]).danger_auth_in_clear();
    });
    let mail = "C: EHLO client.example.test\nS: 250\nC: MAIL FROM:<a@client.example.test>\nS:";
    submission.greeted().hold(&format!(
        r"C: XCLIENT LOGIN=user1
        S: 220
        {mail} 250
        C: RSET
        S: 250
        C: XCLIENT LOGIN=[UNAVAILABLE]
        S: 220
        {mail} 530 5.7.0 ..."
    ));
    submission.greeted().hold(&format!(
        r"C: AUTH PLAIN AHVzZXIxAHNlY3JldDE=
        S: 235
        C: XCLIENT ADDR=192.0.2.9
        S: 220
        {mail} 530 5.7.0 ..."
    ));
}

/// XCL-01, XCLIENT_README: 550
#[test]
fn a_stranger_may_not_use_it() {
    for dialogue in ["C: XCLIENT ADDR=192.0.2.9\nS: 550 5.7.0 ...", "C: XCLIENT\nS: 550 5.7.0 ..."]
    {
        Server::new().greeted().hold(dialogue);
    }
}

/// What is offered to this peer alone
#[test]
fn it_can_be_offered_to_one_peer_and_stays_until_the_next_greeting() {
    let server = Server::new().with(|server| {
        server.extensions = Extensions::new();
        server.desk = |machine, event| match event {
            Event::Hello { name, pending, .. } if name.to_string() == "proxy.example.test" => {
                let extensions = Arc::new(Extensions::new().danger_xclient());
                machine.advertise(pending, extensions).unwrap();
                None
            }
            Event::Xclient { pending, .. } => {
                machine.accept(pending).unwrap();
                None
            }
            event => Some(event),
        };
    });
    server.hold(&format!(
        r"S: 220
        C: XCLIENT ADDR=192.0.2.9
        S: 550 5.7.0 ...
        C: EHLO proxy.example.test
        {OFFER}
        C: XCLIENT ADDR=192.0.2.9
        S: 220
        C: XCLIENT PORT=40000
        S: 220
        C: EHLO client.example.test
        S: 250-mx.example.test
        S: 250-PIPELINING
        S: 250-SIZE 52428800
        S: 250-8BITMIME
        S: 250 ENHANCEDSTATUSCODES
        C: XCLIENT ADDR=192.0.2.10
        S: 550 5.7.0 ..."
    ));
}
