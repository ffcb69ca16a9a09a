//! Whole sessions, and what ends them early.

use crate::harness::{Connection, Plan, begin, extensions, plain_service, service};
use smtp_driver::{
    ConfigError, Pool, Service,
    middleware::{Chop, Direction, Fault, Outcome, Trace},
};
use smtp_proto::{
    CloseReason, Limits, Timeouts,
    server::{Mode, ServerConfig},
    wire::Host,
};
use std::{
    io,
    sync::{Arc, Mutex},
};

const SESSION: &str = "EHLO client.example\r\n\
    MAIL FROM:<a@example.test>\r\n\
    RCPT TO:<b@example.test>\r\n\
    RCPT TO:<nobody@example.test>\r\n\
    RCPT TO:<cc@example.test>\r\n\
    DATA\r\n";
const MESSAGE: &str = "Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n";

#[test]
fn a_message_goes_through_and_the_handler_hears_all_of_it_in_order() {
    let connection = Connection::open(Plan::default());
    assert_eq!(connection.receive(), "220 mx.example.test ESMTP\r\n");
    let replies = connection.send(SESSION);
    assert!(replies.contains("\r\n550 5.1.1"), "{replies}");
    assert!(replies.ends_with("\r\n354 Start mail input; end with <CRLF>.<CRLF>\r\n"), "{replies}");
    assert_eq!(connection.send(MESSAGE), "250 2.6.0 kept\r\n");
    assert!(connection.send("QUIT\r\n").starts_with("221 "));
    assert_eq!(
        connection.notes(),
        [
            "connect early=false",
            "hello Ehlo client.example",
            "mail <a@example.test>",
            "data for <b@example.test>=16,<cc@example.test>=17",
            "end 25 for <b@example.test>=16,<cc@example.test>=17",
            "reset Delivered",
        ]
    );
    assert!(connection.noted("replied 250 after 0 ms"));
    assert!(connection.noted("closed Ok(Quit)"));
    assert_eq!(connection.pool.lent(), 0, "closing needs no buffer");
    assert_eq!(connection.end().unwrap(), CloseReason::Quit);
}

#[test]
fn a_session_cut_into_single_octets_gives_the_same_replies_and_notes() {
    let run = |most| {
        let connection = Connection::with(Plan::default(), plain_service(), 1 << 20, |stream| {
            Chop::new(stream, most, 7)
        });
        let mut replies = connection.receive();
        replies += &connection.send(SESSION);
        replies += &connection.send(MESSAGE);
        replies += &connection.send("RSET\r\nNOOP\r\nQUIT\r\n");
        let notes = connection.notes();
        assert_eq!(connection.end().unwrap(), CloseReason::Quit);
        (replies, notes)
    };
    let whole = run(1 << 20);
    assert!(whole.0.contains("250 2.6.0 kept\r\n"));
    for most in [1, 2, 7] {
        assert_eq!(run(most), whole, "cut at {most}");
    }
}

#[test]
fn replies_to_a_group_of_commands_leave_in_one_write() {
    let writes = Arc::new(Mutex::new(0));
    let count = writes.clone();
    let connection = Connection::with(Plan::default(), plain_service(), 1 << 20, move |stream| {
        Trace::new(stream, move |direction, _: &[u8]| {
            *count.lock().unwrap() += usize::from(direction == Direction::Written);
        })
    });
    assert_eq!(*writes.lock().unwrap(), 1, "the greeting");
    let replies = connection.send(SESSION);
    assert!(replies.contains("\r\n354 "));
    assert_eq!(*writes.lock().unwrap(), 2, "all the rest");
}

#[test]
fn a_refused_body_is_swallowed_and_answered_once() {
    for (most, message) in [
        (10, "line one\r\nline two\r\n.\r\n".to_owned()),
        // Refused when the machine has handed out everything, its end included.
        (1, "x\r\n.\r\n".to_owned()),
    ] {
        let connection = Connection::open(Plan { body: Some(most), ..Plan::default() });
        connection.receive();
        connection.send(SESSION);
        assert_eq!(connection.send(message), "554 5.6.0 Message content refused\r\n");
        assert_eq!(connection.notes().last().unwrap(), "reset Refused");
        assert!(!connection.notes().iter().any(|note| note.starts_with("end")));
        assert!(connection.send("NOOP\r\n").starts_with("250 "));
    }
}

