//! BDAT (RFC 3030).

use crate::desk::Desk;
use smtp_proto::Misuse;

fn write(desk: &mut Desk, octets: usize) -> String {
    let command = desk.machine.poll_transmit().map_or(0, <[u8]>::len);
    let text = String::from_utf8(desk.machine.poll_transmit().unwrap_or_default().to_vec());
    desk.machine.handle_transmitted(command + octets);
    text.unwrap()
}

#[test]
fn a_whole_transaction_may_leave_in_one_group() {
    let mut desk = Desk::ready(&["PIPELINING", "CHUNKING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    let bdat = desk.machine.bdat(5, true);
    desk.give(bdat);
    assert_eq!(write(&mut desk, 5), "MAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nBDAT 5 LAST\r\n");
    let told = desk.hears("250 ok\r\n250 ok\r\n250 sent\r\n");
    assert_eq!(told, ["reply 0 250", "reply 1 250", "reply 2 250", "Decision"]);
    assert!(desk.machine.is_idle());
}

#[test]
fn without_pipelining_bdat_waits_for_the_recipients() {
    let mut desk = Desk::ready(&["CHUNKING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    assert_eq!(desk.machine.bdat(5, true), Err(Misuse::NotNow));
    desk.sends();
    desk.hears("250 ok\r\n");
    desk.sends();
    desk.hears("250 ok\r\n");
    let bdat = desk.machine.bdat(5, false);
    desk.give(bdat);
    // The octets belong to the command: nothing goes between.
    assert_eq!(desk.machine.bdat(0, true), Err(Misuse::NotNow));
    assert_eq!(desk.machine.quit(), Err(Misuse::NotNow));
    assert_eq!(write(&mut desk, 5), "BDAT 5\r\n");
    assert_eq!(desk.hears("250 ok\r\n"), ["reply 2 250", "Decision"]);
    let last = desk.machine.bdat(0, true);
    desk.give(last);
    assert_eq!(write(&mut desk, 0), "BDAT 0 LAST\r\n");
    assert_eq!(desk.hears("250 ok\r\n"), ["reply 3 250", "Decision"]);
}

/// C-48
#[test]
fn a_refused_chunk_ends_the_message() {
    let mut desk = Desk::ready(&["PIPELINING", "CHUNKING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.sends();
    desk.hears("250 ok\r\n250 ok\r\n");
    let bdat = desk.machine.bdat(3, false);
    desk.give(bdat);
    write(&mut desk, 3);
    assert_eq!(desk.hears("552 no\r\n"), ["reply 2 552", "Decision"]);
    assert_eq!(desk.machine.bdat(3, true), Err(Misuse::NotNow));
    assert_eq!(desk.machine.data(), Err(Misuse::NotNow));
    let rset = desk.machine.rset();
    desk.give(rset);
    assert_eq!(desk.sends(), "RSET\r\n");
    assert_eq!(desk.hears("250 ok\r\n"), ["reply 3 250", "Decision"]);
}

#[test]
fn a_chunk_is_not_begun_when_every_recipient_was_refused() {
    let mut desk = Desk::ready(&["PIPELINING", "CHUNKING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.sends();
    desk.hears("250 ok\r\n550 no\r\n");
    assert_eq!(desk.machine.bdat(3, true), Err(Misuse::NotNow));
}

#[test]
fn a_chunk_refused_before_its_octets_are_written_still_owes_them() {
    let mut desk = Desk::ready(&["PIPELINING", "CHUNKING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.sends();
    desk.hears("250 ok\r\n250 ok\r\n");
    let bdat = desk.machine.bdat(3, false);
    desk.give(bdat);
    write(&mut desk, 1);
    assert_eq!(desk.hears("452 full\r\n"), ["reply 2 452", "Input"]);
    assert_eq!(desk.machine.rset(), Err(Misuse::NotNow));
    desk.machine.handle_transmitted(2);
    desk.machine.rset().unwrap();
    assert_eq!(desk.sends(), "RSET\r\n");
}

#[test]
fn after_a_refused_last_chunk_there_is_a_reset_before_anything_else() {
    let mut desk = Desk::ready(&["PIPELINING", "CHUNKING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    let bdat = desk.machine.bdat(5, true);
    desk.give(bdat);
    let next = smtp_proto::wire::Mail::new(smtp_proto::wire::ReversePath::Null);
    write(&mut desk, 5);
    assert_eq!(desk.machine.mail(&next), Err(Misuse::NotNow), "it might have to be RSET");
    let told = desk.hears("250 ok\r\n550 no\r\n503 nobody\r\n");
    assert_eq!(told, ["reply 0 250", "reply 1 550", "reply 2 503", "Decision"]);
    assert!(!desk.machine.is_idle());
    assert_eq!(desk.machine.mail(&next), Err(Misuse::NotNow));
    desk.machine.rset().unwrap();
    desk.mail();
    assert_eq!(desk.sends(), "RSET\r\nMAIL FROM:<>\r\n");
}

#[test]
fn a_chunk_that_is_accepted_before_it_was_sent_ends_the_connection() {
    let mut desk = Desk::ready(&["PIPELINING", "CHUNKING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    let bdat = desk.machine.bdat(5, true);
    desk.give(bdat);
    write(&mut desk, 4);
    let told = desk.hears("250 ok\r\n250 ok\r\n250 sent\r\n");
    assert_eq!(told, ["reply 0 250", "reply 1 250", "reply 2 250", "closed Unintelligible"]);
}

#[test]
fn a_chunk_is_accepted_while_the_next_is_being_written() {
    let mut desk = Desk::ready(&["PIPELINING", "CHUNKING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    let first = desk.machine.bdat(5, false);
    desk.give(first);
    write(&mut desk, 5);
    let second = desk.machine.bdat(5, true);
    desk.give(second);
    let told = desk.hears("250 ok\r\n250 ok\r\n250 first\r\n");
    assert_eq!(told[..3], ["reply 0 250", "reply 1 250", "reply 2 250"]);
    write(&mut desk, 5);
    assert_eq!(desk.hears("250 sent\r\n"), ["reply 3 250", "Decision"]);
}
