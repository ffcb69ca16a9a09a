//! CHUNKING (RFC 3030): octets are counted, never read as lines.

use crate::session::Server;
use smtp_proto::{
    ext::Extensions,
    server::{BareLineEnding, Event},
    wire::Refused,
};

/// BDAT-01, RFC 3030 §2
#[test]
fn chunks_become_one_message() {
    let messages = Server::new().in_transaction().hold(
        r"C: BDAT 7
        C| first\r\n
        S: 250 2.0.0 ...
        C: BDAT 8 LAST
        C| second\r\n
        S: 250 2.0.0 ...
        C: RCPT TO:<user1@example.test>
        S: 503 5.5.1 ...
        C: MAIL FROM:<>
        S: 250",
    );
    assert_eq!(messages[0].octets, b"first\r\nsecond\r\n");
}

/// BDAT-02, RFC 3030 §2
#[test]
fn the_last_chunk_may_be_empty() {
    let messages = Server::new().in_transaction().hold(
        r"C: BDAT 3
        C| abc
        S: 250
        C: BDAT 0
        S: 250
        C: BDAT 0 LAST
        S: 250 2.0.0 ...",
    );
    assert_eq!(messages[0].octets, b"abc");
}

/// RFC 3030 §2
#[test]
fn a_message_of_chunks_may_be_empty() {
    let messages = Server::new().in_transaction().hold("C: BDAT 0 LAST\nS: 250 2.0.0 ...");
    assert_eq!(messages[0].octets, b"");
}

/// BDAT-03, BMIME-03, RFC 3030 §2, §3
#[test]
fn no_octet_of_a_chunk_has_a_meaning() {
    for bare in [BareLineEnding::Refuse, BareLineEnding::Normalise, BareLineEnding::Pass] {
        let server = Server::new().with(|server| server.bare = bare);
        let messages = server.in_transaction().hold(
            r"C+ BDAT 28 LAST
            C| a\r\n.\r\n..b\r\nQUIT\r\n\0\r\r\n\n\n\xff\r.\r\n
            S: 250
            C: NOOP
            S: 250",
        );
        assert_eq!(messages[0].octets, b"a\r\n.\r\n..b\r\nQUIT\r\n\0\r\r\n\n\n\xff\r.\r\n");
    }
}

/// BDAT-04, RFC 3030 §2
#[test]
fn data_may_not_follow_bdat() {
    let messages = Server::new().in_transaction().hold(
        r"C: BDAT 3
        C| abc
        S: 250
        C: DATA
        S: 503 5.5.1 ...
        C: RCPT TO:<user1@example.test>
        S: 503 5.5.1 ...
        C: MAIL FROM:<>
        S: 503 5.5.1 ...
        C: BDAT 3 LAST
        C| def
        S: 250",
    );
    assert_eq!(messages[0].octets, b"abcdef");
}

/// BDAT-05, RFC 3030 §2
#[test]
fn a_chunk_behind_the_last_is_swallowed() {
    let messages = Server::new().in_transaction().hold(
        r"C: BDAT 3 LAST
        C| abc
        S: 250
        C+ BDAT 6
        C| QUIT\r\n
        S: 503 5.5.1 ...
        C: NOOP
        S: 250",
    );
    assert_eq!(messages.len(), 1);
}

/// BDAT-06, BDAT-07, RFC 3030 §2
#[test]
fn the_octets_of_a_refused_chunk_are_never_commands() {
    Server::new().hold("S: 220\nC+ BDAT 6 LAST\nC| QUIT\\r\\n\nS: 503\nC: NOOP\nS: 250");
    let messages = Server::new().greeted().hold(
        r"C+ BDAT 6 LAST
        C| QUIT\r\n
        S: 503 5.5.1 ...
        C: MAIL FROM:<a@client.example.test>
        S: 250
        C+ BDAT 6 LAST
        C| QUIT\r\n
        S: 503 5.5.1 ...
        C: RCPT TO:<nobody@example.test>
        S: 550
        C+ BDAT 6
        C| QUIT\r\n
        S: 503 5.5.1 ...
        C: RCPT TO:<user1@example.test>
        S: 250
        C: BDAT 4 LAST
        C| text
        S: 250",
    );
    assert_eq!(messages.len(), 1);
}

/// BDAT-08, SEQ-18, RFC 3030 §2
#[test]
fn a_malformed_bdat_fails_the_message() {
    for args in ["", "abc", "-1", "LAST", "1x", "5 FIRST", "5 LAST x", "0x10", "5LAST"] {
        let messages = Server::new().in_transaction().hold(&format!(
            r"C: BDAT {args}
            S: 501 5.5.4 ...
            C: DATA
            S: 503 5.5.1 ...
            C+ BDAT 6 LAST
            C| QUIT\r\n
            S: 503 5.5.1 ...
            C: MAIL FROM:<>
            S: 250"
        ));
        assert_eq!(messages, []);
    }
}

