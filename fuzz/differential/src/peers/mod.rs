//! The parsers of others.

mod codec;
mod mailin;
mod stalwart;

use crate::Outcome;

/// A parser of somebody else's.
#[derive(Debug)]
pub struct Peer {
    /// Its crate.
    pub name: &'static str,
    /// The facts that it shows of a command.
    pub shows: &'static [&'static str],
    /// What it takes a line for; `None` if it does not claim to know the command.
    pub parse: fn(&[u8]) -> Option<Outcome>,
}

/// All of them.
pub const PEERS: &[Peer] = &[stalwart::PEER, codec::PEER, mailin::PEER];

/// The verb of a line, in upper case.
fn verb(line: &[u8]) -> String {
    let end = line.iter().position(|octet| !octet.is_ascii_alphanumeric()).unwrap_or(line.len());
    String::from_utf8_lossy(&line[..end]).to_ascii_uppercase()
}
