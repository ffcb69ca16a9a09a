//! The dialogues in `dialogues/`, run against a listening server: what every way of running the
//! machine must do alike.

use crate::{
    dialogue::{Dialogue, Transcript},
    line::{Line, SocketLine},
    policy::Delivered,
    tls::{Authority, TlsLine},
};
use smtp_driver::{Listener, NewHandler, Server, Spawn, Stop};
use smtp_proto::{
    Limits,
    ext::Extensions,
    server::{Mode, ServerConfig},
    wire::{Host, Mechanism},
};
use std::{net::SocketAddr, panic::resume_unwind, sync::Arc, thread};

/// The dialogues, by name.
pub const DIALOGUES: [(&str, &str); 13] = [
    ("auth", include_str!("../dialogues/auth.smtp")),
    ("chunking", include_str!("../dialogues/chunking.smtp")),
    ("half-close", include_str!("../dialogues/half-close.smtp")),
    ("helo", include_str!("../dialogues/helo.smtp")),
    ("long-line", include_str!("../dialogues/long-line.smtp")),
    ("lost-message", include_str!("../dialogues/lost-message.smtp")),
    ("mail", include_str!("../dialogues/mail.smtp")),
    ("order", include_str!("../dialogues/order.smtp")),
    ("pipelining", include_str!("../dialogues/pipelining.smtp")),
    ("recipients", include_str!("../dialogues/recipients.smtp")),
    ("smuggling", include_str!("../dialogues/smuggling.smtp")),
    ("syntax", include_str!("../dialogues/syntax.smtp")),
    ("violations", include_str!("../dialogues/violations.smtp")),
];

/// What the server of the dialogues offers: `mx.example.test`, with PLAIN in clear. Its policy is
/// [`Policy`](crate::policy::Policy).
///
/// # Panics
/// Never: the name is valid.
#[must_use]
pub fn config() -> Arc<ServerConfig> {
    let host = Host::parse("mx.example.test").expect("a valid name");
    let mut limits = Limits::default();
    limits.decisions_in_flight = 32;
    limits.violations = 12;
    ServerConfig::builder(host)
        .extensions(
            Extensions::new()
                .smtputf8()
                .chunking()
                .dsn()
                .auth([Mechanism::PLAIN])
                .danger_auth_in_clear(),
        )
        .limits(limits)
        .build()
}

/// Runs each dialogue over a connection of its own to the server at `address`, and gives what was
/// said.
///
/// # Panics
/// At the first deviation, which it shows; also if there is no server.
#[must_use]
pub fn run(address: SocketAddr) -> Vec<(&'static str, Transcript)> {
    run_over(|| SocketLine::connect(address).expect("the server listens"))
}

/// The same over lines of any kind that never have to wait.
///
/// # Panics
/// At the first deviation, which it shows.
#[must_use]
pub fn run_over<L: Line>(mut connect: impl FnMut() -> L) -> Vec<(&'static str, Transcript)> {
    DIALOGUES
        .into_iter()
        .map(|(name, text)| {
            let dialogue: Dialogue = text.parse().expect("the file is well-formed");
            match dialogue.run_blocking(&mut connect()) {
                Ok(transcript) => (name, transcript),
                Err(deviation) => panic!("{name}.smtp: {deviation:?}"),
            }
        })
        .collect()
}

