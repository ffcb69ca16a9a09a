//! Mail from users, and mail that would have to go elsewhere.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod site;

use rustls::{ClientConnection, StreamOwned};
use site::{
    Client, Site,
    login::{base64, plain, scram},
    tls::{dialogue, tls},
};
use smtp_proto::wire::Mechanism;
use std::{
    io::{Read, Write},
    net::TcpStream,
};

const PLUS: Mechanism<'static> = Mechanism::SCRAM_SHA_256_PLUS;

/// A site for `mx.example` with one listener, and `you` with the password `pass`.
fn site(listener: &str) -> Site {
    let site = Site::listening(&format!(
        "{listener}
         [[user]]
         name = 'you'
         may_send_as = ['sales@mx.example']"
    ));
    site.add_user("you", "pass");
    site
}

type Inside = StreamOwned<ClientConnection, TcpStream>;

/// A connection inside TLS, greeted.
fn inside(site: &Site) -> Inside {
    let mut stream = tls(site, "mx.example", site.connect().into_stream());
    dialogue(&mut stream, &[("", "220 "), ("EHLO client.example\r\n", "250 ")]);
    stream
}

fn logged_in(site: &Site) -> Inside {
    let mut stream = inside(site);
    dialogue(&mut stream, &[(&plain("you", "pass"), "235 ")]);
    stream
}

/// The message in a mailbox, its trace fields included.
fn message(site: &Site, mailbox: &str) -> String {
    String::from_utf8(site.mailbox(mailbox).remove(0)).unwrap()
}

/// SUBM-03
#[test]
fn a_user_submits_by_starttls_and_the_message_is_made_whole() {
    let site = site("role = 'submission'");
    let mut client = Client::greeted(site.address);
    client.ask("MAIL FROM:<you@mx.example>", "530 5.7.0 ");
    client.ask("AUTH PLAIN AGFiAGFi", "5");
    client.ask("STARTTLS", "220 ");
    let mut stream = tls(&site, "mx.example", client.into_stream());
    dialogue(
        &mut stream,
        &[
            ("EHLO client.example\r\n", "250 "),
            ("MAIL FROM:<you@mx.example>\r\n", "530 5.7.0 "),
            (&plain("you", "pass"), "235 "),
            ("MAIL FROM:<you@mx.example>\r\n", "250 "),
            ("RCPT TO:<other@mx.example>\r\n", "250 "),
            ("DATA\r\n", "354 "),
            ("Subject: x\r\nBcc: kept\r\n\r\ntext\r\n.\r\n", "250 2.0.0 Ok: "),
        ],
    );
    let message = message(&site, "other");
    assert!(message.contains(" with ESMTPSA id "), "{message}");
    for field in ["\r\nMessage-ID: <", "\r\nDate: ", "\r\nFrom: <you@mx.example>\r\n"] {
        assert!(message.contains(field), "{field}: {message}");
    }
    assert!(message.ends_with("Subject: x\r\nBcc: kept\r\n\r\ntext\r\n"), "{message}");
}

#[test]
fn each_mechanism_lets_a_user_in_and_nobody_else() {
    let site = site("role = 'submissions'");
    for (name, password, reply) in
        [("you", "pass", "235 "), ("you", "no", "535 5.7.8 "), ("nobody", "pass", "535 5.7.8 ")]
    {
        dialogue(&mut inside(&site), &[(&plain(name, password), reply)]);
    }
    dialogue(
        &mut inside(&site),
        &[
            ("AUTH LOGIN\r\n", "334 VXNlcm5hbWU6"),
            (&(base64("YOU") + "\r\n"), "334 UGFzc3dvcmQ6"),
            (&(base64("pass") + "\r\n"), "235 "),
        ],
    );
    scram(&mut inside(&site), &PLUS, "you", "pass", "235 2.7.0 ");
}

#[test]
fn scram_refuses_an_unknown_user_as_it_refuses_a_wrong_password() {
    let site = site("role = 'submissions'");
    scram(&mut inside(&site), &PLUS, "you", "wrong", "535 5.7.8 ");
    scram(&mut inside(&site), &PLUS, "nobody", "pass", "535 5.7.8 ");
}

#[test]
fn a_user_who_is_deleted_is_out_at_once() {
    use smtp_mta::users::{UserName, UsersFile};
    let site = site("role = 'submissions'");
    drop(logged_in(&site));
    let name = UserName::new("you").unwrap();
    UsersFile::new(site.folder.path()).delete(&name).unwrap();
    dialogue(&mut inside(&site), &[(&plain("you", "pass"), "535 5.7.8 ")]);
}