/// BDAT-08, SEQ-18: outside a transaction there is no message to fail
#[test]
fn a_malformed_bdat_without_a_message_changes_nothing() {
    Server::new().greeted().hold(
        r"C: BDAT abc
        S: 501 5.5.4 ...
        C: MAIL FROM:<>
        S: 250
        C: BDAT
        S: 501 5.5.4 ...
        C: RCPT TO:<user1@example.test>
        S: 250
        C: DATA
        S: 354",
    );
}

/// BDAT-08: how many octets follow a malformed BDAT is not known, so none of them may run
#[test]
fn octets_behind_a_malformed_bdat_end_the_session() {
    let server = Server::new().with(|server| server.whole = true);
    let messages = server.in_transaction().hold(
        r"C+ BDAT 1O
        C| QUIT\r\n
        S: 501 5.5.4 ...
        S: <CLOSED>",
    );
    assert_eq!(messages, []);
}

/// BDAT-08
#[test]
fn a_chunk_of_more_than_64_bits_is_too_large() {
    Server::new().in_transaction().hold(
        r"C: BDAT 99999999999999999999 LAST
        S: 552 5.3.4 ...
        C: RSET
        S: 250",
    );
}

/// BDAT-09, RFC 3030 §2
#[test]
fn a_crlf_may_be_cut_between_two_chunks() {
    let messages = Server::new().in_transaction().hold(
        r"C+ BDAT 2
        C+| a\r
        C+ BDAT 2 LAST
        C| \nb
        S: 250
        S: 250",
    );
    assert_eq!(messages[0].octets, b"a\r\nb");
}

/// BDAT-10, RFC 3030 §2
#[test]
fn a_last_chunk_without_crlf_does_not_eat_the_next_command() {
    let messages = Server::new().in_transaction().hold(
        r"C+ BDAT 4 LAST
        C+| text
        C: NOOP
        S: 250
        S: 250",
    );
    assert_eq!(messages[0].octets, b"text");
}

/// BDAT-11, RFC 3030 §2, RFC 5321 §4.1.4
#[test]
fn rset_and_ehlo_drop_the_chunks() {
    for reset in ["RSET", "EHLO client.example.test", "HELO client.example.test"] {
        let messages = Server::new().in_transaction().hold(&format!(
            r"C: BDAT 4
            C| lost
            S: 250
            C: {reset}
            S: 250
            C: MAIL FROM:<b@client.example.test>
            S: 250
            C: RCPT TO:<user1@example.test>
            S: 250
            C: DATA
            S: 354
            C+ kept
            C: .
            S: 250"
        ));
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].octets, b"kept\r\n");
    }
}

/// BDAT-12, RFC 3030 §2, RFC 1870
#[test]
fn the_chunk_that_passes_the_limit_is_refused_and_swallowed() {
    let server = Server::new().with(|server| server.limits.message = 65_536);
    let messages = server.in_transaction().hold(
        r"C+ BDAT 65530
        C* 65530 a
        S: 250
        C+ BDAT 7
        C| QUIT\r\nx
        S: 552 5.3.4 ...
        C+ BDAT 6 LAST
        C| QUIT\r\n
        S: 503 5.5.1 ...
        C: MAIL FROM:<>
        S: 250",
    );
    assert_eq!(messages, []);
    let messages = server.in_transaction().hold(
        r"C+ BDAT 65530
        C* 65530 a
        S: 250
        C+ BDAT 6 LAST
        C| QUIT\r\n
        S: 250",
    );
    assert_eq!(messages[0].octets.len(), 65_536);
}

/// BDAT-13, RFC 3030 §2, RFC 2920
#[test]
fn a_whole_message_may_come_in_one_write() {
    let messages = Server::new().greeted().hold(
        r"C+ MAIL FROM:<a@client.example.test>
        C+ RCPT TO:<user1@example.test>
        C+ BDAT 3
        C+| abc
        C+ BDAT 3 LAST
        C+| def
        C: QUIT
        S: 250 2.1.0 ...
        S: 250 2.1.5 ...
        S: 250 2.0.0 ...
        S: 250 2.0.0 ...
        S: 221 2.0.0 ...
        S: <CLOSED>",
    );
    assert_eq!(messages[0].octets, b"abcdef");
}

/// BDAT-14, RFC 3030 §2
#[test]
fn bdat_is_read_in_any_case() {
    let messages = Server::new().in_transaction().hold("C+ bdat 3 last\nC| abc\nS: 250");
    assert_eq!(messages.len(), 1);
}

/// SEC-DOS-04
#[test]
fn many_small_chunks_are_answered_one_by_one() {
    let chunks = "C+ BDAT 1\nC+| x\n".repeat(3_000);
    let replies = "S: 250 2.0.0 ...\n".repeat(3_000);
    let messages = Server::new()
        .in_transaction()
        .hold(&format!("{chunks}C: BDAT 0 LAST\n{replies}S: 250 2.0.0 ..."));
    assert_eq!(messages[0].octets.len(), 3_000);
}

