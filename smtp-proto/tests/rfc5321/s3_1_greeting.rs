//! The greeting and the client's own (RFC 5321 §3.1, §3.2, §4.1.1.1, §4.1.3, §4.2).

use crate::session::Server;
use smtp_proto::{
    server::{Event, Mode},
    wire::Refused,
};

/// CONN-01, CONN-02, §3.1, §4.2
#[test]
fn the_greeting_names_the_server_first() {
    Server::new().hold("S: 220 mx.example.test ESMTP");
}

/// CONN-09, §3.1
#[test]
fn a_refused_connection_hears_503_until_it_quits() {
    let server = Server::new().with(|server| {
        server.desk = |machine, event| match event {
            Event::Connect(pending) => {
                machine.refuse(pending, &Refused::DENIED).unwrap();
                None
            }
            other => Some(other),
        }
    });
    server.hold(
        r"S: 554
        C: EHLO client.example.test
        S: 503
        C: MAIL FROM:<a@client.example.test>
        S: 503
        C: NOOP
        S: 503
        C: RSET
        S: 503
        C: QUIT
        S: 221
        S: <CLOSED>",
    );
}

/// §4.2.3, 421; §4.3.2
#[test]
fn a_busy_server_may_send_421_and_close_at_once() {
    let server = Server::new().with(|server| {
        server.desk = |machine, event| match event {
            Event::Connect(pending) => {
                machine.disconnect(pending, &Refused::TOO_MANY_CONNECTIONS).unwrap();
                None
            }
            other => Some(other),
        }
    });
    server.hold("S: 421\nS: <CLOSED>");
}

/// EHLO-01, EHLO-02, EHLO-15, PIPE-09, 8BIT-01, 8BIT-05, UTF8-01, §4.1.1.1
#[test]
fn ehlo_is_answered_with_a_domain_and_the_extensions() {
    Server::new().hold(
        r"S: 220
        C: EHLO client.example.test
        S: 250-mx.example.test
        S: 250-PIPELINING
        S: 250-SIZE 52428800
        S: 250-8BITMIME
        S: 250-ENHANCEDSTATUSCODES
        S: 250-SMTPUTF8
        S: 250-CHUNKING
        S: 250-DSN
        S: 250 AUTH PLAIN",
    );
}

/// EHLO-03, §2.4, §4.1.1
#[test]
fn verbs_are_read_in_any_case() {
    for verb in ["ehlo", "eHlO", "EHLO"] {
        Server::new().hold(&format!("S: 220\nC: {verb} client.example.test\nS: 250"));
    }
}

/// EHLO-04, EHLO-05, §3.2
#[test]
fn helo_is_answered_with_one_line() {
    Server::new().hold(
        r"S: 220
        C: HELO client.example.test
        S: 250 mx.example.test
        C: NOOP
        S: 250 2.0.0 Ok",
    );
}

/// EHLO-06, EHLO-07, §4.1.1.1
#[test]
fn a_greeting_needs_a_name() {
    Server::new().hold(
        r"S: 220
        C: EHLO
        S: 501
        C: HELO
        S: 501
        C: EHLO two words
        S: 501
        C: MAIL FROM:<a@client.example.test>
        S: 503",
    );
}

/// EHLO-08, EHLO-09, §4.1.3
#[test]
fn a_client_may_call_itself_by_its_address() {
    Server::new().hold(
        r"S: 220
        C: EHLO [192.0.2.1]
        S: 250
        C: EHLO [IPv6:2001:db8::1]
        S: 250
        C: EHLO [IPv6:::ffff:192.0.2.1]
        S: 250
        C: EHLO [tag:content]
        S: 250",
    );
}

/// EHLO-08, SEC-INJ-11, §4.1.3
#[test]
fn what_is_no_address_literal_is_refused() {
    Server::new().hold(
        r"S: 220
        C: EHLO [192.0.2.256]
        S: 501
        C: EHLO [192.0.2]
        S: 501
        C: EHLO [IPv6:2001:db8::1::2]
        S: 501
        C: EHLO [192.0.2.1
        S: 501",
    );
}

/// EHLO-13, §4.1.1.1: a name with an underscore is taken, though it is no domain
#[test]
fn an_underscore_in_the_name_is_forgiven() {
    Server::new().hold(
        r"S: 220
        C: EHLO under_score.example.test
        S: 250",
    );
}

/// SEC-HDR-01, EHLO-19, §4.4
#[test]
fn a_name_that_could_break_a_received_field_is_refused() {
    Server::new().hold(
        r"S: 220
        C: EHLO a(b.example.test
        S: 501
        C: EHLO a.example.test;x
        S: 501
        C| EHLO a\tb.example.test\r\n
        S: 501
        C| EHLO a\x1b[2J.example.test\r\n
        S: 501
        C: EHLO %0d%0a
        S: 501",
    );
}

/// EHLO-14, VRFY-04, §3.5.2, §4.2.4
#[test]
fn expn_is_listed_exactly_where_it_works() {
    Server::new().greeted().hold(
        r"C: EXPN staff
        S: 502 5.5.1 ...",
    );
    let server = Server::new().with(|server| {
        server.extensions = server.extensions.clone().expn();
        server.desk = |machine, event| match event {
            Event::Expand { pending, .. } => {
                machine.accept(pending).unwrap();
                None
            }
            other => Some(other),
        }
    });
    server.hold(
        r"S: 220
        C: EHLO client.example.test
        S: 250-mx.example.test
        S: 250-PIPELINING
        S: 250-SIZE 52428800
        S: 250-8BITMIME
        S: 250-ENHANCEDSTATUSCODES
        S: 250-SMTPUTF8
        S: 250-CHUNKING
        S: 250-DSN
        S: 250-AUTH PLAIN
        S: 250 EXPN
        C: EXPN staff
        S: 250",
    );
}

/// LMTP-08, RFC 2033 §4.1
#[test]
fn lhlo_is_unknown_to_smtp_and_submission() {
    for mode in [Mode::Smtp, Mode::Submission] {
        Server::new().with(|server| server.mode = mode).hold(
            r"S: 220
            C: LHLO client.example.test
            S: 500
            C: MAIL FROM:<a@client.example.test>
            S: 503",
        );
    }
}
