//! From the greeting to EHLO (RFC 5321 §3.1, §3.2, §4.3.2).

use crate::desk::Desk;
use smtp_proto::{
    Misuse,
    client::ClientConfig,
    wire::{HelloName, Mechanism},
};

fn name() -> HelloName<'static> {
    HelloName::parse("client.example").unwrap()
}

/// C-06, C-09, C-32
#[test]
fn nothing_is_sent_before_the_greeting_is_whole() {
    let mut desk = Desk::new();
    assert_eq!(desk.tells(), ["Input"]);
    assert_eq!(desk.machine.hello(&name()), Err(Misuse::NotNow));
    assert_eq!(desk.hears("220-mx.example.test\r\n220-ESMTP\r\n"), ["Input"]);
    assert_eq!(desk.machine.hello(&name()), Err(Misuse::NotNow));
    assert_eq!(desk.sends(), "");
    assert_eq!(desk.hears("220 ready\r\n"), ["greeting 220", "Decision"]);
    desk.machine.hello(&name()).unwrap();
    assert_eq!(desk.sends(), "EHLO client.example\r\n");
    assert_eq!(desk.tells(), ["Input"]);
}

/// C-05
#[test]
fn after_a_refused_greeting_there_is_only_quit() {
    for (greeting, code) in [("554 no\r\n", 554), ("521 no mail\r\n", 521), ("450 later\r\n", 450)]
    {
        let mut desk = Desk::new();
        assert_eq!(desk.hears(greeting), [format!("greeting {code}"), "Decision".into()]);
        assert_eq!(desk.machine.hello(&name()), Err(Misuse::NotNow));
        let quit = desk.machine.quit();
        desk.give(quit);
        assert_eq!(desk.sends(), "QUIT\r\n");
        assert_eq!(desk.hears("221 bye\r\n"), ["reply 0 221", "closed Quit"]);
    }
}

/// C-04
#[test]
fn a_421_greeting_ends_the_connection() {
    let mut desk = Desk::new();
    assert_eq!(desk.hears("421 busy\r\n"), ["greeting 421", "closed Unavailable"]);
    assert_eq!(desk.machine.quit(), Err(Misuse::Closed));
}

#[test]
fn what_is_no_reply_ends_the_connection() {
    for text in ["HTTP/1.1 400 Bad Request\r\n", "22\r\n", "\r\n", "999 what\r\n", "120 early\r\n"]
    {
        let mut desk = Desk::new();
        assert_eq!(desk.hears(text), ["closed Unintelligible"], "{text:?}");
    }
    let mut desk = Desk::new();
    assert_eq!(desk.hears("354 go\r\n"), ["greeting 354", "closed Unintelligible"]);
}

/// C-02, C-03
#[test]
fn a_server_that_does_not_know_ehlo_is_told_helo() {
    for code in [500, 501, 502, 504] {
        let mut desk = Desk::new();
        desk.hears("220 hi\r\n");
        let hello = desk.machine.hello(&name());
        desk.give(hello);
        assert_eq!(desk.sends(), "EHLO client.example\r\n");
        assert_eq!(desk.hears(format!("{code} what\r\n")), ["Input"]);
        assert_eq!(desk.sends(), "HELO client.example\r\n");
        assert_eq!(desk.hears("250 PIPELINING\r\n"), ["reply 0 250", "Decision"]);
        assert!(!desk.machine.is_esmtp());
        assert!(!desk.machine.capabilities().pipelining, "HELO offers nothing");
    }
}

#[test]
fn helo_may_be_refused_too() {
    let mut desk = Desk::new();
    desk.hears("220 hi\r\n");
    let hello = desk.machine.hello(&name());
    desk.give(hello);
    desk.sends();
    desk.hears("502 what\r\n");
    desk.sends();
    assert_eq!(desk.hears("502 what\r\n"), ["reply 0 502", "Decision"]);
    desk.machine.hello(&name()).unwrap();
    assert_eq!(desk.sends(), "EHLO client.example\r\n");
}

#[test]
fn there_is_no_helo_where_ehlo_was_refused_for_what_it_said_or_by_choice() {
    for (config, code) in [
        (ClientConfig::builder(), 550),
        (ClientConfig::builder(), 451),
        (ClientConfig::builder().without_helo(), 500),
    ] {
        let mut desk = Desk::with(config.build());
        desk.hears("220 hi\r\n");
        let hello = desk.machine.hello(&name());
        desk.give(hello);
        desk.sends();
        let told = desk.hears(format!("{code} no\r\n"));
        assert_eq!(told, [format!("reply 0 {code}"), "Decision".into()]);
        assert_eq!(desk.sends(), "");
    }
}

#[test]
fn what_the_server_offers_is_known_after_ehlo() {
    let desk = Desk::ready(&["PIPELINING", "SIZE 1000", "AUTH PLAIN", "X-UNKNOWN A B", "8bitmime"]);
    let offered = desk.machine.capabilities();
    assert!(offered.pipelining && offered.eight_bit_mime && !offered.chunking);
    assert_eq!(offered.max_size, Some(1000));
    assert_eq!(offered.auth[..], [Mechanism::PLAIN]);
    assert!(desk.machine.is_esmtp() && desk.machine.is_idle());
}
