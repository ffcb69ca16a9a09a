//! Prints how often each case allocates, once it has run before, and fails if one does that must
//! not: the machines at work, and what passes a message on.

use allocation_counter::measure;
use smtp_bench::cases;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut ok = true;
    for case in cases::all() {
        let mut work = (case.prepare)();
        // The first runs make the buffers as large as they get.
        work();
        work();
        let allocations = measure(&mut work).count_total;
        println!("{}\t{}\t{allocations}", case.task, case.subject);
        if case.subject == "smtp-proto" && allocations > 0 {
            eprintln!("{}: {allocations} allocations, and there must be none", case.task);
            ok = false;
        }
    }
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
