//! One message after the other, and what may not be asked (RFC 5321 §3.3, §4.1.4).

use crate::desk::{Desk, rcpt};
use smtp_proto::{
    Misuse,
    ext::{BodyType, Notify, Ret},
    wire::{Mail, ReversePath},
};

fn mail() -> Mail<'static> {
    Mail::new(ReversePath::parse("<a@example.net>").unwrap().0)
}

/// C-08
#[test]
fn a_message_goes_from_mail_to_its_last_reply() {
    let mut desk = Desk::ready(&[]);
    desk.mail();
    desk.sends();
    assert_eq!(desk.hears("250 ok\r\n"), ["reply 0 250", "Decision"]);
    desk.rcpt("<a@example.org>");
    desk.sends();
    assert_eq!(desk.machine.accepted_recipients(), 0);
    assert_eq!(desk.hears("251 will forward\r\n"), ["reply 1 251", "Decision"]);
    assert_eq!(desk.machine.accepted_recipients(), 1);
    desk.data();
    desk.sends();
    assert_eq!(desk.hears("354 go\r\n"), ["reply 2 354", "Decision"]);
    assert_eq!(desk.body("Subject: x\r\n\r\n.dot\r\nlast"), "Subject: x\r\n\r\n..dot\r\nlast");
    let end = desk.machine.end_body();
    desk.give(end);
    assert_eq!(desk.sends(), "\r\n.\r\n");
    assert!(!desk.machine.is_idle());
    assert_eq!(desk.hears("299 whatever\r\n"), ["reply 3 299", "Decision"]);
    assert!(desk.machine.is_idle());
}

/// C-10
#[test]
fn a_refused_data_needs_a_reset() {
    let mut desk = Desk::ready(&["PIPELINING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.data();
    desk.sends();
    let told = desk.hears("250 ok\r\n250 ok\r\n451 not now\r\n");
    assert_eq!(told, ["reply 0 250", "reply 1 250", "reply 2 451", "Decision"]);
    assert_eq!(desk.machine.body(&mut &b"x"[..], &mut [&[][..]; 3]), Err(Misuse::NotNow));
    assert_eq!(desk.machine.mail(&mail()), Err(Misuse::NotNow));
    assert!(!desk.machine.is_idle());
    let rset = desk.machine.rset();
    desk.give(rset);
    desk.mail();
    assert_eq!(desk.sends(), "RSET\r\nMAIL FROM:<>\r\n");
}

#[test]
fn commands_out_of_sequence_are_misuse_and_send_nothing() {
    let mut desk = Desk::ready(&["PIPELINING", "STARTTLS", "AUTH PLAIN", "CHUNKING"]);
    assert_eq!(desk.machine.rcpt(&rcpt("<a@example.org>")), Err(Misuse::NotNow));
    assert_eq!(desk.machine.data(), Err(Misuse::NotNow));
    assert_eq!(desk.machine.bdat(1, true), Err(Misuse::NotNow));
    assert_eq!(desk.machine.end_body(), Err(Misuse::NotNow));
    assert_eq!(desk.machine.respond(b"x"), Err(Misuse::NotNow));
    assert_eq!(desk.machine.cancel(), Err(Misuse::NotNow));
    assert_eq!(desk.machine.establish(), Err(Misuse::NotNow));
    desk.mail();
    assert_eq!(desk.machine.mail(&mail()), Err(Misuse::NotNow));
    assert_eq!(desk.machine.data(), Err(Misuse::NotNow));
    assert_eq!(desk.machine.start_tls(), Err(Misuse::NotNow));
    let plain = smtp_proto::wire::Mechanism::PLAIN;
    assert_eq!(desk.machine.auth(&plain, None), Err(Misuse::NotNow));
    desk.rcpt("<a@example.org>");
    desk.data();
    assert_eq!(desk.machine.rcpt(&rcpt("<a@example.org>")), Err(Misuse::NotNow));
    assert_eq!(desk.machine.noop(), Err(Misuse::NotNow));
    assert_eq!(desk.machine.quit(), Err(Misuse::NotNow));
    assert_eq!(desk.sends(), "MAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n");
}

#[test]
fn a_parameter_that_was_not_offered_is_misuse_before_an_octet_leaves() {
    let mut desk = Desk::ready(&[]);
    let with = |tune: fn(&mut Mail<'_>)| {
        let mut mail = mail();
        tune(&mut mail);
        mail
    };
    for (mail, keyword) in [
        (with(|mail| mail.size = Some(1)), "SIZE"),
        (with(|mail| mail.body = BodyType::EightBitMime), "8BITMIME"),
        (with(|mail| mail.smtputf8 = true), "SMTPUTF8"),
        (with(|mail| mail.ret = Some(Ret::Full)), "DSN"),
    ] {
        assert_eq!(desk.machine.mail(&mail), Err(Misuse::NotOffered(keyword)));
    }
    desk.mail();
    let mut never = rcpt("<a@example.org>");
    never.notify = Some(Notify::Never);
    assert_eq!(desk.machine.rcpt(&never), Err(Misuse::NotOffered("DSN")));
    assert_eq!(desk.machine.bdat(1, true), Err(Misuse::NotOffered("CHUNKING")));
    assert_eq!(desk.machine.start_tls(), Err(Misuse::NotOffered("STARTTLS")));
    assert_eq!(desk.sends(), "MAIL FROM:<>\r\n");
}

/// C-15
#[test]
fn a_message_known_to_be_too_large_is_not_announced() {
    let mut desk = Desk::ready(&["SIZE 1000"]);
    let mut mail = mail();
    mail.size = Some(1001);
    assert_eq!(desk.machine.mail(&mail), Err(Misuse::TooLarge));
    mail.size = Some(1000);
    desk.machine.mail(&mail).unwrap();
    assert_eq!(desk.sends(), "MAIL FROM:<a@example.net> SIZE=1000\r\n");
    // Zero, or nothing: no limit is known (RFC 1870 §4).
    for keyword in ["SIZE 0", "SIZE"] {
        let mut desk = Desk::ready(&[keyword]);
        mail.size = Some(u64::MAX);
        desk.machine.mail(&mail).unwrap();
    }
}

/// C-47
#[test]
fn an_address_outside_ascii_needs_smtputf8_in_its_transaction() {
    let mut desk = Desk::ready(&["SMTPUTF8", "8BITMIME"]);
    let mut mail = Mail::new(ReversePath::parse("<jürgen@example.net>").unwrap().0);
    assert_eq!(desk.machine.mail(&mail), Err(Misuse::NeedsSmtpUtf8));
    mail.smtputf8 = true;
    desk.machine.mail(&mail).unwrap();
    desk.rcpt("<zoë@example.org>");
    let mut desk = Desk::ready(&["SMTPUTF8"]);
    desk.mail();
    assert_eq!(desk.machine.rcpt(&rcpt("<zoë@example.org>")), Err(Misuse::NeedsSmtpUtf8));
}

/// C-17
#[test]
fn quit_waits_for_its_reply_and_then_all_is_over() {
    let mut desk = Desk::ready(&[]);
    let quit = desk.machine.quit();
    desk.give(quit);
    assert_eq!(desk.sends(), "QUIT\r\n");
    assert_eq!(desk.machine.mail(&mail()), Err(Misuse::NotNow));
    assert_eq!(desk.hears("221 bye\r\n"), ["reply 0 221", "closed Quit"]);
    assert_eq!(desk.machine.mail(&mail()), Err(Misuse::Closed));
    assert_eq!(desk.machine.quit(), Err(Misuse::Closed));
    assert_eq!(desk.tells(), ["closed Quit"]);
}
