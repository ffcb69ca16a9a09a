//! `smtp-linear CASE N`: a session in memory that brings N of something octet by octet, for
//! `run` to count its instructions.

#![forbid(unsafe_code)]

mod client;
mod server;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(case), Some(Ok(n))) = (args.next(), args.next().map(|n| n.parse())) else {
        eprintln!("usage: smtp-linear CASE N");
        return ExitCode::from(2);
    };
    match server::run(&case, n) || client::run(&case, n) {
        true => ExitCode::SUCCESS,
        false => {
            eprintln!("no such case: {case}");
            ExitCode::from(2)
        }
    }
}
