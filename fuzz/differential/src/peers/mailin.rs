//! `mailin`: its session, for its parser is not public.

use super::{Peer, verb};
use crate::{Facts, Outcome};
use mailin::{AuthMechanism, Handler, Response, SessionBuilder, response};
use std::net::{IpAddr, Ipv4Addr};

pub(super) const PEER: Peer = Peer { name: "mailin", shows: &["name", "address"], parse };

/// Notes what it is told.
#[derive(Default)]
struct Notes(Facts);

impl Handler for &mut Notes {
    fn helo(&mut self, _: IpAddr, domain: &str) -> Response {
        self.0.insert("name", domain.to_owned());
        response::OK
    }

    fn mail(&mut self, _: IpAddr, _: &str, from: &str) -> Response {
        self.0.insert("address", from.to_owned());
        response::OK
    }

    fn rcpt(&mut self, to: &str) -> Response {
        self.0.insert("address", to.to_owned());
        response::OK
    }

    fn auth_plain(&mut self, _: &str, _: &str, _: &str) -> Response {
        response::AUTH_OK
    }
}

fn parse(line: &[u8]) -> Option<Outcome> {
    const KNOWN: &[&str] = &[
        "EHLO", "HELO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "VRFY", "STARTTLS", "AUTH",
    ];
    let verb = verb(line);
    if !KNOWN.contains(&verb.as_str()) {
        return None;
    }
    let mut notes = Notes::default();
    let mut builder = SessionBuilder::new("mx.example");
    builder.enable_start_tls();
    if verb == "AUTH" {
        builder.enable_auth(AuthMechanism::Plain).enable_auth(AuthMechanism::Login);
        builder.insecure_enable_plaintext_auth();
    }
    let script: &[&[u8]] = match verb.as_str() {
        "EHLO" | "HELO" => &[],
        "RCPT" => &[b"EHLO a.example\r\n", b"MAIL FROM:<a@a.example>\r\n"],
        "DATA" => {
            &[b"EHLO a.example\r\n", b"MAIL FROM:<a@a.example>\r\n", b"RCPT TO:<b@b.example>\r\n"]
        }
        _ => &[b"EHLO a.example\r\n"],
    };
    let mut session = builder.build(IpAddr::V4(Ipv4Addr::LOCALHOST), &mut notes);
    for line in script {
        assert!(!session.process(line).is_error, "a step of the script is refused");
    }
    let refused = session.process(&[line, b"\r\n"].concat()).is_error;
    drop(session);
    if refused {
        return Some(Outcome::Refused);
    }
    let keep = match verb.as_str() {
        "EHLO" | "HELO" => "name",
        "MAIL" | "RCPT" => "address",
        _ => "",
    };
    let mut facts = notes.0;
    facts.retain(|name, _| *name == keep);
    facts.insert("verb", verb);
    Some(Outcome::Taken(facts))
}
