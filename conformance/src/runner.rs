//! Runs the cases of a selection.

use crate::{
    case::{self, Case, Report},
    cases,
    outcome::Verdict,
    requirement::Requirement,
    select::Selection,
    tester::Run,
};
use std::{
    num::NonZeroUsize,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// How many cases run at once if nobody says otherwise: most of a run is waiting for nothing to
/// happen, and more connections than these are a burden to a server.
pub const JOBS: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// A requirement of a selection, and what is to be done about it.
#[derive(Clone, Debug)]
pub struct Task<C = Case> {
    /// The requirement.
    pub requirement: &'static Requirement,
    /// Its case, or why none is run.
    pub case: Result<C, String>,
}

/// What a run of `selection` over a server does, in the catalogue's order.
pub fn plan(selection: &Selection) -> Vec<Task> {
    plan_of(selection, &cases::all(), |case| case.id)
}

/// What a run of `selection` with these cases does, in the catalogue's order.
pub fn plan_of<C: Copy>(selection: &Selection, cases: &[C], id: fn(&C) -> &str) -> Vec<Task<C>> {
    let requirements = selection.requirements().into_iter();
    requirements
        .map(|requirement| {
            let case = cases.iter().find(|case| id(case) == requirement.id);
            let case = match (case, selection.withheld(requirement)) {
                (None, _) if requirement.manual.is_empty() => Err("no case".to_owned()),
                (None, _) => Err(format!("no case: {}", requirement.manual)),
                (Some(_), Some(why)) => Err(why.to_owned()),
                (Some(case), None) => Ok(*case),
            };
            Task { requirement, case }
        })
        .collect()
}

/// Runs `selection`, a few cases at once; the reports come in the catalogue's order. `progress`
/// hears of each case that has run, in the order in which they end.
///
/// What has no case is reported as not tested.
pub fn run(run: &Run, selection: &Selection, progress: &(dyn Fn(&Report) + Sync)) -> Vec<Report> {
    run_jobs(run, selection, JOBS, progress)
}

/// [`run`] with `jobs` cases at once.
pub fn run_jobs(
    run: &Run,
    selection: &Selection,
    jobs: NonZeroUsize,
    progress: &(dyn Fn(&Report) + Sync),
) -> Vec<Report> {
    run_tasks(&plan(selection), jobs, &|case| case::run(case, run), progress)
}

/// Runs `tasks`, `jobs` at once, each judged by `judge`.
pub fn run_tasks<C: Copy + Sync + Send>(
    tasks: &[Task<C>],
    jobs: NonZeroUsize,
    judge: &(dyn Fn(C) -> Report + Sync),
    progress: &(dyn Fn(&Report) + Sync),
) -> Vec<Report> {
    let reports: Vec<Mutex<Option<Report>>> = tasks.iter().map(|_| Mutex::default()).collect();
    // What may bring the server down runs when all others are done, one by one, so that no other
    // case is judged while the server is at its limit or gone.
    let (harsh, gentle): (Vec<usize>, Vec<usize>) = (0..tasks.len()).partition(|&n| {
        let requirement = tasks[n].requirement;
        requirement.has_tag("dos") || requirement.has_tag("restart")
    });
    for (numbers, jobs) in [(gentle, jobs.get()), (harsh, 1)] {
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(&n) = numbers.get(next.fetch_add(1, Ordering::Relaxed)) {
                let report = report(&tasks[n], judge, progress);
                *reports[n].lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
            }
        };
        thread::scope(|scope| {
            for _ in 0..jobs.min(numbers.len()) {
                scope.spawn(work);
            }
        });
    }
    let reports = reports.into_iter();
    reports.filter_map(|one| one.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

fn report<C: Copy>(
    task: &Task<C>,
    judge: &(dyn Fn(C) -> Report + Sync),
    progress: &(dyn Fn(&Report) + Sync),
) -> Report {
    match &task.case {
        Ok(case) => {
            let report = judge(*case);
            progress(&report);
            report
        }
        Err(why) => Report {
            id: &task.requirement.id,
            verdict: Verdict::NotTested(why.clone()),
            sessions: Vec::new(),
            took: Duration::ZERO,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cooperation::Cooperation,
        requirement,
        wire::{Port, Target, Wire},
    };
    use std::{collections::BTreeSet, io};

    struct Nowhere;

    impl Target for Nowhere {
        fn connect(&self, _: Port) -> io::Result<Box<dyn Wire>> {
            Err(io::ErrorKind::ConnectionRefused.into())
        }

        fn has(&self, _: Port) -> bool {
            true
        }
    }

    #[test]
    fn every_case_has_its_requirement_and_no_requirement_two() {
        let mut seen = BTreeSet::new();
        for case in cases::all() {
            assert!(
                requirement::all().iter().any(|requirement| requirement.id == case.id),
                "{} is not in the catalogue",
                case.id
            );
            assert!(seen.insert(case.id), "{} has two cases", case.id);
        }
    }

    #[test]
    fn every_requirement_has_a_case_or_a_reason_and_never_both() {
        let cases: BTreeSet<_> = cases::all().iter().map(|case| case.id).collect();
        for requirement in requirement::all() {
            let has_case = cases.contains(requirement.id.as_str());
            assert_ne!(has_case, !requirement.manual.is_empty(), "{}", requirement.id);
        }
    }

    #[test]
    fn reports_come_in_the_catalogues_order_and_leave_nothing_out() {
        let run_ = Run {
            target: Box::new(Nowhere),
            cooperation: Cooperation::default(),
            patience: Duration::from_millis(1),
            pause: Duration::from_millis(1),
            port: Port::Main,
            seed: 1,
            strict: false,
            minute: Duration::from_millis(1),
        };
        let selection = Selection::default();
        let heard = AtomicUsize::new(0);
        let reports = run(&run_, &selection, &|_| {
            heard.fetch_add(1, Ordering::Relaxed);
        });
        let ids: Vec<_> = reports.iter().map(|report| report.id).collect();
        let whole: Vec<_> = requirement::all().iter().map(|r| r.id.as_str()).collect();
        assert_eq!(ids, whole);
        let with_case = plan(&selection).iter().filter(|task| task.case.is_ok()).count();
        assert_eq!(heard.into_inner(), with_case);
        assert!(reports.iter().all(|report| !matches!(report.verdict, Verdict::Fail(_))));
    }
}
