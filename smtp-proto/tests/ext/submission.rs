//! Submission (RFC 6409). user1's password is `secret1`.

use crate::session::Server;
use smtp_proto::server::Mode;

/// `\0user1\0secret1`
const RIGHT: &str = "AHVzZXIxAHNlY3JldDE=";

fn server() -> Server {
    Server::new().with(|server| server.mode = Mode::Submission)
}

/// SUBM-01, SUBM-06, RFC 6409 §4.3
#[test]
fn submission_needs_auth_before_mail() {
    let messages =
        Server::new().with(|server| server.mode = Mode::Submission).greeted().hold(&format!(
            r"C: MAIL FROM:<a@client.example.test>
        S: 530 5.7.0 ...
        C: RCPT TO:<user1@example.test>
        S: 503
        C: AUTH PLAIN {RIGHT}
        S: 235
        C: MAIL FROM:<a@client.example.test>
        S: 250
        C: RCPT TO:<someone@elsewhere.test>
        S: 250
        C: DATA
        S: 354
        C: .
        S: 250"
        ));
    assert_eq!(messages.len(), 1);
}

/// SUBM-02, RFC 6409 §4.2
#[test]
fn a_domain_may_not_be_left_out() {
    server().greeted().hold(&format!(
        r"C: AUTH PLAIN {RIGHT}
        S: 235
        C: MAIL FROM:<user1>
        S: 501 5.1.7 ...
        C: MAIL FROM:<user1@example.test>
        S: 250
        C: RCPT TO:<user1>
        S: 501 5.1.3 ..."
    ));
}

/// SUBM-07, RFC 6409 §3.2: notices are submitted too
#[test]
fn a_user_may_send_from_the_null_reverse_path() {
    server().greeted().hold(&format!("C: AUTH PLAIN {RIGHT}\nS: 235\nC: MAIL FROM:<>\nS: 250"));
}

/// SUBM-04, SUBM-08, RFC 6409 §7: a queue is not started from here, whatever was switched on
#[test]
fn what_belongs_to_submission_is_offered_and_etrn_is_not() {
    let server = server().with(|server| server.extensions = server.extensions.clone().etrn());
    server.hold(&format!(
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
        C: AUTH PLAIN {RIGHT}
        S: 235
        C: ETRN example.test
        S: 502 5.5.1 ..."
    ));
}
