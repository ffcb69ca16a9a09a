//! Mail whose sender is somebody else's address.

use crate::site::{Client, Site};

/// The sender is a mailbox here, so that a notice would be found.
#[test]
fn what_is_refused_is_nobodys_to_hear_of() {
    let site = Site::with(
        "hostname = 'mx.example'
         message_size_limit = '64 KiB'
         [[listener]]
         address = '127.0.0.1:0'
         [[domain]]
         name = 'mx.example'
         mailboxes = ['you', 'other']",
    );
    let mut client = Client::greeted(site.address);
    let long = "text\r\n".repeat(20_000) + ".\r\n";
    let round = "Received: from a\r\n\tby b; x\r\n".repeat(60) + "\r\ntext\r\n.\r\n";
    client.ask("MAIL FROM:<other@mx.example> SIZE=1000000", "552 ");
    client.ask("MAIL FROM:<other@mx.example>", "250 ");
    client.ask("RCPT TO:<nobody@mx.example>", "550 5.1.1 ");
    client.ask("RCPT TO:<x@elsewhere.example>", "550 5.7.1 ");
    client.ask("DATA", "5");
    for (message, reply) in [(&*long, "552 "), ("a\nb\r\n.\r\n", "5"), (&*round, "554 5.4.6 ")] {
        let mut client = Client::greeted(site.address);
        client.ask("MAIL FROM:<other@mx.example>", "250 ");
        client.ask("RCPT TO:<you@mx.example>", "250 ");
        client.ask("DATA", "354 ");
        client.send(message.as_bytes());
        client.expect(reply);
    }
    assert_eq!(site.queued(), 0);
    assert!(site.mailbox("other").is_empty());
    assert!(site.mailbox("you").is_empty());
    assert!(site.leftovers().is_empty());
}

/// A mailbox here keeps a NUL as it came. No other server would take the message, so its sender is told
/// at once.
#[test]
fn what_no_other_server_would_take_is_refused_at_once() {
    let site = Site::with(
        "hostname = 'mx.example'
         [[listener]]
         address = '127.0.0.1:0'
         [[domain]]
         name = 'mx.example'
         mailboxes = ['you', 'other']
         aliases = { away = ['x@elsewhere.example'] }",
    );
    let mut client = Client::greeted(site.address);
    client.deliver(&["you@mx.example"], b"a\0b\r\n.\r\n", "250 ");
    client.deliver(&["you@mx.example", "away@mx.example"], b"a\0b\r\n.\r\n", "554 5.6.0 ");
    site.delivered();
    assert_eq!(site.mailbox("you").len(), 1);
    assert_eq!(site.queued(), 0);
    assert!(site.leftovers().is_empty());
}
