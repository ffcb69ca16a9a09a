//! How a session begins, changes and ends: greetings, TLS, AUTH, shutdown.

use crate::{
    ENVELOPE, MINUTE,
    desk::{Desk, Seen, config, config_of},
};
use fuzz_properties::embedder::Answer;
use smtp_proto::{
    CloseReason, Instant, Need, Step, Timer,
    ext::Extensions,
    server::{BareLineEnding, Event, Mode, ServerConnection, Start},
    wire::Refused,
};

/// PIPE-07
#[test]
fn an_early_talker_is_reported_once_and_served() {
    let mut desk = Desk::new(config(|_| {}));
    let question = desk.asked("connect");
    desk.says("EHLO a.example\r\n");
    assert!(matches!(desk.poll(), Seen::Told(event) if event == "Violation(EarlyTalker)"));
    assert!(matches!(desk.poll(), Seen::Need(Need::Decision)));
    assert!(desk.machine.session().early_talker);
    assert!(desk.answer(question, Answer::Yes));
    desk.until("hello");
}

#[test]
fn a_refused_greeting_leaves_only_quit() {
    let mut desk = Desk::new(config(|_| {}));
    let question = desk.asked("connect");
    assert!(desk.answer(question, Answer::No));
    desk.says("EHLO a.example\r\nNOOP\r\nMAIL FROM:<>\r\nQUIT\r\n");
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Quit)));
    assert_eq!(desk.codes(), [550, 503, 503, 503, 221]);
}

#[test]
fn a_disconnected_greeting_closes() {
    let mut desk = Desk::new(config(|_| {}));
    let question = desk.asked("connect");
    assert!(desk.answer(question, Answer::Disconnect));
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Refused)));
    assert_eq!(desk.output(), "554 Refused by policy\r\n");
}

#[test]
fn a_refused_hello_changes_nothing() {
    let mut desk = Desk::after(config(|_| {}), ENVELOPE);
    desk.says("EHLO other.example\r\n");
    let question = desk.asked("hello");
    assert!(desk.answer(question, Answer::No));
    desk.says("RCPT TO:<e@d.example>\r\nDATA\r\n");
    assert!(matches!(desk.run(), Seen::Need(Need::Input)));
    assert_eq!(desk.codes(), [451, 250, 354]);
    assert!(desk.told.is_empty());
}

#[test]
fn anything_behind_starttls_refuses_it() {
    for tail in ["NOOP\r\n", "NO", "\0"] {
        let mut desk = Desk::after(config(|_| {}), "");
        desk.says("STARTTLS\r\n");
        desk.says(tail);
        assert!(matches!(desk.run(), Seen::Closed(CloseReason::Residue)));
        assert_eq!(desk.codes(), [503], "{tail:?}");
    }
}

#[test]
fn octets_between_the_220_and_the_handshake_close_without_a_word() {
    let mut desk = Desk::after(config(|_| {}), "");
    desk.says("STARTTLS\r\n");
    let question = desk.until("starttls");
    assert!(desk.answer(question, Answer::Yes));
    desk.says("NO");
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Residue)));
    assert_eq!(desk.told, ["Violation(Residue)"]);
    assert_eq!(desk.codes(), [220], "and nothing else");
}

#[test]
fn tls_makes_the_machine_forget_the_hello_and_the_transaction() {
    let mut desk = Desk::after(config(|_| {}), ENVELOPE);
    desk.says("STARTTLS\r\n");
    assert!(matches!(desk.run(), Seen::Need(Need::Flush)));
    assert_eq!(desk.told, ["Reset(StartTls)"]);
    desk.output();
    let handshake = desk.asked("handshake");
    assert!(desk.answer(handshake, Answer::Yes));
    assert!(desk.machine.session().tls && desk.machine.session().hello.is_none());
    desk.says("MAIL FROM:<>\r\nEHLO a.example\r\nSTARTTLS\r\n");
    desk.run();
    let output = desk.output();
    assert!(output.starts_with("503 5.5.1 Bad sequence"), "{output}");
    assert!(
        !output.contains("STARTTLS") && output.ends_with("503 5.5.1 Bad sequence of commands\r\n")
    );
}

#[test]
fn a_failed_handshake_closes_without_a_word() {
    let mut desk = Desk::after(config(|_| {}), "");
    desk.says("STARTTLS\r\n");
    assert!(matches!(desk.run(), Seen::Need(Need::Flush)));
    desk.output();
    let handshake = desk.asked("handshake");
    assert!(desk.answer(handshake, Answer::No));
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Abandoned)));
    assert_eq!(desk.output(), "");
}

