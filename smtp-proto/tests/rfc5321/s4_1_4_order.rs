//! The order of commands (RFC 5321 §4.1.4).

use crate::session::Server;

/// EHLO-17, SEC-XP-01, §4.1.1.1, §4.1.4
#[test]
fn a_transaction_needs_a_greeting_first() {
    Server::new().hold(
        r"S: 220
        C: MAIL FROM:<a@client.example.test>
        S: 503
        C: RCPT TO:<user1@example.test>
        S: 503
        C: DATA
        S: 503
        C: EHLO client.example.test
        S: 250
        C: MAIL FROM:<a@client.example.test>
        S: 250",
    );
}

/// EHLO-16, §4.1.4
#[test]
fn noop_help_vrfy_rset_and_quit_need_no_greeting() {
    Server::new().hold(
        r"S: 220
        C: NOOP
        S: 250
        C: HELP
        S: 214
        C: VRFY user1
        S: 252
        C: RSET
        S: 250
        C: QUIT
        S: 221
        S: <CLOSED>",
    );
}

/// SEQ-01, §3.3
#[test]
fn rcpt_needs_mail_first() {
    Server::new().greeted().hold("C: RCPT TO:<user1@example.test>\nS: 503 5.5.1 ...");
}

/// SEQ-02, §3.3
#[test]
fn data_needs_mail_first() {
    Server::new().greeted().hold("C: DATA\nS: 503 5.5.1 ...");
}

/// SEQ-03, SEQ-04, §3.3
#[test]
fn data_needs_an_accepted_recipient() {
    Server::new().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test>
        S: 250
        C: DATA
        S: 503 5.5.1 No valid recipients
        C: RCPT TO:<nobody@example.test>
        S: 550 5.1.1 ...
        C: DATA
        S: 503 5.5.1 No valid recipients
        C: RCPT TO:<user1@example.test>
        S: 250
        C: DATA
        S: 354",
    );
}

/// SEQ-05, §4.1.4
#[test]
fn a_second_mail_is_refused_and_the_first_stands() {
    let delivered = Server::new().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test>
        S: 250
        C: MAIL FROM:<b@client.example.test>
        S: 503 5.5.1 ...
        C: RCPT TO:<user1@example.test>
        S: 250
        C: MAIL FROM:<c@client.example.test>
        S: 503 5.5.1 ...
        C: DATA
        S: 354
        C: .
        S: 250",
    );
    assert_eq!(delivered[0].from, "<a@client.example.test>");
}

/// SEQ-11, §4.1.4: a 501 changes nothing
#[test]
fn a_malformed_mail_opens_no_transaction() {
    Server::new().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test
        S: 501 5.1.7 ...
        C: MAIL FROM:<a@client.example.test>
        S: 250",
    );
}

/// EHLO-11, §4.1.4
#[test]
fn a_second_ehlo_ends_the_transaction() {
    Server::new().in_transaction().hold(
        r"C: EHLO client.example.test
        S: 250
        C: RCPT TO:<user1@example.test>
        S: 503 5.5.1 ...
        C: MAIL FROM:<a@client.example.test>
        S: 250",
    );
}

/// EHLO-12, §4.1.4
#[test]
fn a_refused_ehlo_leaves_the_transaction_as_it_was() {
    let delivered = Server::new().in_transaction().hold(
        r"C: EHLO
        S: 501
        C: EHLO -bad-
        S: 501
        C: RCPT TO:<user2@example.test>
        S: 250
        C: DATA
        S: 354
        C: .
        S: 250",
    );
    assert_eq!(delivered[0].recipients.len(), 2);
}

/// §4.1.4: HELO after EHLO takes the extensions back
#[test]
fn the_last_greeting_decides_what_is_offered() {
    Server::new().greeted().hold(
        r"C: HELO client.example.test
        S: 250 mx.example.test
        C: MAIL FROM:<a@client.example.test> SIZE=10
        S: 555
        C: EHLO client.example.test
        S: 250
        C: MAIL FROM:<a@client.example.test> SIZE=10
        S: 250",
    );
}

/// EHLO-10, §4.1.4
#[test]
fn no_mail_is_refused_for_a_name_that_may_be_false() {
    Server::new().hold(
        r"S: 220
        C: EHLO mx.example.test
        S: 250
        C: MAIL FROM:<a@client.example.test>
        S: 250
        C: RCPT TO:<user1@example.test>
        S: 250",
    );
}

/// §4.1.4: commands that may come at any time leave the transaction alone
#[test]
fn noop_help_and_what_is_wrong_leave_the_transaction_alone() {
    Server::new().in_transaction().hold(
        r"C: NOOP
        S: 250
        C: HELP
        S: 214
        C: XYZZY
        S: 500
        C: RCPT TO:<>
        S: 501
        C: RSET x
        S: 501
        C: DATA
        S: 354",
    );
}

/// §4.1.1.4: within the message no line is a command
#[test]
fn within_data_no_line_is_a_command() {
    let delivered = Server::new().in_data().hold(
        r"C+ RSET
        C+ QUIT
        C+ EHLO client.example.test
        C+ DATA
        C: .
        S: 250",
    );
    assert_eq!(delivered[0].octets, b"RSET\r\nQUIT\r\nEHLO client.example.test\r\nDATA\r\n");
}

/// EHLO-18, §4.1.1.1: HELO ends it as EHLO does
#[test]
fn a_helo_ends_the_transaction() {
    Server::new().in_transaction().hold(
        r"C: HELO client.example.test
        S: 250
        C: RCPT TO:<user1@example.test>
        S: 503 5.5.1 ...",
    );
}

/// VRFY-07, SEQ-20, §4.1.1.6 to §4.1.1.9, §4.1.4
#[test]
fn a_transaction_goes_on_behind_noop_vrfy_expn_and_help() {
    let delivered = Server::new().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test>
        S: 250
        C: NOOP
        S: 250
        C: VRFY user1
        S: 252
        C: RCPT TO:<user1@example.test>
        S: 250
        C: EXPN staff
        S: 502
        C: HELP
        S: 214
        C: DATA
        S: 354
        C: .
        S: 250",
    );
    assert_eq!(delivered[0].recipients, ["<user1@example.test>"]);
}

/// SEQ-21, SEQ-22, §4.1.4: nor does what is malformed or out of order change it
#[test]
fn what_is_refused_leaves_the_transaction_as_it_was() {
    let delivered = Server::new().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test>
        S: 250
        C: RCPT TO:<user2@example.test
        S: 501 5.1.3 ...
        C: RCPT TO:<user1@example.test>
        S: 250
        C: MAIL FROM:<b@client.example.test>
        S: 503 5.5.1 ...
        C: MAIL FROM:<@>
        S: 503 5.5.1 ...
        C: DATA
        S: 354
        C: .
        S: 250",
    );
    assert_eq!(delivered[0].from, "<a@client.example.test>");
    assert_eq!(delivered[0].recipients, ["<user1@example.test>"]);
}
