//! 8BITMIME (RFC 6152) and the BODY values of others.

use crate::session::Server;

/// 8BIT-02, RFC 6152 §2
#[test]
fn both_kinds_of_body_are_taken_in_any_case() {
    for body in ["BODY=7BIT", "BODY=8BITMIME", "body=8bitmime", "Body=7bit"] {
        Server::new().greeted().hold(&format!(
            r"C: MAIL FROM:<a@client.example.test> {body}
            S: 250 2.1.0 ..."
        ));
    }
}

/// 8BIT-03, 8BIT-06, RFC 6152 §2
#[test]
fn other_kinds_of_body_are_refused() {
    for body in ["BODY=FOO", "BODY=", "BODY", "BODY=8BIT", "BODY=7BIT BODY=7BIT"] {
        Server::new().greeted().hold(&format!(
            r"C: MAIL FROM:<a@client.example.test> {body}
            S: 501 5.5.4 ...
            C: RCPT TO:<user1@example.test>
            S: 503 5.5.1 ..."
        ));
    }
}

/// BMIME-04, RFC 3030 §3, RFC 5321 §4.2.4
#[test]
fn a_binary_body_is_refused_where_it_is_not_offered() {
    Server::new().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test> BODY=BINARYMIME
        S: 504 5.5.4 ...",
    );
}

/// 8BIT-04, RFC 6152 §3
#[test]
fn all_eight_bits_come_through() {
    let messages = Server::new().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test> BODY=8BITMIME
        S: 250
        C: RCPT TO:<user1@example.test>
        S: 250
        C: DATA
        S: 354
        C| \x80\x8d\x8a\xae\xfe\xff\r\n.\r\n
        S: 250",
    );
    assert_eq!(messages[0].octets, b"\x80\x8d\x8a\xae\xfe\xff\r\n");
}

/// DATA-18, RFC 5321 §2.4: passed through
#[test]
fn eight_bits_that_were_not_announced_come_through_too() {
    let messages = Server::new().in_data().hold("C| \\xe9\\r\\n.\\r\\n\nS: 250");
    assert_eq!(messages[0].octets, b"\xe9\r\n");
}
