//! Verdicts that take time.

use crate::harness::{Connection, Plan, begin, extensions, plain_service, service};
use smtp_driver::middleware::{Fault, Outcome};
use smtp_proto::{CloseReason, Instant, Limits, Timeouts, wire::Refused};
use std::{fmt::Write, io, time::Duration};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn recipients(n: usize) -> String {
    let mut commands = String::new();
    for i in 0..n {
        let name = if i % 10 == 9 { "no" } else { "user" };
        write!(commands, "RCPT TO:<{name}{i}@example.test>\r\n").unwrap();
    }
    commands
}

#[test]
fn a_hundred_recipients_of_50_ms_each_are_decided_in_the_time_of_four() {
    let connection = Connection::open(Plan { rcpt: ms(50), ..Plan::default() });
    connection.receive();
    begin(&connection);
    let before = connection.now();
    connection.send(recipients(100) + "DATA\r\n");
    let mut replies = String::new();
    while !replies.contains("354 ") {
        replies += &connection.pass(ms(1));
        assert!(connection.now() <= before + ms(200), "{replies}");
    }
    let codes: Vec<_> = replies.lines().map(|line| &line[..3]).collect();
    let expected: Vec<_> =
        (0..100).map(|i| if i % 10 == 9 { "550" } else { "250" }).chain(["354"]).collect();
    assert_eq!(codes, expected);
    let notes = connection.notes();
    let data = notes.last().unwrap();
    let names: Vec<_> = (0..100)
        .filter(|i| i % 10 != 9)
        .map(|i| format!("<user{i}@example.test>={}", format!("<user{i}@example.test>").len()))
        .collect();
    assert_eq!(*data, format!("data for {}", names.join(",")));
}

#[test]
fn recipients_decided_out_of_order_are_answered_and_kept_in_order() {
    // The first takes longest.
    let each_rcpt = Some(
        (|to: &str| match to.as_bytes()[1] {
            b'a' => ms(30),
            b'n' => ms(20),
            b'b' => ms(10),
            _ => ms(0),
        }) as fn(&str) -> Duration,
    );
    let connection = Connection::open(Plan { each_rcpt, ..Plan::default() });
    begin(&connection);
    let commands = ["a", "no", "b", "c"].map(|name| format!("RCPT TO:<{name}@example.test>\r\n"));
    assert_eq!(connection.send(commands.concat() + "DATA\r\n"), "");
    assert_eq!(connection.pass(ms(29)), "");
    let replies = connection.pass(ms(1));
    let codes: Vec<_> = replies.lines().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["250", "550", "250", "250", "354"]);
    assert!(
        connection.noted("data for <a@example.test>=16,<b@example.test>=16,<c@example.test>=16")
    );
}

#[test]
fn the_stop_signal_lets_open_recipients_be_answered() {
    let connection = Connection::open(Plan { rcpt: ms(50), ..Plan::default() });
    begin(&connection);
    connection.send(recipients(3));
    connection.stop.stop();
    connection.runtime.run_ready();
    let replies = connection.pass(ms(50));
    let codes: Vec<_> = replies.lines().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["250", "250", "250", "421"]);
    assert_eq!(connection.end().unwrap(), CloseReason::Shutdown);
}

#[test]
fn one_at_a_time_takes_as_long_as_all_together() {
    let service = plain_service().decisions_in_flight(1);
    let plan = Plan { rcpt: ms(50), ..Plan::default() };
    let connection = Connection::with(plan, service, 1 << 20, |stream| stream);
    connection.receive();
    begin(&connection);
    connection.send(recipients(10));
    assert_eq!(connection.pass(ms(499)).lines().count(), 9);
    assert_eq!(connection.pass(ms(1)).lines().count(), 1);
}

#[test]
fn earlier_replies_leave_while_a_decision_runs() {
    let connection = Connection::open(Plan { rcpt: ms(50), ..Plan::default() });
    connection.receive();
    let replies =
        connection.send("HELO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.test>\r\n");
    assert_eq!(replies.lines().count(), 2);
    assert_eq!(connection.pass(ms(50)).lines().count(), 1);
}

#[test]
fn a_recipient_decided_too_late_is_not_in_the_envelope() {
    let timeouts = {
        let mut it = Timeouts::default();
        it.decision = ms(40);
        it
    };
    let service = service(extensions(), Limits::default(), timeouts);
    let plan = Plan { rcpt: ms(50), ..Plan::default() };
    let connection = Connection::with(plan, service, 1 << 20, |stream| stream);
    connection.receive();
    begin(&connection);
    connection.send("RCPT TO:<b@example.test>\r\nEHLO again.example\r\n");
    let replies = connection.pass(ms(40));
    let codes: Vec<_> = replies.lines().map(|line| &line[..5]).take(2).collect();
    assert_eq!(codes, ["451 4", "250-m"], "{replies}");
    assert!(connection.noted("hello Ehlo again.example"), "what follows is the handler's again");
}

