//! The judge is judged: the suite against a server built to be faulty, one fault at a time.
//!
//! `faults.md` holds what came of it: which cases fail for which fault. `UPDATE_DOCS=1` runs every
//! case against every fault, which takes minutes (two with `CARGO_PROFILE_DEV_OPT_LEVEL=1`), and
//! writes it; `UPDATE_DOCS=new` runs what stands there and the cases and faults that do not;
//! otherwise what stands there is run again. A case that no fault fails proves nothing, unless
//! `unproven.rs` says why it cannot.
#![expect(clippy::expect_used, reason = "a test stops where it cannot go on")]

mod faulty;
#[path = "judge/matrix.rs"]
mod matrix;
#[path = "judge/transport.rs"]
mod transport;
#[path = "judge/unproven.rs"]
mod unproven;

use faulty::{
    fault::Fault,
    habit::Habit,
    server::{Faulty, Setting},
};
use matrix::{Mark, Matrix};
use smtp_conformance::{
    case::{self, Case, Report},
    cases,
    outcome::Verdict,
    tester::Run,
    wire::Port,
};
use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use transport::{Kind, Through};

/// How cases are run.
#[derive(Clone, Copy)]
struct How {
    /// How long to wait for a reply.
    patience: Duration,
    /// How many at once: nearly all of their time they wait for nothing to happen.
    threads: usize,
    /// Graded by the letter.
    strict: bool,
    /// The transport.
    kind: Kind,
    /// What the server does that few others do.
    habit: Option<Habit>,
}

const QUICK: How = How {
    patience: Duration::from_millis(1500),
    threads: 64,
    strict: true,
    kind: Kind::Plain,
    habit: None,
};
/// For what did not come as expected: the machine may have been busy.
const PATIENT: How = How { patience: Duration::from_secs(5), threads: 8, ..QUICK };

/// A fault, or none, and a case.
type Task = (Option<Fault>, Case);

/// Runs one case against a server of its own.
fn judge((fault, case): Task, how: How) -> Report {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let seed = NEXT.fetch_add(1, Ordering::Relaxed);
    let run = format!("judge-{}", std::process::id());
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(run).join(seed.to_string());
    let setting = Setting { habit: how.habit, ..Setting::of(case.id) };
    let server = Faulty::new(fault, root.clone(), setting);
    let run = Run {
        cooperation: server.cooperation(),
        target: Box::new(Through { server, kind: how.kind }),
        patience: how.patience,
        pause: Duration::from_millis(100),
        port: Port::Main,
        seed,
        strict: how.strict,
        minute: setting.minute,
    };
    let report = case::run(case, &run);
    // It is not there if nothing was stored.
    drop(fs::remove_dir_all(root));
    report
}

