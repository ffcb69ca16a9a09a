//! PIPELINING (RFC 2920).

use crate::session::Server;
use smtp_proto::server::Event;

/// PIPE-01, RFC 2920 §3.1, §3.2
#[test]
fn a_group_of_commands_is_answered_in_order() {
    Server::new().greeted().hold(
        r"C+ MAIL FROM:<a@client.example.test>
        C+ RCPT TO:<user1@example.test>
        C+ RCPT TO:<user2@example.test>
        C: DATA
        S: 250 2.1.0 ...
        S: 250 2.1.5 ...
        S: 250 2.1.5 ...
        S: 354",
    );
}

/// PIPE-02, RFC 2920 §3.2
#[test]
fn each_status_has_the_place_of_its_command() {
    Server::new().greeted().hold(
        r"C+ MAIL FROM:<a@client.example.test>
        C+ RCPT TO:<nobody@example.test>
        C+ RCPT TO:<user1@example.test>
        C+ RCPT TO:<
        C+ RCPT TO:<someone@elsewhere.test>
        C+ XYZZY
        C: DATA
        S: 250 2.1.0 ...
        S: 550 5.1.1 ...
        S: 250 2.1.5 ...
        S: 501 5.1.3 ...
        S: 550 5.7.1 ...
        S: 500 5.5.1 ...
        S: 354",
    );
}

/// PIPE-03, RFC 2920 §3.1: a server may refuse DATA
#[test]
fn a_group_without_an_accepted_recipient_ends_in_503() {
    let messages = Server::new().greeted().hold(
        r"C+ MAIL FROM:<a@client.example.test>
        C+ RCPT TO:<nobody@example.test>
        C: DATA
        S: 250 2.1.0 ...
        S: 550 5.1.1 ...
        S: 503 5.5.1 ...
        C: RSET
        S: 250",
    );
    assert_eq!(messages, []);
}

/// RFC 2920 §3.1: the client could not know
#[test]
fn a_group_that_fails_at_its_start_breaks_no_rule_by_its_rest() {
    let group = r"C+ MAIL FROM:<a@client.example.test>
        C+ RCPT TO:<nobody@example.test>
        C: DATA
        S: 250 2.1.0 ...
        S: 550 5.1.1 ...
        S: 503 5.5.1 ...
        C: RSET
        S: 250
        ";
    Server::new().greeted().hold(group.repeat(30).trim_end());
}

/// RFC 2920 §3.1: the same where the first command is none
#[test]
fn a_group_that_begins_with_a_malformed_command_breaks_one_rule() {
    let group = r"C+ MAIL FROM:<a@
        C+ RCPT TO:<user1@example.test>
        C: DATA
        S: 501 5.1.7 ...
        S: 503 5.5.1 ...
        S: 503 5.5.1 ...
        ";
    Server::new().greeted().hold(group.repeat(19).trim_end());
    let group = r"C+ MAIL FROM:<a@client.example.test>
        C+ RCPT TO:<user1@
        C: DATA
        S: 250 2.1.0 ...
        S: 501 5.1.3 ...
        S: 503 5.5.1 ...
        C: RSET
        S: 250
        ";
    Server::new().greeted().hold(group.repeat(19).trim_end());
}

/// The same DATA twice is not of one group
#[test]
fn a_second_data_after_a_failed_group_is_out_of_sequence() {
    let group = r"C: MAIL FROM:<a@client.example.test>
        S: 250
        C: RCPT TO:<nobody@example.test>
        S: 550
        ";
    let data = "C: DATA\nS: 503 5.5.1 ...\n";
    let too_many = "C: DATA\nS: 421 4.7.0 ...\n";
    Server::new().greeted().hold(&(group.to_owned() + &data.repeat(20) + too_many));
}

/// PIPE-04, RFC 2920 §3.2
#[test]
fn replies_leave_when_the_input_is_empty() {
    Server::new().greeted().hold(
        r"C+ RSET
        C: MAIL FROM:<a@client.example.test>
        S: 250 2.0.0 ...
        S: 250 2.1.0 ...",
    );
}

/// PIPE-05, RFC 2920 §3.2
#[test]
fn the_next_transaction_may_begin_in_the_write_that_ends_the_last() {
    let messages = Server::new().in_data().hold(
        r"C+ first
        C+ .
        C+ MAIL FROM:<b@client.example.test>
        C+ RCPT TO:<user2@example.test>
        C+ RSET
        C: QUIT
        S: 250 2.0.0 ...
        S: 250 2.1.0 ...
        S: 250 2.1.5 ...
        S: 250 2.0.0 ...
        S: 221 2.0.0 ...
        S: <CLOSED>",
    );
    assert_eq!(messages.len(), 1);
}

