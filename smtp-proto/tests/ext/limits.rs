//! LIMITS (RFC 9422).

use crate::session::Server;

fn server() -> Server {
    Server::new().with(|server| {
        server.extensions = server.extensions.clone().limits();
        server.limits.recipients = 100;
        server.limits.transactions = 2;
    })
}

/// LIM-01, RFC 9422: on one line, `name=value` with spaces between
#[test]
fn ehlo_tells_the_limits_that_are_enforced() {
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
        S: 250-AUTH PLAIN
        S: 250 LIMITS RCPTMAX=100 MAILMAX=2",
    );
}

#[test]
fn the_limits_are_not_told_unless_asked_for() {
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

/// LIM-02: RCPTMAX: so many recipients of a transaction are taken, and not one more
#[test]
fn rcptmax_is_what_a_transaction_takes() {
    let taken = "C: RCPT TO:<user1@example.test>\nS: 250 2.1.5 ...\n".repeat(99);
    server().in_transaction().hold(&format!(
        r"{taken}C: RCPT TO:<user1@example.test>
        S: 452 4.5.3 ...",
    ));
}

/// LIM-03: MAILMAX: so many transactions of a session are taken, and not one more
#[test]
fn mailmax_is_what_a_session_takes() {
    server().in_transaction().hold(
        r"C: RSET
        S: 250
        C: MAIL FROM:<>
        S: 250
        C: RSET
        S: 250
        C: MAIL FROM:<>
        S: 452 4.5.3 ...",
    );
}

/// LIM-01, RFC 9422: a value has at most six digits
#[test]
fn a_limit_over_six_digits_is_told_as_the_most_that_can_be() {
    let server = server().with(|server| {
        server.limits.recipients = u32::MAX;
        server.limits.transactions = 1_000_000;
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
        S: 250 LIMITS RCPTMAX=999999 MAILMAX=999999",
    );
}
