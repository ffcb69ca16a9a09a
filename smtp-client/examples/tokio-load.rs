//! Sends many messages, on tokio: see `--help`.

mod load;

use smtp_client::runtime::tokio::Tokio;
use std::{io, process::ExitCode};
use tokio::runtime::Builder;

fn main() -> io::Result<ExitCode> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(load::run(Tokio::new())))
}
