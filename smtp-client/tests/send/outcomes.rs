//! What becomes of each recipient (RFC 5321 §3.3, §4.2.1; RFC 2033 §4.2; RFC 3030 §2).

use crate::world::{MESSAGE, envelope, lines, open, policy, send, welcome};
use smtp_client::{
    Cause, Policy,
    proto::{
        body::Framing,
        client::{ClientConfig, Mode},
    },
};

/// Without PIPELINING each command waits for the reply to the one before.
fn spaced(transaction: &str) -> String {
    welcome(&[]) + transaction
}

/// C-11
#[test]
fn a_refused_recipient_keeps_its_reply_and_the_others_get_the_message() {
    let script = spaced(
        "C: MAIL FROM:<a@example.test>
        S: 250 ok
        C: RCPT TO:<b@example.test>
        S: 550 5.1.1 no such user
        C: RCPT TO:<c@example.test>
        S: 250 ok
        C: RCPT TO:<d@example.test>
        S: 450 4.2.1 try later
        C: DATA
        S: 354 go
        C: <MESSAGE>
        S: 250 2.0.0 queued as 1
        C: QUIT
        S: 221 bye
        C: <CLOSED>",
    );
    let to = envelope(&["b@example.test", "c@example.test", "d@example.test"]).build().unwrap();
    let (told, heard) = send(&script, policy(), &to, MESSAGE);
    assert_eq!(
        told,
        [
            "failed RCPT: 550 5.1.1 no such user",
            "sent end of message: 250 2.0.0 queued as 1",
            "delayed RCPT: 450 4.2.1 try later",
        ]
    );
    assert_eq!(heard.messages, [b"Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n"]);
}

/// C-50
#[test]
fn a_group_of_commands_is_answered_in_its_order() {
    let script = welcome(&["PIPELINING", "SIZE 1000"])
        + "C: MAIL FROM:<a@example.test> SIZE=25
        C: RCPT TO:<b@example.test>
        C: RCPT TO:<c@example.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 550 5.1.1 no such user
        S: 354 go
        C: <MESSAGE>
        S: 299 taken
        C: QUIT
        S: 221 bye";
    let to = envelope(&["b@example.test", "c@example.test"]).build().unwrap();
    let (told, _) = send(&script, policy(), &to, MESSAGE);
    assert_eq!(told, ["sent end of message: 299 taken", "failed RCPT: 550 5.1.1 no such user"]);
}

/// C-12
#[test]
fn when_every_recipient_is_refused_no_message_is_sent() {
    for script in [
        spaced(
            "C: MAIL FROM:<a@example.test>
            S: 250 ok
            C: RCPT TO:<b@example.test>
            S: 550 no
            C: RSET
            S: 250 ok
            C: QUIT
            S: 221 bye",
        ),
        welcome(&["PIPELINING"])
            + "C: MAIL FROM:<a@example.test>
            C: RCPT TO:<b@example.test>
            C: DATA
            S: 250 ok
            S: 550 no
            S: 354 go
            C: .
            S: 554 no recipients
            C: QUIT
            S: 221 bye",
    ] {
        let to = envelope(&["b@example.test"]).build().unwrap();
        let (told, _) = send(&script, policy(), &to, MESSAGE);
        assert_eq!(told, ["failed RCPT: 550 no"]);
    }
}

#[test]
fn a_refused_sender_is_everybodys_failure() {
    for (reply, want) in [
        ("550 5.7.1 not you", "failed MAIL: 550 5.7.1 not you"),
        ("451 4.3.0 later", "delayed MAIL: 451 4.3.0 later"),
    ] {
        let spaced = spaced(&format!(
            "C: MAIL FROM:<a@example.test>
            S: {reply}
            C: QUIT
            S: 221 bye"
        ));
        let grouped = welcome(&["PIPELINING"])
            + &format!(
                "C: MAIL FROM:<a@example.test>
                C: RCPT TO:<b@example.test>
                C: RCPT TO:<c@example.test>
                C: DATA
                S: {reply}
                S: 503 5.5.1 no sender
                S: 503 5.5.1 no sender
                S: 503 5.5.1 no sender
                C: RSET
                S: 250 ok
                C: QUIT
                S: 221 bye"
            );
        for script in [spaced, grouped] {
            let to = envelope(&["b@example.test", "c@example.test"]).build().unwrap();
            let (told, _) = send(&script, policy(), &to, MESSAGE);
            assert_eq!(told, [want, want]);
        }
    }
}

