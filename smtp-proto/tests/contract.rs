//! The contract on the front page of the crate, and its decided readings, line by line.

mod desk;

use desk::{Desk, Seen, config, config_of};
use fuzz_properties::embedder::{Answer, extensions};
use smtp_proto::{
    CloseReason, Instant, Need, Timer,
    server::{BareLineEnding, Mode, ServerConnection, Start},
    wire::Refused,
};
use std::time::Duration;

const ENVELOPE: &str = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n";
const MINUTE: Duration = Duration::from_secs(60);

// Needs.

#[test]
fn commands_that_ask_nothing_share_a_call() {
    let mut desk = Desk::after(config(|_| {}), "");
    desk.says("NOOP\r\nRSET\r\nNOOP\r\nMAIL FROM:<>\r\n");
    desk.asked("mail");
    assert_eq!(desk.codes(), [250, 250, 250]);
}

#[test]
fn a_partial_line_behind_an_open_question_waits_for_the_decision() {
    let mut desk = Desk::after(config(|limits| limits.decisions_in_flight = 8), "MAIL FROM:<>\r\n");
    desk.says("RCPT TO:<c@d.example>\r\nRCPT TO:<e@");
    let question = desk.asked("rcpt");
    assert!(matches!(desk.poll(), Seen::Need(Need::Decision)));
    assert!(desk.answer(question, Answer::Yes));
    assert!(matches!(desk.poll(), Seen::Need(Need::Input)));
}

#[test]
fn input_is_consumed_with_its_event_and_not_with_the_answer() {
    let mut desk = Desk::after(config(|_| {}), "");
    desk.says("MAIL FROM:<>\r\nNOOP\r\n");
    let question = desk.asked("mail");
    assert_eq!(desk.unread, b"NOOP\r\n");
    assert!(matches!(desk.poll(), Seen::Need(Need::Decision)));
    assert_eq!(desk.unread, b"NOOP\r\n");
    assert!(desk.answer(question, Answer::Yes));
    assert!(matches!(desk.run(), Seen::Need(Need::Input)));
    assert_eq!(desk.codes(), [250, 250]);
}

#[test]
fn a_peer_that_does_not_read_stops_the_machine_at_the_output_mark() {
    let mut desk = Desk::after(config(|_| {}), "");
    let mark = desk.machine.config().limits().send_buffer;
    desk.says("NOOP\r\n".repeat(5_000));
    assert!(matches!(desk.poll(), Seen::Need(Need::Flush)));
    let queued = desk.machine.poll_transmit().map_or(0, <[u8]>::len);
    assert!(queued > mark && queued <= mark + 4096, "{queued}");
    assert_eq!(desk.machine.timer(), Some(Timer::Flush));
    desk.pass(5 * MINUTE);
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Timeout(Timer::Flush))));
}

#[test]
fn a_partial_write_does_not_renew_the_flush_timer() {
    let mut desk = Desk::after(config(|_| {}), "");
    desk.says("NOOP\r\n".repeat(5_000));
    assert!(matches!(desk.poll(), Seen::Need(Need::Flush)));
    let deadline = desk.machine.poll_timeout();
    desk.pass(MINUTE);
    desk.machine.handle_transmitted(1);
    assert!(matches!(desk.poll(), Seen::Need(Need::Flush)));
    assert_eq!(desk.machine.poll_timeout(), deadline);
}

// Tokens.

#[test]
fn a_token_fits_no_other_connection() {
    let (mut one, mut two) = (Desk::after(config(|_| {}), ""), Desk::after(config(|_| {}), ""));
    one.says("MAIL FROM:<>\r\n");
    two.says("MAIL FROM:<>\r\n");
    let (of_one, of_two) = (one.asked("mail"), two.asked("mail"));
    assert!(!of_one.is_waiting(&two.machine));
    assert!(!two.answer(of_one, Answer::Yes), "stale on the other connection");
    assert!(two.codes().is_empty());
    assert!(two.answer(of_two, Answer::Yes));
    assert_eq!(two.codes(), [250]);
}

#[test]
fn a_token_is_stale_after_its_timeout_and_the_peer_has_been_answered() {
    let mut desk = Desk::after(config(|_| {}), "");
    desk.says("MAIL FROM:<>\r\n");
    let question = desk.asked("mail");
    desk.pass(2 * MINUTE - Duration::from_micros(1));
    assert!(question.is_waiting(&desk.machine));
    desk.pass(Duration::from_micros(1));
    assert!(!question.is_waiting(&desk.machine));
    assert!(!desk.answer(question, Answer::Yes));
    assert_eq!(desk.output(), "451 4.3.0 Local error, try again later\r\n");
    assert!(matches!(desk.poll(), Seen::Need(Need::Input)));
    desk.says(ENVELOPE);
    assert!(matches!(desk.run(), Seen::Need(Need::Input)));
    assert_eq!(desk.codes(), [250, 250], "nothing of the late question is left");
}

