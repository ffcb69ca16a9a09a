//! More recipients or messages than a server takes at once (RFC 5321 §4.5.3.1.10, RFC 9422).

use crate::world::{MESSAGE, envelope, lines, open, policy, send, welcome};
use smtp_client::runtime::tokio::Reader;

const NAMES: [&str; 3] = ["b@example.test", "c@example.test", "d@example.test"];

/// One recipient is taken, the others are too many.
fn full(reply: &str) -> String {
    format!(
        "C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: RCPT TO:<c@example.test>
        C: RCPT TO:<d@example.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: {reply}
        S: {reply}
        S: 354 go
        C: <MESSAGE>
        S: 250 first\n"
    )
}

const REST: &str = "C: MAIL FROM:<a@example.test>
        C: RCPT TO:<c@example.test>
        C: RCPT TO:<d@example.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 550 no
        S: 354 go
        C: <MESSAGE>
        S: 250 second
        C: QUIT
        S: 221 bye";

/// C-44
#[test]
fn recipients_that_are_too_many_come_in_the_next_transaction() {
    for reply in ["452 4.5.3 too many", "452 too many", "552 5.5.3 too many", "552 too many"] {
        let script = welcome(&["PIPELINING"]) + &full(reply) + REST;
        let (told, heard) = send(&script, policy(), &envelope(&NAMES).build().unwrap(), MESSAGE);
        assert_eq!(
            told,
            [
                "sent end of message: 250 first",
                "sent end of message: 250 second",
                "failed RCPT: 550 no"
            ]
        );
        assert_eq!(heard.messages[0], heard.messages[1]);
    }
}

#[test]
fn a_mailbox_that_is_full_is_not_one_too_many() {
    for (reply, want) in [
        ("452 4.2.2 mailbox full", "delayed RCPT: 452 4.2.2 mailbox full"),
        ("552 5.2.2 mailbox full", "failed RCPT: 552 5.2.2 mailbox full"),
    ] {
        let script = welcome(&["PIPELINING"]) + &full(reply) + "C: QUIT\nS: 221 bye";
        let (told, _) = send(&script, policy(), &envelope(&NAMES).build().unwrap(), MESSAGE);
        assert_eq!(told, ["sent end of message: 250 first", want, want]);
    }
}

#[test]
fn a_server_that_takes_none_is_not_asked_again() {
    let script = welcome(&[])
        + "C: MAIL FROM:<a@example.test>
        S: 250 ok
        C: RCPT TO:<b@example.test>
        S: 452 too many
        C: RSET
        S: 250 ok
        C: QUIT
        S: 221 bye";
    let to = envelope(&["b@example.test"]).build().unwrap();
    assert_eq!(send(&script, policy(), &to, MESSAGE).0, ["delayed RCPT: 452 too many"]);
}

#[test]
fn the_first_recipient_is_never_one_too_many() {
    let script = welcome(&["PIPELINING"])
        + "C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: RCPT TO:<c@example.test>
        C: DATA
        S: 250 ok
        S: 552 no room
        S: 250 ok
        S: 354 go
        C: <MESSAGE>
        S: 250 taken
        C: QUIT
        S: 221 bye";
    let to = envelope(&NAMES[..2]).build().unwrap();
    let (told, _) = send(&script, policy(), &to, MESSAGE);
    assert_eq!(told, ["failed RCPT: 552 no room", "sent end of message: 250 taken"]);
}

#[test]
fn a_message_that_can_be_read_once_only_is_not_sent_twice() {
    let script = welcome(&["PIPELINING", "8BITMIME"])
        + &full("452 4.5.3 too many")
            .replace("MAIL FROM:<a@example.test>", "MAIL FROM:<a@example.test> BODY=8BITMIME")
        + "C: QUIT\nS: 221 bye";
    let message = "0123456789abcd\r\n".repeat(10_000);
    let body = Reader::new(message.as_bytes());
    let (told, _) = send(&script, policy(), &envelope(&NAMES).build().unwrap(), body);
    assert_eq!(told[0], "sent end of message: 250 first");
    assert!(told[1].starts_with("delayed before MAIL: 451 4.5.3 "), "{told:?}");
}

#[test]
fn a_short_message_from_a_reader_can_be_sent_twice() {
    let script = welcome(&["PIPELINING"]) + &full("452 too many") + REST;
    let body = Reader::new(MESSAGE.as_bytes());
    let (told, heard) = send(&script, policy(), &envelope(&NAMES).build().unwrap(), body);
    assert_eq!(told[1], "sent end of message: 250 second");
    assert_eq!(heard.messages[0], heard.messages[1]);
}

/// A transaction in which everyone is taken.
fn taken(recipients: &[&str]) -> String {
    let rcpt: String = recipients.iter().map(|to| format!("C: RCPT TO:<{to}>\n")).collect();
    let replies = "S: 250 ok\n".repeat(recipients.len() + 1);
    format!(
        "C: MAIL FROM:<a@example.test>\n{rcpt}C: DATA\n{replies}S: 354 go\nC: <MESSAGE>\nS: 250 taken\n"
    )
}

