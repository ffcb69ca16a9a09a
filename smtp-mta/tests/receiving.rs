//! Mail from the socket to the Maildir.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod site;

use site::{Client, Site, eventually, without_trace};
use std::fs;

/// TRACE-01, TRACE-06 to TRACE-08
#[test]
fn a_message_lands_byte_for_byte_below_its_trace_fields() {
    let site = Site::new();
    let mut client = Client::greeted(site.address);
    let sent =
        b"Received: of old\r\nReturn-Path: <kept@as.sent>\r\n\r\n.a dot\r\n\xff\xfe\0\r\n\r\n";
    let stuffed = b"Received: of old\r\nReturn-Path: <kept@as.sent>\r\n\r\n..a dot\r\n\xff\xfe\0\r\n\r\n.\r\n";
    let reply = client.deliver(&["you@mx.example"], stuffed, "250 2.0.0 Ok: ");

    let messages = site.mailbox("you");
    assert_eq!(messages.len(), 1);
    assert_eq!(without_trace(&messages[0]), sent);
    let text = String::from_utf8_lossy(&messages[0]);
    let id = reply.trim_end().strip_prefix("250 2.0.0 Ok: ").unwrap();
    assert!(text.starts_with(
        "Return-Path: <me@client.example>\r\nReceived: from client.example ([127.0.0.1])\r\n"
    ));
    assert!(text.contains(&format!("\tby mx.example with ESMTP id {id}\r\n")), "{text}");
    assert!(text.contains("\tfor <you@mx.example>;\r\n"), "{text}");
    assert!(site.leftovers().is_empty());
}

#[test]
fn a_message_larger_than_memory_allows_lands_whole() {
    let site = Site::new();
    let mut client = Client::greeted(site.address);
    let line: Vec<u8> = (0..=255_u8).filter(|b| !b"\r\n".contains(b)).cycle().take(900).collect();
    let mut sent = Vec::new();
    while sent.len() < 3_000_000 {
        sent.extend_from_slice(&line);
        sent.extend_from_slice(b"\r\n");
    }
    let octets = [&sent, &b".\r\n"[..]].concat();
    client.deliver(&["you@mx.example", "other@mx.example"], &octets, "250 2.0.0 Ok: ");
    for mailbox in ["you", "other"] {
        let messages = site.mailbox(mailbox);
        assert_eq!(messages.len(), 1);
        assert!(without_trace(&messages[0]) == sent);
    }
    assert!(site.leftovers().is_empty());
}

#[test]
fn a_chunked_message_keeps_an_unfinished_last_line() {
    let site = Site::new();
    let mut client = Client::greeted(site.address);
    client.ask("MAIL FROM:<>", "250 ");
    client.ask("RCPT TO:<you@mx.example>", "250 ");
    client.send(b"BDAT 12\r\nA: b\r\n\r\n.\r\n.");
    client.expect("250 ");
    client.send(b"BDAT 3 LAST\r\nend");
    client.expect("250 2.0.0 Ok: ");
    let messages = site.mailbox("you");
    assert_eq!(without_trace(&messages[0]), b"A: b\r\n\r\n.\r\n.end");
    assert!(messages[0].starts_with(b"Return-Path: <>\r\n"));
}

/// TRACE-05
#[test]
fn several_recipients_get_one_file_each_and_do_not_learn_of_each_other() {
    let site = Site::new();
    let mut client = Client::greeted(site.address);
    let to = ["you@mx.example", "other@mx.example", "YOU@MX.example", "\"you\"@mx.example"];
    client.deliver(&to, b"x\r\n.\r\n", "250 ");
    for mailbox in ["you", "other"] {
        let messages = site.mailbox(mailbox);
        assert_eq!(messages.len(), 1, "{mailbox}");
        assert!(!String::from_utf8_lossy(&messages[0]).contains("mx.example>"));
    }
}

#[test]
fn only_local_mailboxes_are_accepted() {
    let site = Site::new();
    let mut client = Client::greeted(site.address);
    client.ask("MAIL FROM:<me@client.example>", "250 ");
    client.ask("RCPT TO:<nobody@mx.example>", "550 5.1.1 ");
    client.ask("RCPT TO:<\"../you\"@mx.example>", "550 5.1.1 ");
    client.ask("RCPT TO:<you@elsewhere.example>", "550 5.7.1 ");
    client.ask("RCPT TO:<you%elsewhere.example@mx.example>", "550 5.1.1 ");
    client.ask("DATA", "503 ");
    client.ask("RCPT TO:<PostMaster>", "250 ");
    client.ask("DATA", "354 ");
    client.send(b"x\r\n.\r\n");
    client.expect("250 ");
    assert_eq!(site.mailbox("postmaster").len(), 1);
    assert!(site.mailbox("you").is_empty());
}

#[test]
fn a_peer_that_leaves_in_the_middle_leaves_nothing() {
    let mut site = Site::new();
    let mut client = Client::greeted(site.address);
    client.ask("MAIL FROM:<me@client.example>", "250 ");
    client.ask("RCPT TO:<you@mx.example>", "250 ");
    client.ask("DATA", "354 ");
    client.send(&b"0123456789\r\n".repeat(50_000));
    client.rest();
    site.stop();
    assert!(site.mailbox("you").is_empty());
    assert!(site.leftovers().is_empty());
}

