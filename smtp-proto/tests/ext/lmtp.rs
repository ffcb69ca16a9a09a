//! LMTP (RFC 2033): a reply for each recipient.

use crate::session::Server;
use smtp_proto::{
    server::{Event, Mode},
    wire::Refused,
};

fn server() -> Server {
    Server::new().with(|server| server.mode = Mode::Lmtp)
}

/// Two recipients, and one that was refused between them.
const RECIPIENTS: &str = "C: RCPT TO:<nobody@example.test>\nS: 550 5.1.1 ...\n\
                          C: RCPT TO:<user2@example.test>\nS: 250 2.1.5 ...";

/// LMTP-01, LMTP-06, RFC 2033 §4.1, §5
#[test]
fn lhlo_is_answered_as_ehlo_is() {
    server().hold(
        r"S: 220 mx.example.test LMTP
        C: LHLO client.example.test
        S: 250-mx.example.test
        S: 250-PIPELINING
        S: 250-SIZE 52428800
        S: 250-8BITMIME
        S: 250-ENHANCEDSTATUSCODES
        S: 250-SMTPUTF8
        S: 250-CHUNKING
        S: 250-DSN
        S: 250 AUTH PLAIN
        C: NOOP
        S: 250 2.0.0 ...",
    );
}

/// LMTP-02, RFC 2033 §4.1
#[test]
fn helo_and_ehlo_are_unknown() {
    server().hold(
        r"S: 220
        C: HELO client.example.test
        S: 500
        C: EHLO client.example.test
        S: 500
        C: MAIL FROM:<>
        S: 503",
    );
}

/// LMTP-03, RFC 2033 §4.2
#[test]
fn each_accepted_recipient_has_its_reply_in_order() {
    let server = server().with(|server| {
        server.desk = |machine, event| match event {
            Event::Delivery { index: 1, pending, .. } => {
                machine.refuse(pending, &Refused::STORAGE).unwrap();
                None
            }
            other => Some(other),
        }
    });
    let messages = server.in_transaction().hold(&format!(
        r"{RECIPIENTS}
        C: RCPT TO:<user.three@example.test>
        S: 250
        C: DATA
        S: 354
        C+ text
        C: .
        S: 250 2.0.0 ...
        S: 452 4.3.1 ...
        S: 250 2.0.0 ...
        C: RCPT TO:<user1@example.test>
        S: 503 5.5.1 ...
        C: MAIL FROM:<>
        S: 250"
    ));
    let to: Vec<_> = messages.iter().map(|message| message.recipients.concat()).collect();
    assert_eq!(to, ["<user1@example.test>", "<user.three@example.test>"]);
}

/// LMTP-04, LMTP-09, RFC 2033 §4.2
#[test]
fn data_without_a_recipient_is_refused() {
    server().greeted().hold(
        r"C: MAIL FROM:<>
        S: 250
        C: RCPT TO:<nobody@example.test>
        S: 550
        C: DATA
        S: 503 5.5.1 ...",
    );
}

/// LMTP-05, RFC 2033 §4.2
#[test]
fn the_last_chunk_has_a_reply_for_each_recipient_and_the_others_have_one() {
    let messages = server().in_transaction().hold(&format!(
        r"{RECIPIENTS}
        C: BDAT 3
        C| abc
        S: 250 2.0.0 ...
        C: BDAT 3 LAST
        C| def
        S: 250 2.0.0 ...
        S: 250 2.0.0 ...
        C: NOOP
        S: 250"
    ));
    assert_eq!(messages.len(), 2);
    assert!(messages.iter().all(|message| message.octets == b"abcdef"));
}

/// LMTP-07, RFC 2033 §4.2
#[test]
fn a_recipient_that_was_named_twice_has_two_replies() {
    server().in_transaction().hold(
        r"C: RCPT TO:<user1@example.test>
        S: 250
        C: DATA
        S: 354
        C: .
        S: 250
        S: 250
        C: QUIT
        S: 221
        S: <CLOSED>",
    );
}

/// RFC 2033 §4.2: also when the server itself refuses the message
#[test]
fn a_message_over_the_limit_is_refused_for_each_recipient() {
    let server = server().with(|server| server.limits.message = 65_536);
    let messages = server.in_transaction().hold(&format!(
        r"{RECIPIENTS}
        C: DATA
        S: 354
        C* 65536 a
        C:
        C: .
        S: 552 5.3.4 ...
        S: 552 5.3.4 ...
        C: MAIL FROM:<>
        S: 250"
    ));
    assert_eq!(messages, []);
}

/// RFC 2033 §4.2: also before the connection closes
#[test]
fn a_message_with_a_bare_lf_is_refused_for_each_recipient() {
    let messages = server().in_transaction().hold(&format!(
        r"{RECIPIENTS}
        C: DATA
        S: 354
        C| a\nb\r\n.\r\n
        S: 521 5.5.2 ...
        S: 521 5.5.2 ...
        S: <CLOSED>"
    ));
    assert_eq!(messages, []);
}

/// RFC 2033 §4.2: also when the last BDAT is refused
#[test]
fn a_last_chunk_over_the_limit_is_refused_for_each_recipient() {
    let server = server().with(|server| server.limits.message = 65_536);
    let messages = server.in_transaction().hold(&format!(
        r"{RECIPIENTS}
        C: BDAT 3
        C| abc
        S: 250
        C+ BDAT 65534 LAST
        C* 65534 a
        S: 552 5.3.4 ...
        S: 552 5.3.4 ...
        C: MAIL FROM:<>
        S: 250"
    ));
    assert_eq!(messages, []);
}

/// RFC 2033 §4.2: a BDAT that is not the last has one reply, also when it is refused
#[test]
fn a_chunk_over_the_limit_that_is_not_the_last_is_refused_once() {
    let server = server().with(|server| server.limits.message = 65_536);
    server.in_transaction().hold(&format!(
        r"{RECIPIENTS}
        C+ BDAT 65537
        C* 65537 a
        S: 552 5.3.4 ...
        C+ BDAT 3 LAST
        C| abc
        S: 503 5.5.1 ...
        S: 503 5.5.1 ...
        C: MAIL FROM:<>
        S: 250"
    ));
}