/// C-45
#[test]
fn limits_that_are_announced_are_kept() {
    let names =
        ["1@a.test", "2@A.test", "3@b.test", "4@b.test", "5@b.test", "6@a.test", "7@a.test"];
    let script = welcome(&["PIPELINING", "LIMITS RCPTMAX=3 RCPTDOMAINMAX=2 MAILMAX=2"])
        + &taken(&names[..3])
        + &taken(&names[3..6])
        + "C: QUIT\nS: 221 bye";
    let to = envelope(&names).build().unwrap();
    let (world, opened) = open(&script, policy());
    let mut connection = opened.unwrap();
    let report = world.runtime.run_until(async {
        let report = connection.send(&to, MESSAGE).await;
        assert!(!connection.is_reusable());
        connection.quit().await;
        report
    });
    let told = lines(&report);
    assert!(told[..6].iter().all(|told| told == "sent end of message: 250 taken"), "{told:?}");
    assert!(told[6].starts_with("delayed before MAIL: 451 4.5.3 "), "{told:?}");
    world.heard();
}

/// C-45
#[test]
fn domains_are_counted_over_the_connection() {
    let script = welcome(&["PIPELINING", "LIMITS RCPTMAX=2 RCPTDOMAINMAX=2"])
        + &taken(&["1@a.test", "2@b.test"])
        + &taken(&["4@B.test"])
        + &taken(&["1@a.test"])
        + "C: QUIT\nS: 221 bye";
    let (world, opened) = open(&script, policy());
    let mut connection = opened.unwrap();
    let [first, second, third] = world.runtime.run_until(async {
        let to = envelope(&["1@a.test", "2@b.test", "3@c.test", "4@B.test"]).build().unwrap();
        let first = lines(&connection.send(&to, MESSAGE).await);
        let to = envelope(&["3@c.test", "3@[192.0.2.1]"]).build().unwrap();
        let second = lines(&connection.send(&to, MESSAGE).await);
        let to = envelope(&["1@a.test"]).build().unwrap();
        let third = lines(&connection.send(&to, MESSAGE).await);
        connection.quit().await;
        [first, second, third]
    });
    let sent = "sent end of message: 250 taken";
    assert_eq!([&first[0], &first[1], &first[3]], [sent; 3], "{first:?}");
    for told in second.iter().chain([&first[2]]) {
        assert!(told.starts_with("delayed before MAIL: 451 4.5.3 "), "{told}");
    }
    assert_eq!(third, [sent]);
    world.heard();
}

#[test]
fn a_message_that_is_one_too_many_is_tried_again_on_another_connection() {
    let script = welcome(&["PIPELINING"])
        + "C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: DATA
        S: 452 4.5.3 too many messages
        S: 503 5.5.1 no sender
        S: 503 5.5.1 no sender
        C: QUIT
        S: 221 bye";
    let to = envelope(&["b@example.test"]).build().unwrap();
    let (world, opened) = open(&script, policy());
    let mut connection = opened.unwrap();
    world.runtime.run_until(async {
        let report = connection.send(&to, MESSAGE).await;
        assert_eq!(lines(&report), ["delayed MAIL: 452 4.5.3 too many messages"]);
        assert!(!connection.is_reusable());
        connection.quit().await;
    });
    world.heard();
}

#[test]
fn a_thousand_recipients_pass_the_bounds_of_the_machine() {
    let names: Vec<String> = (0..3_000).map(|n| format!("user{n}@example.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for extensions in [&["PIPELINING"][..], &[]] {
        let mut script = welcome(extensions);
        script.push_str("C: MAIL FROM:<a@example.test>\nS: 250 ok\n");
        names.iter().for_each(|to| script.push_str(&format!("C: RCPT TO:<{to}>\nS: 250 ok\n")));
        script.push_str("C: DATA\nS: 354 go\nC: <MESSAGE>\nS: 250 taken\nC: QUIT\nS: 221 bye");
        let to = envelope(&names).build().unwrap();
        let (told, _) = send(&script, policy(), &to, MESSAGE);
        assert!(told.iter().all(|told| told == "sent end of message: 250 taken"));
    }
}

#[test]
fn one_reply_for_many_recipients_is_held_once() {
    let transaction = |last: &str| {
        welcome(&[])
            + &format!(
                "C: MAIL FROM:<a@example.test>
                S: 250 ok
                C: RCPT TO:<b@example.test>
                S: 250 ok
                C: RCPT TO:<c@example.test>
                S: 250 ok
                C: DATA
                S: 354 go
                C: <MESSAGE>
                {last}"
            )
    };
    let to = envelope(&["b@example.test", "c@example.test"]).build().unwrap();
    for last in ["S: 250 taken", "S: 550 no", "S: 421 bye", ""] {
        let (world, opened) = open(&transaction(last), policy());
        let mut connection = opened.unwrap();
        let report = world.runtime.run_until(connection.send(&to, MESSAGE));
        let [b, c] = &report.outcomes[..] else { panic!("{report:?}") };
        assert!(std::sync::Arc::ptr_eq(&b.reply, &c.reply), "{last}");
    }
}
