//! The life of messages in the log, from a login to the last attempt. One test: the log belongs to
//! the process.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod site;

use serde_json::Value;
use site::{
    Client, Site, eventually, files,
    log::{Lines, events},
    login::base64,
    tls::{dialogue, tls},
};
use smtp_mta::config::{LogFormat, LogLevel};
use std::{
    fs,
    net::{SocketAddr, TcpListener},
};
use testkit::dns::Zone;

/// The passwords of users, and of this server at another: right ones and wrong ones.
const PASSWORDS: [&str; 4] = ["hunter2", "hunter3", "correct horse", "wrong horse"];
/// A line of a message.
const BODY: &str = "zebra crossing";

/// What a user says to send a message.
fn message(to: &[&str]) -> Vec<(String, &'static str)> {
    let mut lines = vec![("MAIL FROM:<me@a.example>\r\n".to_owned(), "250 ")];
    lines.extend(to.iter().map(|to| (format!("RCPT TO:<{to}>\r\n"), "250 ")));
    lines.push(("DATA\r\n".to_owned(), "354 "));
    let octets = format!("From: me@a.example\r\nSubject: {BODY}\r\n\r\n{BODY}\r\n.\r\n");
    lines.push((octets, "250 2.0.0 Ok: "));
    lines
}

fn port(ip: [u8; 4]) -> SocketAddr {
    TcpListener::bind((std::net::Ipv4Addr::from(ip), 0)).unwrap().local_addr().unwrap()
}

/// The smarthost, where `me` logs in.
fn relay(at: SocketAddr) -> Site {
    let relay = Site::smarthost(&[(at, "submission")], PASSWORDS[2]);
    fs::write(relay.folder.path().join("right"), PASSWORDS[2]).unwrap();
    fs::write(relay.folder.path().join("wrong"), PASSWORDS[3]).unwrap();
    relay
}

/// The server that users submit to: inside TLS at its first port, and with STARTTLS at `second`.
fn submission(relay: &Site, names: SocketAddr, second: SocketAddr) -> Site {
    let folder = relay.folder.path().display();
    let host = |password: &str| {
        format!(
            "smarthost = {{ host = 'relay.example', port = {}, login = 'me', \
             password_file = '{folder}/{password}', ca_file = '{folder}/tls/relay.example.crt' }}",
            relay.address.port()
        )
    };
    let a = Site::with(&format!(
        "hostname = 'mx.a.example'
         name_servers = ['{names}']
         [[listener]]
         address = '127.0.0.1:0'
         role = 'submissions'
         [[listener]]
         address = '{second}'
         role = 'submission'
         [[domain]]
         name = 'a.example'
         mailboxes = ['me']
         [queue.retry]
         after = '1s*'
         expire = '2s'
         [[route]]
         recipients = ['relay.example']
         {}
         [[route]]
         recipients = ['late.example']
         {}",
        host("right"),
        host("wrong")
    ));
    a.add_user("me", PASSWORDS[0]);
    a
}

/// The names of all lines about the message `id`, in their order.
fn life<'e>(events: &'e [Value], id: &Value) -> Vec<&'e str> {
    let about = events.iter().filter(|it| it["id"] == *id || it["about"] == *id);
    about.filter_map(|it| it["message"].as_str()).collect()
}