/// PIPE-08, RFC 2920 §3.2: whatever number of decisions may be open at once
#[test]
fn a_hundred_recipients_in_one_write_have_a_hundred_replies() {
    for in_flight in [0, 1, 2, 32, 1_000] {
        let server = Server::new().with(|server| server.limits.decisions_in_flight = in_flight);
        let sent = "C+ RCPT TO:<user1@example.test>\nC+ RCPT TO:<nobody@example.test>\n".repeat(50);
        let replies = "S: 250 2.1.5 ...\nS: 550 5.1.1 ...\n".repeat(50);
        let messages = server.greeted().hold(&format!(
            "C+ MAIL FROM:<>\n{sent}C: DATA\nS: 250 2.1.0 ...\n{replies}S: 354\nC: .\nS: 250"
        ));
        assert_eq!(messages[0].recipients.len(), 50);
    }
}

/// PIPE-08, RFC 2920 §3.2: an answer that is known early waits for those before it
#[test]
fn replies_keep_their_order_when_the_first_decision_comes_last() {
    // Nobody decides on user1; the machine does after two minutes.
    let server = Server::new().with(|server| {
        server.desk = |_, event| match event {
            Event::Rcpt { rcpt, .. } if rcpt.to.to_string() == "<user1@example.test>" => None,
            other => Some(other),
        }
    });
    let messages = server.greeted().hold(
        r"C: MAIL FROM:<>
        S: 250
        C+ RCPT TO:<user1@example.test>
        C+ RCPT TO:<nobody@example.test>
        C+ RCPT TO:<user2@example.test>
        C+ RCPT TO:<
        C: DATA
        T: 2m
        S: 451 4.3.0 ...
        S: 550 5.1.1 ...
        S: 250 2.1.5 ...
        S: 501 5.1.3 ...
        S: 354
        C: .
        S: 250",
    );
    assert_eq!(messages[0].recipients, ["<user2@example.test>"]);
}

/// PIPE-08: more replies than the output mark has room for
#[test]
fn no_reply_is_lost_when_the_output_is_over_its_mark() {
    let server = Server::new().with(|server| server.limits.send_buffer = 0);
    let (sent, replies) = ("C+ NOOP\n".repeat(3_000), "S: 250 2.0.0 Ok\n".repeat(3_000));
    server.greeted().hold(&format!("{sent}C: RSET\n{replies}S: 250"));
}

/// SEC-PIPE-01, RFC 2920 §3.1: the body was sent too early, and DATA is accepted all the same
#[test]
fn a_body_sent_before_the_354_is_the_message() {
    let messages = Server::new().greeted().hold(
        r"C+ MAIL FROM:<a@client.example.test>
        C+ RCPT TO:<user1@example.test>
        C+ DATA
        C+ RSET
        C+ .
        C: NOOP
        S: 250
        S: 250
        S: 354
        S: 250 2.0.0 ...
        S: 250 2.0.0 ...",
    );
    assert_eq!(messages[0].octets, b"RSET\r\n");
}

/// SEC-PIPE-01, SEC-PIPE-02, RFC 2920 §3.1: octets behind a refused DATA are a message, and none
/// of its lines may run
#[test]
fn a_body_sent_behind_a_refused_data_ends_the_session() {
    let server = Server::new().with(|server| server.whole = true);
    for refused in [
        "C+ DATA\nC+ QUIT\nC: .\nS: 503 5.5.1 ...",
        "C+ MAIL FROM:<>\nC+ DATA\nC: RSET\nS: 250\nS: 503 5.5.1 ...",
        "C+ MAIL FROM:<>\nC+ RCPT TO:<nobody@example.test>\nC+ DATA\nC| x\nS: 250\nS: 550\nS: 503",
        "C+ MAIL FROM:<>\nC+ RCPT TO:<user1@example.test>\nC+ DATA x\nC: .\nS: 250\nS: 250\nS: 501",
    ] {
        let messages = server.greeted().hold(&format!("{refused}\nS: <CLOSED>"));
        assert_eq!(messages, []);
    }
}

/// RFC 2920 §3.1: EHLO ends a group, but one that does not is answered all the same
#[test]
fn a_greeting_within_a_group_takes_effect_in_its_place() {
    Server::new().hold(
        r"S: 220
        C+ MAIL FROM:<>
        C+ HELO client.example.test
        C+ MAIL FROM:<>
        C+ RCPT TO:<user1@example.test>
        C: DATA
        S: 503
        S: 250
        S: 250
        S: 250
        S: 354",
    );
}