#[test]
fn the_end_of_input_leaves_open_questions_valid() {
    let mut desk = Desk::after(config(|_| {}), "");
    desk.says("MAIL FROM:<>\r\n");
    let question = desk.asked("mail");
    desk.machine.handle_eof();
    assert!(matches!(desk.poll(), Seen::Need(Need::Decision)));
    assert!(desk.answer(question, Answer::Yes));
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Eof)));
    assert_eq!(desk.told, ["Reset(Closed)"]);
    assert_eq!(desk.codes(), [250]);
}

#[test]
fn a_disconnect_makes_later_questions_stale_and_leaves_earlier_ones() {
    let mut desk = Desk::after(config(|limits| limits.decisions_in_flight = 8), "MAIL FROM:<>\r\n");
    desk.says("RCPT TO:<a@d.example>\r\nRCPT TO:<b@d.example>\r\nRCPT TO:<c@d.example>\r\n");
    let (first, second, third) = (desk.asked("rcpt"), desk.asked("rcpt"), desk.asked("rcpt"));
    assert!(desk.answer(second, Answer::Disconnect));
    assert!(!desk.answer(third, Answer::Yes));
    assert!(desk.codes().is_empty(), "the first is still undecided");
    assert!(matches!(desk.poll(), Seen::Need(Need::Decision)));
    assert!(desk.answer(first, Answer::Yes));
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Refused)));
    assert_eq!(desk.codes(), [250, 554]);
}

#[test]
fn once_closed_every_token_is_stale_and_every_call_is_harmless() {
    let mut desk = Desk::after(config(|_| {}), "");
    desk.says("MAIL FROM:<>\r\n");
    let question = desk.asked("mail");
    let mut timeouts = 0;
    while !matches!(desk.run(), Seen::Closed(_)) {
        let at = desk.machine.poll_timeout().expect("a silent peer is sent away");
        desk.now = at;
        desk.machine.handle_timeout(at);
        timeouts += 1;
    }
    assert_eq!(timeouts, 2, "the decision, then the command");
    assert!(!desk.answer(question, Answer::Yes));
    assert_eq!(desk.codes(), [451, 421]);
    desk.machine.handle_eof();
    desk.machine.shutdown(&Refused::SHUTTING_DOWN);
    desk.machine.release();
    assert!(!desk.machine.discard_body(&Refused::CONTENT));
    desk.pass(600 * MINUTE);
    desk.says("NOOP\r\n");
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Timeout(Timer::Command))));
    assert_eq!((desk.output().as_str(), desk.machine.poll_timeout()), ("", None));
}

#[test]
fn replies_leave_in_command_order_whatever_the_order_of_answers() {
    let mut desk = Desk::after(config(|limits| limits.decisions_in_flight = 8), "MAIL FROM:<>\r\n");
    desk.says("RCPT TO:<a@d.example>\r\nRCPT TO:<>\r\nRCPT TO:<b@d.example>\r\n");
    let first = desk.asked("rcpt");
    assert!(matches!(desk.poll(), Seen::Told(event) if event.starts_with("Violation")));
    let second = desk.asked("rcpt");
    assert!(desk.answer(second, Answer::No));
    assert_eq!(desk.codes(), []);
    assert!(desk.answer(first, Answer::Yes));
    assert_eq!(desk.codes(), [250, 501, 550]);
}

#[test]
fn the_recipient_limit_counts_undecided_recipients_and_waits() {
    let mut desk = Desk::after(
        config(|limits| {
            limits.recipients = 0; // raised to 100
            limits.decisions_in_flight = 8;
        }),
        &format!("MAIL FROM:<>\r\n{}", "RCPT TO:<a@d.example>\r\n".repeat(99)),
    );
    desk.says("RCPT TO:<x@d.example>\r\nRCPT TO:<y@d.example>\r\n");
    let hundredth = desk.asked("rcpt");
    assert!(matches!(desk.poll(), Seen::Need(Need::Decision)), "no early 452");
    assert!(desk.answer(hundredth, Answer::No));
    let again = desk.asked("rcpt");
    assert!(desk.answer(again, Answer::Yes));
    desk.says("RCPT TO:<z@d.example>\r\n");
    assert!(matches!(desk.run(), Seen::Need(Need::Input)));
    assert_eq!(desk.codes(), [550, 250, 452]);
}

// The end of input.

#[test]
fn whole_commands_run_after_the_end_of_input_and_half_a_line_is_dropped() {
    let mut desk = Desk::after(config(|_| {}), "");
    desk.says("NOOP\r\nMAIL FROM:<>\r\nQUI");
    desk.machine.handle_eof();
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Eof)));
    assert_eq!(desk.codes(), [250, 250]);
    assert_eq!(desk.told, ["Reset(Closed)"]);
}

