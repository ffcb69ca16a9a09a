//! What every server must have (RFC 5321 §4.5.1).

use crate::session::Server;

/// RCPT-04, RCPT-05, §4.5.1, §2.3.5
#[test]
fn postmaster_is_always_there_with_and_without_a_domain_in_any_case() {
    let delivered = Server::new().greeted().hold(
        r"C: MAIL FROM:<>
        S: 250
        C: RCPT TO:<Postmaster>
        S: 250 2.1.5 ...
        C: RCPT TO:<POSTMASTER>
        S: 250 2.1.5 ...
        C: RCPT TO:<pOsTmAsTeR@example.test>
        S: 250 2.1.5 ...
        C: DATA
        S: 354
        C: .
        S: 250",
    );
    assert_eq!(
        delivered[0].recipients,
        ["<Postmaster>", "<Postmaster>", "<pOsTmAsTeR@example.test>"]
    );
}

/// §4.5.1: postmaster without a domain is a recipient, not a sender
#[test]
fn a_sender_needs_a_domain() {
    Server::new().greeted().hold("C: MAIL FROM:<postmaster>\nS: 501 5.1.7 ...");
}

/// §4.5.1
#[test]
fn every_command_of_the_minimum_is_known() {
    for (command, reply) in [
        ("EHLO", 501),
        ("HELO", 501),
        ("MAIL", 501),
        ("RCPT", 503),
        ("DATA", 503),
        ("RSET", 250),
        ("NOOP", 250),
        ("VRFY", 501),
        ("QUIT", 221),
    ] {
        Server::new().greeted().hold(&format!("C: {command}\nS: {reply}"));
    }
}
