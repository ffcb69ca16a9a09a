//! The judge's other half: any SMTP client, judged by what it says to a scripted server and by how
//! it ends.
//!
//! A [`Case`] judges one [`Requirement`] of `clients.toml`: it writes a [`Script`](script::Script)
//! for the server, has the [`Sender`](sender::Sender) send a message to it, and judges what was
//! [`Seen`](seen::Seen). Catalogue, verdicts, filters and reports are those of the server half.

pub mod by_hand;
pub mod cases;
pub mod command;
pub mod identity;
mod listen;
pub mod message;
pub mod record;
pub mod sasl;
pub mod script;
pub mod seen;
pub mod sender;
mod serve;
pub mod trial;

use crate::{
    case::{Report, graded},
    outcome::{Outcome, Verdict},
    requirement::{self, Requirement},
    runner::{self, Task},
    select::Selection,
};
use std::{
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};
use trial::{Run, Trial};

/// How many cases run at once if nobody says otherwise: each starts a client.
pub const JOBS: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// A case: the requirement it judges, and how.
#[derive(Clone, Copy)]
pub struct Case {
    /// The requirement.
    pub id: &'static str,
    /// Judges it.
    pub run: fn(&Trial<'_>) -> Outcome,
}

impl Case {
    /// What it judges.
    pub fn requirement(&self) -> Option<&'static Requirement> {
        requirement::find(self.id)
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Runs a case. Whatever happens in it, it ends in a report.
pub fn run(case: Case, run: &Run) -> Report {
    let began = Instant::now();
    let trial = Trial::new(run, case.id);
    let verdict = match catch_unwind(AssertUnwindSafe(|| (case.run)(&trial))) {
        Ok(Ok(())) => Verdict::Pass,
        Ok(Err(verdict)) => graded(verdict, case.requirement(), run.strict),
        Err(_) => Verdict::Error("the case panicked".into()),
    };
    Report { id: case.id, verdict, sessions: trial.transcripts(), took: began.elapsed() }
}

/// What a run of `selection` does, in the catalogue's order.
pub fn plan(selection: &Selection) -> Vec<Task<Case>> {
    runner::plan_of(selection, &cases::all(), |case| case.id)
}
