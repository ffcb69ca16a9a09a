//! What may be logged of the machines: the `Debug` form of everything that they say. It has no
//! password, no response to AUTH and no octet of a message.

#![allow(clippy::panic, clippy::unwrap_used, reason = "this is how a test fails")]

use smtp_proto::{
    Instant, Step,
    client::{ClientConfig, ClientConnection, ClientEvent},
    ext::Extensions,
    server::{ServerConfig, ServerConnection, Start},
    wire::{Base64, HelloName, Host, Mail, Mechanism, Rcpt, ReversePath},
};
use testkit::{bare::Embedder, policy::Policy};

const NOW: Instant = Instant::ZERO;
const PASSWORD: &str = "secret1";
const SUBJECT: &str = "zebra crossing";

fn base64(text: &str) -> String {
    Base64::encode(text.as_bytes()).as_str().to_owned()
}

/// None of `secrets` is in `log`: not as text, not as `Debug` shows octets, not in Base64 at any
/// of its three places in a group.
#[track_caller]
fn has_none(log: &str, secrets: &[&str]) {
    for secret in secrets {
        let octets = format!("{:?}", secret.as_bytes());
        let octets = octets.trim_matches(['[', ']']);
        let mut forms = vec![(*secret).to_owned(), octets.to_owned()];
        for before in ["", "x", "xx"] {
            // Without the characters that its neighbours have a part in.
            let encoded = base64(&format!("{before}{secret}"));
            forms.push(encoded[4 * before.len().min(1)..encoded.len() - 4].to_owned());
        }
        for form in forms {
            assert!(!log.contains(&form), "{form} of {secret} is in\n{log}");
        }
    }
}

/// All that a server says while a client says `lines`, and its own state.
fn server(lines: &[String]) -> String {
    let extensions = Extensions::new()
        .chunking()
        .auth([Mechanism::PLAIN, Mechanism::LOGIN])
        .danger_auth_in_clear();
    let host = Host::parse("mx.example.test").unwrap();
    let config = ServerConfig::builder(host).extensions(extensions).build();
    let mut machine = ServerConnection::new(config, Start::Plain);
    let mut embedder = Embedder::new(Policy::new());
    let mut log = String::new();
    for line in ["", "EHLO client.example.test\r\n"].into_iter().chain(lines.iter().map(|l| &**l)) {
        let mut input = line.as_bytes();
        loop {
            let step = machine.poll_event(&mut input, NOW);
            log += &format!("{step:?} {:?} {:?}\n", machine.session(), machine);
            match step {
                Step::Event(event) => embedder.handle(&mut machine, event),
                Step::Need(_) | Step::Closed(_) => break,
            }
        }
        let written = machine.poll_transmit().map_or(0, <[u8]>::len);
        machine.handle_transmitted(written);
    }
    assert!(log.contains("AuthResponse") && log.contains("Body(["), "{log}");
    log
}

#[test]
fn what_a_server_says_has_no_password_and_no_message() {
    let right = base64(&format!("\0user1\0{PASSWORD}"));
    let wrong = base64("\0user1\0secret2");
    let mut lines = vec![
        format!("AUTH PLAIN {wrong}\r\n"),
        "AUTH PLAIN\r\n".into(),
        // Cancelled, malformed, and what somebody typed in the wrong place.
        "*\r\n".into(),
        format!("AUTH PLAIN {right}!\r\n"),
        "AUTH LOGIN\r\n".into(),
        format!("{}\r\n", base64(PASSWORD)),
        "AUTH PLAIN\r\n".into(),
        format!("{right}\r\n"),
    ];
    let header = format!("Subject: {SUBJECT}\r\n\r\n");
    let envelope = "MAIL FROM:<user1@example.test>\r\nRCPT TO:<user1@example.test>\r\n";
    lines.push(format!("{envelope}DATA\r\n"));
    lines.push(format!("{header}..{SUBJECT}\r\n.\r\n"));
    lines.push(format!("{envelope}BDAT {} LAST\r\n{header}", header.len()));
    has_none(&server(&lines), &[PASSWORD, "secret2", SUBJECT]);
}

/// What the client says when the server says `replies`, one after each command.
fn client(replies: &[&str], mut act: impl FnMut(&mut ClientConnection, usize)) -> String {
    let mut machine = ClientConnection::new(ClientConfig::builder().build(), Start::Plain);
    let mut log = String::new();
    for (at, reply) in replies.iter().enumerate() {
        let mut input = reply.as_bytes();
        loop {
            let step = machine.poll_event(&mut input, NOW);
            log += &format!("{step:?} {machine:?}\n");
            match step {
                Step::Event(ClientEvent::Challenge { data, .. }) => assert!(data.is_some()),
                Step::Event(_) => {}
                Step::Need(_) => break,
                Step::Closed(why) => panic!("{why:?}"),
            }
        }
        act(&mut machine, at);
        log += &format!("{machine:?}\n");
        let written = machine.poll_transmit().map_or(0, <[u8]>::len);
        machine.handle_transmitted(written);
    }
    log
}

#[test]
fn what_a_client_says_has_no_password_and_no_message() {
    let challenge = format!("334 {}\r\n", base64(SUBJECT));
    let replies = [
        "220 mx.example.test\r\n",
        "250-mx.example.test\r\n250 AUTH PLAIN LOGIN\r\n",
        &challenge,
        "535 5.7.8 no\r\n",
        "235 2.7.0 yes\r\n",
        "250 ok\r\n",
        "250 ok\r\n",
        "354 go\r\n",
    ];
    let log = client(&replies, |machine, at| match at {
        0 => drop(machine.hello(&HelloName::parse("client.example.test").unwrap()).unwrap()),
        1 => drop(machine.auth(&Mechanism::LOGIN, None).unwrap()),
        2 => machine.respond(PASSWORD.as_bytes()).unwrap(),
        3 => {
            let response = format!("\0user1\0{PASSWORD}");
            machine.auth(&Mechanism::PLAIN, Some(response.as_bytes())).unwrap();
        }
        4 => drop(machine.mail(&Mail::new(ReversePath::Null)).unwrap()),
        5 => {
            let path = smtp_proto::wire::ForwardPath::parse("<b@example.test>").unwrap().0;
            machine.rcpt(&Rcpt::new(path)).unwrap();
        }
        6 => drop(machine.data().unwrap()),
        _ => {
            let message = format!("Subject: {SUBJECT}\r\n");
            machine.body(&mut message.as_bytes(), &mut [&[][..]; 3]).unwrap();
            machine.end_body().unwrap();
        }
    });
    assert!(log.contains("Challenge") && log.contains("354"), "{log}");
    has_none(&log, &[PASSWORD, SUBJECT]);
}
