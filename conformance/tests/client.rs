//! The judge's other half is judged: the rows for clients against a client built to be faulty, one
//! fault at a time, in this process.
//!
//! A fault must be seen by its row and by no other.
#![expect(clippy::expect_used, reason = "a test stops where it cannot go on")]

mod sender;

use sender::{Faulty, fault::Fault, habit::Habit};
use smtp_conformance::{
    case::Report,
    client::{self, Case, cases, identity::Identity, trial::Run},
    outcome::Verdict,
    requirement,
};
use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// A client, by its fault, and a case.
type Task = (Option<Fault>, Case);

/// Judges each of `tasks` with so many at once; the reports are in their order.
fn judge_all(
    tasks: &[Task],
    threads: usize,
    sender: impl Fn(&Task) -> Faulty + Sync,
) -> Vec<Report> {
    let identity = Arc::new(Identity::new().expect("a certificate"));
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<Report>>> = tasks.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        while let Some((n, task)) = {
            let n = next.fetch_add(1, Ordering::Relaxed);
            tasks.get(n).map(|task| (n, task))
        } {
            let run = Run {
                strict: true,
                delay: Duration::from_secs(1),
                ..Run::new(Box::new(sender(task)), Arc::clone(&identity), n as u64)
            };
            let report = client::run(task.1, &run);
            *done[n].lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads.min(tasks.len()) {
            scope.spawn(work);
        }
    });
    let done = done.into_iter();
    done.filter_map(|one| one.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

fn is_seen(report: &Report) -> bool {
    matches!(report.verdict, Verdict::Fail(_) | Verdict::Warn(_))
}

/// The reports; those that are not `fine` are run again with more time: the machine may have been
/// busy.
fn judge(tasks: &[Task], fine: impl Fn(&Task, &Report) -> bool) -> Vec<Report> {
    let quick = |task: &Task| Faulty::new(task.0, Duration::from_millis(2500));
    let patient = |task: &Task| Faulty::new(task.0, Duration::from_secs(8));
    let mut reports = judge_all(tasks, 48, quick);
    for (task, report) in tasks.iter().zip(&mut reports) {
        if !fine(task, report) {
            let again = judge_all(&[*task], 1, patient);
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

/// The part of `faults.md` that is about clients.
fn section() -> String {
    let mut text = String::from(
        "## Clients\n\n\
         <!-- Written by `UPDATE_DOCS=1 cargo test -p smtp-conformance --test client`. -->\n\n\
         The other half is judged by a client that does one thing wrong at a time \
         ([`tests/sender`](tests/sender)): each fault is seen by its row and by no other. A client \
         without a fault passes all rows, and so do clients with habits that few have.\n\n",
    );
    let (faults, rows) = (Fault::ALL.len(), cases::all().len());
    text += &format!("{faults} faults, all of them seen; {rows} cases, all of them proven.\n\n");
    text += "| Fault | The client | Row |\n|---|---|---|\n";
    for (fault, id) in Fault::ALL {
        text += &format!("| {fault:?} | {} | {id} |\n", fault.sentence());
    }
    text
}

#[test]
fn faults_md_names_the_faults_of_clients() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/faults.md");
    let whole = fs::read_to_string(file).expect("faults.md can be read");
    let (servers, clients) = whole.split_at(whole.find("## Clients\n").unwrap_or(whole.len()));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(file, format!("{servers}{}", section())).expect("faults.md can be written");
    } else {
        assert!(clients == section(), "faults.md is old: UPDATE_DOCS=1 writes it");
    }
}

#[test]
fn a_client_without_fault_passes_every_row() {
    let tasks: Vec<Task> = cases::all().into_iter().map(|case| (None, case)).collect();
    let passes = |_: &Task, report: &Report| report.verdict == Verdict::Pass;
    let reports = judge(&tasks, passes);
    let wrong = reports.iter().filter(|report| report.verdict != Verdict::Pass);
    let wrong: String = wrong.map(|report| told(None, report)).collect();
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_few_clients_do_and_all_may_is_not_held_against_them() {
    let mut wrong = String::new();
    for habit in Habit::ALL {
        let run = |tasks: &[Task], threads, patience| {
            judge_all(tasks, threads, |_| Faulty::unusual(habit, Duration::from_millis(patience)))
        };
        let tasks: Vec<Task> = cases::all().into_iter().map(|case| (None, case)).collect();
        let reports = run(&tasks, 48, 2500);
        for (task, report) in tasks.iter().zip(reports) {
            // Who sends no chunks is not judged by them.
            let fine = |report: &Report| match report.verdict {
                Verdict::Pass => true,
                Verdict::NotApplicable(_) => habit == Habit::OneByOne,
                _ => false,
            };
            if !fine(&report) {
                let again = run(&[*task], 1, 8000);
                let again = again.iter().filter(|report| !fine(report));
                again.for_each(|report| wrong += &format!("{habit:?} {}", told(None, report)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_client_that_queues_is_not_blamed_for_what_nobody_can_see() {
    let tasks: Vec<Task> = cases::all().into_iter().map(|case| (None, case)).collect();
    let reports = judge_all(&tasks, 48, |_| Faulty::queueing(Duration::from_secs(8)));
    let wrong: String =
        reports.iter().filter(|report| is_seen(report)).map(|report| told(None, report)).collect();
    assert!(wrong.is_empty(), "{wrong}");
    let passed = reports.iter().filter(|report| report.verdict == Verdict::Pass).count();
    assert!(passed > 35, "{passed}");
    let unclear: Vec<_> = reports.iter().filter(|r| r.verdict != Verdict::Pass).collect();
    assert!(unclear.iter().any(|report| report.id == "C-13"), "{unclear:#?}");
}

#[test]
fn each_fault_is_seen_by_its_row_and_by_no_other() {
    let mut tasks: Vec<Task> = Vec::new();
    for &(fault, _) in Fault::ALL {
        tasks.extend(cases::all().into_iter().map(|case| (Some(fault), case)));
    }
    let fine = |(fault, case): &Task, report: &Report| {
        let own = fault.is_some_and(|fault| Fault::ALL.contains(&(fault, case.id)));
        is_seen(report) == own
    };
    let reports = judge(&tasks, fine);
    let wrong = tasks.iter().zip(&reports).filter(|(task, report)| !fine(task, report));
    let wrong: String = wrong.map(|((fault, _), report)| told(*fault, report)).collect();
    assert!(wrong.is_empty(), "{wrong}");
}