/// C-13, C-14
#[test]
fn what_the_end_of_the_message_is_answered_is_true_for_all_who_were_accepted() {
    for (reply, want) in [
        ("451 4.3.0 disk full", "delayed end of message: 451 4.3.0 disk full"),
        ("550 5.7.1 spam", "failed end of message: 550 5.7.1 spam"),
    ] {
        let script = spaced(&format!(
            "C: MAIL FROM:<a@example.test>
            S: 250 ok
            C: RCPT TO:<b@example.test>
            S: 250 ok
            C: RCPT TO:<c@example.test>
            S: 553 no
            C: DATA
            S: 354 go
            C: <MESSAGE>
            S: {reply}
            C: QUIT
            S: 221 bye"
        ));
        let to = envelope(&["b@example.test", "c@example.test"]).build().unwrap();
        let (told, _) = send(&script, policy(), &to, MESSAGE);
        assert_eq!(told, [want, "failed RCPT: 553 no"]);
    }
}

/// C-10
#[test]
fn data_that_is_not_granted_brings_no_message() {
    let script = spaced(
        "C: MAIL FROM:<a@example.test>
        S: 250 ok
        C: RCPT TO:<b@example.test>
        S: 250 ok
        C: DATA
        S: 554 5.7.0 no
        C: RSET
        S: 250 ok
        C: QUIT
        S: 221 bye",
    );
    let to = envelope(&["b@example.test"]).build().unwrap();
    assert_eq!(send(&script, policy(), &to, MESSAGE).0, ["failed DATA: 554 5.7.0 no"]);
}

/// C-31
#[test]
fn data_that_is_answered_250_has_sent_nothing() {
    let script = spaced(
        "C: MAIL FROM:<a@example.test>
        S: 250 ok
        C: RCPT TO:<b@example.test>
        S: 250 ok
        C: DATA
        S: 250 ok
        C: <CLOSED>",
    );
    let to = envelope(&["b@example.test"]).build().unwrap();
    let (told, _) = send(&script, policy(), &to, MESSAGE);
    assert!(told[0].starts_with("delayed DATA: 451 4.5.0 "), "{told:?}");
}

/// C-29
#[test]
fn after_421_everybody_who_has_no_reply_is_tried_again() {
    let script = spaced(
        "C: MAIL FROM:<a@example.test>
        S: 250 ok
        C: RCPT TO:<b@example.test>
        S: 250 ok
        C: RCPT TO:<c@example.test>
        S: 550 no
        C: RCPT TO:<d@example.test>
        S: 421 4.3.2 shutting down
        C: <CLOSED>",
    );
    let names = ["b@example.test", "c@example.test", "d@example.test", "e@example.test"];
    let to = envelope(&names).build().unwrap();
    let (world, opened) = open(&script, policy());
    let mut connection = opened.unwrap();
    let report = world.runtime.run_until(connection.send(&to, MESSAGE));
    let delayed = "delayed RCPT: 421 4.3.2 shutting down";
    assert_eq!(lines(&report), [delayed, "failed RCPT: 550 no", delayed, delayed]);
    assert!(!connection.is_reusable());
    drop(connection);
    world.heard();
}

#[test]
fn a_server_that_ends_it_in_the_middle_of_the_message_is_heard() {
    for (reply, want) in [
        ("421 4.3.2 bye", "delayed DATA: 421 4.3.2 bye"),
        ("552 5.3.4 too large", "failed DATA: 552 5.3.4 too large"),
        ("250 ok", "delayed DATA: 451 4.5.0"),
    ] {
        let script = spaced(&format!(
            "C: MAIL FROM:<a@example.test>
            S: 250 ok
            C: RCPT TO:<b@example.test>
            S: 250 ok
            C: DATA
            S: 354 go
            C: <OCTETS 1000000>
            S: {reply}"
        ));
        let to = envelope(&["b@example.test"]).build().unwrap();
        // More than the pipe between the two has room for.
        let message = "Subject: x\r\n".repeat(400_000);
        let (told, _) = send(&script, policy(), &to, message);
        assert!(told[0].starts_with(want), "{told:?}");
    }
}

