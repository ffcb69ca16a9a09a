//! Commands in groups, and one by one (RFC 2920).

use crate::desk::{Desk, rcpt};
use smtp_proto::{Misuse, client::ClientConfig};

/// C-09
#[test]
fn commands_leave_one_by_one_without_pipelining() {
    let mut desk = Desk::ready(&[]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.rcpt("<b@example.org>");
    desk.data();
    assert_eq!(desk.sends(), "MAIL FROM:<>\r\n");
    assert_eq!(desk.hears("250 ok\r\n"), ["reply 0 250", "Input"]);
    assert_eq!(desk.sends(), "RCPT TO:<a@example.org>\r\n");
    assert_eq!(desk.hears("250 ok\r\n"), ["reply 1 250", "Input"]);
    assert_eq!(desk.sends(), "RCPT TO:<b@example.org>\r\n");
    assert_eq!(desk.hears("250 ok\r\n"), ["reply 2 250", "Input"]);
    assert_eq!(desk.sends(), "DATA\r\n");
    assert_eq!(desk.hears("354 go\r\n"), ["reply 3 354", "Decision"]);
}

/// C-50
#[test]
fn a_group_leaves_together_and_its_replies_come_in_order_however_they_are_cut() {
    let replies = "250 ok\r\n250-two\r\n250 lines\r\n550 5.1.1 no\r\n354 go\r\n";
    let want =
        ["reply 0 250", "reply 1 250", "reply 2 550", "reply 3 354"].map(str::to_owned).to_vec();
    for step in 1..=replies.len() {
        let mut desk = Desk::ready(&["PIPELINING"]);
        desk.mail();
        desk.rcpt("<a@example.org>");
        desk.rcpt("<b@example.org>");
        desk.data();
        assert_eq!(
            desk.sends(),
            "MAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
        );
        let mut told = Vec::new();
        for piece in replies.as_bytes().chunks(step) {
            told.extend(desk.hears(piece).into_iter().filter(|line| line.starts_with("reply")));
        }
        assert_eq!(told, want, "by {step}");
        assert_eq!(desk.unread(), 0);
    }
}

#[test]
fn pipelining_can_be_declined() {
    let config = ClientConfig::builder().without_pipelining().build();
    let mut desk = Desk::ready_with(config, &["PIPELINING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    assert_eq!(desk.sends(), "MAIL FROM:<>\r\n");
}

#[test]
fn what_depends_on_a_refused_mail_is_never_sent_if_it_has_not_left() {
    let mut desk = Desk::ready(&[]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.rcpt("<b@example.org>");
    desk.data();
    desk.sends();
    let told = desk.hears("550 no\r\n");
    assert_eq!(told, ["reply 0 550", "skipped 1", "skipped 2", "skipped 3", "Decision"]);
    assert_eq!(desk.sends(), "");
    assert!(desk.machine.is_idle(), "no transaction was opened");
    desk.mail();
    assert_eq!(desk.sends(), "MAIL FROM:<>\r\n");
}

#[test]
fn data_is_never_sent_after_every_recipient_was_refused() {
    let mut desk = Desk::ready(&[]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.data();
    desk.sends();
    desk.hears("250 ok\r\n");
    desk.sends();
    assert_eq!(desk.hears("550 no\r\n"), ["reply 1 550", "skipped 2", "Decision"]);
    assert_eq!(desk.sends(), "");
    // The same with PIPELINING, when DATA is given after the replies.
    let mut desk = Desk::ready(&["PIPELINING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.sends();
    desk.hears("250 ok\r\n550 no\r\n");
    desk.data();
    assert_eq!(desk.sends(), "");
    assert_eq!(desk.tells(), ["skipped 2", "Decision"]);
}

/// C-12
#[test]
fn a_data_granted_without_a_recipient_gets_an_empty_message_that_nobody_hears_of() {
    let mut desk = Desk::ready(&["PIPELINING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.data();
    desk.sends();
    let told = desk.hears("250 ok\r\n550 no\r\n354 go\r\n");
    assert_eq!(told, ["reply 0 250", "reply 1 550", "skipped 2", "Input"]);
    assert_eq!(desk.machine.body(&mut &b"x"[..], &mut [&[][..]; 3]), Err(Misuse::NotNow));
    assert_eq!(desk.sends(), ".\r\n");
    assert_eq!(desk.hears("554 no valid recipients\r\n"), ["Decision"]);
    assert!(desk.machine.is_idle());
    desk.mail();
    assert_eq!(desk.sends(), "MAIL FROM:<>\r\n");
}

#[test]
fn the_next_mail_may_follow_the_dot_in_one_group() {
    let mut desk = Desk::ready(&["PIPELINING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.data();
    desk.sends();
    desk.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    assert_eq!(desk.body("x\r\n"), "x\r\n");
    let end = desk.machine.end_body();
    desk.give(end);
    desk.mail();
    desk.rcpt("<b@example.org>");
    assert_eq!(desk.sends(), ".\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\n");
    let told = desk.hears("250 sent\r\n250 ok\r\n250 ok\r\n");
    assert_eq!(told, ["reply 3 250", "reply 4 250", "reply 5 250", "Decision"]);
    assert_eq!(desk.machine.accepted_recipients(), 1);
}

#[test]
fn the_next_transaction_waits_for_the_replies_to_this_one() {
    let mut desk = Desk::ready(&["PIPELINING"]);
    desk.mail();
    let rset = desk.machine.rset();
    desk.give(rset);
    let mail = smtp_proto::wire::Mail::new(smtp_proto::wire::ReversePath::Null);
    assert_eq!(desk.machine.mail(&mail), Err(Misuse::NotNow));
    assert_eq!(desk.sends(), "MAIL FROM:<>\r\nRSET\r\n");
    assert_eq!(desk.hears("250 ok\r\n"), ["reply 0 250", "Input"]);
    desk.mail();
    assert_eq!(desk.sends(), "MAIL FROM:<>\r\n");
}

#[test]
fn too_much_without_a_reply_is_full() {
    let mut limits = smtp_proto::client::Limits::default();
    limits.unanswered = 3;
    let config = ClientConfig::builder().limits(limits).build();
    let mut desk = Desk::ready_with(config, &["PIPELINING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.rcpt("<b@example.org>");
    assert_eq!(desk.machine.rcpt(&rcpt("<c@example.org>")), Err(Misuse::Full));
    desk.sends();
    desk.hears("250 ok\r\n");
    desk.rcpt("<c@example.org>");

    limits.unanswered = usize::MAX;
    let config = ClientConfig::builder().limits(limits).build();
    let mut desk = Desk::ready_with(config, &[]);
    desk.mail();
    let mut given = 0;
    while desk.machine.rcpt(&rcpt("<c@example.org>")) != Err(Misuse::Full) {
        given += 1;
        assert!(given < 10_000, "the buffer is bounded");
    }
    assert!(given > 500, "{given}");
}

#[test]
fn what_has_been_written_makes_room_for_more() {
    let mut limits = smtp_proto::client::Limits::default();
    limits.send_buffer = 1_024;
    let config = ClientConfig::builder().limits(limits).build();
    let mut desk = Desk::ready_with(config, &["PIPELINING"]);
    desk.mail();
    while desk.machine.rcpt(&rcpt("<c@example.org>")).is_ok() {}
    let waiting = desk.machine.poll_transmit().map_or(0, <[u8]>::len);
    desk.machine.handle_transmitted(waiting - 1_024);
    assert_eq!(desk.machine.rcpt(&rcpt("<c@example.org>")), Err(Misuse::Full));
    desk.machine.handle_transmitted(1);
    assert!(desk.machine.rcpt(&rcpt("<c@example.org>")).is_ok());
}
