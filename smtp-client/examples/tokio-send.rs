//! Sends a message from standard input, on tokio: see `--help`.

#[path = "send/mod.rs"]
mod send;

use send::{Options, run};
use smtp_client::runtime::tokio::{Tokio, connect, connect_unix};
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = Options::from_command_line();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return send::unusable(&error),
    };
    runtime.block_on(run(&options, Tokio::new, connect, connect_unix))
}
