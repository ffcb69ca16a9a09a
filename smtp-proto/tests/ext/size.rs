//! SIZE (RFC 1870).

use crate::session::Server;

fn server() -> Server {
    Server::new().with(|server| server.limits.message = 100_000)
}

/// SIZE-01, RFC 1870 §4
#[test]
fn ehlo_tells_the_largest_message() {
    server().hold(
        r"S: 220
        C: EHLO client.example.test
        S: 250-mx.example.test
        S: 250-PIPELINING
        S: 250-SIZE 100000
        S: 250",
    );
}

/// SIZE-02, SIZE-03, RFC 1870 §6.1
#[test]
fn a_declared_size_of_the_limit_is_taken_and_one_more_is_not() {
    server().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test> SIZE=100001
        S: 552 5.3.4 ...
        C: RCPT TO:<user1@example.test>
        S: 503 5.5.1 ...
        C: MAIL FROM:<a@client.example.test> SIZE=100000
        S: 250 2.1.0 ...",
    );
}

/// SIZE-04, RFC 1870 §3
#[test]
fn a_declared_size_may_have_twenty_digits() {
    server().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test> SIZE=99999999999999999999
        S: 552 5.3.4 ...
        C: MAIL FROM:<a@client.example.test> SIZE=18446744073709551616
        S: 552 5.3.4 ...
        C: MAIL FROM:<a@client.example.test> SIZE=00000000000000000010
        S: 250 2.1.0 ...",
    );
}

/// SIZE-05, RFC 1870 §3
#[test]
fn a_declared_size_is_a_number() {
    for value in ["SIZE", "SIZE=", "SIZE=abc", "SIZE=-1", "SIZE=1x", "SIZE=000000000000000000001"] {
        server().greeted().hold(&format!(
            r"C: MAIL FROM:<a@client.example.test> {value}
            S: 501 5.5.4 ..."
        ));
    }
}

/// SIZE-06, RFC 1870 §6
#[test]
fn a_size_is_declared_once() {
    server().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test> SIZE=1 size=2
        S: 501 5.5.4 ...",
    );
}

/// RFC 1870 §3: zero is a size like another
#[test]
fn a_size_of_zero_is_taken() {
    server().greeted().hold("C: MAIL FROM:<a@client.example.test> SIZE=0\nS: 250");
}

/// SIZE-07, RFC 1870 §6, NOTE
#[test]
fn the_declared_size_does_not_end_the_message() {
    let messages = server().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test> SIZE=10
        S: 250
        C: RCPT TO:<user1@example.test>
        S: 250
        C: DATA
        S: 354
        C* 300 a
        C:
        C: .
        S: 250 2.0.0 ...",
    );
    assert_eq!(messages[0].octets.len(), 302);
}

/// SIZE-08, RFC 1870 §4, RFC 5321 §4.5.3.1.9
#[test]
fn a_message_over_the_limit_is_refused_at_its_end() {
    let messages = server().in_data().hold(
        r"C* 113000 a
        C+
        C+ QUIT
        C: .
        S: 552 5.3.4 ...
        C: RSET
        S: 250 2.0.0 ...",
    );
    assert_eq!(messages, []);
}

/// SIZE-10, RFC 1870 §6.3
#[test]
fn a_message_of_the_size_that_was_declared_is_taken() {
    let messages = server().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test> SIZE=100000
        S: 250
        C: RCPT TO:<user1@example.test>
        S: 250
        C: DATA
        S: 354
        C* 99998 a
        C:
        C: .
        S: 250 2.0.0 ...",
    );
    assert_eq!(messages[0].octets.len(), 100_000);
}