/// RFC 3030 §2: a BDAT that the embedder refuses is swallowed, and the message has failed
#[test]
fn a_first_chunk_that_policy_refuses_is_swallowed() {
    let server = Server::new().with(|server| {
        server.desk = |machine, event| match event {
            Event::Data { pending, .. } => {
                machine.refuse(pending, &Refused::STORAGE).unwrap();
                None
            }
            other => Some(other),
        }
    });
    server.in_transaction().hold(
        r"C+ BDAT 6
        C| QUIT\r\n
        S: 452 4.3.1 ...
        C+ BDAT 6 LAST
        C| QUIT\r\n
        S: 503 5.5.1 ...
        C: MAIL FROM:<>
        S: 250",
    );
    server.in_transaction().hold(
        r"C+ BDAT 6 LAST
        C| QUIT\r\n
        S: 452 4.3.1 ...
        C: MAIL FROM:<>
        S: 250",
    );
}

/// SEQ-14 for BDAT
#[test]
fn half_a_chunk_is_not_delivered() {
    for lost in ["C+ BDAT 10 LAST\nC| abc", "C+ BDAT 3\nC| abc\nS: 250", "C: BDAT 5 LAST"] {
        let messages =
            Server::new().in_transaction().hold(&format!("{lost}\nC: <EOF>\nS: <CLOSED>"));
        assert_eq!(messages, []);
    }
}

/// RFC 5321 §4.2.4: what is not offered is not implemented; its octets are no commands either
#[test]
fn bdat_that_was_not_offered_is_refused_and_swallowed() {
    let server = Server::new().with(|server| server.extensions = Extensions::new());
    let messages = server.in_transaction().hold(
        r"C+ BDAT 6 LAST
        C| QUIT\r\n
        S: 502 5.5.1 ...
        C: DATA
        S: 354
        C+ text
        C: .
        S: 250",
    );
    assert_eq!(messages.len(), 1);
}

/// RFC 5321 §4.1.4: nor is it offered after HELO
#[test]
fn bdat_after_helo_is_refused_and_swallowed() {
    Server::new().hold(
        r"S: 220
        C: HELO client.example.test
        S: 250
        C: MAIL FROM:<>
        S: 250
        C: RCPT TO:<user1@example.test>
        S: 250
        C+ BDAT 6 LAST
        C| QUIT\r\n
        S: 502
        C: DATA
        S: 354",
    );
}

/// SEC-DOS-01, RFC 5321 §3.8: the last tolerated fault is a 421 for BDAT too
#[test]
fn a_refused_chunk_too_many_is_a_421() {
    let server = Server::new().with(|server| server.limits.violations = 2);
    server.greeted().hold(
        r"C+ BDAT 6
        C| QUIT\r\n
        S: 503 5.5.1 ...
        C+ BDAT 6
        C| QUIT\r\n
        S: 421 4.7.0 ...
        S: <CLOSED>",
    );
}

/// BDAT-16, RFC 3030 §2, RFC 2920: both refused before either could be answered
#[test]
fn the_octets_of_two_refused_chunks_in_one_write_are_thrown_away() {
    let messages = Server::new().greeted().hold(
        r"C+ MAIL FROM:<a@client.example.test>
        C+| BDAT 6\r\nQUIT\r\n
        C| BDAT 6 LAST\r\nQUIT\r\n
        S: 250
        S: 503 5.5.1 ...
        S: 503 5.5.1 ...
        C: NOOP
        S: 250",
    );
    assert_eq!(messages, []);
}

/// BDAT-17, RFC 3030 §2: the command first, and its octets when they come
#[test]
fn a_chunk_may_come_in_pieces() {
    let messages = Server::new().in_transaction().hold(
        r"C: BDAT 9 LAST
        T: 1s
        C| one
        T: 1s
        C| t
        T: 1s
        C| wo\r\n.
        S: 250 2.0.0 ...",
    );
    assert_eq!(messages[0].octets, b"onetwo\r\n.");
}

/// BDAT-18, RFC 3030 §2, RFC 5321 §4.1.1.10: without LAST there is no message
#[test]
fn chunks_without_a_last_one_are_not_delivered() {
    let messages = Server::new().in_transaction().hold(
        r"C| BDAT 14\r\nSubject: x\r\n\r\n
        S: 250
        C: QUIT
        S: 221
        S: <CLOSED>",
    );
    assert_eq!(messages, []);
}

/// BDAT-19, RFC 3030 §2, RFC 5321 §4.1.4
#[test]
fn commands_between_two_chunks_leave_the_message_alone() {
    let messages = Server::new().in_transaction().hold(
        r"C| BDAT 3\r\none
        S: 250
        C: NOOP
        S: 250
        C: VRFY user1
        S: 252
        C| BDAT 3 LAST\r\ntwo
        S: 250",
    );
    assert_eq!(messages[0].octets, b"onetwo");
}