/// C-19
#[test]
fn a_connection_that_is_lost_before_the_last_reply_has_sent_nothing() {
    let script = spaced(
        "C: MAIL FROM:<a@example.test>
        S: 250 ok
        C: RCPT TO:<b@example.test>
        S: 250 ok
        C: RCPT TO:<c@example.test>
        S: 550 no
        C: DATA
        S: 354 go
        C: <MESSAGE>
        S| 250 ok",
    );
    let to = envelope(&["b@example.test", "c@example.test"]).build().unwrap();
    let (told, _) = send(&script, policy(), &to, MESSAGE);
    let lost = "delayed end of message: 451 4.4.2 the server closed the connection";
    assert_eq!(told, [lost, "failed RCPT: 550 no"]);
}

/// C-33
#[test]
fn a_server_that_says_nothing_is_given_up_in_time() {
    let script = spaced(
        "C: MAIL FROM:<a@example.test>
        S: 250 ok
        C: RCPT TO:<b@example.test>
        S: 250 ok
        C: DATA
        S: 354 go
        C: <MESSAGE>
        T: 601s",
    );
    let to = envelope(&["b@example.test"]).build().unwrap();
    let (world, opened) = open(&script, policy());
    let mut connection = opened.unwrap();
    let report = world.runtime.run_until(connection.send(&to, MESSAGE));
    let late = "delayed end of message: 451 4.4.2 the server took too long";
    assert_eq!(lines(&report), [late]);
    assert_eq!(report.outcomes[0].cause, Cause::Timeout);
}

fn lmtp() -> Policy {
    let mut policy = policy();
    policy.machine = ClientConfig::builder().mode(Mode::Lmtp).build();
    policy
}

#[test]
fn in_lmtp_each_accepted_recipient_has_a_reply_of_its_own() {
    let script = "S: 220 mx
        C: LHLO client.example.test
        S: 250-mx
        S: 250 PIPELINING
        C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: RCPT TO:<c@example.test>
        C: RCPT TO:<d@example.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 550 no
        S: 250 ok
        S: 354 go
        C: <MESSAGE>
        S: 452 4.2.2 full
        S: 250 2.0.0 delivered
        C: QUIT
        S: 221 bye";
    let to = envelope(&["b@example.test", "c@example.test", "d@example.test"]).build().unwrap();
    assert_eq!(
        send(script, lmtp(), &to, MESSAGE).0,
        [
            "delayed end of message: 452 4.2.2 full",
            "failed RCPT: 550 no",
            "sent end of message: 250 2.0.0 delivered",
        ]
    );
}

#[test]
fn in_lmtp_a_connection_that_is_lost_between_two_replies_is_lost_for_the_second_only() {
    let script = "S: 220 mx
        C: LHLO client.example.test
        S: 250 mx
        C: MAIL FROM:<a@example.test>
        S: 250 ok
        C: RCPT TO:<b@example.test>
        S: 250 ok
        C: RCPT TO:<c@example.test>
        S: 250 ok
        C: DATA
        S: 354 go
        C: <MESSAGE>
        S: 250 delivered";
    let to = envelope(&["b@example.test", "c@example.test"]).build().unwrap();
    let (told, _) = send(script, lmtp(), &to, MESSAGE);
    let lost = "delayed end of message: 451 4.4.2 the server closed the connection";
    assert_eq!(told, ["sent end of message: 250 delivered", lost]);
}

fn chunked() -> Policy {
    let mut policy = policy();
    policy.framing = Framing::Chunked;
    policy
}

#[test]
fn a_short_message_in_a_chunk_leaves_with_its_envelope() {
    let script = welcome(&["PIPELINING", "CHUNKING"])
        + "C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: RCPT TO:<c@example.test>
        C: BDAT 25 LAST
        C: <OCTETS 25>
        S: 250 ok
        S: 550 no
        S: 250 ok
        S: 250 taken
        C: QUIT
        S: 221 bye";
    let to = envelope(&["b@example.test", "c@example.test"]).build().unwrap();
    let (told, heard) = send(&script, chunked(), &to, MESSAGE);
    assert_eq!(told, ["failed RCPT: 550 no", "sent end of message: 250 taken"]);
    assert_eq!(heard.messages, [MESSAGE.as_bytes()]);
}