/// SUBM-05, SUBM-07
#[test]
fn who_sends_must_be_who_logged_in_in_the_envelope_and_in_the_header() {
    let site = site("role = 'submissions'");
    let mut stream = logged_in(&site);
    dialogue(
        &mut stream,
        &[
            ("MAIL FROM:<other@mx.example>\r\n", "550 5.7.1 "),
            ("MAIL FROM:<you@elsewhere.example>\r\n", "550 5.7.1 "),
        ],
    );
    for (from, header, reply) in [
        ("you@mx.example", "From: You <sales@mx.example>", "250 "),
        ("sales@mx.example", "From: you@mx.example", "250 "),
        ("", "From: you@mx.example", "250 "),
        ("you@mx.example", "From: other@mx.example", "550 5.7.1 "),
        ("you@mx.example", "From: you@mx.example, ceo@bank.example", "550 5.7.1 "),
        ("you@mx.example", "From: you@mx.example\r\nSender: other@mx.example", "550 5.7.1 "),
    ] {
        dialogue(
            &mut stream,
            &[
                (&format!("MAIL FROM:<{from}>\r\n"), "250 "),
                ("RCPT TO:<other@mx.example>\r\n", "250 "),
                ("DATA\r\n", "354 "),
                (&format!("{header}\r\n\r\n{}.\r\n", "text\r\n".repeat(30_000)), reply),
            ],
        );
    }
    assert_eq!(site.mailbox("other").len(), 3);
    assert!(site.leftovers().is_empty());
}

#[test]
fn mail_goes_elsewhere_for_a_login_and_for_nobody_else() {
    for listener in ["role = 'mx'", "role = 'lmtp'", "role = 'submissions'"] {
        let site = site(listener);
        let is_user = listener == "role = 'submissions'";
        let elsewhere = if is_user { "250 " } else { "550 5.7.1 " };
        let rcpts = [
            ("RCPT TO:<x@elsewhere.example>\r\n", elsewhere),
            ("RCPT TO:<@mx.example:x@elsewhere.example>\r\n", elsewhere),
            ("RCPT TO:<x%elsewhere.example@mx.example>\r\n", "550 5.1.1 "),
            ("RCPT TO:<elsewhere.example!x@mx.example>\r\n", "550 5.1.1 "),
            ("RCPT TO:<\"x@elsewhere.example\"@mx.example>\r\n", "550 5.1.1 "),
            ("RCPT TO:<x@[127.0.0.1]>\r\n", "550 5.7.1 "),
        ];
        let mail = ("MAIL FROM:<you@mx.example>\r\n", "250 ");
        let hello = match listener {
            "role = 'lmtp'" => ("LHLO client.example\r\n", "250 "),
            _ => ("EHLO client.example\r\n", "250 "),
        };
        if is_user {
            dialogue(&mut logged_in(&site), &[&[mail][..], &rcpts].concat());
        } else {
            let mut stream = site.connect().into_stream();
            dialogue(&mut stream, &[&[("", "220 "), hello, mail][..], &rcpts].concat());
        }
    }
}

#[test]
fn a_message_that_goes_round_in_circles_ends() {
    let site = site("role = 'mx'");
    let mut client = Client::greeted(site.address);
    let hops = |n| "Received: from a\r\n\tby b; x\r\n".repeat(n) + "\r\ntext\r\n.\r\n";
    client.deliver(&["you@mx.example"], hops(49).as_bytes(), "250 ");
    client.deliver(&["you@mx.example"], hops(50).as_bytes(), "554 5.4.6 ");
    client.deliver(&["you@mx.example"], b"text\r\n.\r\n", "250 ");
    assert_eq!(site.mailbox("you").len(), 2);
    assert!(site.leftovers().is_empty());
}

#[test]
fn lmtp_answers_for_each_recipient() {
    let site = site("role = 'lmtp'");
    let mut client = Client::connect(site.address);
    client.expect("220 ");
    client.ask("EHLO client.example", "5");
    client.ask("LHLO client.example", "250 ");
    client.ask("MAIL FROM:<a@client.example>", "250 ");
    client.ask("RCPT TO:<you@mx.example>", "250 ");
    client.ask("RCPT TO:<nobody@mx.example>", "550 5.1.1 ");
    client.ask("RCPT TO:<other@mx.example>", "250 ");
    client.ask("DATA", "354 ");
    client.send(b"Subject: x\r\n\r\ntext\r\n.\r\n");
    client.expect("250 2.0.0 Ok: ");
    client.expect("250 2.0.0 Ok: ");
    client.ask("NOOP", "250 ");
    for mailbox in ["you", "other"] {
        assert_eq!(site.mailbox(mailbox).len(), 1);
        assert!(message(&site, mailbox).contains(" with LMTP id "));
    }
}

#[test]
fn logins_are_offered_to_users_inside_tls_only() {
    let offers = |stream: &mut dyn ReadWrite| {
        stream.write_all(b"EHLO client.example\r\nQUIT\r\n").unwrap();
        let mut all = String::new();
        // The server may close without a word of TLS about it.
        let _ = stream.read_to_string(&mut all);
        all.lines().filter(|line| line.contains("AUTH")).map(str::to_owned).collect::<Vec<_>>()
    };
    let users = site("role = 'submissions'");
    let mut stream = tls(&users, "mx.example", users.connect().into_stream());
    assert_eq!(offers(&mut stream), ["250 AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"]);
    let clear = site("role = 'submission'");
    assert!(offers(&mut clear.connect().into_stream()).is_empty());
    let servers = site("tls = 'implicit'");
    let mut stream = tls(&servers, "mx.example", servers.connect().into_stream());
    assert!(offers(&mut stream).is_empty());
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}
