//! A connection that is used again, and one that must not be (RFC 5321 §4.1.1.5; RFC 3030 §2).

use crate::world::{MESSAGE, envelope, lines, open, policy, welcome};
use smtp_client::{Cause, Policy, proto::body::Framing};
use std::time::Duration;

/// Sends two messages, an hour apart, over a connection to a server that plays `script`: what
/// became of them, and whether the connection could be used after each.
#[track_caller]
fn send_two(script: &str, policy: Policy) -> [(String, bool); 2] {
    let to = envelope(&["b@example.test"]).build().unwrap();
    let (world, opened) = open(script, policy);
    let mut connection = opened.unwrap();
    let told = world.runtime.run_until(async {
        let first = connection.send(&to, MESSAGE).await;
        let first = (lines(&first).concat(), connection.is_reusable());
        world.runtime.sleep(Duration::from_secs(3_600)).await;
        let second = connection.send(&to, MESSAGE).await;
        assert!(!second.outcomes[0].in_doubt);
        let second = (lines(&second).concat(), connection.is_reusable());
        connection.quit().await;
        [first, second]
    });
    world.heard();
    told
}

#[test]
fn a_connection_whose_reset_is_refused_is_not_used_again() {
    let script = welcome(&[])
        + "C: MAIL FROM:<a@example.test>
        S: 250 ok
        C: RCPT TO:<b@example.test>
        S: 550 no
        C: RSET
        S: 451 later
        C: <CLOSED>";
    let [first, (told, reusable)] = send_two(&script, policy());
    assert_eq!(first, ("failed RCPT: 550 no".to_owned(), false));
    assert!(told.starts_with("delayed before MAIL: 451 4.4.2 "), "{told}");
    assert!(!reusable);
}

fn chunked() -> Policy {
    let mut policy = policy();
    policy.framing = Framing::Chunked;
    policy
}

#[test]
fn after_a_failed_chunk_a_reset_makes_room_for_the_next_message() {
    let script = welcome(&["PIPELINING", "CHUNKING"])
        + "C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: BDAT 25 LAST
        C: <OCTETS 25>
        S: 250 ok
        S: 550 no
        S: 503 5.5.1 nobody to send it to
        C: RSET
        S: 250 ok
        C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: BDAT 25 LAST
        C: <OCTETS 25>
        S: 250 ok
        S: 250 ok
        S: 250 taken
        C: QUIT
        S: 221 bye";
    let told = send_two(&script, chunked());
    let want = ["failed RCPT: 550 no", "sent end of message: 250 taken"];
    assert_eq!(told, want.map(|told| (told.to_owned(), true)));
}

#[test]
fn on_a_connection_where_something_happened_meanwhile_nothing_is_sent() {
    const TAKEN: &str = "C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: <MESSAGE>
        S: 250 taken
        T: 1s\n";
    for (meanwhile, want) in [
        ("S: 250 taken again\nC: <CLOSED>", "451 4.5.0 what the server sent is no reply"),
        ("S: 550 5.7.1 or not\nC: <CLOSED>", "451 4.4.2 550 5.7.1 or not"),
        ("S: 421 4.4.2 idle\nC: <CLOSED>", "421 4.4.2 idle"),
        ("", "451 4.4.2 the server closed the connection"),
    ] {
        let script = welcome(&["PIPELINING"]) + TAKEN + meanwhile;
        let [first, (told, reusable)] = send_two(&script, policy());
        assert_eq!(first, ("sent end of message: 250 taken".to_owned(), true));
        assert!(told.starts_with(&format!("delayed before MAIL: {want}")), "{told}");
        assert!(!reusable);
    }
}

#[test]
fn one_message_too_many_for_a_connection_is_no_fault_of_the_message() {
    for reply in ["554 5.5.3 too many messages", "452 4.5.3 too many messages"] {
        let script = welcome(&[])
            + &format!(
                "C: MAIL FROM:<a@example.test>
                S: 250 ok
                C: RCPT TO:<b@example.test>
                S: 250 ok
                C: DATA
                S: 354 go
                C: <MESSAGE>
                S: 250 taken
                C: MAIL FROM:<a@example.test>
                S: {reply}
                C: QUIT
                S: 221 bye"
            );
        let [first, second] = send_two(&script, policy());
        assert_eq!(first, ("sent end of message: 250 taken".to_owned(), true));
        assert_eq!(second, (format!("delayed MAIL: {reply}"), false));
    }
}

#[test]
fn a_server_that_finds_the_first_message_one_too_many_takes_none() {
    let script = welcome(&[])
        + "C: MAIL FROM:<a@example.test>
        S: 554 5.5.3 too many messages
        C: QUIT
        S: 221 bye";
    let to = envelope(&["b@example.test"]).build().unwrap();
    let (world, opened) = open(&script, policy());
    let mut connection = opened.unwrap();
    let report = world.runtime.run_until(connection.send(&to, MESSAGE));
    assert_eq!(lines(&report), ["failed MAIL: 554 5.5.3 too many messages"]);
    assert_eq!(report.outcomes[0].cause, Cause::Server);
    world.runtime.run_until(connection.quit());
    world.heard();
}
