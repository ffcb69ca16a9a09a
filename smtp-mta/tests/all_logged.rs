//! What the server and all libraries say at the most verbose level. One test: the log belongs to the
//! process.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod site;

use site::{
    Client, Site, eventually,
    log::Lines,
    login::{base64, plain, scram},
    tls::{dialogue, tls},
};
use smtp_proto::wire::Mechanism;
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};
use testkit::dns::Zone;

/// Of a user, a wrong one, and that of this server at its smarthost.
const PASSWORDS: [&str; 3] = ["hunter2-right", "hunter3-wrong", "correct horse"];
/// In the header and the body of a message.
const WORDS: [&str; 2] = ["zebra crossing", "teatime at four"];

/// What `secret` looks like in a log: as text, in Base64 at each of its places in a group, as a list
/// of octets, in hexadecimal.
fn forms(secret: &str) -> Vec<String> {
    let octets = format!("{:?}", secret.as_bytes());
    let hex = secret.bytes().map(|octet| format!("{octet:02x}")).collect();
    let mut forms = vec![secret.to_owned(), octets.trim_matches(['[', ']']).to_owned(), hex];
    for before in ["", "x", "xx"] {
        // Without the characters in which its neighbours have a part.
        let text = base64(&format!("{before}{secret}"));
        forms.push(text[4 * before.len().min(1)..text.len() - 4].to_owned());
    }
    forms
}

/// A server for submission that relays to `relay.example`, at `relay`, where it logs in.
fn site(relay: &Site, names: SocketAddr) -> Site {
    let folder = relay.folder.path();
    fs::write(folder.join("password"), PASSWORDS[2]).unwrap();
    let site = Site::with(&format!(
        "hostname = 'mx.example'
         name_servers = ['{names}']
         [[listener]]
         address = '127.0.0.1:0'
         role = 'submission'
         [[domain]]
         name = 'mx.example'
         mailboxes = ['you']
         [[route]]
         recipients = ['relay.example']
         smarthost = {{ host = 'relay.example', port = {0}, login = 'me', \
         password_file = '{1}/password', ca_file = '{1}/tls/relay.example.crt' }}",
        relay.address.port(),
        folder.display(),
    ));
    site.add_user("you", PASSWORDS[0]);
    site
}

#[test]
fn nobody_logs_a_password_a_response_or_a_message_at_any_level() {
    let lines = Lines::of_all_libraries();
    let at = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 5), 0)).unwrap().local_addr().unwrap();
    let names = Zone::new("relay.example A 127.0.0.5").serve();
    let mut relay = Site::smarthost(&[(at, "submission")], PASSWORDS[2]);
    let mut site = site(&relay, names.address());
    let [right, wrong, _] = PASSWORDS;
    let session = |exchange: &[(&str, &str)]| {
        let mut client = Client::greeted(site.address);
        client.ask("STARTTLS", "220 ");
        let mut stream = tls(&site, "mx.example", client.into_stream());
        dialogue(&mut stream, &[("EHLO client.example\r\n", "250 ")]);
        dialogue(&mut stream, exchange);
        stream
    };
    let line = |text: &str| base64(text) + "\r\n";
    // Wrong, cancelled, malformed, with a password where the name should be, too long, never ended.
    session(&[
        (&plain("you", wrong), "535 "),
        ("AUTH PLAIN\r\n", "334 "),
        ("*\r\n", "501 "),
        (&plain("you", right).replace("\r\n", "!\r\n"), "501 "),
        (&plain(right, "you"), "535 "),
    ]);
    session(&[
        ("AUTH LOGIN\r\n", "334 "),
        (&line("you"), "334 "),
        (&line(wrong), "535 "),
        ("AUTH LOGIN\r\n", "334 "),
        (&line(right), "334 "),
        ("*\r\n", "501 "),
        ("AUTH PLAIN\r\n", "334 "),
        (&line(&right.repeat(1000)), "500 "),
        ("AUTH LOGIN\r\n", "334 "),
        (&line("you"), "334 "),
    ]);
    let mut said = scram(&mut session(&[]), &Mechanism::SCRAM_SHA_256_PLUS, "you", wrong, "535 ");
    let mut stream = session(&[]);
    said.extend(scram(&mut stream, &Mechanism::SCRAM_SHA_256_PLUS, "you", right, "235 "));
    let message = format!(
        "From: you@mx.example\r\nSubject: {}\r\nBcc: hidden@mx.example\r\n\r\n{}\r\n.\r\n",
        WORDS[0], WORDS[1]
    );
    dialogue(
        &mut stream,
        &[
            ("MAIL FROM:<you@mx.example>\r\n", "250 "),
            ("RCPT TO:<you@mx.example>\r\n", "250 "),
            ("RCPT TO:<you@relay.example>\r\n", "250 "),
            ("DATA\r\n", "354 "),
            (&message, "250 "),
            (&format!("{}\r\n", WORDS[0]), "500 "),
            ("QUIT\r\n", "221 "),
        ],
    );
    eventually("the smarthost has it", || relay.mailbox_now("you").len() == 1);
    assert_eq!(site.mailbox("you").len(), 1);
    site.stop();
    relay.stop();

    let text = lines.text();
    for somebody in [" smtp_mta::", "rustls::", "hickory"] {
        assert!(text.contains(somebody), "{somebody} says nothing in\n{text}");
    }
    let proofs = said.iter().flat_map(|line| line.split_whitespace()).filter(|it| it.len() > 24);
    let secrets = PASSWORDS.iter().chain(&WORDS).flat_map(|secret| forms(secret));
    for secret in secrets.chain(proofs.map(str::to_owned)).chain(["hidden".to_owned()]) {
        let line = text.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret}");
    }
    // Addresses stand in the lines in which `docs/manual/logs.md` has them.
    for line in text.lines().filter(|line| line.contains("@mx.example")) {
        let events = ["message", "recipient", "delivery", "dialogue", "gone"];
        assert!(events.iter().any(|event| line.contains(&format!(": {event} "))), "{line}");
    }
}
