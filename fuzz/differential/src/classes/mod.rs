//! The differences that are known.

mod commands;
mod replies;

pub use commands::CLASSES;
pub use replies::REPLY_CLASSES;

use crate::{Difference, line::Parts};

/// Who is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// We are: the peer differs from the RFC.
    Ours,
    /// The peer is: we deviate, on purpose.
    Theirs,
    /// Both: the RFC leaves it open, or it is the business of who calls the parser.
    Both,
}

/// A kind of difference.
#[derive(Debug)]
pub struct Class {
    /// Its name in `README.md`.
    pub name: &'static str,
    /// The peers that it is about.
    pub peers: &'static [&'static str],
    /// Who is right.
    pub verdict: Verdict,
    /// By which section.
    pub section: &'static str,
    /// A line that shows it, with each of the peers.
    pub example: &'static [u8],
    /// Whether a difference is of this kind.
    explains: fn(&Seen<'_>) -> bool,
}

impl Class {
    /// Whether `difference` is of this kind.
    #[must_use]
    pub fn explains(&self, difference: &Difference) -> bool {
        let parts = Parts::of(&difference.line);
        let seen = Seen { line: &difference.line, parts: parts.as_ref(), difference };
        self.peers.contains(&difference.peer) && (self.explains)(&seen)
    }
}

/// A difference, and the parts of its line.
struct Seen<'d> {
    line: &'d [u8],
    parts: Option<&'d Parts<'d>>,
    difference: &'d Difference,
}

impl Seen<'_> {
    /// We take it, and the peer does not.
    fn only_ours(&self) -> bool {
        self.difference.ours.is_taken() && !self.difference.theirs.is_taken()
    }

    /// The peer takes it, and we do not.
    fn only_theirs(&self) -> bool {
        !self.difference.ours.is_taken() && self.difference.theirs.is_taken()
    }

    /// The only fact that differs is this one.
    fn differs_in(&self, name: &str) -> bool {
        let (ours, theirs) = (&self.difference.ours, &self.difference.theirs);
        ours.is_taken() && theirs.is_taken() && ours.without(name) == theirs.without(name)
    }

    fn verb(&self, verbs: &[&str]) -> bool {
        verbs.iter().any(|verb| {
            let (front, rest) = self.line.split_at(verb.len().min(self.line.len()));
            let ends = rest.first().is_none_or(|octet| !octet.is_ascii_alphanumeric());
            front.eq_ignore_ascii_case(verb.as_bytes()) && ends
        })
    }

    fn is_path(&self) -> bool {
        self.verb(&["MAIL", "RCPT"])
    }

    fn ascii(&self) -> bool {
        self.line.is_ascii()
    }

    fn has(&self, text: &str) -> bool {
        self.line.windows(text.len()).any(|part| part == text.as_bytes())
    }

    fn parts(&self, holds: impl Fn(&Parts<'_>) -> bool) -> bool {
        self.parts.is_some_and(holds)
    }

    /// A number within it has a zero in front.
    fn has_leading_zero(&self) -> bool {
        let numbers = self.line.split(|octet| !octet.is_ascii_digit());
        numbers.into_iter().any(|number| number.len() > 1 && number[0] == b'0')
    }

    /// Our refusal is for the path.
    fn bad_path(&self) -> bool {
        self.only_theirs() && self.is_path() && self.parts(|parts| !parts.has_good_path())
    }

    /// Our refusal is for a parameter that is bad alone, all of these being one of `keywords`.
    fn bad_parameters(&self, keywords: &[&str]) -> bool {
        self.only_theirs()
            && self.is_path()
            && self.parts(|parts| {
                let bad = parts.bad_parameters();
                !bad.is_empty() && bad.iter().all(|bad| keywords.contains(&bad.as_str()))
            })
    }
}
