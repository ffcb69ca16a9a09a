//! Names that lead to other names.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod site;

use site::{Client, Site, without_trace};

/// Two shared domains, one of its own, one that is another, and a long list.
fn site() -> Site {
    let many: Vec<_> = (0..1000).map(|at| format!("'{at}@far.example'")).collect();
    Site::with(&format!(
        "hostname = 'mx.example'
         [[listener]]
         address = '127.0.0.1:0'
         [[domain]]
         name = 'mx.example'
         mailboxes = ['ada', 'bob', 'ada+club']
         [domain.aliases]
         postmaster = 'ada'
         info = 'ada'
         team = ['ada', 'bob', 'info', 'ada@own.example']
         bob = ['bob', 'ada']
         many = [{}]
         [[domain]]
         name = 'own.example'
         mailboxes = ['ada']
         separate = true
         catch_all = 'ada'
         [[domain]]
         name = 'same.example'
         alias_of = 'mx.example'",
        many.join(", ")
    ))
}

/// How many messages each mailbox has after one to these: ada, bob, ada+club, ada@own.example.
#[track_caller]
fn landed(to: &[&str]) -> [usize; 4] {
    let site = site();
    Client::greeted(site.address).deliver(to, b"Subject: x\r\n\r\ntext\r\n.\r\n", "250 ");
    assert!(site.leftovers().is_empty());
    ["ada", "bob", "ada+club", "ada@own.example"].map(|mailbox| {
        let messages = site.mailbox(mailbox);
        assert!(messages.iter().all(|it| without_trace(it) == b"Subject: x\r\n\r\ntext\r\n"));
        messages.len()
    })
}

#[test]
fn mail_lands_where_its_address_leads_and_once() {
    assert_eq!(landed(&["info@mx.example"]), [1, 0, 0, 0]);
    assert_eq!(landed(&["bob@mx.example"]), [1, 1, 0, 0]);
    assert_eq!(landed(&["team@mx.example"]), [1, 1, 0, 1]);
    assert_eq!(landed(&["team@mx.example", "ada@mx.example", "info@mx.example"]), [1, 1, 0, 1]);
    assert_eq!(landed(&["postmaster"]), [1, 0, 0, 0]);
    assert_eq!(landed(&["POSTMASTER@same.example"]), [1, 0, 0, 0]);
    assert_eq!(landed(&["whoever@own.example", "ada@own.example"]), [0, 0, 0, 1]);
    assert_eq!(landed(&["Ada@same.example"]), [1, 0, 0, 0]);
}

#[test]
fn a_tag_is_part_of_the_address_and_of_no_path() {
    assert_eq!(landed(&["ada+lists@mx.example"]), [1, 0, 0, 0]);
    assert_eq!(landed(&["ADA+club@mx.example"]), [0, 0, 1, 0]);
    assert_eq!(landed(&["info+x@same.example"]), [1, 0, 0, 0]);
    assert_eq!(landed(&["\"ada+../../bob\"@mx.example"]), [1, 0, 0, 0]);
    assert_eq!(landed(&["\"ada+bob@far.example\"@mx.example"]), [1, 0, 0, 0]);
    let site = site();
    Client::greeted(site.address).deliver(&["ada+Lists@mx.example"], b"x\r\n.\r\n", "250 ");
    let message = site.mailbox("ada").remove(0);
    let message = String::from_utf8_lossy(&message);
    assert!(message.contains("\tfor <ada+Lists@mx.example>;\r\n"), "{message}");
}

#[test]
fn rcpt_is_answered_by_what_exists() {
    let site = site();
    let mut client = Client::greeted(site.address);
    client.ask("MAIL FROM:<me@client.example>", "250 ");
    for (to, reply) in [
        ("team@mx.example", "250 "),
        ("nobody@mx.example", "550 5.1.1 "),
        ("nobody+ada@mx.example", "550 5.1.1 "),
        ("+ada@mx.example", "550 5.1.1 "),
        ("nobody@same.example", "550 5.1.1 "),
        ("nobody@own.example", "250 "),
        ("ada%far.example@mx.example", "550 5.1.1 "),
        ("\"0@far.example\"@mx.example", "550 5.1.1 "),
        ("0@far.example", "550 5.7.1 "),
        ("@mx.example:0@far.example", "550 5.7.1 "),
    ] {
        client.ask(&format!("RCPT TO:<{to}>"), reply);
    }
    client.ask("VRFY team", "252 ");
    client.ask("EXPN team", "502 ");
}

#[test]
fn a_message_has_so_many_recipients_and_no_more() {
    let site = site();
    let mut client = Client::greeted(site.address);
    for _ in 0..2 {
        client.ask("MAIL FROM:<me@client.example>", "250 ");
        for _ in 0..10 {
            client.ask("RCPT TO:<many@mx.example>", "250 ");
        }
        client.ask("RCPT TO:<many@mx.example>", "452 4.5.3 ");
        client.ask("RCPT TO:<info@mx.example>", "452 4.5.3 ");
        // Who is named has room in any case.
        client.ask("RCPT TO:<ada@mx.example>", "250 ");
        client.ask("RSET", "250 ");
    }
}
