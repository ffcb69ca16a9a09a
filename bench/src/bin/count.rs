//! Runs one case so many times, under callgrind; or lists the cases: `count [TASK SUBJECT TIMES]`.
//!
//! `valgrind --tool=callgrind --toggle-collect='*counted*' count MAIL smtp-proto 1000`: what twice as
//! many runs cost more is what the runs cost, without what only the first of them does.

use smtp_bench::cases;
use std::{env, error::Error};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [task, subject, times] = &words[..] else {
        for case in cases::all() {
            let octets = case.octets.map_or(String::from("-"), |octets| octets.to_string());
            println!("{}\t{}\t{octets}", case.task, case.subject);
        }
        return Ok(());
    };
    let mut named = cases::all().filter(|case| case.task == task && case.subject == subject);
    let mut work = (named.next().ok_or("no such case")?.prepare)();
    for _ in 0..times.parse()? {
        work();
    }
    Ok(())
}
