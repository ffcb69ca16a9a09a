//! Times (RFC 5321 §4.5.3.2), in virtual time.

use crate::session::Server;
use smtp_proto::{
    Limits,
    server::{Event, ServerConnection},
};

/// `octets` of `text` every ten seconds, `times` times.
fn drip(times: usize, octets: usize, text: &str) -> String {
    format!("C* {octets} {text}\nT: 10s\n").repeat(times)
}

const TIMEOUT: &str = "S: 421 4.4.2 ...\nS: <CLOSED>";

/// CONN-11, §4.5.3.2.7
#[test]
fn an_idle_client_is_told_421_after_five_minutes_and_not_before() {
    Server::new().greeted().hold(&format!("T: 299999999us\nC: NOOP\nS: 250\nT: 300s\n{TIMEOUT}"));
    Server::new().hold("S: 220\nT: 5m\nS: 421\nS: <CLOSED>");
    Server::new().in_transaction().hold(&format!("T: 5m\n{TIMEOUT}"));
}

/// §4.5.3.2.7: each command has its own five minutes
#[test]
fn a_slow_client_that_goes_on_is_kept() {
    Server::new().greeted().hold(&"T: 299s\nC: NOOP\nS: 250\n".repeat(20));
}

/// SEC-DOS-07: Drip: the deadline is that of the line, which an octet does not renew.
#[test]
fn one_octet_of_a_command_every_ten_seconds_does_not_hold_the_connection() {
    let drip = drip(29, 1, "N");
    Server::new().greeted().hold(&format!("{drip}C* 1 N\nT: 9s\nC:\nS: 500"));
    Server::new().greeted().hold(&format!("{drip}C* 1 N\nT: 10s\n{TIMEOUT}"));
}

/// Drip: the same within a line that is already too long.
#[test]
fn one_octet_of_an_overlong_line_every_ten_seconds_does_not_hold_the_connection() {
    let drip = drip(30, 1, "N");
    Server::new().greeted().hold(&format!("C* 3000 N\n{drip}{TIMEOUT}"));
}

/// Drip: the same in the answer to a 334.
#[test]
fn one_octet_of_an_auth_response_every_ten_seconds_does_not_hold_the_connection() {
    let drip = drip(30, 1, "A");
    Server::new().greeted().hold(&format!("C: AUTH PLAIN\nS: 334\n{drip}{TIMEOUT}"));
}

/// §4.5.3.2.5
#[test]
fn a_message_that_does_not_come_is_told_421_after_five_minutes() {
    let messages = Server::new().in_data().hold(&format!("C: Subject: half\nT: 5m\n{TIMEOUT}"));
    assert_eq!(messages, []);
    Server::new().in_data().hold("T: 299s\nC+ text\nC: .\nS: 250");
}

/// SEC-DOS-07: Drip: `Limits::data_rate`, 100 octets a second on the average of five minutes.
#[test]
fn one_octet_of_a_message_every_ten_seconds_does_not_hold_the_connection() {
    let drip = drip(30, 1, "a");
    Server::new().in_data().hold(&format!("{drip}{TIMEOUT}"));
}

/// Drip: the rate at its edge; thirty pieces are a period of five minutes.
#[test]
fn a_message_of_99_octets_a_second_is_too_slow_and_of_100_is_not() {
    let slow = drip(30, 999, "a");
    Server::new().in_data().hold(&format!("{slow}{TIMEOUT}"));
    let enough = drip(29, 1_000, "a");
    let messages =
        Server::new().in_data().hold(&format!("{enough}C* 1000 a\nT: 299s\nC:\nC: .\nS: 250"));
    assert_eq!(messages[0].octets.len(), 30_002);
}

/// Drip: a steady 105 octets a second are enough for ever.
#[test]
fn a_message_above_the_least_rate_may_take_hours() {
    let two_hours = drip(720, 1_050, "a");
    let messages = Server::new().in_data().hold(&format!("{two_hours}C:\nC: .\nS: 250"));
    assert_eq!(messages[0].octets.len(), 720 * 1_050 + 2);
}

/// Drip: a fast start buys no slow end.
#[test]
fn octets_beyond_a_period_are_no_credit() {
    let drip = drip(30, 1, "a");
    Server::new().in_data().hold(&format!("C* 1000000 a\n{drip}{TIMEOUT}"));
}

