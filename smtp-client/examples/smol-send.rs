//! Sends a message from standard input, on smol: see `--help`.

#[path = "send/mod.rs"]
mod send;

use send::{Options, run};
use smtp_client::runtime::smol::{Smol, connect, connect_unix};
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = Options::from_command_line();
    smol::block_on(run(&options, Smol::new, connect, connect_unix))
}
