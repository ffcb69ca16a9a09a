//! What a day in the log looks like. One test: the log belongs to the process.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod site;

use site::{
    Client, Site,
    log::{Lines, events},
};
use smtp_mta::config::{LogFormat, LogLevel};

#[test]
fn each_message_and_each_session_is_one_line_with_one_name_for_each() {
    let lines = Lines::of_process(LogFormat::Json, LogLevel::Info);

    let mut site = Site::new();
    let mut client = Client::greeted(site.address);
    client.ask("NONSENSE", "500 ");
    client.ask(r#"MAIL FROM:<"x\" outcome=\"y"@b.example>"#, "250 ");
    client.ask("RCPT TO:<nobody@mx.example>", "550 ");
    client.ask("RCPT TO:<you@mx.example>", "250 ");
    client.ask("DATA", "354 ");
    client.send(b"secret text\r\n.\r\n");
    let reply = client.expect("250 2.0.0 Ok: ");
    client.ask("QUIT", "221 ");
    drop(client);
    site.stop();

    let text = lines.text();
    assert!(!text.contains("secret"), "{text}");
    let events = events(&text);
    let only = |kind: &str| {
        let mut found = events.iter().filter(|event| event["message"] == kind);
        let first = found.next().unwrap_or_else(|| unreachable!("no {kind} in {text}"));
        assert!(found.next().is_none(), "two of {kind} in {text}");
        first
    };
    let (message, session, delivery) = (only("message"), only("session"), only("delivery"));

    assert_eq!(message["from"], r#"<"x\" outcome=\"y"@b.example>"#);
    assert_eq!(message["id"], reply.trim_end().strip_prefix("250 2.0.0 Ok: ").unwrap());
    assert_eq!((&message["recipients"], &message["refused"]), (&1.into(), &1.into()));
    assert_eq!((&message["size"], &message["outcome"]), (&13.into(), &"stored".into()));
    assert_eq!(message["protocol"], "ESMTP");

    assert_eq!(delivery["id"], message["id"]);
    assert_eq!(delivery["to"], "<you@mx.example>");
    assert_eq!((&delivery["route"], &delivery["outcome"]), (&"local".into(), &"delivered".into()));

    assert_eq!(session["session"], message["session"]);
    assert_eq!(session["peer"], message["peer"]);
    assert_eq!((&session["stored"], &session["failed"]), (&1.into(), &0.into()));
    assert_eq!((&session["violations"], &session["outcome"]), (&1.into(), &"Quit".into()));
}
