//! AUTH (RFC 4954). user1's password is `secret1`.

use crate::session::Server;
use smtp_proto::{
    ext::Extensions,
    server::{Event, Start},
    wire::Mechanism,
};

/// `\0user1\0secret1`
const RIGHT: &str = "AHVzZXIxAHNlY3JldDE=";
/// `\0user1\0wrong`
const WRONG: &str = "AHVzZXIxAHdyb25n";

fn only_under_tls() -> Extensions {
    Extensions::new().auth([Mechanism::PLAIN]).starttls()
}

/// AUTH-01, TLS-13, RFC 4954 §4, §9
#[test]
fn auth_is_neither_offered_nor_taken_in_clear() {
    Server::new().with(|server| server.extensions = only_under_tls()).hold(&format!(
        r"S: 220
        C: EHLO client.example.test
        S: 250-mx.example.test
        S: 250-PIPELINING
        S: 250-SIZE 52428800
        S: 250-8BITMIME
        S: 250-ENHANCEDSTATUSCODES
        S: 250 STARTTLS
        C: AUTH PLAIN {RIGHT}
        S: 538 5.7.11 ...
        C: MAIL FROM:<a@client.example.test> AUTH=<>
        S: 555 5.5.4 ..."
    ));
}

/// AUTH-01, TLS-13
#[test]
fn auth_is_offered_and_taken_under_tls() {
    let server = Server::new().with(|server| {
        (server.extensions, server.start) = (only_under_tls(), Start::Tls);
    });
    server.hold(&format!(
        r"S: 220
        C: EHLO client.example.test
        S: 250-mx.example.test
        S: 250-PIPELINING
        S: 250-SIZE 52428800
        S: 250-8BITMIME
        S: 250-ENHANCEDSTATUSCODES
        S: 250 AUTH PLAIN
        C: AUTH PLAIN {RIGHT}
        S: 235 2.7.0 ..."
    ));
}

/// AUTH-02, RFC 4954 §4
#[test]
fn an_initial_response_saves_a_round_trip() {
    let messages = Server::new().greeted().hold(&format!(
        r"C: AUTH PLAIN {RIGHT}
        S: 235 2.7.0 ...
        C: MAIL FROM:<user1@example.test>
        S: 250
        C: RCPT TO:<someone@elsewhere.test>
        S: 250
        C: DATA
        S: 354
        C: .
        S: 250"
    ));
    assert_eq!(messages[0].identity.as_deref(), Some("user1"));
}

/// AUTH-03, RFC 4954 §4: the space behind 334 stands there even without a challenge
#[test]
fn an_empty_challenge_is_334_and_a_space() {
    let dialogue = format!("C: AUTH PLAIN\nS: 334 \nC: {RIGHT}\nS: 235 2.7.0 ...");
    Server::new().greeted().hold(&dialogue);
}

/// AUTH-04, RFC 4954 §4
#[test]
fn an_asterisk_cancels_the_exchange() {
    Server::new().greeted().hold(&format!(
        r"C: AUTH PLAIN
        S: 334
        C: *
        S: 501 5.7.0 ...
        C: AUTH PLAIN {RIGHT}
        S: 235"
    ));
}

/// AUTH-05, RFC 4954 §4
#[test]
fn what_is_not_base64_ends_the_exchange() {
    for response in ["=AAA", "AAA=BBB", "!!!!", "AA AA", "AAA", "A===", "**", "AAAA "] {
        Server::new().greeted().hold(&format!(
            r"C| AUTH PLAIN\r\n
            S: 334
            C| {response}\r\n
            S: 501 5.5.2 ...
            C: NOOP
            S: 250"
        ));
    }
}

/// AUTH-05, RFC 4954 §4
#[test]
fn an_initial_response_that_is_not_base64_is_refused() {
    for response in ["=AAA", "!!!!", "AA AA", "=="] {
        Server::new().greeted().hold(&format!("C: AUTH PLAIN {response}\nS: 501 5.5.2 ..."));
    }
}

