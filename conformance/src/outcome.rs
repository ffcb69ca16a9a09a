//! What a case comes to.

use serde::{Deserialize, Serialize};

/// Where in the dialogues of a case something was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The session, counted from 0.
    pub session: usize,
    /// The line of its transcript, counted from 0.
    pub line: usize,
}

/// What was seen, in words, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was expected and what came.
    pub what: String,
    /// The line of the dialogue.
    pub place: Option<Place>,
}

/// The verdict of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "detail", rename_all = "snake_case")]
pub enum Verdict {
    /// What is judged does what it must.
    Pass,
    /// It does not do what it should (SHOULD), or what is worth knowing.
    Warn(Finding),
    /// It breaks a requirement.
    Fail(Finding),
    /// The requirement does not concern it: it does not do what this is about.
    NotApplicable(String),
    /// Something was missing to test it; says what.
    NotTested(String),
    /// The way to the test did not go as planned, so nothing can be said.
    Inconclusive(Finding),
    /// The suite itself failed.
    Error(String),
}

impl Verdict {
    /// Its name in reports and filters.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn(_) => "warn",
            Self::Fail(_) => "fail",
            Self::NotApplicable(_) => "not applicable",
            Self::NotTested(_) => "not tested",
            Self::Inconclusive(_) => "inconclusive",
            Self::Error(_) => "error",
        }
    }

    /// Why it is so, in words; empty for a pass.
    pub fn reason(&self) -> &str {
        match self {
            Self::Pass => "",
            Self::Warn(finding) | Self::Fail(finding) | Self::Inconclusive(finding) => {
                &finding.what
            }
            Self::NotApplicable(why) | Self::NotTested(why) | Self::Error(why) => why,
        }
    }

    /// The same, seen at this place unless it has one.
    #[must_use]
    pub fn at(mut self, seen: Option<Place>) -> Self {
        if let Self::Warn(finding) | Self::Fail(finding) | Self::Inconclusive(finding) = &mut self {
            finding.place = finding.place.or(seen);
        }
        self
    }

    /// Where in the dialogue it was seen.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Warn(finding) | Self::Fail(finding) | Self::Inconclusive(finding) => {
                finding.place
            }
            _ => None,
        }
    }
}

/// How a case ends: well, or with a verdict that says otherwise.
pub type Outcome = Result<(), Verdict>;

/// The graver of two outcomes, or the first: a shortcoming hides no breach that is seen after it.
///
/// # Errors
/// Either.
pub fn graver(first: Outcome, second: Outcome) -> Outcome {
    match (&first, &second) {
        (Ok(()), _) | (Err(Verdict::Warn(_)), Err(Verdict::Fail(_))) => second,
        _ => first,
    }
}

/// A failure that no single line of the dialogue shows.
pub fn fail(what: impl Into<String>) -> Verdict {
    Verdict::Fail(Finding { what: what.into(), place: None })
}

/// A shortcoming that no single line of the dialogue shows.
pub fn warn(what: impl Into<String>) -> Verdict {
    Verdict::Warn(Finding { what: what.into(), place: None })
}

/// Nothing can be said, for a reason that no single line of the dialogue shows.
pub fn inconclusive(what: impl Into<String>) -> Verdict {
    Verdict::Inconclusive(Finding { what: what.into(), place: None })
}