/// `Limits::data_rate` of 0: only silence counts.
#[test]
fn without_a_least_rate_only_silence_is_too_slow() {
    let no_rate = |limits: &mut Limits| limits.data_rate = 0;
    let server = Server::new().with(|server| no_rate(&mut server.limits));
    let drip = drip(100, 1, "a");
    server.in_data().hold(&format!("{drip}C:\nC: .\nS: 250"));
    server.in_data().hold(&format!("{drip}T: 5m\n{TIMEOUT}"));
}

/// Drip: the same for BDAT.
#[test]
fn one_octet_of_a_chunk_every_ten_seconds_does_not_hold_the_connection() {
    let drip = drip(30, 1, "a");
    let messages =
        Server::new().in_transaction().hold(&format!("C: BDAT 100 LAST\n{drip}{TIMEOUT}"));
    assert_eq!(messages, []);
}

/// Drip: the same for what is swallowed. The refusal of the chunk never leaves: 421 does.
#[test]
fn one_octet_of_a_refused_chunk_every_ten_seconds_does_not_hold_the_connection() {
    let drip = drip(30, 1, "a");
    Server::new().greeted().hold(&format!("C: BDAT 100 LAST\n{drip}{TIMEOUT}"));
}

/// Drip: the same for a message that is refused already.
#[test]
fn one_octet_of_a_refused_message_every_ten_seconds_does_not_hold_the_connection() {
    let drip = drip(30, 1, "a");
    Server::new().in_data().hold(&format!("C| \\n\n{drip}{TIMEOUT}"));
}

/// An embedder that never answers one kind of question.
fn silent_about(desk: crate::session::Desk) -> Server {
    Server::new().with(|server| server.desk = desk)
}

/// §4.5.3.2.1: 421 after two minutes, before the client gives up after five
#[test]
fn a_greeting_that_nobody_decides_is_a_421() {
    let server = silent_about(|_, event| match event {
        Event::Connect(_) => None,
        other => Some(other),
    });
    server.hold("T: 119s\nT: 1s\nS: 421\nS: <CLOSED>");
}

/// §4.5.3.2.2, §4.5.3.2.3: 451 after two minutes, before the client gives up after five
#[test]
fn a_recipient_that_nobody_decides_is_a_451() {
    let server = silent_about(|_, event| match event {
        Event::Rcpt { .. } => None,
        other => Some(other),
    });
    server.greeted().hold(
        r"C: MAIL FROM:<>
        S: 250
        C: RCPT TO:<user1@example.test>
        T: 2m
        S: 451 4.3.0 ...
        C: DATA
        S: 503 5.5.1 ...",
    );
}

/// §4.5.3.2.4: 451 after one minute, before the client gives up after two
#[test]
fn a_data_that_nobody_decides_is_a_451() {
    let server = silent_about(|_, event| match event {
        Event::Data { .. } => None,
        other => Some(other),
    });
    server.in_transaction().hold(
        r"C: DATA
        T: 1m
        S: 451 4.3.0 ...
        C: NOOP
        S: 250",
    );
}

/// §4.5.3.2.6: 451 after eight minutes, before the client gives up after ten; waiting for the
/// embedder is not held against the client
#[test]
fn a_message_that_nobody_decides_is_a_451() {
    let server = silent_about(|_, event| match event {
        Event::BodyEnd { .. } => None,
        other => Some(other),
    });
    let messages = server.in_data().hold(
        r"C+ text
        C: .
        T: 8m
        S: 451 4.3.0 ...
        T: 299s
        C: RCPT TO:<user1@example.test>
        S: 503 5.5.1 ...
        C: MAIL FROM:<>
        S: 250",
    );
    assert_eq!(messages, []);
}

/// §4.5.3.2.7: the five minutes begin when the server waits again
#[test]
fn the_time_of_the_embedder_is_not_the_time_of_the_client() {
    let server = silent_about(|_, event| match event {
        Event::Mail { .. } => None,
        other => Some(other),
    });
    server.greeted().hold("C: MAIL FROM:<>\nT: 2m\nS: 451\nT: 299s\nC: NOOP\nS: 250");
}

/// SEC-DOS-07, RFC 3207: a handshake that does not end is closed after a minute, without a word in
/// clear
#[test]
fn a_handshake_that_never_ends_is_closed_in_silence() {
    let server = silent_about(|machine: &mut ServerConnection, event| match event {
        Event::StartTls(pending) => {
            machine.accept(pending).unwrap();
            None
        }
        Event::Handshake(_) => None,
        other => Some(other),
    });
    server
        .with(|server| server.extensions = server.extensions.clone().starttls())
        .greeted()
        .hold("C: STARTTLS\nS: 220\nT: 1m\nS: <CLOSED>");
}