#[test]
fn an_early_talker_is_noticed_while_the_greeting_is_decided() {
    let connection = Connection::open(Plan { connect: ms(100), ..Plan::default() });
    assert_eq!(connection.send("EHLO client.example\r\n"), "");
    let replies = connection.pass(ms(100));
    assert!(replies.starts_with("220 mx.example.test ESMTP\r\n250-"), "{replies}");
    assert!(connection.noted("violation EarlyTalker"));
}

#[test]
fn the_greeting_delay_finds_the_early_talker_before_the_handler_decides() {
    let delayed = || plain_service().greeting_delay(Duration::from_secs(5));
    let connection = Connection::with(Plan::default(), delayed(), 1 << 20, |stream| stream);
    assert_eq!(connection.pass(ms(4999)), "");
    assert_eq!(connection.pass(ms(1)), "220 mx.example.test ESMTP\r\n");
    assert!(connection.noted("connect early=false"));

    let connection = Connection::with(Plan::default(), delayed(), 1 << 20, |stream| stream);
    connection.pass(ms(1000));
    connection.send("EHLO client.example\r\n");
    assert!(connection.noted("connect early=true"), "{:?}", connection.notes());
}

#[test]
fn a_peer_that_leaves_during_a_decision_is_noticed_when_it_ends() {
    let connection = Connection::open(Plan { rcpt: ms(50), ..Plan::default() });
    begin(&connection);
    connection.send("RCPT TO:<b@example.test>\r\n");
    connection.peer.close();
    connection.runtime.run_ready();
    assert!(!connection.task.is_finished());
    connection.pass(ms(50));
    assert_eq!(connection.notes().last().unwrap(), "reset Closed");
    assert_eq!(connection.now(), Instant::from_millis(50));
    assert_eq!(connection.end().unwrap(), CloseReason::Eof);
}

#[test]
fn half_a_line_left_by_a_peer_that_left_keeps_nobody_waiting() {
    let connection = Connection::open(Plan { rcpt: ms(50), ..Plan::default() });
    begin(&connection);
    connection.send("RCPT TO:<b@example.test>\r\nDAT");
    connection.peer.close();
    connection.pass(ms(50));
    assert_eq!(connection.notes().last().unwrap(), "reset Closed");
    assert_eq!(connection.end().unwrap(), CloseReason::Eof);
}

#[test]
fn a_commit_that_is_too_late_runs_to_its_end_and_is_then_stale() {
    let timeouts = Timeouts::default();
    let end = timeouts.message_decision + ms(1000);
    let connection = Connection::open(Plan { end, ..Plan::default() });
    begin(&connection);
    connection.send("RCPT TO:<b@example.test>\r\nDATA\r\n");
    connection.send("text\r\n.\r\n");
    let reply = connection.pass(timeouts.message_decision);
    assert!(reply.starts_with("451 "), "{reply}");
    assert!(!connection.noted("stale None"));
    connection.pass(ms(1000));
    let notes = connection.notes();
    assert_eq!(
        notes[notes.len() - 3..],
        ["end 6 for <b@example.test>=16", "stale None", "reset Refused"]
    );
    assert!(connection.send("NOOP\r\n").starts_with("250 "));
}

#[test]
fn a_commit_survives_a_broken_stream() {
    let head =
        "EHLO client.example\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<b@example.test>\r\nDATA\r\n";
    let text = "text\r\n.\r\n";
    let plan = Plan { end: ms(50), ..Plan::default() };
    let connection = Connection::with(plan, plain_service(), 1 << 20, |stream| {
        let outcome = Outcome::Fail(io::ErrorKind::ConnectionReset);
        Fault::new(stream, head.len() + text.len(), outcome)
    });
    connection.send(head);
    connection.send(text);
    connection.pass(ms(50));
    let notes = connection.notes();
    assert_eq!(
        notes[notes.len() - 3..],
        ["end 6 for <b@example.test>=16", "stale None", "reset Closed"]
    );
    assert_eq!(connection.end().unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn text_sent_before_a_refused_data_never_runs_as_commands() {
    let plan = Plan { data: Some((ms(50), Refused::DENIED)), ..Plan::default() };
    let connection = Connection::open(plan);
    begin(&connection);
    assert!(connection.send("RCPT TO:<b@example.test>\r\nDATA\r\n").starts_with("250 "));
    connection.send("RSET\r\nMAIL FROM:<evil@example.test>\r\n");
    let replies = connection.pass(ms(50));
    assert_eq!(replies, "554 5.7.1 Refused by policy\r\n");
    assert!(connection.noted("violation PastData"));
    assert!(!connection.noted("mail <evil@example.test>"));
    assert_eq!(connection.end().unwrap(), CloseReason::Violations);
}
