//! LMTP (RFC 2033).

use crate::desk::Desk;
use smtp_proto::{
    Misuse,
    client::{ClientConfig, Mode},
    wire::{HelloName, Mail, ReversePath},
};

fn ready(keywords: &[&str]) -> Desk {
    Desk::ready_with(ClientConfig::builder().mode(Mode::Lmtp).build(), keywords)
}

#[test]
fn each_accepted_recipient_has_a_reply_at_the_end() {
    let mut desk = ready(&["PIPELINING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.rcpt("<b@example.org>");
    desk.rcpt("<c@example.org>");
    desk.data();
    desk.sends();
    let told = desk.hears("250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n");
    assert_eq!(told.last().unwrap(), "Decision");
    desk.body("x\r\n");
    let end = desk.machine.end_body();
    desk.give(end);
    assert_eq!(desk.sends(), ".\r\n");
    assert_eq!(desk.hears("250 ok\r\n"), ["delivery 5 0 250", "Input"]);
    assert!(!desk.machine.is_idle());
    assert_eq!(desk.hears("452 full\r\n"), ["delivery 5 1 452", "Decision"]);
    assert!(desk.machine.is_idle());
    desk.mail();
    assert_eq!(desk.sends(), "MAIL FROM:<>\r\n");
}

#[test]
fn the_last_chunk_has_them_too() {
    let mut desk = ready(&["PIPELINING", "CHUNKING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.rcpt("<b@example.org>");
    let bdat = desk.machine.bdat(0, true);
    desk.give(bdat);
    desk.sends();
    let told = desk.hears("250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n550 no\r\n");
    assert_eq!(told[3..], ["delivery 3 0 250", "delivery 3 1 550", "Decision"]);
    assert!(desk.machine.is_idle());
    desk.mail();
    // Nobody was accepted: the server has one thing to say.
    let mut desk = ready(&["PIPELINING", "CHUNKING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    let bdat = desk.machine.bdat(0, true);
    desk.give(bdat);
    desk.sends();
    let told = desk.hears("250 ok\r\n550 no\r\n503 no recipients\r\n");
    assert_eq!(told[2..], ["delivery 2 0 503", "Decision"]);
    let again = desk.machine.mail(&Mail::new(ReversePath::Null));
    assert_eq!(again, Err(Misuse::NotNow), "the server has a transaction without recipients");
}

#[test]
fn a_421_among_them_ends_the_connection() {
    let mut desk = ready(&["PIPELINING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.rcpt("<b@example.org>");
    desk.data();
    desk.sends();
    desk.hears("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    let end = desk.machine.end_body();
    desk.give(end);
    desk.sends();
    let told = desk.hears("250 ok\r\n421 bye\r\n");
    assert_eq!(told, ["delivery 4 0 250", "delivery 4 1 421", "closed Unavailable"]);
}

#[test]
fn there_is_no_helo_in_lmtp() {
    let mut desk = Desk::with(ClientConfig::builder().mode(Mode::Lmtp).build());
    desk.hears("220 hi\r\n");
    let name = HelloName::parse("client.example").unwrap();
    let hello = desk.machine.hello(&name);
    desk.give(hello);
    assert_eq!(desk.sends(), "LHLO client.example\r\n");
    assert_eq!(desk.hears("500 what\r\n"), ["reply 0 500", "Decision"]);
}

#[test]
fn each_delivery_has_its_own_time() {
    let mut desk = ready(&["PIPELINING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.rcpt("<b@example.org>");
    desk.data();
    desk.sends();
    desk.hears("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    let end = desk.machine.end_body();
    desk.give(end);
    desk.sends();
    desk.tells();
    let nine = std::time::Duration::from_secs(9 * 60);
    desk.passes(nine);
    assert_eq!(desk.hears("250 ok\r\n"), ["delivery 4 0 250", "Input"]);
    desk.passes(nine);
    assert_eq!(desk.hears("250 ok\r\n"), ["delivery 4 1 250", "Decision"]);
}
