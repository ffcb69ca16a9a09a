//! Looks at a server and writes a first `target.toml`. It sends no message.

use crate::{
    profile::Profile,
    reply::Reply,
    session::{Heard, Session},
    target::{Described, Refused},
    tls::Handshake,
    transcript::Transcript,
    wire::{Port, Target},
};
use std::{fmt::Write, time::Duration};

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The target file.
    pub file: String,
    /// What was seen, for people.
    pub summary: String,
}

/// Why nothing was seen.
#[derive(Debug, thiserror::Error)]
pub enum Blind {
    /// There is nobody.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There is no connection.
    #[error("{0}")]
    Connect(#[from] std::io::Error),
    /// What is there says nothing that begins a session.
    #[error("no 220: {0}")]
    NotSmtp(String),
}

/// An address that no server is responsible for, RFC 2606.
const FOREIGN: &str = "somebody@elsewhere.test";

/// Looks at the server at `address`: its greeting, its extensions and three recipients.
///
/// # Errors
/// There is no server that greets with 220.
pub fn probe(address: &str, lmtp: bool, own: bool, timeout: Duration) -> Result<Seen, Blind> {
    let profile = if lmtp { Profile::Lmtp } else { Profile::Default };
    let described = Described { address: Some(address.to_owned()), ..Described::default() };
    let target = described.resolve(profile, timeout, own)?;
    let verb = if lmtp { "LHLO" } else { "EHLO" };
    let (mut session, greeting) = greeted(&target, verb, timeout)?;
    let domain = domain(&greeting);
    let mut extensions = session.extensions.clone();
    let mut tls = String::new();
    if session.extension("STARTTLS").is_some() {
        tls = match secure(&mut session, verb, &domain, timeout) {
            Ok(()) => "works".into(),
            Err(why) => {
                // Nobody knows what the server makes of a session whose handshake failed.
                (session, _) = greeted(&target, verb, timeout)?;
                why
            }
        };
        let inside = session.extensions.iter().filter(|line| !extensions.contains(line)).cloned();
        let inside: Vec<_> = inside.map(|line| format!("{line} (inside TLS)")).collect();
        extensions.extend(inside);
    }
    let recipients = Recipients::ask(&mut session, &domain);
    session.ask("QUIT").ignore();
    let seen = Server {
        address,
        lmtp,
        domain: &domain,
        tls: &plain(&tls),
        extensions: &extensions.iter().map(|line| plain(line)).collect::<Vec<_>>(),
        recipients,
    };
    let count = extensions.len();
    let summary = format!("{greeting}\n{count} extensions: {}\n", seen.extensions.join(", "));
    Ok(Seen { file: seen.file(), summary })
}

/// A session that has said EHLO, with the text of its greeting.
fn greeted(target: &dyn Target, verb: &str, timeout: Duration) -> Result<(Session, String), Blind> {
    let wire = target.connect(Port::Main)?;
    let mut session = Session::new(wire, Transcript::default(), 0, timeout);
    let greeting = match session.hear().heard() {
        Heard::Reply(reply) if reply.code == 220 => plain(&reply.text(0)),
        Heard::Reply(reply) => return Err(Blind::NotSmtp(format!("{:03}", reply.code))),
        Heard::Closed => return Err(Blind::NotSmtp("closed".into())),
        Heard::Silent => return Err(Blind::NotSmtp("silent; implicit TLS?".into())),
    };
    session.hello(verb).ignore();
    Ok((session, greeting))
}

fn secure(session: &mut Session, verb: &str, name: &str, patience: Duration) -> Result<(), String> {
    let answer = session.ask("STARTTLS");
    if !answer.is("220") {
        return Err(format!("refused with {:03}", answer.code()));
    }
    let how = Handshake { name, versions: rustls::ALL_VERSIONS, patience };
    session.start_tls(how).map_err(|failure| failure.to_string())?;
    session.hello(verb).ignore();
    Ok(())
}

/// The name in front of a greeting, if it can be one.
fn domain(greeting: &str) -> String {
    let word = greeting.split(' ').next().unwrap_or_default();
    let name = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    let fits = !word.is_empty() && word.chars().all(name);
    if fits { word.to_owned() } else { "example.test".to_owned() }
}

/// What the server says to three recipients.
struct Recipients {
    /// It takes MAIL only after AUTH, so nothing else was said.
    wants_auth: bool,
    postmaster: Option<Reply>,
    unknown_address: String,
    unknown: Option<Reply>,
    foreign: Option<Reply>,
}

impl Recipients {
    fn ask(session: &mut Session, domain: &str) -> Self {
        let wants_auth = session.ask("MAIL FROM:<sender@client.example>").is("530");
        let mut rcpt = |address: &str| session.ask(format!("RCPT TO:<{address}>")).reply().cloned();
        let unknown_address = format!("no-such-user-4711@{domain}");
        Self {
            wants_auth,
            postmaster: rcpt(&format!("postmaster@{domain}")),
            unknown: rcpt(&unknown_address),
            foreign: rcpt(FOREIGN),
            unknown_address,
        }
    }
}

/// What is written down.
struct Server<'a> {
    address: &'a str,
    lmtp: bool,
    domain: &'a str,
    /// Whether STARTTLS works; empty if it is not offered.
    tls: &'a str,
    extensions: &'a [String],
    recipients: Recipients,
}