#[test]
fn the_end_of_input_aborts_a_body_in_either_framing() {
    for start in ["DATA\r\n", "BDAT 9\r\n"] {
        let mut desk = Desk::after(config(|_| {}), ENVELOPE);
        desk.says(start);
        desk.run();
        desk.says("half");
        desk.machine.handle_eof();
        assert!(matches!(desk.run(), Seen::Closed(CloseReason::Eof)));
        assert_eq!(desk.told, ["Body", "BodyAborted(Eof)", "Reset(Closed)"], "{start}");
    }
}

// Time.

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

// TLS.

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

// Greetings.

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

// Bodies.

#[test]
fn octets_behind_a_refused_data_never_run() {
    let mut desk = Desk::after(config(|_| {}), ENVELOPE);
    desk.says("DATA\r\nRSET\r\n");
    let question = desk.asked("data");
    assert!(desk.answer(question, Answer::No));
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Violations)));
    assert_eq!(desk.told, ["Violation(PastData)", "Reset(Closed)"]);
    assert_eq!(desk.codes(), [451]);

    let mut desk = Desk::after(config(|_| {}), "MAIL FROM:<>\r\n");
    desk.says("DATA\r\nRSET\r\n");
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Violations)));
    assert_eq!(desk.codes(), [503]);
}

#[test]
fn a_refused_data_alone_leaves_the_transaction() {
    let mut desk = Desk::after(config(|_| {}), ENVELOPE);
    desk.says("DATA\r\n");
    let question = desk.asked("data");
    assert!(desk.answer(question, Answer::No));
    desk.says("DATA\r\n");
    assert!(matches!(desk.run(), Seen::Need(Need::Input)));
    assert_eq!(desk.codes(), [451, 354]);
}

/// The ways to refuse a BDAT: each has one reply, after the octets, and they are never parsed.
#[test]
fn every_refusal_of_a_bdat_replies_once_behind_its_octets() {
    let refuse: [fn(&mut Desk); 4] = [
        |desk| {
            let question = desk.asked("data");
            assert!(desk.answer(question, Answer::No));
        },
        |desk| {
            desk.asked("data");
            desk.pass(MINUTE);
        },
        |desk| {
            let question = desk.asked("data");
            assert!(desk.answer(question, Answer::Disconnect));
        },
        |desk| {
            let question = desk.asked("data");
            assert!(desk.answer(question, Answer::Yes));
            assert!(desk.machine.discard_body(&Refused::CONTENT));
            assert!(!desk.machine.discard_body(&Refused::CONTENT), "only once");
        },
    ];
    for (way, refuse) in refuse.into_iter().enumerate() {
        for last in ["", " LAST"] {
            let mut desk = Desk::after(config(|_| {}), ENVELOPE);
            desk.says(format!("BDAT 6{last}\r\n"));
            refuse(&mut desk);
            desk.says("RSE");
            assert!(matches!(desk.poll(), Seen::Need(Need::Input)), "way {way}");
            assert_eq!(desk.codes(), [], "no reply before the octets, way {way}");
            desk.says("T\r\nNOOP\r\n");
            let end = desk.run();
            let codes = desk.codes();
            if way == 2 {
                assert!(matches!(end, Seen::Closed(CloseReason::Refused)));
                assert_eq!(codes.len(), 1, "way {way}: {codes:?}");
            } else {
                assert!(matches!(end, Seen::Need(Need::Input)));
                assert_eq!((codes.len(), codes[1]), (2, 250), "way {way}: {codes:?}");
            }
            assert!(codes[0] > 400);
            assert!(!desk.told.contains(&"Body".into()));
            let resets = desk.told.iter().filter(|event| event.starts_with("Reset")).count();
            assert_eq!(resets, usize::from(way == 2 || !last.is_empty()), "way {way}{last}");
        }
    }
}

#[test]
fn discard_body_swallows_to_the_end_and_answers_there() {
    let mut desk = Desk::after(config(|_| {}), ENVELOPE);
    desk.says("DATA\r\n");
    desk.run();
    desk.says("spam\r\n");
    assert!(matches!(desk.poll(), Seen::Told(_)));
    assert!(desk.machine.discard_body(&Refused::CONTENT));
    desk.says("more spam\r\n.\r\nNOOP\r\n");
    assert!(matches!(desk.run(), Seen::Need(Need::Input)));
    assert_eq!(desk.told, ["Reset(Refused)"]);
    assert_eq!(desk.codes(), [354, 554, 250]);
    assert_eq!(desk.body, b"spam\r\n");
}

