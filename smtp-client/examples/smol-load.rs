//! Sends many messages, on smol: see `--help`.

mod load;

use smtp_client::runtime::smol::Smol;
use std::process::ExitCode;

fn main() -> ExitCode {
    smol::block_on(load::run(Smol::new()))
}
