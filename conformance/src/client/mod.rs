//! The judge's other half: any SMTP client, judged by what it says to a scripted server and by how
//! it ends.
//!
//! A [`Case`] judges one [`Requirement`](crate::requirement::Requirement) of `clients.toml`: it writes
//! a [`Script`](script::Script) for the server, has the [`Sender`](sender::Sender) send a message to
//! it, and judges what was [`Seen`](seen::Seen). Catalogue, verdicts, filters and reports are those
//! of the server half.

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
    case::{self, Report},
    outcome::Outcome,
    runner::{self, Task},
    select::Selection,
};
use std::{num::NonZeroUsize, time::Instant};
use trial::{Run, Trial};

/// How many cases run at once if nobody says otherwise: each starts a client.
pub const JOBS: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// A case for clients.
pub type Case = case::Case<fn(&Trial<'_>) -> Outcome>;

/// Runs a case. Whatever happens in it, it ends in a report.
pub fn run(case: Case, run: &Run) -> Report {
    let began = Instant::now();
    let trial = Trial::new(run, case.id);
    let verdict = case.judged(run.strict, || (case.run)(&trial));
    Report { id: case.id, verdict, sessions: trial.transcripts(), took: began.elapsed() }
}

/// What a run of `selection` does, in the catalogue's order.
pub fn plan(selection: &Selection) -> Vec<Task<Case>> {
    runner::plan_of(selection, &cases::all(), |case| case.id)
}
