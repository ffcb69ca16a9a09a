//! STARTTLS (RFC 3207) and implicit TLS (RFC 8314): what the machine does about them. The
//! handshake succeeds at once; what follows stands for the decrypted octets.

use crate::session::Server;
use smtp_proto::{
    server::{Event, Start},
    wire::Refused,
};

fn server() -> Server {
    Server::new().with(|server| {
        server.extensions = server.extensions.clone().starttls();
        server.desk = |machine, event| match event {
            Event::StartTls(pending) => {
                machine.accept(pending).unwrap();
                None
            }
            other => Some(other),
        };
    })
}

/// TLS-01, TLS-03, TLS-17, RFC 3207 §4, §4.2
#[test]
fn starttls_is_offered_until_tls_is_up() {
    server().hold(
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
        S: 250-STARTTLS
        S: 250 AUTH PLAIN
        C: STARTTLS
        S: 220 2.0.0 ...
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

/// TLS-02, RFC 3207 §4
#[test]
fn starttls_takes_no_argument() {
    server().greeted().hold("C: STARTTLS foo\nS: 501 5.5.4 ...\nC: NOOP\nS: 250");
}

/// TLS-04, RFC 3207 §4.2
#[test]
fn a_second_starttls_is_refused_and_the_session_goes_on() {
    server().greeted().hold(
        r"C: STARTTLS
        S: 220
        C: EHLO client.example.test
        S: 250
        C: STARTTLS
        S: 503 5.5.1 ...
        C: MAIL FROM:<>
        S: 250",
    );
}

/// TLS-05, TLS-06, RFC 3207 §4.2
#[test]
fn tls_makes_the_server_forget_what_was_said_in_clear() {
    server().in_transaction().hold(
        r"C: STARTTLS
        S: 220
        C: RCPT TO:<user1@example.test>
        S: 503 5.5.1 Bad sequence of commands
        C: MAIL FROM:<a@client.example.test>
        S: 503 5.5.1 Bad sequence of commands
        C: EHLO client.example.test
        S: 250
        C: RCPT TO:<user1@example.test>
        S: 503 5.5.1 ...
        C: MAIL FROM:<a@client.example.test>
        S: 250",
    );
}

/// TLS-07, SEC-TLS-02, SEC-TLS-03, RFC 3207 §4.2, §6, CVE-2011-0411
#[test]
fn anything_sent_behind_starttls_ends_the_session() {
    for behind in
        [r"NOOP\r\n", r"NO", r"\r\n", r"R", r"EHLO client.example.test\r\nMAIL FROM:<>\r\n"]
    {
        server().with(|server| server.whole = true).greeted().hold(&format!(
            r"C+ STARTTLS
            C| {behind}
            S: 503 5.5.1 ...
            S: <CLOSED>"
        ));
    }
}

/// TLS-08, RFC 3207 §4: the client must have seen it offered
#[test]
fn starttls_needs_a_greeting_first() {
    server().hold("S: 220\nC: STARTTLS\nS: 503\nC: NOOP\nS: 250");
}

/// TLS-09, RFC 3207 §4.1
#[test]
fn after_a_failed_handshake_nothing_is_said_in_clear() {
    let server = server().with(|server| {
        server.desk = |machine, event| match event {
            Event::StartTls(pending) => {
                machine.accept(pending).unwrap();
                None
            }
            Event::Handshake(pending) => {
                machine.abandon(pending).unwrap();
                None
            }
            other => Some(other),
        };
    });
    server.greeted().hold("C: STARTTLS\nS: 220\nS: <CLOSED>");
}

/// TLS-10, RFC 3207 §4
#[test]
fn mail_is_taken_without_tls_too() {
    let messages = server().in_data().hold("C: .\nS: 250");
    assert_eq!(messages.len(), 1);
}

/// TLS-11, RFC 8314 §3.3
#[test]
fn inside_implicit_tls_there_is_no_starttls() {
    server().with(|server| server.start = Start::Tls).hold(
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
        S: 250 AUTH PLAIN
        C: STARTTLS
        S: 503 5.5.1 ...",
    );
}

/// TLS-14, RFC 3207 §4
#[test]
fn without_a_certificate_starttls_is_answered_454_and_the_session_goes_on() {
    let server = server().with(|server| {
        server.desk = |machine, event| match event {
            Event::StartTls(pending) => {
                machine.refuse(pending, &Refused::TLS_UNAVAILABLE).unwrap();
                None
            }
            other => Some(other),
        };
    });
    server.in_transaction().hold(
        r"C: STARTTLS
        S: 454 4.7.0 ...
        C: DATA
        S: 354",
    );
}

/// RFC 5321 §4.2.4
#[test]
fn starttls_that_was_not_offered_is_not_implemented() {
    Server::new().greeted().hold("C: STARTTLS\nS: 502 5.5.1 ...\nC: NOOP\nS: 250");
}

/// SEC-TLS-01, CVE-2026-45185
#[test]
fn a_chunk_that_ends_with_the_tls_session_is_not_delivered() {
    let messages = server().greeted().hold(
        r"C: STARTTLS
        S: 220
        C: EHLO client.example.test
        S: 250
        C+ MAIL FROM:<a@client.example.test>
        C+ RCPT TO:<user1@example.test>
        C+ BDAT 10000
        C* 100 a
        S: 250
        S: 250
        C: <EOF>
        S: <CLOSED>",
    );
    assert_eq!(messages, []);
}
