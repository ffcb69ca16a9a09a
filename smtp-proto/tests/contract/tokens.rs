//! Questions and their answers: whose they are, and how long they count.

use crate::{
    ENVELOPE, MINUTE,
    desk::{Desk, Seen, config},
};
use fuzz_properties::embedder::Answer;
use smtp_proto::{CloseReason, Need, Timer, wire::Refused};
use std::time::Duration;

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
fn of_the_answers_in_hand_only_those_before_a_disconnect_leave() {
    let mut desk = Desk::after(config(|limits| limits.decisions_in_flight = 8), "MAIL FROM:<>\r\n");
    desk.says("RCPT TO:<a@d.example>\r\n".repeat(4));
    let [first, second, third, fourth] = [(); 4].map(|()| desk.asked("rcpt"));
    assert!(desk.answer(second, Answer::No));
    assert!(desk.answer(fourth, Answer::No));
    assert!(desk.answer(third, Answer::Disconnect));
    assert!(desk.answer(first, Answer::Yes));
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Refused)));
    assert_eq!(desk.codes(), [250, 550, 554]);
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
fn a_refusal_that_comes_late_excuses_what_one_in_time_would() {
    for in_flight in [1, 8] {
        let config = config(|limits| limits.decisions_in_flight = in_flight);
        let mut desk = Desk::after(config, "MAIL FROM:<>\r\n");
        // An unknown command ends the group of the refused RCPT, though its verb begins as one.
        desk.says("RCPT TO:<x@d.example>\r\nRCPTX\r\nBDAT 0 LAST\r\n");
        let refused = desk.asked("rcpt");
        let seen = desk.poll();
        assert!(matches!(seen, Seen::Need(Need::Decision)), "{seen:?}");
        assert!(desk.answer(refused, Answer::No));
        assert!(matches!(desk.run(), Seen::Need(Need::Input)));
        assert_eq!(desk.codes(), [550, 500, 503]);
        assert_eq!(desk.machine.session().violations, 2, "with {in_flight} in flight");
    }
}

#[test]
fn a_refusal_excuses_nothing_behind_the_message() {
    let mut desk = Desk::after(config(|_| {}), "MAIL FROM:<>\r\nRCPT TO:<a@d.example>\r\n");
    desk.says("RCPT TO:<x@d.example>\r\n");
    let refused = desk.asked("rcpt");
    assert!(desk.answer(refused, Answer::No));
    desk.says("DATA\r\n.\r\nRCPT TO:<a@d.example>\r\n");
    assert!(matches!(desk.run(), Seen::Need(Need::Input)));
    assert_eq!(desk.codes(), [550, 354, 250, 503]);
    assert_eq!(desk.machine.session().violations, 1);
}

#[test]
fn a_refused_mail_excuses_as_many_recipients_as_a_transaction_takes() {
    let config = config(|limits| (limits.recipients, limits.violations) = (100, 2));
    let mut desk = Desk::after(config, "");
    desk.says("MAIL FROM:<>\r\n".to_owned() + &"RCPT TO:<a@d.example>\r\n".repeat(200));
    let refused = desk.asked("mail");
    assert!(desk.answer(refused, Answer::No));
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Violations)));
    let mut codes = vec![503; 103];
    (codes[0], codes[102]) = (550, 421);
    assert_eq!(desk.codes(), codes, "100 are excused, and one is the first broken rule");
}

#[test]
fn a_recipient_without_mail_excuses_no_other() {
    let mut desk = Desk::after(config(|limits| limits.violations = 4), "");
    desk.says("RCPT TO:<a@d.example>\r\n".repeat(200));
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Violations)));
    assert_eq!(desk.codes(), [503, 503, 503, 421]);
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
