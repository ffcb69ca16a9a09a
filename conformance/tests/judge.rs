//! The judge is judged: the suite against a server built to be faulty, one fault at a time.
#![expect(clippy::expect_used, reason = "a test stops where it cannot go on")]

mod faulty;

use faulty::{fault::Fault, server::Faulty};
use smtp_conformance::{
    case::{self, Case, Report},
    cases,
    outcome::Verdict,
    tester::Run,
    wire::Port,
};
use std::{
    fs,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// How many cases run at once: nearly all of their time they wait for nothing to happen.
const THREADS: usize = 96;

/// How a case is run.
#[derive(Clone, Copy)]
struct How {
    patience: Duration,
    strict: bool,
}

const QUICK: How = How { patience: Duration::from_millis(1500), strict: true };

/// Runs one case against a server of its own.
fn judge(fault: Option<Fault>, case: Case, how: How) -> Report {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let seed = NEXT.fetch_add(1, Ordering::Relaxed);
    let root = scratch().join(seed.to_string());
    let server = Faulty::new(fault, root.clone());
    let run = Run {
        cooperation: server.cooperation(),
        target: Box::new(server),
        patience: how.patience,
        pause: Duration::from_millis(100),
        port: Port::Main,
        seed,
        strict: how.strict,
    };
    let report = case::run(case, &run);
    drop(fs::remove_dir_all(root));
    report
}

fn scratch() -> PathBuf {
    std::env::temp_dir().join(format!("smtp-judge-{}", std::process::id()))
}

/// Runs all `tasks`, many at once; the results are in their order.
fn judge_all(tasks: &[(Option<Fault>, Case)], how: How) -> Vec<Report> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS.min(tasks.len()) {
            scope.spawn(|| {
                while let Some((n, (fault, case))) = {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    tasks.get(n).map(|task| (n, *task))
                } {
                    let report = judge(fault, case, how);
                    done.lock().expect("no thread panics").push((n, report));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no thread panics");
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, report)| report).collect()
}

fn runnable() -> Vec<Case> {
    let all = cases::all().into_iter();
    all.filter(|case| case.requirement().is_some_and(|r| !r.has_tag("slow"))).collect()
}

#[test]
fn a_server_without_fault_passes() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let tasks: Vec<_> = runnable()
        .into_iter()
        .filter(|case| case.id.starts_with(&only))
        .map(|case| (None, case))
        .collect();
    let began = std::time::Instant::now();
    let reports = judge_all(&tasks, QUICK);
    println!("{} cases, {:?}", reports.len(), began.elapsed());
    for report in &reports {
        if report.took > Duration::from_secs(3) || report.verdict != Verdict::Pass {
            println!("{} {} {:?} {}", report.id, report.verdict.name(), report.took, report.verdict.reason());
            if matches!(report.verdict, Verdict::Fail(_) | Verdict::Inconclusive(_) | Verdict::Warn(_)) {
                for line in report.sessions.iter().flatten() {
                    println!("      {line}");
                }
            }
        }
    }
}