/// Runs all `tasks`, many at once; the results are in their order.
fn judge_all<T: Send>(tasks: &[Task], how: How, keep: impl Fn(Report) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<T>>> = tasks.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        while let Some((task, place)) = {
            let n = next.fetch_add(1, Ordering::Relaxed);
            tasks.get(n).zip(done.get(n))
        } {
            let kept = keep(judge(*task, how));
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        }
    };
    thread::scope(|scope| {
        for _ in 0..how.threads.min(tasks.len()) {
            scope.spawn(work);
        }
    });
    let done = done.into_iter();
    done.filter_map(|one| one.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

fn without_fault(how: How) -> Vec<Report> {
    let tasks: Vec<Task> = cases::all().into_iter().map(|case| (None, case)).collect();
    let mut reports = judge_all(&tasks, how, |report| report);
    for (task, report) in tasks.iter().zip(&mut reports) {
        if !matches!(report.verdict, Verdict::Pass | Verdict::NotApplicable(_)) {
            let patience = PATIENT.patience;
            *report = judge(*task, How { patience, ..how });
        }
    }
    reports
}

/// What a case came to, with its dialogues.
fn told(habit: Option<Habit>, report: &Report) -> String {
    let (verdict, why) = (report.verdict.name(), report.verdict.reason());
    let mut text = format!("{habit:?} {}: {verdict}: {why}\n", report.id);
    for line in report.sessions.iter().flatten() {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

#[test]
fn a_server_without_fault_passes_by_custom_and_by_the_letter() {
    for strict in [false, true] {
        let mut wrong = String::new();
        for report in without_fault(How { strict, ..QUICK }) {
            let fine = match report.verdict {
                Verdict::Pass => true,
                Verdict::NotApplicable(_) | Verdict::NotTested(_) => {
                    unproven::UNPROVEN.iter().any(|(id, _)| *id == report.id)
                        || unproven::ONLY_FOR_A_FAULT.contains(&report.id)
                }
                _ => false,
            };
            if !fine {
                wrong.push_str(&told(None, &report));
            }
        }
        assert!(wrong.is_empty(), "strict: {strict}\n{wrong}");
    }
}

#[test]
fn what_few_servers_do_and_all_may_is_not_held_against_them() {
    let mut wrong = String::new();
    for habit in Habit::ALL {
        for report in without_fault(How { habit: Some(habit), strict: false, ..QUICK }) {
            let fine = match report.verdict {
                Verdict::Pass | Verdict::NotApplicable(_) => true,
                Verdict::NotTested(_) => habit == Habit::Bare,
                _ => false,
            };
            if !fine {
                wrong.push_str(&told(Some(habit), &report));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn verdicts_do_not_depend_on_how_octets_travel_and_are_the_same_again() {
    let names = |how: How| -> BTreeMap<&str, &str> {
        without_fault(how).into_iter().map(|report| (report.id, report.verdict.name())).collect()
    };
    let plain = names(QUICK);
    for kind in [Kind::Plain, Kind::Chopped, Kind::Slow] {
        assert_eq!(names(How { kind, ..QUICK }), plain, "{kind:?}");
    }
}

#[test]
fn faults_are_seen_on_any_transport() {
    let matrix = Matrix::read();
    let cases = cases::all();
    // One case of each fault: the first that fails.
    let tasks: Vec<Task> = matrix
        .rows
        .iter()
        .filter_map(|(fault, marks)| {
            let (id, _) = marks.iter().find(|(_, mark)| **mark == Mark::Fail)?;
            Some((Some(*fault), *cases.iter().find(|case| case.id == id)?))
        })
        .collect();
    for kind in [Kind::Chopped, Kind::Slow] {
        let lost = |tasks: &[Task], how: How| -> Vec<Task> {
            let verdicts = judge_all(tasks, How { kind, ..how }, |report| report.verdict);
            let seen = |verdict: &Verdict| matches!(verdict, Verdict::Fail(_));
            let pairs = tasks.iter().zip(verdicts);
            pairs.filter(|(_, verdict)| !seen(verdict)).map(|(task, _)| *task).collect()
        };
        let again = lost(&tasks, QUICK);
        let mut lost = lost(&again, PATIENT);
        if kind == Kind::Chopped {
            let whole = transport::NEEDS_ONE_SEGMENT;
            lost.retain(|(fault, _)| fault.is_some_and(|fault| !whole.contains(&fault)));
        }
        assert!(lost.is_empty(), "{kind:?}: {lost:?}");
    }
}

#[test]
fn each_fault_is_seen_and_each_case_sees_one() {
    let cases = cases::all();
    let written = Matrix::read();
    let update = std::env::var("UPDATE_DOCS").ok();
    let mut tasks: Vec<Task> = Vec::new();
    for &fault in Fault::ALL {
        let all = cases.iter().filter(|case| match update.as_deref() {
            None => written.mark(fault, case.id).is_some(),
            Some("new") => written.mark(fault, case.id).is_some() || written.lacks(fault, case.id),
            Some(_) => true,
        });
        tasks.extend(all.map(|case| (Some(fault), *case)));
    }
    let mut seen = Matrix::default();
    let mut unexpected = Vec::new();
    let verdicts = judge_all(&tasks, QUICK, |report| Mark::of(&report.verdict));
    for (task @ (fault, case), mark) in tasks.iter().zip(verdicts) {
        let fault = fault.expect("only faulty servers are run here");
        if mark == written.mark(fault, case.id) {
            seen.put(fault, case.id, mark);
        } else {
            unexpected.push(*task);
        }
    }
    let verdicts = judge_all(&unexpected, PATIENT, |report| Mark::of(&report.verdict));
    for ((fault, case), mark) in unexpected.iter().zip(verdicts) {
        seen.put(fault.expect("only faulty servers are run here"), case.id, mark);
    }
    if update.is_some() {
        seen.write(&cases);
    } else {
        assert_eq!(seen.rows, written.rows, "UPDATE_DOCS=1 writes what is seen now");
        seen.compare(&cases);
    }
    seen.check(&cases);
}
