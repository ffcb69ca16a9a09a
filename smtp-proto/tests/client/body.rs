//! The octets of a message (RFC 5321 §4.5.2, §2.3.8, RFC 6152 §3).

use crate::desk::Desk;
use smtp_proto::{
    Misuse,
    body::{ContentFault, LineEndings},
    client::ClientConfig,
    ext::BodyType,
    wire::{Mail, ReversePath},
};

/// A machine to which 354 was said.
fn wanted(config: std::sync::Arc<ClientConfig>, body: BodyType) -> Desk {
    let mut desk = Desk::ready_with(config, &["PIPELINING", "8BITMIME"]);
    let mut mail = Mail::new(ReversePath::Null);
    mail.body = body;
    let mail = desk.machine.mail(&mail);
    desk.give(mail);
    desk.rcpt("<a@example.org>");
    desk.data();
    desk.sends();
    desk.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    desk
}

fn checked() -> Desk {
    wanted(ClientConfig::builder().build(), BodyType::SevenBit)
}

/// C-01
#[test]
fn every_leading_dot_is_doubled_and_the_end_stands_on_a_line_of_its_own() {
    for (message, sent) in [
        ("", ".\r\n"),
        (".", "..\r\n.\r\n"),
        ("x", "x\r\n.\r\n"),
        ("x\r\n", "x\r\n.\r\n"),
        ("x\r\n.\r\n..\r\n.y", "x\r\n..\r\n...\r\n..y\r\n.\r\n"),
        ("\r\n\r\n", "\r\n\r\n.\r\n"),
    ] {
        let mut desk = checked();
        let mut all = desk.body(message);
        desk.machine.end_body().unwrap();
        all += &desk.sends();
        assert_eq!(all, sent, "{message:?}");
    }
}

#[test]
fn the_end_stands_behind_octets_that_are_not_written_yet() {
    let mut desk = checked();
    let mut rest = &b"a line\r\n"[..];
    let mut pieces: [&[u8]; 3] = [&[]; 3];
    let n = desk.machine.body(&mut rest, &mut pieces).unwrap();
    assert_eq!(pieces[..n].concat(), b"a line\r\n");
    let end = desk.machine.end_body();
    desk.give(end);
    assert_eq!(desk.machine.poll_transmit(), None);
    assert_eq!(desk.machine.poll_transmit_behind(), Some(&b".\r\n"[..]));
    // Two octets of the dot line are missing.
    desk.machine.handle_transmitted("a line\r\n.".len());
    assert_eq!(desk.machine.poll_transmit_behind(), None);
    assert_eq!(desk.sends(), "\r\n");
    assert_eq!(desk.hears("250 ok\r\n"), ["reply 3 250", "Decision"]);
}

/// C-51
#[test]
fn a_bare_line_ending_does_not_leave() {
    for text in ["a\nb", "a\rb", "a\r\r\n", "\n", "a\n.\nb"] {
        let mut desk = checked();
        let refused = Err(Misuse::Content(ContentFault::BareLineEnding));
        let mut rest = text.as_bytes();
        let mut result = Ok(0);
        while result.is_ok() && !rest.is_empty() {
            result = desk.machine.body(&mut rest, &mut [&[][..]; 3]);
        }
        assert_eq!(result, refused, "{text:?}");
        // There is no way on but to hang up.
        assert_eq!(desk.machine.end_body(), Err(Misuse::NotNow));
        desk.machine.abort();
        assert_eq!(desk.tells(), ["closed Aborted"]);
        assert_eq!(desk.sends(), "");
    }
    let mut desk = checked();
    desk.body("a\r");
    assert_eq!(desk.machine.end_body(), Err(Misuse::Content(ContentFault::BareLineEnding)));
}

/// C-51
#[test]
fn a_bare_line_ending_can_be_sent_as_crlf() {
    let config = ClientConfig::builder().line_endings(LineEndings::Normalise).build();
    for (message, sent) in [
        ("a\n.\nb\n", "a\r\n..\r\nb\r\n.\r\n"),
        ("a\r.\rb\r", "a\r\n..\r\nb\r\n.\r\n"),
        ("a\r\r\nb", "a\r\n\r\nb\r\n.\r\n"),
    ] {
        let mut desk = wanted(config.clone(), BodyType::SevenBit);
        let mut all = desk.body(message);
        desk.machine.end_body().unwrap();
        all += &desk.sends();
        assert_eq!(all, sent, "{message:?}");
    }
}

/// C-46
#[test]
fn octets_over_127_leave_only_where_they_were_announced() {
    let mut desk = checked();
    let fault = desk.machine.body(&mut "ü\r\n".as_bytes(), &mut [&[][..]; 3]);
    assert_eq!(fault, Err(Misuse::Content(ContentFault::EightBit)));
    let mut desk = wanted(ClientConfig::builder().build(), BodyType::EightBitMime);
    assert_eq!(desk.body("ü\r\n"), "ü\r\n");
    let fault = desk.machine.body(&mut &b"\0"[..], &mut [&[][..]; 3]);
    assert_eq!(fault, Err(Misuse::Content(ContentFault::Nul)));
}
