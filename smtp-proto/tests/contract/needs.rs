//! What the machine asks for, and how it stops.

use crate::{
    ENVELOPE, MINUTE,
    desk::{Desk, Seen, config},
};
use fuzz_properties::embedder::Answer;
use smtp_proto::{CloseReason, Limits, Need, Timer, wire::Refused};

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

/// How many recipients are asked about at once of a hundred that wait.
fn asked_ahead(desk: &mut Desk) -> usize {
    desk.says("RCPT TO:<c@d.example>\r\n".repeat(100));
    let mut open = 0;
    while let Seen::Asked(_) = desk.poll() {
        open += 1;
    }
    open
}

#[test]
fn so_many_recipients_are_asked_about_at_once_and_none_the_limit_could_refuse() {
    let in_flight = |limits: &mut Limits| {
        (limits.decisions_in_flight, limits.recipients) = (8, 100);
    };
    let mut desk = Desk::after(config(in_flight), "MAIL FROM:<>\r\n");
    assert_eq!(asked_ahead(&mut desk), 8);
    let accepted = "RCPT TO:<c@d.example>\r\n".repeat(97);
    let mut desk = Desk::after(config(in_flight), &format!("MAIL FROM:<>\r\n{accepted}"));
    assert_eq!(asked_ahead(&mut desk), 3);
}

#[test]
fn recipients_are_asked_about_while_their_replies_are_sure_to_fit_below_the_mark() {
    let small = config(|limits| {
        (limits.decisions_in_flight, limits.send_buffer) = (100, Limits::MIN_SEND_BUFFER);
    });
    let mark = Limits::MIN_SEND_BUFFER;
    // A reply to NOOP has 14 octets, one to RCPT at most 512. So many wait, so many have left.
    for (noops, left) in [(0, 0), (1, 13), (86, 0), (86, 43 * 14), (86, 86 * 14)] {
        let mut desk = Desk::after(small.clone(), "MAIL FROM:<>\r\n");
        desk.says("NOOP\r\n".repeat(noops));
        assert!(matches!(desk.poll(), Seen::Need(Need::Input)));
        desk.machine.handle_transmitted(left);
        assert_eq!(asked_ahead(&mut desk), (mark - (14 * noops - left)) / 512, "{noops} {left}");
    }
}

#[test]
fn nobody_is_asked_about_ahead_of_the_end_of_the_session() {
    let config = config(|limits| limits.decisions_in_flight = 8);
    let mut desk = Desk::after(config.clone(), "MAIL FROM:<>\r\n");
    desk.says("RCPT TO:<c@d.example>\r\n");
    let question = desk.asked("rcpt");
    desk.machine.shutdown(&Refused::SHUTTING_DOWN);
    assert_eq!(asked_ahead(&mut desk), 0);
    assert!(desk.answer(question, Answer::Yes));
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Shutdown)));
    assert_eq!(desk.codes(), [250, 421]);

    let mut desk = Desk::after(config, "MAIL FROM:<>\r\n");
    desk.says("RCPT TO:<c@d.example>\r\n".repeat(2));
    let (first, second) = (desk.asked("rcpt"), desk.asked("rcpt"));
    assert!(desk.answer(second, Answer::Disconnect));
    assert_eq!(asked_ahead(&mut desk), 0);
    assert!(desk.answer(first, Answer::Yes));
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Refused)));
    assert_eq!(desk.codes(), [250, 554]);
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
fn a_peer_that_always_leaves_a_little_unread_has_every_reply_once_and_in_order() {
    let mut desk = Desk::after(config(|_| {}), "");
    let mut read = Vec::new();
    for round in 0..20 {
        desk.says("NOOP\r\n".repeat(50 * round));
        desk.says("HELP\r\n");
        desk.run();
        while let Some(output) = desk.machine.poll_transmit().filter(|output| output.len() > 9) {
            let taken = &output[..(output.len() - 9).min(4_096)];
            read.extend_from_slice(taken);
            let n = taken.len();
            desk.machine.handle_transmitted(n);
            desk.run();
        }
    }
    read.extend_from_slice(desk.output().as_bytes());
    let help = "214 2.0.0 This server speaks RFC 5321; ask its postmaster for help\r\n";
    let want: String = (0..20).map(|round| "250 2.0.0 Ok\r\n".repeat(50 * round) + help).collect();
    assert_eq!(String::from_utf8_lossy(&read), want);
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
    assert_eq!(desk.machine.poll_timeout(), None, "nothing is left to read");
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
