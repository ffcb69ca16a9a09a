//! Timers, in virtual time.

use crate::{
    ENVELOPE, MINUTE,
    desk::{Desk, Seen, config},
};
use fuzz_properties::embedder::Answer;
use smtp_proto::{CloseReason, Instant, Need, Timeouts, Timer};
use std::time::Duration;

#[test]
fn poll_event_fires_no_timer_because_input_in_hand_wins() {
    let mut desk = Desk::after(config(|_| {}), "");
    desk.now = desk.now + 600 * MINUTE;
    desk.says("NOOP\r\n");
    assert!(matches!(desk.poll(), Seen::Need(Need::Input)));
    assert_eq!(desk.codes(), [250]);
}

#[test]
fn a_clock_that_goes_backwards_changes_nothing() {
    let mut desk = Desk::after(config(|_| {}), "");
    let deadline = desk.machine.poll_timeout();
    desk.now = Instant::ZERO;
    desk.machine.handle_timeout(desk.now);
    desk.says("NO");
    assert!(matches!(desk.poll(), Seen::Need(Need::Input)));
    assert_eq!(desk.machine.poll_timeout(), deadline);
    desk.says("OP\r\n");
    assert!(matches!(desk.poll(), Seen::Need(Need::Input)));
    assert!(desk.machine.poll_timeout() >= deadline);
}

#[test]
fn waiting_for_the_embedder_never_counts_against_the_peer() {
    let mut desk = Desk::after(config(|_| {}), ENVELOPE);
    desk.says("DATA\r\n");
    desk.run();
    for _ in 0..20 {
        // A slow disk: the peer's octets are here, the embedder takes its time.
        desk.says("x".repeat(100));
        assert!(matches!(desk.poll(), Seen::Told(_)));
        desk.now = desk.now + 10 * MINUTE;
    }
    assert!(matches!(desk.poll(), Seen::Need(Need::Input)));
    desk.pass(MINUTE);
    desk.says("\r\n.\r\n");
    desk.until("message");
}

#[test]
fn single_octets_renew_neither_the_command_timer_nor_that_of_a_message() {
    let mut desk = Desk::after(config(|_| {}), "");
    let mut octets = 0;
    while !matches!(desk.run(), Seen::Closed(_)) {
        desk.says("N");
        desk.run();
        octets += 1;
        desk.pass(Duration::from_secs(10));
    }
    assert_eq!(octets, 30, "five minutes");

    let mut desk = Desk::after(config(|_| {}), ENVELOPE);
    desk.says("DATA\r\n");
    let mut octets = 0;
    while !matches!(desk.run(), Seen::Closed(_)) {
        desk.says("N");
        desk.run();
        octets += 1;
        desk.pass(Duration::from_secs(10));
    }
    assert_eq!(octets, 30, "five minutes");
    assert!(desk.told.contains(&"BodyAborted(Timeout)".into()));
    assert_eq!(desk.codes().last(), Some(&421));
}

#[test]
fn a_slow_but_steady_message_is_not_cut_off() {
    let mut desk = Desk::after(config(|_| {}), ENVELOPE);
    desk.says("DATA\r\n");
    desk.run();
    for _ in 0..100 {
        // 130 octets a second, in blocks of a minute.
        desk.says("x".repeat(60 * 130));
        assert!(matches!(desk.run(), Seen::Need(Need::Input)));
        desk.pass(MINUTE);
    }
    desk.says("\r\n.\r\n");
    desk.until("message");
}

/// A machine with a time of its own for each wait.
fn timed(script: &str) -> Desk {
    let mut timeouts = Timeouts::default();
    timeouts.command = Duration::from_secs(1);
    timeouts.data = Duration::from_secs(2);
    timeouts.decision = Duration::from_secs(3);
    timeouts.data_decision = Duration::from_secs(4);
    timeouts.message_decision = Duration::from_secs(5);
    timeouts.handshake = Duration::from_secs(6);
    timeouts.flush = Duration::from_secs(7);
    let mut desk = Desk::after(config(|_| {}).to_builder().timeouts(timeouts).build(), "");
    desk.says(script);
    desk
}

#[test]
fn every_wait_has_the_time_that_was_set() {
    let waits = |desk: &Desk, timer, seconds| {
        assert_eq!(desk.machine.timer(), Some(timer));
        assert_eq!(desk.machine.poll_timeout(), Some(desk.now + Duration::from_secs(seconds)));
    };
    for (script, timer, seconds) in [
        ("NOOP\r\n", Timer::Command, 1),
        ("MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", Timer::Data, 2),
        (&"NOOP\r\n".repeat(5_000), Timer::Flush, 7),
    ] {
        let mut desk = timed(script);
        assert!(matches!(desk.run(), Seen::Need(_)));
        waits(&desk, timer, seconds);
    }
    let script = "MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n.\r\n";
    for (script, kind, seconds) in [
        (script, "mail", 3),
        (script, "rcpt", 3),
        (script, "data", 4),
        (script, "message", 5),
        ("STARTTLS\r\n", "starttls", 3),
    ] {
        let mut desk = timed(script);
        desk.until(kind);
        waits(&desk, Timer::Decision, seconds);
    }
    let mut desk = timed("STARTTLS\r\n");
    desk.run();
    desk.output();
    desk.asked("handshake");
    waits(&desk, Timer::Handshake, 6);
}

#[test]
fn half_a_line_ending_that_is_offered_twice_counts_once() {
    let mut desk = Desk::after(config(|_| {}), ENVELOPE);
    desk.says("DATA\r\nx\r");
    desk.run();
    // 3 octets in 31 ms are fewer than 100 in a second.
    for _ in 0..10_000 {
        desk.says("\nx\r");
        desk.run();
        desk.pass(Duration::from_millis(31));
    }
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Timeout(Timer::Data))));
}

#[test]
fn each_late_answer_has_its_own_reply() {
    for (script, kind, reply, closed) in [
        ("", "connect", "421 Try again later\r\n", true),
        ("EHLO a.example\r\n", "hello", "451 Local error, try again later\r\n", false),
        (
            "EHLO a.example\r\nSTARTTLS\r\n",
            "starttls",
            "454 4.7.0 TLS not available now\r\n",
            false,
        ),
        (
            "EHLO a.example\r\nAUTH PLAIN\r\n",
            "auth",
            "454 4.7.0 Temporary authentication failure\r\n",
            false,
        ),
    ] {
        let mut desk = Desk::new(config(|_| {}));
        desk.says(script);
        let question = desk.until(kind);
        desk.output();
        desk.pass(2 * MINUTE);
        assert!(!question.is_waiting(&desk.machine));
        assert_eq!(desk.output(), reply);
        assert_eq!(matches!(desk.run(), Seen::Closed(_)), closed, "{kind}");
    }
}

#[test]
fn a_handshake_that_takes_too_long_ends_in_silence() {
    let mut desk = Desk::after(config(|_| {}), "");
    desk.says("STARTTLS\r\n");
    let question = desk.until("starttls");
    assert!(desk.answer(question, Answer::Yes));
    assert!(matches!(desk.poll(), Seen::Need(Need::Flush)));
    assert_eq!(desk.codes(), [220]);
    desk.asked("handshake");
    desk.pass(MINUTE);
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Timeout(Timer::Handshake))));
    assert_eq!(desk.output(), "");
}