/// RFC 4954 §4, RFC 5321 §2.3.8
#[test]
fn a_bare_lf_or_nul_in_a_response_ends_the_exchange() {
    for octet in [r"\n", r"\r", r"\0"] {
        Server::new().greeted().hold(&format!(
            r"C: AUTH PLAIN
            S: 334
            C| AAAA{octet}AAAA\r\n
            S: 501 5.5.2 ...
            C: NOOP
            S: 250"
        ));
    }
}

/// AUTH-06, AUTH-23, RFC 4954 §4
#[test]
fn an_unknown_mechanism_is_a_504() {
    Server::new().greeted().hold(
        r"C: AUTH XYZZY
        S: 504 5.5.4 ...
        C: AUTH LOGIN
        S: 504 5.5.4 ...
        C: AUTH
        S: 501 5.5.4 ...
        C: AUTH PL.AIN
        S: 501 5.5.4 ...",
    );
}

/// AUTH-07, RFC 4954 §4
#[test]
fn auth_succeeds_once() {
    Server::new().greeted().hold(&format!(
        r"C: AUTH PLAIN {RIGHT}
        S: 235
        C: AUTH PLAIN {RIGHT}
        S: 503 5.5.1 ...
        C: RSET
        S: 250
        C: EHLO client.example.test
        S: 250
        C: AUTH PLAIN {RIGHT}
        S: 503 5.5.1 ..."
    ));
}

/// AUTH-08, RFC 4954 §4
#[test]
fn auth_is_not_for_the_middle_of_a_transaction() {
    Server::new().in_transaction().hold(&format!(
        r"C: AUTH PLAIN {RIGHT}
        S: 503 5.5.1 ...
        C: DATA
        S: 354"
    ));
}

/// RFC 4954 §3, §4: the client must have seen it offered
#[test]
fn auth_needs_a_greeting_first() {
    Server::new().hold(&format!("S: 220\nC: AUTH PLAIN {RIGHT}\nS: 503"));
}

/// AUTH-09, RFC 4954 §6
#[test]
fn a_wrong_password_and_an_unknown_user_are_told_alike() {
    // `\0nobody\0wrong`
    Server::new().greeted().hold(&format!(
        r"C: AUTH PLAIN {WRONG}
        S: 535 5.7.8 Authentication failed
        C: AUTH PLAIN AG5vYm9keQB3cm9uZw==
        S: 535 5.7.8 Authentication failed"
    ));
}

/// AUTH-10, RFC 4954 §4
#[test]
fn an_equals_sign_is_an_empty_initial_response() {
    Server::new().greeted().hold("C: AUTH PLAIN =\nS: 535 5.7.8 ...");
    Server::new().greeted().hold("C: AUTH PLAIN\nS: 334\nC:\nS: 535 5.7.8 ...");
}

/// AUTH-11, RFC 4954 §4: the limit and the CRLF
#[test]
fn a_response_of_12288_octets_is_read_and_one_more_is_not() {
    Server::new().greeted().hold(
        r"C: AUTH PLAIN
        S: 334
        C+* 12284 A
        C:
        S: 535 5.7.8 ...
        C: AUTH PLAIN
        S: 334
        C+* 12286 A
        C:
        S: 501 5.5.2 ...
        C: AUTH PLAIN
        S: 334
        C+* 12287 A
        C:
        S: 500 5.5.6 ...
        C: NOOP
        S: 250",
    );
}

/// AUTH-11, RFC 4954 §4: an initial response may be as long
#[test]
fn an_auth_command_of_12288_octets_is_read_and_one_more_is_not() {
    // The verb, the mechanism, two spaces and CRLF are thirteen octets.
    Server::new().greeted().hold(
        r"C+| AUTH PLAIN\x20
        C+* 12272 A
        C:
        S: 535 5.7.8 ...
        C+| AUTH PLAIN\x20
        C+* 12275 A
        C:
        S: 501 5.5.2 ...
        C+| AUTH PLAIN\x20
        C+* 12276 A
        C:
        S: 500 5.5.2 ...",
    );
}

/// AUTH-11, RFC 4954 §4
#[test]
fn an_overlong_response_is_swallowed_and_answered_once() {
    Server::new().greeted().hold(
        r"C: AUTH PLAIN
        S: 334
        C* 20000 A
        C:
        S: 500 5.5.6 ...
        C: NOOP
        S: 250",
    );
}

