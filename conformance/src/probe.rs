//! Looks at a server and writes a first `target.toml`. It sends no message.

use crate::{
    profile::Profile,
    reply::Reply,
    session::{Heard, Session},
    target::{Described, Refused},
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
    let wire = target.connect(Port::Main)?;
    let mut session = Session::new(wire, Transcript::default(), 0, timeout);
    let greeting = match session.hear().heard() {
        Heard::Reply(reply) if reply.code == 220 => plain(&reply.text(0)),
        Heard::Reply(reply) => return Err(Blind::NotSmtp(format!("{:03}", reply.code))),
        Heard::Closed => return Err(Blind::NotSmtp("closed".into())),
        Heard::Silent => return Err(Blind::NotSmtp("silent; implicit TLS?".into())),
    };
    session.hello(if lmtp { "LHLO" } else { "EHLO" }).ignore();
    let extensions: Vec<_> = session.extensions.iter().map(|line| plain(line)).collect();
    let domain = greeting.split(' ').next().unwrap_or_default().to_owned();
    let recipients = Recipients::ask(&mut session, &domain);
    session.ask("QUIT").ignore();
    let file = recipients.file(address, lmtp, &domain, &extensions);
    let summary =
        format!("{greeting}\n{} extensions: {}\n", extensions.len(), extensions.join(", "));
    Ok(Seen { file, summary })
}

/// What the server says to three recipients.
struct Recipients {
    postmaster: Option<Reply>,
    unknown_address: String,
    unknown: Option<Reply>,
    foreign: Option<Reply>,
}

impl Recipients {
    fn ask(session: &mut Session, domain: &str) -> Self {
        session.ask("MAIL FROM:<sender@client.example>").ignore();
        let mut rcpt = |address: &str| session.ask(format!("RCPT TO:<{address}>")).reply().cloned();
        let unknown_address = format!("no-such-user-4711@{domain}");
        Self {
            postmaster: rcpt(&format!("postmaster@{domain}")),
            unknown: rcpt(&unknown_address),
            foreign: rcpt(FOREIGN),
            unknown_address,
        }
    }

    fn file(&self, address: &str, lmtp: bool, domain: &str, extensions: &[String]) -> String {
        let mut out = String::new();
        // Writing into a String never fails.
        let _: std::fmt::Result = self.write(&mut out, address, lmtp, domain, extensions);
        out
    }

    fn write(
        &self,
        out: &mut String,
        address: &str,
        lmtp: bool,
        domain: &str,
        extensions: &[String],
    ) -> std::fmt::Result {
        writeln!(out, "# What `smtp-conformance server --target FILE` is told of a server.")?;
        writeln!(out, "# Seen: {}", extensions.join(", "))?;
        writeln!(out, "address = {}", string(address))?;
        if lmtp {
            writeln!(out, "lmtp = {}", string(address))?;
        } else {
            writeln!(out, "# lmtp = \"127.0.0.1:24\"")?;
        }
        writeln!(out, "# implicit_tls = \"127.0.0.1:465\"")?;
        writeln!(out, "# submission = \"127.0.0.1:587\"")?;
        writeln!(out, "tls_name = {}", string(domain))?;
        writeln!(out, "\n# Mailboxes that exist, two at the least.")?;
        if self.postmaster.as_ref().is_some_and(|reply| reply.code / 10 == 25) {
            writeln!(out, "recipients = [{}]", string(&format!("postmaster@{domain}")))?;
        } else {
            writeln!(out, "# postmaster@{domain}: {}", said(self.postmaster.as_ref()))?;
            writeln!(out, "recipients = []")?;
        }
        writeln!(out, "\n# An address in a local domain that does not exist.")?;
        let refused = |reply: &Option<Reply>| reply.as_ref().is_some_and(|r| r.code / 100 == 5);
        let hash = if refused(&self.unknown) { "" } else { "# " };
        writeln!(out, "# The server said: {}", said(self.unknown.as_ref()))?;
        writeln!(out, "{hash}unknown = {}", string(&self.unknown_address))?;
        writeln!(out, "\n# An address that a stranger must not be allowed to relay to.")?;
        writeln!(out, "# The server said: {}", said(self.foreign.as_ref()))?;
        writeln!(out, "foreign = \"{FOREIGN}\"")?;
        let accepted = self.foreign.as_ref().is_some_and(|reply| reply.code / 100 == 2);
        if accepted {
            writeln!(out, "# It relays for this machine. Is that meant so? Then: trusted = true")?;
        }
        writeln!(out, "\n# A recipient that is accepted and whose delivery fails later.")?;
        writeln!(out, "# failing = \"fails-later@{domain}\"")?;
        if extensions.iter().any(|line| line.to_ascii_uppercase().starts_with("AUTH")) {
            writeln!(out, "\n# AUTH is offered.")?;
        } else {
            writeln!(out, "\n# AUTH is not offered before TLS.")?;
        }
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
