//! The catalogues of requirements: what a server must do and what a client must do, and where it
//! is written.

use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// How strongly a requirement binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Level {
    /// MUST, REQUIRED, SHALL.
    #[serde(rename = "MUST")]
    Must,
    /// MUST NOT, SHALL NOT.
    #[serde(rename = "MUST NOT")]
    MustNot,
    /// SHOULD, RECOMMENDED.
    #[serde(rename = "SHOULD")]
    Should,
    /// SHOULD NOT.
    #[serde(rename = "SHOULD NOT")]
    ShouldNot,
    /// MAY, OPTIONAL.
    #[serde(rename = "MAY")]
    May,
}

impl Level {
    /// A breach is a failure.
    pub fn is_must(self) -> bool {
        matches!(self, Self::Must | Self::MustNot)
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::MustNot => "MUST NOT",
            Self::Should => "SHOULD",
            Self::ShouldNot => "SHOULD NOT",
            Self::May => "MAY",
        }
    }
}

/// One requirement. The catalogues are `requirements.toml` and `clients.toml` in the crate's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Its stable name, such as `SEQ-05`: never reused, never changed in meaning.
    pub id: String,
    /// Where it is written, such as `5321 §4.1.4`.
    pub reference: String,
    /// How strongly it binds.
    pub level: Level,
    /// The level by which a breach is graded in the default profile, where careful operators do
    /// not follow the letter; the strict profile grades by `level`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_level: Option<Level>,
    /// When it concerns a server or a client, such as `CHUNKING` or `always`.
    pub applies: String,
    /// What the tester needs from the operator: for a client, commands and placeholders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// What passes.
    pub pass: String,
    /// What fails.
    pub fail: String,
    /// Why it matters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What the text of the RFC corrected, or that it could not be read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// For filters: `security`, `dos`, `slow`, `submission`, `lmtp`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Why no case tests it, for those that none does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub manual: String,
}

impl Requirement {
    /// The letters in front of its number: `SEC-TLS` of `SEC-TLS-02`.
    pub fn family(&self) -> &str {
        self.id.rsplit_once('-').map_or(self.id.as_str(), |(family, _)| family)
    }

    /// The level by which a breach is graded: that of the letter, or of the default profile.
    pub fn graded(&self, strict: bool) -> Level {
        self.default_level.filter(|_| !strict).unwrap_or(self.level)
    }

    /// Whether it has the tag.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|own| own == tag)
    }
}

#[derive(Deserialize)]
struct Catalogue {
    requirement: Vec<Requirement>,
}

/// Who is judged: each half of the suite has its catalogue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Half {
    /// A server, by `requirements.toml`.
    #[default]
    Server,
    /// A client, by `clients.toml`.
    Client,
}

impl Half {
    /// Its catalogue, in its order.
    pub fn requirements(self) -> &'static [Requirement] {
        match self {
            Self::Server => all(),
            Self::Client => clients(),
        }
    }
}

/// What a server must do: the whole catalogue, in its order.
///
/// # Panics
/// If `requirements.toml` does not parse; a test reads it.
pub fn all() -> &'static [Requirement] {
    static ALL: OnceLock<Vec<Requirement>> = OnceLock::new();
    ALL.get_or_init(|| read("requirements.toml", include_str!("../requirements.toml")))
}

/// What a client must do: the whole catalogue, in its order.
///
/// # Panics
/// If `clients.toml` does not parse; a test reads it.
pub fn clients() -> &'static [Requirement] {
    static ALL: OnceLock<Vec<Requirement>> = OnceLock::new();
    ALL.get_or_init(|| read("clients.toml", include_str!("../clients.toml")))
}

#[expect(clippy::panic, reason = "the file is part of the program, and a test reads it")]
fn read(name: &str, text: &str) -> Vec<Requirement> {
    match toml::from_str::<Catalogue>(text) {
        Ok(catalogue) => catalogue.requirement,
        Err(error) => panic!("{name}: {error}"),
    }
}

/// The requirement called `id`, of either half.
pub fn find(id: &str) -> Option<&'static Requirement> {
    let mut both = all().iter().chain(clients());
    both.find(|requirement| requirement.id.eq_ignore_ascii_case(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_catalogue_parses_and_no_id_stands_twice() {
        let both = all().iter().chain(clients());
        let ids: BTreeSet<_> = both.map(|requirement| &requirement.id).collect();
        assert_eq!(ids.len(), all().len() + clients().len());
        assert!(all().len() >= 313 && clients().len() >= 60);
    }
}