#[test]
fn a_mailbox_that_cannot_be_written_is_a_reason_to_try_again() {
    let site = Site::with(
        "hostname = 'mx.example'
         [[listener]]
         address = '127.0.0.1:0'
         [[domain]]
         name = 'mx.example'
         mailboxes = ['you', 'other']
         [queue.retry]
         after = '1s*'",
    );
    let new = site.folder.path().join("mail/other/new");
    fs::remove_dir(&new).unwrap();
    fs::write(&new, "no folder").unwrap();
    let mut client = Client::greeted(site.address);
    client.deliver(&["you@mx.example", "other@mx.example"], b"x\r\n.\r\n", "250 ");
    eventually("the other has it", || site.mailbox_now("you").len() == 1);
    fs::remove_file(&new).unwrap();
    fs::create_dir(&new).unwrap();
    assert_eq!((site.mailbox("you").len(), site.mailbox("other").len()), (1, 1));
    assert!(site.leftovers().is_empty());
}

#[test]
fn a_message_over_the_limit_is_refused_before_and_after() {
    let site = Site::with(
        "message_size_limit = '64 KiB'
         [[listener]]
         address = '127.0.0.1:0'",
    );
    let mut client = Client::greeted(site.address);
    client.ask("MAIL FROM:<me@client.example> SIZE=65537", "552 5.3.4 ");
    let octets = [&b"0123456789\r\n".repeat(10_000), &b".\r\n"[..]].concat();
    client.deliver(&["you@localhost"], &octets, "552 5.3.4 ");
    client.deliver(&["you@localhost"], b"x\r\n.\r\n", "250 ");
    assert_eq!(site.mailbox("you").len(), 1);
    assert!(site.leftovers().is_empty());
}

/// Everything that some server has once taken for the end of data, by its row in the catalogue of
/// requirements (RFC 5321 §4.1.1.4: only CRLF.CRLF is).
const NOT_THE_END: &[(&str, &[u8])] = &[
    ("LF.LF", b"\n.\n"),
    ("LF.CRLF", b"\n.\r\n"),
    ("CRLF.LF", b"\r\n.\n"),
    ("CR.CR", b"\r.\r"),
    ("CR.CRLF", b"\r.\r\n"),
    ("CRLF.CR", b"\r\n.\r"),
    ("LF.CR", b"\n.\r"),
    ("CR.LF", b"\r.\n"),
    ("CRLF NUL.CRLF", b"\r\n\0.\r\n"),
    ("CRLF.NUL CRLF", b"\r\n.\0\r\n"),
    ("CRLF.CR NUL LF", b"\r\n.\r\0\n"),
    ("CR NUL LF.CRLF", b"\r\0\n.\r\n"),
    ("CRLF.CR CRLF", b"\r\n.\r\r\n"),
    ("CR CRLF.CR CRLF", b"\r\r\n.\r\r\n"),
    ("CRLF.SP CRLF", b"\r\n. \r\n"),
    ("CRLF.TAB CRLF", b"\r\n.\t\r\n"),
    ("CRLF..CRLF", b"\r\n..\r\n"),
    ("LF CR.CRLF", b"\n\r.\r\n"),
    ("NEL.NEL", b"\xc2\x85.\xc2\x85"),
    ("NEL.NEL in one octet", b"\x85.\x85"),
    ("VT.VT", b"\x0b.\x0b"),
    ("CR CRLF.CRLF, a true end behind a bare CR", b"\r\r\n.\r\n"),
];

/// EOD-01 to EOD-21
#[test]
fn nothing_but_crlf_dot_crlf_lets_a_second_message_in() {
    for (form, octets) in NOT_THE_END {
        let mut site = Site::new();
        let mut client = Client::greeted(site.address);
        client.ask("MAIL FROM:<me@client.example>", "250 ");
        client.ask("RCPT TO:<you@mx.example>", "250 ");
        client.ask("DATA", "354 ");
        let smuggled = b"MAIL FROM:<evil@client.example>\r\nRCPT TO:<other@mx.example>\r\nDATA\r\n\
                         Subject: smuggled\r\n\r\nsmuggled\r\n.\r\nQUIT\r\n";
        client.send(&[b"Subject: one\r\n\r\ntext", *octets, smuggled].concat());
        let replies = client.rest();
        site.stop();

        let accepted = replies.matches("250 2.0.0 Ok: ").count();
        let messages = site.mailbox("you").len();
        assert_eq!(messages, accepted, "{form}: {replies}");
        assert!(accepted == 1 || replies.starts_with('5'), "{form}: {replies}");
        assert!(accepted <= 1, "{form}: {replies}");
        assert!(site.mailbox("other").is_empty(), "{form}: {replies}");
        assert!(site.leftovers().is_empty(), "{form}");
    }
}

#[test]
fn the_same_octets_with_a_true_end_are_two_messages() {
    let mut site = Site::new();
    let mut client = Client::greeted(site.address);
    client.deliver(
        &["you@mx.example"],
        b"one\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<other@mx.example>\r\nDATA\r\n",
        "250 ",
    );
    client.expect("250 ");
    client.expect("250 ");
    client.expect("354 ");
    client.send(b"two\r\n.\r\n");
    client.expect("250 2.0.0 Ok: ");
    client.ask("QUIT", "221 ");
    drop(client);
    site.stop();
    assert_eq!((site.mailbox("you").len(), site.mailbox("other").len()), (1, 1));
}

#[test]
fn a_server_that_stops_says_so_to_a_peer_that_waits() {
    let mut site = Site::new();
    let mut client = Client::greeted(site.address);
    site.begin_to_stop();
    client.expect("421 4.3.2 ");
    assert_eq!(client.rest(), "");
    site.stop();
}