#[test]
fn exactly_the_octets_up_to_the_limit_are_delivered_however_they_are_cut() {
    for step in [1, 7, 65_536, 70_000] {
        let mut desk = Desk::after(config(|limits| limits.message = 0), ENVELOPE); // raised to 64 KiB
        desk.says("DATA\r\n");
        desk.run();
        let body = [b'x'; 66_000];
        for piece in body.chunks(step) {
            desk.says(piece);
            desk.run();
        }
        desk.says("\r\n.\r\n");
        assert!(matches!(desk.run(), Seen::Need(Need::Input)));
        assert_eq!(desk.body.len(), 65_536, "by {step}");
        desk.told.retain(|event| event != "Body");
        assert_eq!(
            desk.told,
            ["Violation(MessageTooLarge)", "BodyAborted(TooLarge)", "Reset(Refused)"]
        );
        assert_eq!(desk.codes(), [354, 552]);
    }
}

#[test]
fn what_is_swallowed_is_bounded() {
    let mut desk = Desk::after(
        config(|limits| {
            limits.message = 0;
            limits.swallow = 1_000;
        }),
        ENVELOPE,
    );
    desk.says("DATA\r\n");
    desk.run();
    desk.says("x".repeat(65_536 + 1_001));
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Violations)));
    assert_eq!(desk.codes(), [354, 552]);
}

#[test]
fn refused_messages_count_against_the_limit_of_violations() {
    let config = config_of(Mode::Smtp, extensions(), BareLineEnding::Refuse, |limits| {
        limits.text_line = Some(0); // raised to 998
        limits.violations = 2;
    });
    let mut desk = Desk::after(config, "");
    for _ in 0..2 {
        desk.says(ENVELOPE);
        desk.says("DATA\r\n");
        desk.run();
        desk.says(format!("{}\r\n.\r\n", "x".repeat(999)));
        assert!(matches!(desk.run(), Seen::Need(Need::Input)), "each is answered as it is");
    }
    desk.output();
    desk.says("NOOP\r\nNOOP\r\n");
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Violations)));
    assert_eq!(desk.codes(), [421]);
}

#[test]
fn notices_come_in_the_order_of_cause() {
    let mut desk = Desk::after(config(|_| {}), ENVELOPE);
    desk.says("BDAT 4\r\nabcdQUIT\r\n");
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Quit)));
    assert_eq!(desk.told, ["Body", "BodyAborted(Closed)", "Reset(Closed)", "Quit"]);

    let mut desk = Desk::after(config(|_| {}), ENVELOPE);
    desk.says("DATA\r\n");
    desk.run();
    desk.says("a\nb\r\n.\r\n");
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Violations)));
    assert_eq!(
        desk.told,
        ["Body", "Violation(BareLineEnding)", "BodyAborted(BareLineEnding)", "Reset(Refused)"]
    );
    assert_eq!(desk.codes(), [354, 521]);
}

#[test]
fn a_bare_lf_before_a_dot_makes_no_line_start_in_any_mode() {
    for (bare, body) in
        [(BareLineEnding::Normalise, "a\r\n.\r\nb\r\n"), (BareLineEnding::Pass, "a\n.\r\nb\r\n")]
    {
        let config = config_of(Mode::Smtp, extensions(), bare, |_| {});
        let mut desk = Desk::after(config, ENVELOPE);
        desk.says("DATA\r\n");
        desk.run();
        desk.says("a\n.\r\nb\r\n.\r\n");
        desk.until("message");
        assert_eq!(String::from_utf8_lossy(&desk.body), body);
    }
}

#[test]
fn lmtp_asks_about_each_recipient_and_replies_in_their_order() {
    let config = config_of(Mode::Lmtp, extensions(), BareLineEnding::Refuse, |_| {});
    let mut desk = Desk::new(config);
    desk.says("LHLO a.example\r\n");
    desk.says(ENVELOPE);
    desk.says("RCPT TO:<e@d.example>\r\n");
    desk.run();
    desk.says("DATA\r\n");
    desk.run();
    desk.output();
    desk.says("x\r\n.\r\n");
    let first = desk.until("delivery");
    assert!(desk.answer(first, Answer::No));
    let second = desk.until("delivery");
    assert!(desk.answer(second, Answer::Yes));
    assert!(matches!(desk.run(), Seen::Need(Need::Input)));
    assert_eq!(desk.codes(), [550, 250]);
    assert_eq!(desk.told, ["Body", "Reset(Delivered)"]);
}

// Shutting down.

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

#[test]
fn a_shutdown_at_rest_says_421_at_once() {
    let mut desk = Desk::after(config(|_| {}), ENVELOPE);
    desk.machine.shutdown(&Refused::SHUTTING_DOWN);
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Shutdown)));
    assert_eq!(desk.output(), "421 4.3.2 Shutting down, try again later\r\n");
    assert_eq!(desk.told, ["Reset(Closed)"]);
}

// AUTH.

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