#[test]
fn the_log_tells_the_life_of_a_message_by_its_id_and_no_secret() {
    let lines = Lines::of_process(LogFormat::Json, LogLevel::Debug);

    let names = Zone::new("relay.example A 127.0.0.5").serve();
    let mut relay = relay(port([127, 0, 0, 5]));
    let second = port([127, 0, 0, 1]);
    let mut a = submission(&relay, names.address(), second);

    let login = |mechanism: &str, lines: &[(&str, &'static str)]| {
        let mut login = vec![(format!("AUTH {mechanism}\r\n"), "334 ")];
        login.extend(lines.iter().map(|(say, hear)| (base64(say) + "\r\n", *hear)));
        login
    };
    let logins = [
        login("PLAIN", &[("\0me\0hunter3", "535 ")]),
        login("SCRAM-SHA-256", &[("n,,n=me,r=hunter2", "334 "), ("c=biws,r=hunter2", "5")]),
        [
            login("PLAIN", &[("\0me\0hunter2", "235 ")]),
            message(&["you@relay.example", "nobody@relay.example"]),
        ]
        .concat(),
        [login("LOGIN", &[("me", "334 "), ("hunter2", "235 ")]), message(&["x@late.example"])]
            .concat(),
    ];
    let mut said = Vec::new();
    for (at, lines) in logins.iter().enumerate() {
        let (mut client, mut greeting) = match at % 2 {
            0 => (Client::connect(a.address), vec![("", "220 ")]),
            _ => (Client::greeted(second), vec![]),
        };
        if at % 2 == 1 {
            client.ask("STARTTLS", "220 ");
        }
        greeting.push(("EHLO client.example\r\n", "250 "));
        let lines: Vec<_> = lines.iter().map(|(say, hear)| (say.as_str(), *hear)).collect();
        said.extend(lines.iter().filter(|(say, _)| !say.contains(' ')).map(|(say, _)| say.trim()));
        let mut stream = tls(&a, "mx.a.example", client.into_stream());
        dialogue(&mut stream, &[greeting, lines].concat());
    }
    let kept = || a.entries().into_iter().flat_map(|it| it.recipients).find_map(|it| it.last);
    eventually("a login was refused", || kept().is_some_and(|last| last.dialogue.is_some()));
    let kept = kept().unwrap().dialogue.unwrap();
    let stored: Vec<u8> = files(&a.folder.path().join("queue"))
        .iter()
        .flat_map(|file| fs::read(file).unwrap())
        .collect();
    a.stop();
    relay.stop();

    let text = lines.text();
    let stored = String::from_utf8_lossy(&stored);
    let encoded = PASSWORDS.map(base64);
    let secrets = PASSWORDS.into_iter().chain(encoded.iter().map(String::as_str)).chain(said);
    for secret in secrets.filter(|secret| secret.len() > 4 && *secret != "DATA") {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
        assert!(!stored.contains(secret), "{secret} is in the queue");
    }
    assert!(!text.contains(BODY), "{text}");
    assert!(kept.contains("C: AUTH SCRAM-SHA-256-PLUS ***\n") && !kept.contains(BODY), "{kept}");

    let events = events(&text);
    for kind in ["message", "recipient", "delivery", "dialogue", "failed", "gone", "notice"] {
        let mut found = events.iter().filter(|event| event["message"] == kind).peekable();
        assert!(found.peek().is_some(), "no {kind} in {text}");
        assert!(found.all(|event| event["id"].is_string()), "{kind} without id in {text}");
    }
    let of = |to: &str| {
        let mut found = events.iter().filter(|it| it["message"] == "recipient" && it["to"] == to);
        &found.next().unwrap()["id"]
    };
    let first = life(&events, of("<you@relay.example>"));
    assert_eq!(first[..4], ["message", "recipient", "recipient", "delivery"], "{text}");
    assert_eq!(first[first.len() - 2..], ["failed", "gone"], "{text}");
    assert_eq!(first.iter().filter(|it| **it == "delivery").count(), 2, "{text}");
    let late = life(&events, of("<x@late.example>"));
    assert!(late.iter().filter(|it| **it == "delivery").count() >= 2, "{text}");
    assert!(late.ends_with(&["notice", "failed", "gone"]), "{text}");

    // The notice goes on under a name of its own.
    let notice = events.iter().find(|it| it["message"] == "notice").unwrap();
    assert_eq!(life(&events, &notice["id"]), ["notice", "delivery", "gone"], "{text}");
    // The manual has them all, with each of their fields.
    let manual = include_str!("../../docs/manual/logs.md");
    for event in &events {
        let name = event["message"].as_str().unwrap();
        let Some((_, section)) = manual.split_once(&format!("\n### `{name}`\n")) else {
            // Sentences are not, nor what is about the server.
            assert!(name.contains(' ') || event["id"].is_null(), "{name} is not in the manual");
            continue;
        };
        let section = section.split("\n##").next().unwrap();
        for field in event.as_object().unwrap().keys() {
            let is_every = ["timestamp", "level", "message"].contains(&field.as_str());
            assert!(is_every || section.contains(&format!("`{field}`")), "{name}: {field}");
        }
    }
    // Who a message came from is in the lines of its session.
    let message = events.iter().find(|it| it["message"] == "message").unwrap();
    let session = |it: &&Value| it["message"] == "session" && it["session"] == message["session"];
    assert_eq!(events.iter().find(session).unwrap()["peer"], message["peer"]);
}
