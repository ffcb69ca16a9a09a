//! The certificate that the server makes for itself, and TLS with it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod site;

use site::{
    Client, Site,
    tls::{dialogue, tls},
};

const MESSAGE: &[(&str, &str)] = &[
    ("EHLO client.example\r\n", "250 "),
    ("MAIL FROM:<me@client.example>\r\n", "250 "),
    ("RCPT TO:<you@mx.example>\r\n", "250 "),
    ("DATA\r\n", "354 "),
    ("text\r\n.\r\n", "250 2.0.0 Ok: "),
    ("QUIT\r\n", "221 "),
];

#[test]
fn a_client_that_trusts_our_certificate_delivers_by_starttls() {
    let site = Site::new();
    let mut client = Client::greeted(site.address);
    client.ask("STARTTLS", "220 ");
    dialogue(&mut tls(&site, "mx.example", client.into_stream()), MESSAGE);
    let message = String::from_utf8(site.mailbox("you").remove(0)).unwrap();
    assert!(message.contains(" with ESMTPS id "), "{message}");
    assert!(message.contains("\r\n\ttls TLS_AES_"), "{message}");
}

#[test]
fn a_listener_may_begin_inside_tls() {
    let site = Site::with(
        "hostname = 'mx.example'
         [[listener]]
         address = '127.0.0.1:0'
         tls = 'implicit'
         [[domain]]
         name = 'mx.example'
         mailboxes = ['you']",
    );
    let mut stream = tls(&site, "mx.example", site.connect().into_stream());
    dialogue(&mut stream, &[&[("", "220 ")], MESSAGE].concat());
    assert_eq!(site.mailbox("you").len(), 1);
}

#[test]
fn commands_behind_starttls_in_clear_are_never_obeyed() {
    let mut site = Site::new();
    let mut client = Client::greeted(site.address);
    client.send(
        b"STARTTLS\r\nMAIL FROM:<evil@client.example>\r\nRCPT TO:<you@mx.example>\r\nDATA\r\n\
          smuggled\r\n.\r\n",
    );
    let replies = client.rest();
    site.stop();
    assert!(!replies.contains("250 "), "{replies}");
    assert!(site.mailbox("you").is_empty());
}

#[test]
fn a_listener_without_tls_does_not_offer_it() {
    let site = Site::with("[[listener]]\naddress = '127.0.0.1:0'\ntls = 'off'");
    let mut client = Client::greeted(site.address);
    client.ask("STARTTLS", "50");
}
