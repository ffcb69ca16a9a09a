//! STARTTLS (RFC 3207).

use crate::desk::Desk;
use smtp_proto::{Misuse, wire::HelloName};

/// C-23, C-24
#[test]
fn after_the_handshake_nothing_of_before_is_known() {
    let mut desk = Desk::ready(&["STARTTLS", "PIPELINING", "SIZE 10", "AUTH PLAIN"]);
    let tls = desk.machine.start_tls();
    desk.give(tls);
    assert_eq!(desk.sends(), "STARTTLS\r\n");
    assert_eq!(desk.hears("220 go\r\n"), ["reply 0 220", "handshake", "Decision"]);
    desk.machine.establish().unwrap();
    assert!(desk.machine.is_tls() && !desk.machine.is_esmtp());
    assert_eq!(*desk.machine.capabilities(), Default::default());
    let mail = smtp_proto::wire::Mail::new(smtp_proto::wire::ReversePath::Null);
    assert_eq!(desk.machine.mail(&mail), Err(Misuse::NotNow));
    desk.greet(&[]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    assert_eq!(desk.sends(), "MAIL FROM:<>\r\n", "no pipelining was offered in TLS");
}

/// C-22
#[test]
fn what_stands_behind_the_220_ends_the_connection() {
    let mut desk = Desk::ready(&["STARTTLS"]);
    let tls = desk.machine.start_tls();
    desk.give(tls);
    desk.sends();
    let told = desk.hears("220 go\r\n250-evil\r\n250 XINJ\r\n");
    assert_eq!(told, ["reply 0 220", "closed Residue"]);
}

#[test]
fn a_refused_starttls_leaves_all_as_it_was() {
    let mut desk = Desk::ready(&["STARTTLS", "PIPELINING"]);
    let tls = desk.machine.start_tls();
    desk.give(tls);
    desk.sends();
    assert_eq!(desk.hears("454 not now\r\n"), ["reply 0 454", "Decision"]);
    assert!(!desk.machine.is_tls() && desk.machine.capabilities().pipelining);
    desk.mail();
}

#[test]
fn nothing_is_sent_between_starttls_and_the_end_of_the_handshake() {
    let mut desk = Desk::ready(&["STARTTLS"]);
    desk.machine.start_tls().unwrap();
    let name = HelloName::parse("client.example").unwrap();
    assert_eq!(desk.machine.hello(&name), Err(Misuse::NotNow));
    desk.sends();
    desk.hears("220 go\r\n");
    assert_eq!(desk.machine.hello(&name), Err(Misuse::NotNow));
    assert_eq!(desk.machine.quit(), Err(Misuse::NotNow));
    desk.machine.abandon();
    assert_eq!(desk.tells(), ["closed Abandoned"]);
    assert_eq!(desk.sends(), "");
}

#[test]
fn tls_is_begun_once() {
    let mut desk = Desk::ready(&["STARTTLS"]);
    desk.machine.start_tls().unwrap();
    desk.sends();
    desk.hears("220 go\r\n");
    desk.machine.establish().unwrap();
    desk.greet(&["STARTTLS"]);
    assert_eq!(desk.machine.start_tls(), Err(Misuse::NotOffered("STARTTLS")));
}
