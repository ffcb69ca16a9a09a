//! Lines end with CRLF and nothing else (RFC 5321 §2.3.8), in commands; for messages see
//! `s4_5_2_transparency`.

use crate::session::Server;

/// EOL-01, §2.3.8
#[test]
fn a_bare_lf_does_not_end_a_command() {
    Server::new().greeted().hold(
        r"C| NOOP\n
        C| RSET\r\n
        S: 500 5.5.2 ...
        C: NOOP
        S: 250 2.0.0 ...",
    );
}

/// §2.3.8
#[test]
fn a_bare_cr_does_not_end_a_command() {
    Server::new().greeted().hold(
        r"C| NOOP\rRSET\r\n
        S: 500 5.5.2 ...
        C| NOOP\r\r\n
        S: 500 5.5.2 ...",
    );
}

/// EOL-02, §2.3.8
#[test]
fn a_reply_waits_for_the_lf_behind_the_cr() {
    Server::new().greeted().hold(
        r"C| NOOP\r
        T: 1s
        C| \n
        S: 250 2.0.0 ...",
    );
}

/// §2.3.8
#[test]
fn lf_before_cr_is_no_line_ending() {
    Server::new().greeted().hold(
        r"C| NOOP\n\rNOOP\r\n
        S: 500 5.5.2 ...",
    );
}

/// SYN-19, §4.1.2
#[test]
fn a_nul_makes_a_command_unreadable() {
    Server::new().greeted().hold(
        r"C| MAIL FROM:<a\0b@client.example.test>\r\n
        S: 500 5.5.2 ...
        C| NOOP\0\r\n
        S: 500 5.5.2 ...
        C: RCPT TO:<user1@example.test>
        S: 503 5.5.1 ...",
    );
}

/// §2.3.8
#[test]
fn other_line_separators_are_just_octets_of_a_line() {
    // NEL, VT, FF and U+2028 within one line: one reply.
    Server::new().greeted().hold(
        r"C| NOOP\x85NOOP\x0bNOOP\x0cNOOP\xe2\x80\xa8NOOP\r\n
        S: 500
        C: NOOP
        S: 250",
    );
}

/// SYN-26, §4.1.1
#[test]
fn an_empty_line_is_an_unknown_command() {
    Server::new().greeted().hold(
        r"C:
        S: 500 5.5...
        C: NOOP
        S: 250",
    );
}
