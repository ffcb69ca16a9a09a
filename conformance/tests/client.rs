//! The judge's other half is judged: the rows for clients against a client built to be faulty, one
//! fault at a time, in this process.
//!
//! `CLIENT_MATRIX=1` runs every row against every fault: a fault must be seen by its row and no
//! other. Without it each row is run against its own fault, and against the client without one.
#![expect(clippy::expect_used, reason = "a test stops where it cannot go on")]

mod sender;

use sender::{Faulty, fault::Fault};
use smtp_conformance::{
    case::Report,
    client::{self, Case, cases, trial::Run},
    outcome::Verdict,
    requirement,
};
use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// Judges each of `tasks` with so many at once; the reports are in their order.
fn judge_all(tasks: &[(Option<Fault>, Case)], threads: usize, patience: Duration) -> Vec<Report> {
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<Report>>> = tasks.iter().map(|_| Mutex::new(None)).collect();
    thread::scope(|scope| {
        for _ in 0..threads.min(tasks.len()) {
            scope.spawn(|| {
                while let Some((n, (fault, case))) = {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    tasks.get(n).map(|task| (n, task))
                } {
                    let sender = Box::new(Faulty::new(*fault, patience));
                    let mut run = Run::new(sender, n as u64, true).expect("a certificate");
                    run.delay = Duration::from_secs(1);
                    let report = client::run(*case, &run);
                    *done[n].lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
                }
            });
        }
    });
    let done = done.into_iter();
    done.filter_map(|one| one.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

fn is_seen(report: &Report) -> bool {
    matches!(report.verdict, Verdict::Fail(_) | Verdict::Warn(_))
}

/// The reports, those that are not as `fine` says run again with more time: the machine may have
/// been busy.
fn judge(
    tasks: &[(Option<Fault>, Case)],
    fine: impl Fn(&(Option<Fault>, Case), &Report) -> bool,
) -> Vec<Report> {
    let mut reports = judge_all(tasks, 48, Duration::from_millis(2500));
    for (task, report) in tasks.iter().zip(&mut reports) {
        if !fine(task, report) {
            let again = judge_all(&[*task], 1, Duration::from_secs(8));
            *report = again.into_iter().next().expect("one task, one report");
        }
    }
    reports
}

fn told(fault: Option<Fault>, report: &Report) -> String {
    let (verdict, why) = (report.verdict.name(), report.verdict.reason());
    let mut text = format!("{fault:?} {}: {verdict}: {why}\n", report.id);
    for line in report.sessions.iter().flatten().take(60) {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

#[test]
fn every_row_has_a_case_or_a_reason_and_every_case_a_fault() {
    let cases: BTreeSet<_> = cases::all().iter().map(|case| case.id).collect();
    assert_eq!(cases.len(), cases::all().len(), "a row has two cases");
    for row in requirement::clients() {
        let has_case = cases.contains(row.id.as_str());
        assert_ne!(has_case, !row.manual.is_empty(), "{}: a case or `manual`", row.id);
    }
    let seen: BTreeSet<_> = Fault::ALL.iter().map(|(_, id)| *id).collect();
    assert_eq!(seen, cases);
}

#[test]
fn a_client_without_fault_passes_every_row() {
    let tasks: Vec<_> = cases::all().into_iter().map(|case| (None, case)).collect();
    let passes = |_: &(Option<Fault>, Case), report: &Report| report.verdict == Verdict::Pass;
    let reports = judge(&tasks, passes);
    let wrong = tasks.iter().zip(&reports).filter(|(task, report)| !passes(task, report));
    let wrong: String = wrong.map(|(_, report)| told(None, report)).collect();
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn each_fault_is_seen_by_its_row() {
    let full = std::env::var_os("CLIENT_MATRIX").is_some();
    let own = |fault: Fault, id: &str| Fault::ALL.contains(&(fault, id));
    let mut tasks = Vec::new();
    for &(fault, _) in Fault::ALL {
        let cases = cases::all().into_iter().filter(|case| full || own(fault, case.id));
        tasks.extend(cases.map(|case| (Some(fault), case)));
    }
    let fine = |(fault, case): &(Option<Fault>, Case), report: &Report| {
        let own = fault.is_some_and(|fault| own(fault, case.id));
        is_seen(report) == own
    };
    let reports = judge(&tasks, fine);
    let wrong = tasks.iter().zip(&reports).filter(|(task, report)| !fine(task, report));
    let wrong: String = wrong.map(|((fault, _), report)| told(*fault, report)).collect();
    assert!(wrong.is_empty(), "{wrong}");
}
