//! Cases: each judges one requirement.

use crate::{
    outcome::{Finding, Outcome, Verdict},
    requirement::{self, Requirement},
    tester::{Run, Tester},
    transcript::Line,
};
use serde::Serialize;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

/// A case: the requirement it judges, and how: that of a server, unless `R` says otherwise.
#[derive(Clone, Copy)]
pub struct Case<R = fn(&Tester<'_>) -> Outcome> {
    /// The requirement.
    pub id: &'static str,
    /// Judges it.
    pub run: R,
}

impl<R> Case<R> {
    /// What it judges.
    pub fn requirement(&self) -> Option<&'static Requirement> {
        requirement::find(self.id)
    }

    /// What `run`, which is that of the case, comes to in a profile that is strict or not.
    pub(crate) fn judged(&self, strict: bool, run: impl FnOnce() -> Outcome) -> Verdict {
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(())) => Verdict::Pass,
            Ok(Err(verdict)) => graded(verdict, self.requirement(), strict),
            Err(_) => Verdict::Error("the case panicked".into()),
        }
    }
}

impl<R> std::fmt::Debug for Case<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a case found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The requirement.
    pub id: &'static str,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The dialogues, session by session.
    pub sessions: Vec<Vec<Line>>,
    /// How long it took.
    #[serde(serialize_with = "milliseconds", rename = "milliseconds")]
    pub took: Duration,
}

fn milliseconds<S: serde::Serializer>(took: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
}

/// A breach of what is no MUST, in the profile of the run, is a shortcoming.
fn graded(verdict: Verdict, of: Option<&Requirement>, strict: bool) -> Verdict {
    match verdict {
        Verdict::Fail(finding) if of.is_some_and(|r| !r.graded(strict).is_must()) => {
            Verdict::Warn(finding)
        }
        verdict => verdict,
    }
}

/// A server that takes mail only after AUTH answers 530 to a session that has not authenticated,
/// RFC 4954 §6, whatever else is wrong with the command: that judges nothing.
fn before_auth(verdict: Verdict, sessions: &[Vec<Line>]) -> Verdict {
    let (Verdict::Fail(finding) | Verdict::Warn(finding)) = &verdict else { return verdict };
    let Some(place) = finding.place else { return verdict };
    let Some(lines) = sessions.get(place.session).and_then(|all| all.get(..=place.line)) else {
        return verdict;
    };
    let answered = |line: &Line, code| matches!(line, Line::Server(text) if text.starts_with(code));
    let refused = lines.last().is_some_and(|line| answered(line, "530"));
    if refused && !lines.iter().any(|line| answered(line, "235")) {
        let what = format!("the server wants AUTH first: {}", finding.what);
        return Verdict::Inconclusive(Finding { what, place: Some(place) });
    }
    verdict
}

/// Runs a case. Whatever happens in it, it ends in a report.
pub fn run(case: Case, run: &Run) -> Report {
    let began = Instant::now();
    let tester = Tester::new(run, case.id);
    let verdict = case.judged(run.strict, || (case.run)(&tester));
    let sessions = tester.transcripts();
    let verdict = if run.cooperation.sign_in { before_auth(verdict, &sessions) } else { verdict };
    Report { id: case.id, verdict, sessions, took: began.elapsed() }
}
