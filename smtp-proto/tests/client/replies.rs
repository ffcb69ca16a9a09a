//! Replies that are not what was hoped for (RFC 5321 §3.8, §4.2, §4.3.2).

use crate::desk::Desk;
use smtp_proto::client::ClientConfig;

/// C-29
#[test]
fn a_421_ends_the_connection_and_leaves_the_rest_without_a_reply() {
    let mut desk = Desk::ready(&["PIPELINING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.rcpt("<b@example.org>");
    desk.data();
    desk.sends();
    let told = desk.hears("250 ok\r\n421 going down\r\n250 ok\r\n354 go\r\n");
    assert_eq!(told, ["reply 0 250", "reply 1 421", "closed Unavailable"]);
    assert_eq!(desk.sends(), "");
}

#[test]
fn a_reply_that_nobody_asked_for_is_told_and_ends_the_connection() {
    let mut desk = Desk::ready(&[]);
    assert_eq!(desk.hears("421 idle\r\n"), ["unsolicited 421", "closed Unavailable"]);
    let mut desk = Desk::ready(&[]);
    assert_eq!(desk.hears("250 what\r\n"), ["unsolicited 250", "closed Unintelligible"]);
    // A command that has not left cannot be what was answered.
    let mut desk = Desk::ready(&[]);
    desk.mail();
    assert_eq!(desk.hears("250 early\r\n"), ["unsolicited 250", "closed Unintelligible"]);
    assert_eq!(desk.sends(), "", "nobody would read the answer");
}

#[test]
fn a_reply_in_the_middle_of_a_message_stops_it() {
    for (text, why) in [("421 full", "Unavailable"), ("552 too much", "Unintelligible")] {
        let mut desk = Desk::ready(&["PIPELINING"]);
        desk.mail();
        desk.rcpt("<a@example.org>");
        desk.data();
        desk.sends();
        desk.hears("250 ok\r\n250 ok\r\n354 go\r\n");
        desk.body("one line\r\n");
        let told = desk.hears(format!("{text}\r\n"));
        assert_eq!(told, [format!("unsolicited {}", &text[..3]), format!("closed {why}")]);
        let body = desk.machine.body(&mut &b"more"[..], &mut [&[][..]; 3]);
        assert_eq!(body, Err(smtp_proto::Misuse::Closed));
        assert_eq!(desk.machine.end_body(), Err(smtp_proto::Misuse::Closed));
    }
}

/// C-30
#[test]
fn an_intermediate_reply_where_none_may_be_ends_the_connection() {
    let mut desk = Desk::ready(&["PIPELINING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.sends();
    assert_eq!(desk.hears("354 what\r\n"), ["reply 0 354", "closed Unintelligible"]);
}

/// C-31
#[test]
fn data_that_is_answered_250_ends_the_connection() {
    let mut desk = Desk::ready(&["PIPELINING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.data();
    desk.sends();
    let told = desk.hears("250 ok\r\n250 ok\r\n250 ok\r\n");
    assert_eq!(told, ["reply 0 250", "reply 1 250", "reply 2 250", "closed Unintelligible"]);
}

/// C-07, C-08, C-26
#[test]
fn the_last_line_has_the_last_word_and_a_bare_code_will_do() {
    let mut desk = Desk::ready(&["PIPELINING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.rcpt("<b@example.org>");
    desk.sends();
    let told = desk.hears("250\r\n250-yes\r\n550 no\r\n259 who knows\r\n");
    assert_eq!(told, ["reply 0 250", "reply 1 550", "reply 2 259", "Decision"]);
    assert_eq!(desk.machine.accepted_recipients(), 1);
}

/// C-25
#[test]
fn a_strict_client_takes_no_reply_that_deviates() {
    for reply in ["220 mx.example.test\n", "220-a\r\n250 b\r\n"] {
        let mut desk = Desk::with(ClientConfig::builder().strict().build());
        assert_eq!(desk.hears(reply), ["closed Unintelligible"], "{reply:?}");
        let mut desk = Desk::new();
        assert_eq!(desk.hears(reply)[1], "Decision", "{reply:?}");
    }
}

/// C-27, C-28
#[test]
fn a_reply_without_end_is_given_up_at_its_limit() {
    let mut desk = Desk::new();
    let line = format!("220-{}\r\n", "x".repeat(500));
    let limit = ClientConfig::builder().build().limits().reply;
    let mut said = 0;
    while desk.hears(&line) == ["Input"] {
        said += line.len();
        assert!(said <= limit, "{said}");
    }
    assert!(said + line.len() > limit - 600);
    assert_eq!(desk.tells(), ["closed Unintelligible"]);
    let mut desk = Desk::new();
    assert_eq!(desk.hears("220 ".to_owned() + &"x".repeat(limit)), ["closed Unintelligible"]);
}

#[test]
fn the_end_of_the_stream_is_told_after_the_replies_in_hand() {
    let mut desk = Desk::ready(&["PIPELINING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.sends();
    desk.machine.handle_eof();
    assert_eq!(desk.hears("250 ok\r\n250 half a li"), ["reply 0 250", "closed Eof"]);
}
