//! AUTH (RFC 4954).

use crate::desk::Desk;
use smtp_proto::{Misuse, wire::Mechanism};

#[test]
fn an_initial_response_goes_with_the_command() {
    for (initial, line) in [
        (None, "AUTH PLAIN\r\n"),
        (Some(&b""[..]), "AUTH PLAIN =\r\n"),
        (Some(&b"\0a\0b"[..]), "AUTH PLAIN AGEAYg==\r\n"),
    ] {
        let mut desk = Desk::ready(&["AUTH PLAIN LOGIN"]);
        let auth = desk.machine.auth(&Mechanism::PLAIN, initial);
        desk.give(auth);
        assert_eq!(desk.sends(), line);
        assert_eq!(desk.hears("235 2.7.0 welcome\r\n"), ["reply 0 235", "Decision"]);
        assert!(desk.machine.is_authenticated() && desk.machine.is_idle());
    }
}

#[test]
fn challenges_are_answered_until_there_is_a_verdict() {
    let mut desk = Desk::ready(&["AUTH LOGIN"]);
    let auth = desk.machine.auth(&Mechanism::LOGIN, None);
    desk.give(auth);
    assert_eq!(desk.sends(), "AUTH LOGIN\r\n");
    assert_eq!(desk.hears("334 VXNlcm5hbWU6\r\n"), ["challenge Username:", "Decision"]);
    desk.machine.respond(b"user").unwrap();
    assert_eq!(desk.machine.respond(b"user"), Err(Misuse::NotNow));
    assert_eq!(desk.sends(), "dXNlcg==\r\n");
    assert_eq!(desk.hears("334 UGFzc3dvcmQ6\r\n"), ["challenge Password:", "Decision"]);
    desk.machine.respond(b"").unwrap();
    assert_eq!(desk.sends(), "\r\n");
    assert_eq!(desk.hears("535 5.7.8 no\r\n"), ["reply 0 535", "Decision"]);
    assert!(!desk.machine.is_authenticated() && desk.machine.is_idle());
}

/// C-54
#[test]
fn a_challenge_that_is_not_base64_can_be_cancelled() {
    let mut desk = Desk::ready(&["AUTH LOGIN"]);
    let auth = desk.machine.auth(&Mechanism::LOGIN, None);
    desk.give(auth);
    desk.sends();
    for bad in ["334 !!!\r\n", "334-AAAA\r\n334 BBBB\r\n"] {
        let mut desk = Desk::ready(&["AUTH LOGIN"]);
        let auth = desk.machine.auth(&Mechanism::LOGIN, None);
        desk.give(auth);
        desk.sends();
        assert_eq!(desk.hears(bad), ["bad challenge", "Decision"]);
        desk.machine.cancel().unwrap();
        assert_eq!(desk.sends(), "*\r\n");
        assert_eq!(desk.hears("501 cancelled\r\n"), ["reply 0 501", "Decision"]);
    }
    assert_eq!(desk.hears("334\r\n"), ["challenge ", "Decision"]);
    desk.machine.cancel().unwrap();
    desk.sends();
    // A server that goes on after `*` cannot be trusted to know where it is.
    assert_eq!(desk.hears("334 AAAA\r\n"), ["reply 0 334", "closed Unintelligible"]);
}

/// Taken for the end of the exchange, it would leave the machine waiting for a response that nobody
/// owes any more, without a timer for the commands behind it.
#[test]
fn a_server_that_does_not_wait_for_the_response_has_lost_its_place() {
    for (word, code, why) in [
        ("235 well done\r\n", 235, "Unintelligible"),
        ("334 \r\n", 334, "Unintelligible"),
        ("535 no\r\n", 535, "Unintelligible"),
        ("421 bye\r\n", 421, "Unavailable"),
    ] {
        let mut desk = Desk::ready(&["AUTH LOGIN"]);
        let auth = desk.machine.auth(&Mechanism::LOGIN, None);
        desk.give(auth);
        desk.sends();
        let told = desk.hears(format!("334 \r\n{word}"));
        let want =
            ["challenge ".to_owned(), format!("unsolicited {code}"), format!("closed {why}")];
        assert_eq!(told, want);
        assert!(!desk.machine.is_authenticated());
    }
}

#[test]
fn a_cancelled_exchange_authenticates_nobody() {
    let mut desk = Desk::ready(&["AUTH LOGIN"]);
    let auth = desk.machine.auth(&Mechanism::LOGIN, None);
    desk.give(auth);
    desk.sends();
    desk.hears("334 \r\n");
    desk.machine.cancel().unwrap();
    desk.sends();
    desk.hears("235 well done\r\n");
    assert!(!desk.machine.is_authenticated());
}

#[test]
fn a_mechanism_must_be_offered_and_its_response_must_fit_the_line() {
    let mut desk = Desk::ready(&["AUTH LOGIN"]);
    let plain = desk.machine.auth(&Mechanism::PLAIN, None);
    assert_eq!(plain, Err(Misuse::NotOffered("AUTH")));
    let long = vec![b'x'; 400];
    assert_eq!(desk.machine.auth(&Mechanism::LOGIN, Some(&long)), Err(Misuse::LineTooLong));
    let auth = desk.machine.auth(&Mechanism::LOGIN, None);
    desk.give(auth);
    desk.sends();
    desk.hears("334 \r\n");
    assert_eq!(desk.machine.respond(&[b'x'; 10_000]), Err(Misuse::LineTooLong));
    desk.machine.respond(&[b'x'; 9_000]).unwrap();
}

#[test]
fn no_credential_is_shown_by_debug() {
    let mut desk = Desk::ready(&["AUTH PLAIN"]);
    desk.machine.auth(&Mechanism::PLAIN, Some(b"\0user\0secret")).unwrap();
    let shown = format!("{:?}", desk.machine);
    assert!(!shown.contains("c2VjcmV0") && !shown.contains("AHVzZXI"), "{shown}");
}

#[test]
fn nobody_authenticates_twice() {
    let mut desk = Desk::ready(&["AUTH PLAIN"]);
    desk.machine.auth(&Mechanism::PLAIN, Some(b"\0a\0b")).unwrap();
    desk.sends();
    desk.hears("235 ok\r\n");
    assert_eq!(desk.machine.auth(&Mechanism::PLAIN, Some(b"\0a\0b")), Err(Misuse::NotNow));
}
