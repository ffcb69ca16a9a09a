//! What a parser takes a line for.

use crate::Peer;
use std::collections::BTreeMap;

/// Names and values: `verb`, and what else the line says.
pub type Facts = BTreeMap<&'static str, String>;

/// A command, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This command.
    Taken(Facts),
    /// No command, or one that is malformed.
    Refused,
}

impl Outcome {
    /// With only those facts that `peer` would show.
    #[must_use]
    pub fn as_shown_by(&self, peer: &Peer) -> Self {
        match self {
            Self::Taken(facts) => {
                let shown = |name: &str| name == "verb" || peer.shows.contains(&name);
                let facts = facts.iter().filter(|(name, _)| shown(name));
                Self::Taken(facts.map(|(name, value)| (*name, value.clone())).collect())
            }
            Self::Refused => Self::Refused,
        }
    }

    /// The value of a fact.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&str> {
        match self {
            Self::Taken(facts) => facts.get(name).map(String::as_str),
            Self::Refused => None,
        }
    }

    /// The same without one fact.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut other = self.clone();
        if let Self::Taken(facts) = &mut other {
            facts.remove(name);
        }
        other
    }

    /// Whether it is a command.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Taken(_))
    }
}
