//! Messages: framed, refused, swallowed.

use crate::{
    ENVELOPE, MINUTE,
    desk::{Desk, Seen, config, config_of},
};
use fuzz_properties::embedder::{Answer, extensions};
use smtp_proto::{
    CloseReason, Need, Timer,
    server::{BareLineEnding, Mode},
    wire::Refused,
};

#[test]
fn octets_behind_a_refused_data_never_run() {
    let mut desk = Desk::after(config(|_| {}), ENVELOPE);
    desk.says("DATA\r\nRSET\r\n");
    let question = desk.asked("data");
    assert!(desk.answer(question, Answer::No));
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Violations)));
    assert_eq!(desk.told, ["Violation(PastData)", "Reset(Closed)"]);
    assert_eq!(desk.codes(), [451]);

    // They may come while the question is open.
    let mut desk = Desk::after(config(|_| {}), ENVELOPE);
    desk.says("DATA\r\n");
    let question = desk.asked("data");
    for octet in "RSET\r\n".chars() {
        desk.says(octet.to_string());
        assert!(matches!(desk.poll(), Seen::Need(Need::Decision)));
    }
    assert!(desk.answer(question, Answer::No));
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Violations)));
    assert_eq!(desk.codes(), [451]);

    let mut desk = Desk::after(config(|_| {}), "MAIL FROM:<>\r\n");
    desk.says("DATA\r\nRSET\r\n");
    assert!(matches!(desk.run(), Seen::Closed(CloseReason::Violations)));
    assert_eq!(desk.told, ["Violation(PastData)", "Reset(Closed)"]);
    assert_eq!(desk.codes(), [503]);
}

#[test]
fn the_octets_of_a_refused_chunk_have_the_time_of_a_message() {
    let mut desk = Desk::after(config(|_| {}), "");
    desk.says("BDAT 9\r\nhalf");
    assert!(matches!(desk.run(), Seen::Need(Need::Input)));
    assert_eq!(desk.machine.timer(), Some(Timer::Data));
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
fn in_smtp_a_refused_message_has_one_reply_for_all_its_recipients() {
    for (start, message) in [("DATA\r\n", "x\r\n.\r\n"), ("BDAT 3 LAST\r\n", "x\r\n")] {
        let mut desk = Desk::after(config(|_| {}), ENVELOPE);
        desk.says("RCPT TO:<e@d.example>\r\n");
        desk.says(start);
        desk.run();
        desk.output();
        assert!(desk.machine.discard_body(&Refused::CONTENT));
        desk.says(message);
        desk.says("NOOP\r\n");
        desk.run();
        assert_eq!(desk.codes(), [554, 250], "{start}");
    }
}

#[test]
fn a_bare_line_ending_in_what_is_swallowed_breaks_no_rule() {
    let mut desk = Desk::after(config(|_| {}), ENVELOPE);
    desk.says("DATA\r\n");
    desk.run();
    assert!(desk.machine.discard_body(&Refused::CONTENT));
    desk.says("a\nb\rc\r\n.\r\nNOOP\r\n");
    assert!(matches!(desk.run(), Seen::Need(Need::Input)));
    assert_eq!(desk.told, ["Reset(Refused)"]);
    assert_eq!(desk.codes(), [354, 554, 250]);
    assert_eq!(desk.machine.session().violations, 0);
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
    assert_eq!(config.mode(), Mode::Lmtp);
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
