//! `smtp-codec`: `parse::command::command`.

use super::{Peer, verb};
use crate::{Facts, Outcome};
use smtp_codec::{
    parse::command::command,
    types::{Command, DomainOrAddress},
};

pub(super) const PEER: Peer = Peer { name: "smtp-codec", shows: &["name", "address"], parse };

fn parse(line: &[u8]) -> Option<Outcome> {
    const KNOWN: &[&str] = &[
        "EHLO", "HELO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "VRFY", "EXPN", "HELP",
        "STARTTLS", "AUTH",
    ];
    if !KNOWN.contains(&verb(line).as_str()) {
        return None;
    }
    let wire = [line, b"\r\n"].concat();
    let Ok((b"", command)) = command(&wire) else { return Some(Outcome::Refused) };
    let verb = match command.name() {
        "AUTHLOGIN" | "AUTHPLAIN" => "AUTH",
        name => name,
    };
    let mut facts = Facts::from([("verb", verb.to_owned())]);
    match command {
        Command::Ehlo { domain_or_address } | Command::Helo { domain_or_address } => {
            let name = match domain_or_address {
                DomainOrAddress::Domain(domain) => domain,
                DomainOrAddress::Address(address) => format!("[{address}]"),
            };
            facts.insert("name", name);
        }
        Command::Mail { reverse_path, .. } => {
            facts.insert("address", reverse_path);
        }
        Command::Rcpt { forward_path, .. } => {
            facts.insert("address", forward_path);
        }
        _ => {}
    }
    Some(Outcome::Taken(facts))
}
