//! A smarthost that wants a login: another server of ours, at its submission ports.

use crate::{
    site::{Site, eventually},
    world::{MESSAGE, World, free_port},
};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use testkit::dns::Zone;

const ZONE: &str = "relay.example A 127.0.0.5";

/// The smarthost, where `me` logs in with `correct horse`.
struct Relay {
    site: Site,
    starttls: SocketAddr,
    implicit: SocketAddr,
}

impl Relay {
    fn start() -> Self {
        let [starttls, implicit] = [(); 2].map(|()| free_port([127, 0, 0, 5].into()));
        let listeners = [(starttls, "submission"), (implicit, "submissions")];
        let site = Site::smarthost(&listeners, "correct horse");
        Self { site, starttls, implicit }
    }

    /// A file with a password.
    fn password(&self, password: &str) -> PathBuf {
        let file = self.site.folder.path().join("password");
        fs::write(&file, format!("{password}\n")).unwrap();
        file
    }

    /// Who has signed the certificate: the server itself.
    fn ca(&self) -> String {
        let file = self.site.folder.path().join("tls").join("relay.example.crt");
        format!("ca_file = '{}'", file.display())
    }
}

/// A world whose mail to `relay.example` goes there at `port` with `more`.
fn world(port: u16, password_file: &Path, more: &str) -> World {
    let route = format!(
        "[[route]]
         recipients = ['relay.example']
         smarthost = {{ host = 'relay.example', port = {port}, login = 'me', password_file = '{}', \
         {more} }}",
        password_file.display()
    );
    World::with(Zone::new(ZONE), &route)
}

/// The reply and the dialogue of the first attempt, which failed for now.
#[track_caller]
fn delayed(world: &World) -> (String, String) {
    world.send(&["you@relay.example"]);
    let last = || world.a.entries().first().and_then(|entry| entry.recipients[0].last.clone());
    eventually("it was tried", || last().is_some_and(|last| last.dialogue.is_some()));
    let last = last().unwrap();
    assert_eq!(world.a.queued(), 1);
    assert!(world.a.mailbox_now("me").is_empty());
    (last.reply, last.dialogue.unwrap().to_string())
}

#[test]
fn a_smarthost_takes_mail_after_a_login_over_starttls_and_over_implicit_tls() {
    let relay = Relay::start();
    let password = relay.password("correct horse");
    for (at, tls) in [(relay.starttls, "required"), (relay.implicit, "implicit")] {
        let more = format!("tls = '{tls}', {}", relay.ca());
        let world = world(at.port(), &password, &more);
        world.send(&["you@relay.example"]);
        world.a.delivered();
    }
    let messages = relay.site.mailbox("you");
    assert_eq!(messages.len(), 2);
    for message in messages {
        let message = String::from_utf8(message).unwrap();
        assert!(message.contains("\tby relay.example with ESMTPSA id "), "{message}");
        assert!(message.ends_with(MESSAGE), "{message}");
    }
}

#[test]
fn a_wrong_password_delays_the_mail_and_stands_in_no_dialogue() {
    let relay = Relay::start();
    let world = world(relay.starttls.port(), &relay.password("wrong horse"), &relay.ca());
    let (reply, dialogue) = delayed(&world);
    assert!(reply.starts_with("535 5.7.8 "), "{reply}");
    assert!(dialogue.contains("\n-- TLSv1.3 "), "{dialogue}");
    assert!(dialogue.contains(", verified: relay.example\n"), "{dialogue}");
    assert!(
        dialogue.contains("\nC: AUTH SCRAM-SHA-256-PLUS ***\nC: ***\nS: 535 5.7.8 "),
        "{dialogue}"
    );
    assert!(!dialogue.contains("horse"), "{dialogue}");
    // The right one is read when it is there.
    relay.password("correct horse");
    world.a.delivered();
    assert_eq!(relay.site.mailbox("you").len(), 1);
}

#[test]
fn a_password_file_that_is_missing_delays_the_mail() {
    let relay = Relay::start();
    let file = relay.site.folder.path().join("nothing");
    let (reply, dialogue) = delayed(&world(relay.implicit.port(), &file, &relay.ca()));
    assert!(reply.starts_with("451 4.3.5 ") && reply.contains("/nothing: "), "{reply}");
    assert!(dialogue.contains("-- relay.example: AUTH: 451 4.3.5 "), "{dialogue}");
}

#[test]
fn a_certificate_that_is_not_trusted_delays_the_mail_and_nobody_logs_in() {
    let relay = Relay::start();
    let password = relay.password("correct horse");
    let (reply, dialogue) = delayed(&world(relay.starttls.port(), &password, "tls = 'required'"));
    assert!(reply.starts_with("451 4.7.5 "), "{reply}");
    assert!(dialogue.contains("\nC: STARTTLS\nS: 220 "), "{dialogue}");
    assert!(!dialogue.contains("AUTH SCRAM"), "{dialogue}");
    let (reply, _) =
        delayed(&world(relay.starttls.port(), &password, "ca_file = '/there/is/none.pem'"));
    assert!(reply.contains("/there/is/none.pem: "), "{reply}");
}
