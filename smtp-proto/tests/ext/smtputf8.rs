//! SMTPUTF8 (RFC 6531).

use crate::session::Server;
use smtp_proto::ext::Extensions;

/// UTF8-02, RFC 6531 §3.4
#[test]
fn a_sender_in_utf_8_is_taken_with_smtputf8() {
    let messages = Server::new().greeted().hold(
        r"C: MAIL FROM:<jürgen@bücher.test> SMTPUTF8
        S: 250 2.1.0 ...
        C: RCPT TO:<user1@example.test>
        S: 250 2.1.5 ...
        C: DATA
        S: 354
        C: .
        S: 250",
    );
    assert_eq!(messages[0].from, "<jürgen@bücher.test>");
}

/// SYN-18, UTF8-04, RFC 6531 §3.2, §3.5
#[test]
fn an_address_in_utf_8_needs_smtputf8() {
    Server::new().greeted().hold(
        r"C: MAIL FROM:<jürgen@client.example.test>
        S: 553 5.6.7 ...
        C: MAIL FROM:<a@bücher.test>
        S: 553 5.6.7 ...
        C: MAIL FROM:<a@client.example.test>
        S: 250
        C: RCPT TO:<jürgen@example.test>
        S: 553 5.6.7 ...
        C: DATA
        S: 503",
    );
}

/// RFC 6531 §3.3
#[test]
fn a_recipient_in_utf_8_is_understood_with_smtputf8() {
    Server::new().greeted().hold(
        r"C: MAIL FROM:<> SMTPUTF8
        S: 250
        C: RCPT TO:<jürgen@example.test>
        S: 550 5.1.1 ...
        C: RCPT TO:<用户@例子.test>
        S: 550 5.7.1 ...",
    );
}

/// RFC 6531 §3.4: SMTPUTF8 is of one transaction
#[test]
fn smtputf8_ends_with_its_transaction() {
    Server::new().greeted().hold(
        r"C: MAIL FROM:<jürgen@client.example.test> SMTPUTF8
        S: 250
        C: RSET
        S: 250
        C: MAIL FROM:<a@client.example.test>
        S: 250
        C: RCPT TO:<jürgen@example.test>
        S: 553 5.6.7 ...",
    );
}

/// UTF8-03, RFC 6531 §3.4
#[test]
fn smtputf8_has_no_value_and_stands_once() {
    Server::new().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test> SMTPUTF8=1
        S: 501 5.5.4 ...
        C: MAIL FROM:<a@client.example.test> SMTPUTF8 SMTPUTF8
        S: 501 5.5.4 ...
        C: MAIL FROM:<a@client.example.test> smtputf8
        S: 250",
    );
}

/// UTF8-05, RFC 6531 §3.3, RFC 3629 §4
#[test]
fn what_is_no_utf_8_is_refused() {
    // Stray octets, an overlong form, a surrogate, a character beyond the last.
    for octets in [r"\xff\xfe", r"\xc0\x80", r"\xed\xa0\x80", r"\xf4\x90\x80\x80", r"\xc3"] {
        Server::new().greeted().hold(&format!(
            r"C| MAIL FROM:<{octets}@client.example.test> SMTPUTF8\r\n
            S: 501 5.5.4 ...
            C: RCPT TO:<user1@example.test>
            S: 503"
        ));
    }
}

/// RFC 6531 §3.2: where it is not offered the parameter is unknown
#[test]
fn smtputf8_that_was_not_offered_is_an_unknown_parameter() {
    let server = Server::new().with(|server| server.extensions = Extensions::new());
    server.greeted().hold(
        r"C: MAIL FROM:<jürgen@client.example.test> SMTPUTF8
        S: 555 5.5.4 ...
        C: MAIL FROM:<jürgen@client.example.test>
        S: 553 5.6.7 ...",
    );
}

/// UTF8-08, RFC 6531 §3.2
#[test]
fn a_header_in_utf_8_is_delivered_as_it_is() {
    let messages = Server::new().greeted().hold(
        r"C: MAIL FROM:<> SMTPUTF8 BODY=8BITMIME
        S: 250
        C: RCPT TO:<user1@example.test>
        S: 250
        C: DATA
        S: 354
        C+ Subject: Grüße
        C: .
        S: 250",
    );
    assert_eq!(messages[0].octets, "Subject: Grüße\r\n".as_bytes());
}

/// UTF8-09, UTF8-10, RFC 6531 §3.7.4.2
#[test]
fn vrfy_and_expn_take_smtputf8() {
    Server::new().greeted().hold(
        r"C: VRFY user1 SMTPUTF8
        S: 252 2...
        C: VRFY jürgen SMTPUTF8
        S: 252 2...
        C: VRFY user1 SMTPUTF8=1
        S: 501 5.5.4 ...",
    );
}