#[test]
fn an_initial_response_may_be_as_long_as_a_line_of_an_exchange() {
    let mut desk = Desk::after(config(|_| {}), "");
    let limits = *desk.machine.config().limits();
    let room = limits.auth_line - "AUTH PLAIN \r\n".len();
    desk.says(format!("AUTH PLAIN {}\r\n", "A".repeat(room / 4 * 4)));
    let question = desk.until("auth");
    assert!(desk.answer(question, Answer::Yes));
    assert_eq!(desk.codes(), [235]);
    assert!(limits.max_unread() >= limits.auth_line);
}

#[test]
fn an_auth_exchange_that_loses_its_connection_is_told_to_be_over() {
    let mut desk = Desk::after(config(|_| {}), "");
    desk.says("AUTH LOGIN\r\n");
    let question = desk.until("auth");
    assert!(desk.answer(question, Answer::InWords));
    desk.machine.handle_eof();
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Eof)));
    assert_eq!(desk.told, ["AuthAborted(Closed)"]);
}

#[test]
fn a_session_limit_ends_a_busy_session() {
    let mut timeouts = smtp_proto::Timeouts::default();
    timeouts.session = Some(10 * MINUTE);
    let host = smtp_proto::wire::Host::parse("mx.example").unwrap().into_static();
    let config = smtp_proto::server::ServerConfig::builder(host).timeouts(timeouts).build();
    let mut desk = Desk::new(config);
    desk.says("EHLO a.example\r\n");
    for _ in 0..9 {
        assert!(matches!(desk.run(), Seen::Need(Need::Input)));
        desk.pass(MINUTE);
        desk.says("NOOP\r\n");
    }
    desk.run();
    desk.output();
    desk.pass(MINUTE);
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Timeout(Timer::Session))));
    assert_eq!(desk.codes(), [421]);
}

#[test]
fn a_connection_inside_tls_from_the_start_offers_no_starttls() {
    let mut machine = ServerConnection::new(config(|_| {}), Start::Tls);
    let output = fuzz_properties::embedder::lead(&mut machine, b"EHLO a.example\r\n");
    let output = String::from_utf8(output).unwrap();
    assert!(output.contains("AUTH PLAIN LOGIN") && !output.contains("STARTTLS"), "{output}");
}

#[test]
fn a_shutdown_waits_for_open_questions_then_says_421() {
    let mut desk = Desk::after(config(|_| {}), "");
    desk.says("MAIL FROM:<>\r\nNOOP\r\n");
    let question = desk.asked("mail");
    desk.machine.shutdown(&Refused::SHUTTING_DOWN);
    assert!(matches!(desk.poll(), Seen::Need(Need::Decision)));
    assert!(desk.answer(question, Answer::Yes));
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Shutdown)));
    assert_eq!(desk.codes(), [250, 421]);
}

#[test]
fn a_shutdown_waits_for_a_running_body() {
    let mut desk = Desk::after(config(|_| {}), ENVELOPE);
    desk.says("DATA\r\n");
    desk.run();
    desk.machine.shutdown(&Refused::SHUTTING_DOWN);
    desk.says("x\r\n");
    assert!(matches!(desk.run(), Seen::Need(Need::Input)));
    desk.says(".\r\nNOOP\r\n");
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Shutdown)));
    assert_eq!(desk.codes(), [354, 250, 421]);
    assert_eq!(desk.told, ["Body", "Reset(Delivered)"]);
}

/// CONN-12
#[test]
fn a_shutdown_at_rest_says_421_at_once() {
    let mut desk = Desk::after(config(|_| {}), ENVELOPE);
    desk.machine.shutdown(&Refused::SHUTTING_DOWN);
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Shutdown)));
    assert_eq!(desk.output(), "421 4.3.2 Shutting down, try again later\r\n");
    assert_eq!(desk.told, ["Reset(Closed)"]);
}

#[test]
fn what_a_peer_may_be_offered_can_be_asked() {
    let offered = Extensions::new().smtputf8();
    let config = config_of(Mode::Smtp, offered.clone(), BareLineEnding::Refuse, |_| {});
    let mut machine = ServerConnection::new(config, Start::Plain);
    assert_eq!(machine.extensions(), &offered);
    let mut input = &b"EHLO client.example\r\n"[..];
    let step = machine.poll_event(&mut input, Instant::ZERO);
    let Step::Event(Event::Connect(pending)) = step else { panic!("{step:?}") };
    machine.accept(pending).unwrap();
    let step = machine.poll_event(&mut input, Instant::ZERO);
    let Step::Event(Event::Hello { pending, .. }) = step else { panic!("{step:?}") };
    let own = Extensions::new().dsn();
    machine.advertise(pending, own.clone().into()).unwrap();
    assert_eq!(machine.extensions(), &own);
}
