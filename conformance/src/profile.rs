//! Profiles: which requirements count, on which listener, and how hard.

use crate::{
    requirement::{Level, Requirement},
    wire::Port,
};
use serde::{Deserialize, Serialize};

/// A view on the catalogue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// What a careful operator fixes.
    #[default]
    Default,
    /// The letter of every RFC.
    Strict,
    /// A server that takes mail from strangers.
    Mx,
    /// A server that takes mail from its own users, RFC 6409.
    Submission,
    /// A server that speaks LMTP, RFC 2033.
    Lmtp,
    /// What an attacker would try.
    Security,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Default, Self::Strict, Self::Mx, Self::Submission, Self::Lmtp, Self::Security];

    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Strict => "strict",
            Self::Mx => "mx",
            Self::Submission => "submission",
            Self::Lmtp => "lmtp",
            Self::Security => "security",
        }
    }

    /// What it is for, in a line.
    pub fn about(self) -> &'static str {
        match self {
            Self::Default => "what a careful operator fixes",
            Self::Strict => "the letter of every RFC",
            Self::Mx => "a server that takes mail from strangers",
            Self::Submission => "a server that takes mail from its own users",
            Self::Lmtp => "a server that speaks LMTP; the greeting is LHLO",
            Self::Security => "what an attacker would try",
        }
    }

    /// The listener that it is about.
    pub fn port(self) -> Port {
        match self {
            Self::Submission => Port::Submission,
            Self::Lmtp => Port::Lmtp,
            _ => Port::Main,
        }
    }

    /// Whether `requirement` counts in it.
    pub fn includes(self, requirement: &Requirement) -> bool {
        match self {
            Self::Default | Self::Strict => true,
            Self::Mx => !requirement.has_tag("submission") && !requirement.has_tag("lmtp"),
            Self::Submission => !requirement.has_tag("lmtp"),
            Self::Lmtp => !requirement.has_tag("submission"),
            Self::Security => requirement.has_tag("security"),
        }
    }

    /// Whether breaches are graded by the letter, also where careful operators do not follow it.
    pub fn is_strict(self) -> bool {
        self == Self::Strict
    }

    /// How strongly `requirement` binds in it.
    pub fn level(self, requirement: &Requirement) -> Level {
        requirement.graded(self.is_strict())
    }
}

impl std::fmt::Display for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(more: &str) -> Requirement {
        let text = format!(
            "id = 'X-01'\nreference = '5321 §1'\nlevel = 'MUST'\n{more}\n\
             applies = 'always'\npass = ''\nfail = ''"
        );
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn only_strict_takes_the_letter_where_the_field_is_lenient() {
        let lenient = requirement("default_level = 'SHOULD'");
        for profile in Profile::ALL {
            let letter = profile == Profile::Strict;
            assert_eq!(profile.level(&lenient).is_must(), letter);
            assert!(profile.level(&requirement("")).is_must());
        }
    }

    #[test]
    fn a_profile_for_one_kind_of_listener_leaves_out_the_others() {
        let lmtp = requirement("tags = ['lmtp', 'security']");
        let including: Vec<_> = Profile::ALL.into_iter().filter(|p| p.includes(&lmtp)).collect();
        let all = [Profile::Default, Profile::Strict, Profile::Lmtp, Profile::Security];
        assert_eq!(including, all);
    }
}
