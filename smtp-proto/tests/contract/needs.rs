//! What the machine asks for, and how it stops.

use crate::{
    ENVELOPE, MINUTE,
    desk::{Desk, Seen, config},
};
use fuzz_properties::embedder::Answer;
use smtp_proto::{CloseReason, Need, Timer};

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

/// SEC-DOS-06
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

#[test]
fn a_peer_that_has_read_everything_has_a_new_period_for_what_follows() {
    let mut desk = Desk::after(config(|_| {}), "");
    desk.says("NOOP\r\n".repeat(5_000));
    assert!(matches!(desk.poll(), Seen::Need(Need::Flush)));
    let deadline = desk.machine.poll_timeout().expect("it waits for the peer");
    desk.pass(MINUTE);
    desk.output();
    assert!(matches!(desk.poll(), Seen::Need(Need::Flush)));
    assert_eq!(desk.machine.poll_timeout(), Some(deadline + MINUTE));
}

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