/// Runs `server` over `listener` while `client` runs in a thread of its own, and stops it then.
///
/// # Panics
/// If `client` does.
pub async fn with_server<R: Spawn, N: NewHandler, T: Send + 'static>(
    server: Server<R, N>,
    listener: impl Listener,
    client: impl FnOnce() -> T + Send + 'static,
) -> T {
    /// Stops the server even when the client panics.
    struct StopAtEnd(Stop);
    impl Drop for StopAtEnd {
        fn drop(&mut self) {
            self.0.stop();
        }
    }
    let stop = StopAtEnd(server.stop());
    let client = thread::spawn(move || {
        let _stop = stop;
        client()
    });
    server.run(listener).await;
    client.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Goes through STARTTLS with the server at `address`, which must be `mx.example.test` with a
/// certificate of `authority`, then authenticates and relays. Gives what was said, and the
/// server's certificate.
///
/// # Panics
/// At the first deviation, which it shows.
#[must_use]
pub fn run_starttls(address: SocketAddr, authority: &Authority) -> (Transcript, Vec<u8>) {
    let parse = |text: &str| text.parse::<Dialogue>().expect("the file is well-formed");
    let mut line = SocketLine::connect(address).expect("the server listens");
    let mut said = parse(include_str!("../dialogues/tls/before.smtp"))
        .run_blocking(&mut line)
        .expect("what comes before the handshake");
    let mut line = TlsLine::handshake(line, authority.client_config(), "mx.example.test")
        .expect("the certificate is good");
    let certificate = line.certificate().expect("the server has shown one").to_vec();
    let inside = parse(include_str!("../dialogues/tls/inside.smtp"))
        .run_blocking(&mut line)
        .expect("what is said inside TLS");
    said.lines.extend(inside.lines);
    (said, certificate)
}

/// The same server, inside TLS: it offers STARTTLS, and AUTH only then.
///
/// # Panics
/// Never: the name is valid.
#[must_use]
pub fn starttls_config() -> Arc<ServerConfig> {
    let host = Host::parse("mx.example.test").expect("a valid name");
    let extensions = Extensions::new().starttls().auth([Mechanism::PLAIN, Mechanism::LOGIN]);
    ServerConfig::builder(host).extensions(extensions).build()
}

/// A dialogue for a server of [`lmtp_config`], and what must have been accepted behind it.
///
/// # Panics
/// Never: the file is well-formed.
#[must_use]
pub fn lmtp() -> (Dialogue, Vec<Delivered>) {
    let dialogue = include_str!("../dialogues/lmtp/delivery.smtp").parse();
    let message = |to: &str, octets: &[u8]| Delivered {
        from: "<a@client.example.test>".into(),
        recipients: vec![to.into()],
        octets: octets.into(),
        identity: None,
    };
    let delivered = vec![
        message("<user1@example.test>", b"to two\r\n"),
        message("<user2@example.test>", b"to two\r\n"),
        message("<user.three@example.test>", b"chunk\r\n"),
    ];
    (dialogue.expect("the file is well-formed"), delivered)
}

/// The same server, speaking LMTP.
///
/// # Panics
/// Never: the name is valid.
#[must_use]
pub fn lmtp_config() -> Arc<ServerConfig> {
    let host = Host::parse("mx.example.test").expect("a valid name");
    ServerConfig::builder(host).mode(Mode::Lmtp).extensions(Extensions::new().chunking()).build()
}

/// A hundred recipients in one group, of which every seventh does not exist: a dialogue whose
/// replies show their order.
#[must_use]
pub fn hundred_recipients() -> Dialogue {
    let mut text = String::from("S: 220\nC: EHLO client.example.test\nS: 250\n");
    text.push_str("C+ MAIL FROM:<a@client.example.test>\n");
    let mut replies = String::from("S: 250 2.1.0 ...\n");
    for n in 0..100 {
        let (user, reply) = match n % 7 {
            6 => ("nobody", "550 5.1.1 ..."),
            _ => ("user1", "250 2.1.5 ..."),
        };
        text.push_str(&format!("C+ RCPT TO:<{user}@example.test>\n"));
        replies.push_str(&format!("S: {reply}\n"));
    }
    text.push_str("C: NOOP\n");
    text.push_str(&replies);
    text.push_str("S: 250 2.0.0 ...\n");
    text.parse().expect("made of well-formed lines")
}

/// What the [`Policy`](crate::policy::Policy) must have accepted when all dialogues have run.
#[must_use]
pub fn delivered() -> Vec<Delivered> {
    let message = |from: &str, recipients: &[&str], octets: &[u8]| Delivered {
        from: from.into(),
        recipients: recipients.iter().map(|&recipient| recipient.into()).collect(),
        octets: octets.into(),
        identity: None,
    };
    vec![
        Delivered {
            identity: Some("user1".into()),
            ..message("<user1@example.test>", &["<someone@elsewhere.test>"], b"relayed\r\n")
        },
        message(
            "<a@client.example.test>",
            &["<user1@example.test>"],
            b"line\r\n.\r\n\x01\xff\r.\n\r\nabc",
        ),
        message(
            "<sender@client.example.test>",
            &["<user1@example.test>"],
            b"Subject: a dot\r\n\r\n.a line that began with a dot\r\n",
        ),
        message(
            "<a@client.example.test>",
            &["<user1@example.test>", "<user.three@example.test>"],
            b"first\r\n",
        ),
        message("<>", &["<user2@example.test>"], b"second\r\n"),
        message(
            "<a@client.example.test>",
            &["<\"user1\"@EXAMPLE.test>", "<user2@example.test>", "<Postmaster>"],
            b"to three\r\n",
        ),
    ]
}