impl Server<'_> {
    fn file(&self) -> String {
        let mut out = String::new();
        // Writing into a String never fails.
        let _: std::fmt::Result = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Self { address, lmtp, domain, tls, extensions, recipients } = self;
        writeln!(out, "# What `smtp-conformance server --target FILE` is told of a server.")?;
        writeln!(out, "# Seen: {}", extensions.join(", "))?;
        if !tls.is_empty() {
            writeln!(out, "# STARTTLS: {tls}")?;
        }
        writeln!(out, "address = {}", string(address))?;
        if *lmtp {
            writeln!(out, "lmtp = {}", string(address))?;
        } else {
            writeln!(out, "# lmtp = \"127.0.0.1:24\"")?;
        }
        writeln!(out, "# implicit_tls = \"127.0.0.1:465\"")?;
        writeln!(out, "# submission = \"127.0.0.1:587\"")?;
        writeln!(out, "tls_name = {}", string(domain))?;
        writeln!(out, "\n# Mailboxes that exist, two at the least.")?;
        if recipients.postmaster.as_ref().is_some_and(|reply| reply.code / 10 == 25) {
            writeln!(out, "recipients = [{}]", string(&format!("postmaster@{domain}")))?;
        } else {
            writeln!(out, "# postmaster@{domain}: {}", said(recipients.postmaster.as_ref()))?;
            writeln!(out, "recipients = []")?;
        }
        writeln!(out, "\n# An address in a local domain that does not exist.")?;
        let refused = |reply: &Option<Reply>| reply.as_ref().is_some_and(|r| r.code / 10 == 55);
        let hash = if refused(&recipients.unknown) { "" } else { "# " };
        writeln!(out, "# The server said: {}", said(recipients.unknown.as_ref()))?;
        writeln!(out, "{hash}unknown = {}", string(&recipients.unknown_address))?;
        writeln!(out, "\n# An address that a stranger must not be allowed to relay to.")?;
        writeln!(out, "# The server said: {}", said(recipients.foreign.as_ref()))?;
        writeln!(out, "foreign = \"{FOREIGN}\"")?;
        let accepted = recipients.foreign.as_ref().is_some_and(|reply| reply.code / 100 == 2);
        if accepted {
            writeln!(out, "# It relays for this machine. Is that meant so? Then: trusted = true")?;
        }
        writeln!(out, "\n# A recipient that is accepted and whose delivery fails later.")?;
        writeln!(out, "# failing = \"fails-later@{domain}\"")?;
        let auth = extensions.iter().any(|line| line.to_ascii_uppercase().starts_with("AUTH"));
        let offered = if auth { "offered" } else { "not offered here" };
        writeln!(out, "\n# For AUTH, which is {offered}.")?;
        let hash = if recipients.wants_auth { "" } else { "# " };
        writeln!(out, "{hash}sign_in = true    # MAIL is taken only after AUTH")?;
        writeln!(out, "# [credentials]\n# user = \"user1\"\n# password = \"secret1\"")?;
        writeln!(out, "\n# Where messages arrive: verdicts on what was stored need one of these.")?;
        writeln!(out, "# [mailbox.maildir]\n# \"user1@{domain}\" = \"/home/user1/Maildir\"")?;
        writeln!(out, "# [mailbox]\n# command = [\"print-mbox-of\"]")
    }
}

/// A reply in a comment.
fn said(reply: Option<&Reply>) -> String {
    reply.map_or_else(|| "nothing".into(), |r| format!("{:03} {}", r.code, plain(&r.text(0))))
}

/// Text of the server without what would end a comment or talk to a terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// A string of TOML.
fn string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(line: &str) -> Option<Reply> {
        crate::reply::take_reply(format!("{line}\r\n").as_bytes()).map(|(reply, _)| reply)
    }

    #[test]
    fn whatever_a_server_says_the_file_can_be_read() {
        let evil = "250 \u{1b}[2J\" ''' ] = \\";
        let seen = Server {
            address: "127.0.0.1:25",
            lmtp: true,
            domain: &domain("<b>\"x\"</b> ESMTP"),
            tls: "works",
            extensions: &[plain("AUTH PLAIN\nrecipients = []")],
            recipients: Recipients {
                wants_auth: false,
                postmaster: reply(evil),
                unknown_address: "no\"body@example.test".into(),
                unknown: reply("550 5.1.1 \"no\""),
                foreign: reply(evil),
            },
        };
        let file = seen.file();
        let described = Described::read(&file, std::path::Path::new("")).unwrap();
        assert_eq!(described.lmtp.as_deref(), Some("127.0.0.1:25"));
        assert_eq!(described.cooperation.recipients, ["postmaster@example.test"]);
        assert_eq!(described.cooperation.unknown.as_deref(), Some("no\"body@example.test"));
        assert!(file.contains("# It relays for this machine."), "{file}");
        assert!(!file.contains('\u{1b}'));
    }

    #[test]
    fn what_was_not_refused_is_no_unknown_recipient() {
        let seen = Server {
            address: "127.0.0.1:25",
            lmtp: false,
            domain: "mx.example.test",
            tls: "",
            extensions: &[],
            recipients: Recipients {
                wants_auth: true,
                postmaster: reply("450 later"),
                unknown_address: "nobody@mx.example.test".into(),
                unknown: reply("250 yes"),
                foreign: reply("550 no"),
            },
        };
        let described = Described::read(&seen.file(), std::path::Path::new("")).unwrap();
        assert_eq!((described.lmtp, described.cooperation.unknown), (None, None));
        assert!(described.cooperation.recipients.is_empty());
        assert_eq!(described.cooperation.foreign.as_deref(), Some(FOREIGN));
        assert!(described.cooperation.sign_in);
    }
}