#[test]
fn a_body_refused_half_way_is_swallowed_to_its_end() {
    let connection = Connection::open(Plan { body: Some(1), ..Plan::default() });
    connection.receive();
    connection.send(SESSION);
    assert_eq!(connection.send("first part\r\n"), "");
    assert_eq!(connection.send("MAIL FROM:<x@example.test>\r\n"), "");
    assert_eq!(connection.send(".\r\n"), "554 5.6.0 Message content refused\r\n");
    assert_eq!(connection.notes().last().unwrap(), "reset Refused");
}

#[test]
fn lmtp_answers_for_each_recipient() {
    let config =
        ServerConfig::builder(Host::parse("mx.example.test").unwrap()).mode(Mode::Lmtp).build();
    let plan = Plan { undelivered: vec![1], ..Plan::default() };
    let connection =
        Connection::with(plan, Service::new(config).unwrap(), 1 << 20, |stream| stream);
    connection.receive();
    connection.send(SESSION.replace("EHLO", "LHLO"));
    let replies = connection.send(MESSAGE);
    let codes: Vec<_> = replies.lines().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["250", "452"]);
    assert!(connection.noted("delivered 25 to <b@example.test>"));
    assert!(connection.noted("delivered 25 to <cc@example.test>"));
}

#[test]
fn a_broken_stream_in_a_body_aborts_and_resets() {
    let cut = SESSION.len() + 20;
    for (outcome, reset) in
        [(Outcome::Fail(io::ErrorKind::ConnectionReset), true), (Outcome::End, false)]
    {
        let connection = Connection::with(Plan::default(), plain_service(), 1 << 20, |stream| {
            Fault::new(stream, cut, outcome)
        });
        connection.send(SESSION);
        connection.send(MESSAGE);
        let notes = connection.notes();
        assert_eq!(notes[notes.len() - 2..], ["aborted Eof", "reset Closed"]);
        let last = if reset { "closed Err(ConnectionReset)" } else { "closed Ok(Eof)" };
        assert!(connection.noted(last), "{:?}", connection.log);
        match connection.end() {
            Err(e) if reset => assert_eq!(e.kind(), io::ErrorKind::ConnectionReset),
            ended => assert_eq!(ended.unwrap(), CloseReason::Eof),
        }
    }
}

#[test]
fn a_message_far_larger_than_the_buffer_arrives_whole() {
    let connection = Connection::open(Plan::default());
    connection.receive();
    begin(&connection);
    connection.send("RCPT TO:<b@example.test>\r\nDATA\r\n");
    let block = "0123456789\r\n".repeat(10_000);
    for _ in 0..10 {
        assert_eq!(connection.send(&block), "");
    }
    assert_eq!(connection.send(".\r\n"), "250 2.6.0 kept\r\n");
    assert!(connection.noted("end 1200000 for <b@example.test>=16"));
}

#[test]
fn a_message_in_very_many_pieces_arrives_whole() {
    let connection = Connection::open(Plan::default());
    begin(&connection);
    connection.send("RCPT TO:<b@example.test>\r\nDATA\r\n");
    let text = "..x\r\n".repeat(3_000);
    assert_eq!(connection.send(text + ".\r\n"), "250 2.6.0 kept\r\n");
    assert!(connection.noted("end 12000 for <b@example.test>=16"));
}

#[test]
fn chunks_arrive_like_any_message() {
    let connection = Connection::open(Plan::default());
    begin(&connection);
    let replies =
        connection.send("RCPT TO:<b@example.test>\r\nBDAT 6\r\none\r\n.BDAT 3 LAST\r\n\r\n.");
    let codes: Vec<_> = replies.lines().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["250", "250", "250"]);
    assert!(connection.noted("end 9 for <b@example.test>=16"), "{:?}", connection.notes());
}

#[test]
fn a_pool_of_buffers_too_small_for_the_limits_is_refused() {
    let service = service(extensions(), Limits::default(), Timeouts::default());
    let unread = service.config().limits().max_unread();
    let error = service.clone().pool(Pool::new(unread, 1)).unwrap_err();
    assert!(error.to_string().contains("too small"), "{error}");
    service.pool(Pool::new(unread + 1, 1)).unwrap();
}

#[test]
fn the_default_of_one_open_question_is_raised() {
    assert_eq!(plain_service().config().limits().decisions_in_flight, 32);
    let one = plain_service().decisions_in_flight(1);
    assert_eq!(one.config().limits().decisions_in_flight, 1);
}

/// UTF8-06, RFC 6531 §3.7.1
#[test]
fn a_server_is_called_in_ascii() {
    let named = |name| Service::new(ServerConfig::builder(Host::parse(name).unwrap()).build());
    assert_eq!(named("bücher.test").unwrap_err(), ConfigError::NameNotAscii);
    named("xn--bcher-kva.test").unwrap();
}
