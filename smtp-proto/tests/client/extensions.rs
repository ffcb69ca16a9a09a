//! What the server offers decides what may be asked of it (RFC 5321 §2.2.1).

use crate::desk::Desk;
use smtp_proto::{
    Misuse,
    ext::BodyType,
    wire::{Mail, ReversePath},
};

/// MAIL with one thing more.
fn mail(tune: impl FnOnce(&mut Mail<'static>)) -> Mail<'static> {
    let mut mail = Mail::new(ReversePath::parse("<a@example.net>").unwrap().0);
    tune(&mut mail);
    mail
}

/// What leaves for this MAIL, where the server offers these keywords.
fn sent(keywords: &[&str], mail: &Mail<'_>) -> Result<String, Misuse> {
    let mut desk = Desk::ready(keywords);
    desk.machine.mail(mail)?;
    Ok(desk.sends())
}

/// RFC 3030 §3: BINARYMIME is of no use without CHUNKING, and DATA cannot carry it
#[test]
fn a_binary_message_needs_both_extensions_and_goes_by_bdat() {
    let mail = mail(|mail| mail.body = BodyType::BinaryMime);
    let not_offered = Err(Misuse::NotOffered("BINARYMIME"));
    assert_eq!(sent(&["CHUNKING", "8BITMIME"], &mail), not_offered);
    assert_eq!(sent(&["BINARYMIME"], &mail), not_offered);
    let mut desk = Desk::ready(&["PIPELINING", "CHUNKING", "BINARYMIME"]);
    let id = desk.machine.mail(&mail);
    desk.give(id);
    desk.rcpt("<a@example.org>");
    assert_eq!(desk.machine.data(), Err(Misuse::NeedsBdat));
    let id = desk.machine.bdat(3, true);
    desk.give(id);
    assert_eq!(
        desk.sends(),
        "MAIL FROM:<a@example.net> BODY=BINARYMIME\r\nRCPT TO:<a@example.org>\r\nBDAT 3 LAST\r\n"
    );
    desk.machine.handle_transmitted(3);
    let told = desk.hears("250 ok\r\n250 ok\r\n250 sent\r\n");
    assert_eq!(told, ["reply 0 250", "reply 1 250", "reply 2 250", "Decision"]);
    // The next message is one of its own.
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.data();
}
