//! What the log says of logins. One test: the log belongs to the process.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod site;

use site::{
    Site,
    log::Lines,
    login::{base64, plain, scram},
    tls::{dialogue, tls},
};
use smtp_mta::config::{LogFormat, LogLevel};
use smtp_proto::wire::Mechanism;

#[test]
fn logins_are_logged_without_any_secret() {
    let lines = Lines::of_process(LogFormat::Text, LogLevel::Debug);

    let mut site = Site::with(
        "hostname = 'mx.example'
         [[listener]]
         address = '127.0.0.1:0'
         role = 'submissions'",
    );
    site.add_user("you", "hunter2");
    for exchange in [
        vec![
            // A password where the name should be, and one that is nearly right.
            (plain("hunter2", "you"), "535 "),
            (plain("you", "hunter3"), "535 "),
            (plain("you", "hunter2"), "235 "),
        ],
        vec![
            ("AUTH LOGIN\r\n".to_owned(), "334 "),
            (base64("you") + "\r\n", "334 "),
            (base64("hunter2") + "\r\n", "235 "),
        ],
        vec![
            ("AUTH SCRAM-SHA-256\r\n".to_owned(), "334 "),
            (base64("n,,n=hunter2,r=N") + "\r\n", "334 "),
            (base64("c=biws,r=N,p=aHVudGVyMg==") + "\r\n", "535 "),
        ],
        vec![
            (format!("AUTH PLAIN {}!\r\n", base64("\0you\0hunter2")), "501 "),
            (plain("you", "hunter2") + "hunter2\r\n", "235 "),
        ],
    ] {
        let mut stream = tls(&site, "mx.example", site.connect().into_stream());
        let exchange: Vec<_> = exchange.iter().map(|(say, hear)| (say.as_str(), *hear)).collect();
        let greeting = [("", "220 "), ("EHLO client.example\r\n", "250 ")];
        dialogue(&mut stream, &[&greeting[..], &exchange].concat());
    }
    for mechanism in [Mechanism::SCRAM_SHA_256, Mechanism::SCRAM_SHA_256_PLUS] {
        for (password, reply) in [("hunter3", "535 "), ("hunter2", "235 ")] {
            let mut stream = tls(&site, "mx.example", site.connect().into_stream());
            dialogue(&mut stream, &[("", "220 "), ("EHLO client.example\r\n", "250 ")]);
            scram(&mut stream, &mechanism, "you", password, reply);
        }
    }
    site.stop();

    let text = lines.text();
    for secret in ["hunter", "aHVudGVy", &base64("\0you\0hunter2"), "argon2id", "SCRAM-SHA-256$"] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
    assert_eq!(
        text.matches(r#"user="you" how="password" outcome="accepted""#).count(),
        3,
        "{text}"
    );
    assert_eq!(text.matches(r#"user="you" how="password" outcome="refused""#).count(), 1, "{text}");
    assert!(text.contains(r#" how="password" outcome="refused""#), "{text}");
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"] {
        let right = format!(r#"user="you" how="{mechanism}" outcome="accepted""#);
        assert_eq!(text.matches(&right).count(), 1, "{text}");
        let wrong = format!(r#" how="{mechanism}" outcome="refused""#);
        assert_eq!(text.matches(&wrong).count(), 1, "{text}");
    }
}