/// AUTH-12, RFC 4954 §5
#[test]
fn mail_may_say_who_submitted_the_message() {
    for value in ["<>", "a+40b.example", "user1"] {
        Server::new().greeted().hold(&format!(
            r"C: MAIL FROM:<a@client.example.test> AUTH={value}
            S: 250 2.1.0 ..."
        ));
    }
    for value in ["", "a+zz", "a=b"] {
        Server::new().greeted().hold(&format!(
            r"C: MAIL FROM:<a@client.example.test> AUTH={value}
            S: 501 5.5.4 ..."
        ));
    }
}

/// AUTH-13, RFC 5321 §2.4
#[test]
fn verb_and_mechanism_are_read_in_any_case() {
    Server::new().greeted().hold(&format!("C: auth plain {RIGHT}\nS: 235"));
    Server::new().greeted().hold(&format!("C: Auth Plain\nS: 334\nC: {RIGHT}\nS: 235"));
}

/// AUTH-15, RFC 3207 §4.2
#[test]
fn what_was_proved_in_clear_is_forgotten_under_tls() {
    let server = Server::new().with(|server| {
        server.extensions = only_under_tls().danger_auth_in_clear();
        server.desk = |machine, event| match event {
            Event::StartTls(pending) => {
                machine.accept(pending).unwrap();
                None
            }
            other => Some(other),
        };
    });
    server.greeted().hold(&format!(
        r"C: AUTH PLAIN {RIGHT}
        S: 235
        C: STARTTLS
        S: 220
        C: EHLO client.example.test
        S: 250
        C: MAIL FROM:<user1@example.test>
        S: 250
        C: RCPT TO:<someone@elsewhere.test>
        S: 550 5.7.1 ...
        C: RSET
        S: 250
        C: AUTH PLAIN {RIGHT}
        S: 235"
    ));
}

/// AUTH-16, AUTH-25, RFC 4954 §4: `Limits::auth_failures` at its edge
#[test]
fn the_last_tolerated_failure_is_a_421() {
    Server::new().greeted().hold(&format!(
        r"C: AUTH PLAIN {WRONG}
        S: 535
        C: AUTH PLAIN {WRONG}
        S: 535
        C: NOOP
        S: 250
        C: AUTH PLAIN {WRONG}
        S: 421 4.7.0 ...
        S: <CLOSED>"
    ));
    Server::new().with(|server| server.limits.auth_failures = 0).greeted().hold(&format!(
        r"C: AUTH PLAIN {WRONG}
        S: 421 4.7.0 ...
        S: <CLOSED>"
    ));
}

/// AUTH-27, RFC 4954 §4: within the exchange a line is a response, whatever it looks like
#[test]
fn within_an_exchange_no_line_is_a_command() {
    Server::new().greeted().hold(
        r"C: AUTH PLAIN
        S: 334
        C: QUIT
        S: 535 5.7.8 ...
        C: AUTH PLAIN
        S: 334
        C: MAIL FROM:<a@client.example.test>
        S: 501 5.5.2 ...",
    );
}

/// RFC 5321 §4.2.4
#[test]
fn auth_that_was_not_offered_is_not_implemented() {
    let server = Server::new().with(|server| server.extensions = Extensions::new());
    server.greeted().hold("C: AUTH PLAIN\nS: 502 5.5.1 ...");
}

/// AUTH-26, RFC 4954 §4, RFC 5321 §4.1.1.5: neither a message nor RSET ends it
#[test]
fn who_has_logged_in_stays_so() {
    Server::new().greeted().hold(&format!(
        r"C: AUTH PLAIN {RIGHT}
        S: 235
        C: MAIL FROM:<user1@example.test>
        S: 250
        C: RCPT TO:<user1@example.test>
        S: 250
        C: DATA
        S: 354
        C: .
        S: 250
        C: RSET
        S: 250
        C: AUTH PLAIN {RIGHT}
        S: 503 5.5.1 ..."
    ));
}
