//! What our machine takes a line for.

use crate::{Facts, Outcome};
use fuzz_properties::embedder::{NOW, config, drain, extensions, lead};
use smtp_proto::{
    Limits, Need, Step,
    server::{BareLineEnding, Event, Mode, ServerConnection, Start},
    wire::{ForwardPath, ReversePath},
};

/// What our machine takes `line` for, in a state in which its verb is in sequence.
#[must_use]
pub fn ours(line: &[u8]) -> Outcome {
    let end = line.iter().position(|octet| *octet == b' ').unwrap_or(line.len());
    let verb = String::from_utf8_lossy(&line[..end]).to_ascii_uppercase();
    let (mode, start) = match verb.as_str() {
        "LHLO" => (Mode::Lmtp, Start::Plain),
        "STARTTLS" | "HELO" | "EHLO" | "AUTH" | "ETRN" => (Mode::Smtp, Start::Plain),
        _ => (Mode::Submission, Start::Tls),
    };
    let script = match verb.as_str() {
        "HELO" | "EHLO" | "LHLO" => 0,
        "STARTTLS" | "AUTH" | "ETRN" => 1,
        "RCPT" => 3,
        "DATA" | "BDAT" => 4,
        _ => 2,
    };
    let script = [
        "EHLO a.example\r\n",
        "AUTH PLAIN AGEAYg==\r\n",
        "MAIL FROM:<a@a.example> SMTPUTF8\r\n",
        "RCPT TO:<b@b.example>\r\n",
    ][..script]
        .concat();
    let mut limits = Limits::default();
    limits.message = u64::MAX;
    let config = config(mode, extensions().starttls(), limits, BareLineEnding::Refuse);
    let mut connection = ServerConnection::new(config, start);
    lead(&mut connection, script.as_bytes());

    let wire = [line, b"\r\n"].concat();
    let mut input = &wire[..];
    let mut output = Vec::new();
    loop {
        match connection.poll_event(&mut input, NOW) {
            Step::Event(event) => {
                if let Some(facts) = facts(&event) {
                    return Outcome::Taken(facts);
                }
            }
            Step::Need(Need::Flush) => drain(&mut connection, &mut output),
            Step::Need(_) | Step::Closed(_) => break,
        }
    }
    drain(&mut connection, &mut output);
    // What asks nothing was answered.
    if output.starts_with(b"2") {
        Outcome::Taken(Facts::from([("verb", verb)]))
    } else {
        Outcome::Refused
    }
}

fn facts(event: &Event<'_>) -> Option<Facts> {
    let mut facts = Facts::new();
    let verb = match event {
        Event::Hello { kind, name, .. } => {
            facts.insert("name", name.to_string());
            kind.as_str()
        }
        Event::Mail { mail, .. } => {
            let (path, plain) = match &mail.from {
                ReversePath::Null => (String::new(), String::new()),
                ReversePath::Mailbox(it) => {
                    (it.to_string(), format!("{}@{}", it.local_part.unquoted(), it.host))
                }
            };
            facts.insert("address", path);
            facts.insert("plain address", plain);
            if let Some(size) = mail.size.filter(|size| *size > 0) {
                facts.insert("SIZE", size.to_string());
            }
            facts.insert("BODY", mail.body.to_string());
            if mail.smtputf8 {
                facts.insert("SMTPUTF8", String::new());
            }
            if let Some(ret) = mail.ret {
                facts.insert("RET", ret.to_string());
            }
            if let Some(envid) = &mail.envid {
                facts.insert("ENVID", String::from_utf8_lossy(&envid.decode()).into_owned());
            }
            "MAIL"
        }
        Event::Rcpt { rcpt, .. } => {
            let (path, plain) = match &rcpt.to {
                ForwardPath::Postmaster => ("Postmaster".to_owned(), String::new()),
                ForwardPath::Mailbox(it) => {
                    (it.to_string(), format!("{}@{}", it.local_part.unquoted(), it.host))
                }
            };
            facts.insert("address", path);
            facts.insert("plain address", plain);
            if let Some(notify) = rcpt.notify {
                facts.insert("NOTIFY", notify.to_string());
            }
            if let Some(orcpt) = &rcpt.orcpt {
                let address = orcpt.address().decode().into_owned();
                facts.insert("ORCPT", String::from_utf8_lossy(&address).into_owned());
            }
            "RCPT"
        }
        Event::Data { framing: smtp_proto::body::Framing::Dot, .. } => "DATA",
        Event::Data { .. } => "BDAT",
        Event::Verify { what, .. } => {
            facts.insert("text", what.as_str().to_owned());
            "VRFY"
        }
        Event::Expand { what, .. } => {
            facts.insert("text", what.as_str().to_owned());
            "EXPN"
        }
        Event::Help { topic, .. } => {
            facts.insert("text", topic.as_str().to_owned());
            "HELP"
        }
        Event::Etrn { queue, .. } => {
            facts.insert("text", queue.to_string());
            "ETRN"
        }
        Event::StartTls(_) => "STARTTLS",
        Event::Auth { mechanism, initial, .. } => {
            facts.insert("mechanism", mechanism.as_str().to_ascii_uppercase());
            if let Some(initial) = initial {
                facts.insert("initial", initial.expose().as_str().to_owned());
            }
            "AUTH"
        }
        Event::Quit => "QUIT",
        Event::Xclient { .. } | Event::Command { .. } => "extension",
        _ => return None,
    };
    facts.insert("verb", verb.to_owned());
    Some(facts)
}