#[test]
fn without_pipelining_a_chunk_waits_for_a_recipient() {
    let script = welcome(&["CHUNKING"])
        + "C: MAIL FROM:<a@example.test>
        S: 250 ok
        C: RCPT TO:<b@example.test>
        S: 250 ok
        C: BDAT 25 LAST
        C: <OCTETS 25>
        S: 250 taken
        C: MAIL FROM:<a@example.test>
        S: 250 ok
        C: RCPT TO:<b@example.test>
        S: 550 no
        C: RSET
        S: 250 ok
        C: QUIT
        S: 221 bye";
    let to = envelope(&["b@example.test"]).build().unwrap();
    let (world, opened) = open(&script, chunked());
    let mut connection = opened.unwrap();
    let told = world.runtime.run_until(async {
        let first = connection.send(&to, MESSAGE).await;
        let second = connection.send(&to, MESSAGE).await;
        connection.quit().await;
        [lines(&first), lines(&second)].concat()
    });
    assert_eq!(told, ["sent end of message: 250 taken", "failed RCPT: 550 no"]);
    world.heard();
}

/// C-48
#[test]
fn behind_a_refused_chunk_no_other_follows() {
    let script = welcome(&["PIPELINING", "CHUNKING"])
        + "C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        S: 250 ok
        S: 250 ok
        C: BDAT 65536
        C: <OCTETS 65536>
        S: 552 5.3.4 too large
        C: RSET
        S: 250 ok
        C: QUIT
        S: 221 bye";
    let to = envelope(&["b@example.test"]).build().unwrap();
    let message = "0123456789abcd\r\n".repeat(20_000);
    let body = smtp_client::runtime::tokio::Reader::new(message.as_bytes());
    assert_eq!(send(&script, chunked(), &to, body).0, ["failed DATA: 552 5.3.4 too large"]);
}

#[test]
fn a_connection_carries_one_message_after_another() {
    let one = "C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: <MESSAGE>
        S: 250 taken\n";
    let script = welcome(&["PIPELINING"]) + &one.repeat(3) + "C: QUIT\nS: 221 bye";
    let to = envelope(&["b@example.test"]).build().unwrap();
    let (world, opened) = open(&script, policy());
    let mut connection = opened.unwrap();
    world.runtime.run_until(async {
        for n in 0..3 {
            assert_eq!(connection.transactions(), n);
            assert!(connection.is_reusable());
            assert!(connection.send(&to, MESSAGE).await.is_all_sent());
        }
        connection.quit().await;
    });
    assert_eq!(world.heard().messages.len(), 3);
}

#[test]
fn in_lmtp_a_server_that_leaves_between_two_replies_leaves_the_others_in_doubt() {
    let script = "S: 220 mx
        C: LHLO client.example.test
        S: 250 mx
        C: MAIL FROM:<a@example.test>
        S: 250 ok
        C: RCPT TO:<b@example.test>
        S: 250 ok
        C: RCPT TO:<c@example.test>
        S: 250 ok
        C: RCPT TO:<d@example.test>
        S: 250 ok
        C: DATA
        S: 354 go
        C: <MESSAGE>
        S: 250 delivered
        S: 421 4.3.2 bye
        C: <CLOSED>";
    let to = envelope(&["b@example.test", "c@example.test", "d@example.test"]).build().unwrap();
    let (world, opened) = open(script, lmtp());
    let mut connection = opened.unwrap();
    let report = world.runtime.run_until(connection.send(&to, MESSAGE));
    let delayed = "delayed end of message: 421 4.3.2 bye";
    assert_eq!(lines(&report), ["sent end of message: 250 delivered", delayed, delayed]);
    // Of `c` it says itself that it does not have the message.
    let in_doubt: Vec<_> = report.outcomes.iter().map(|outcome| outcome.in_doubt).collect();
    assert_eq!(in_doubt, [false, false, true]);
    drop(connection);
    world.heard();
}
