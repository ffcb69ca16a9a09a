//! Our parsers of command lines and replies beside those of others.
//!
//! Each reads the same line, and says what it took it for, as facts that can be compared. Where two
//! differ, the difference belongs to a class of [`CLASSES`] or [`REPLY_CLASSES`], which says who is
//! right, by which section; `README.md` has them in words. A difference of no class is news.

mod classes;
mod facts;
mod line;
mod ours;
mod peers;
mod replies;

pub use classes::{CLASSES, Class, REPLY_CLASSES, Verdict};
pub use facts::{Facts, Outcome};
pub use ours::ours;
pub use peers::{PEERS, Peer};
pub use replies::reply_differences;

/// A line that we and a peer do not take for the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The peer's name.
    pub peer: &'static str,
    /// The line, without the CRLF that it was given with; of replies, all octets.
    pub line: Vec<u8>,
    /// What we take it for, as far as the peer would show it.
    pub ours: Outcome,
    /// What the peer takes it for.
    pub theirs: Outcome,
}

impl Difference {
    /// Whether one of `classes` explains it.
    #[must_use]
    pub fn is_of(&self, classes: &[Class]) -> bool {
        classes.iter().any(|class| class.explains(self))
    }
}

/// Where a peer differs from us about `line`.
///
/// Nothing is compared that is not a line, or where each may have bounds of its own: over 200
/// octets, and numbers of over 18 digits.
#[must_use]
pub fn differences(line: &[u8]) -> Vec<Difference> {
    let digits = line.split(|octet| !octet.is_ascii_digit()).map(<[u8]>::len).max();
    if line.ends_with(b"\r") || line.windows(2).any(|two| two == b"\r\n") {
        return Vec::new();
    }
    if line.len() > 200 || digits > Some(18) {
        return Vec::new();
    }
    let whole = ours(line);
    let mut found = Vec::new();
    for peer in PEERS {
        if let Some(theirs) = (peer.parse)(line) {
            let ours = whole.as_shown_by(peer);
            if ours != theirs {
                found.push(Difference { peer: peer.name, line: line.to_vec(), ours, theirs });
            }
        }
    }
    found
}
