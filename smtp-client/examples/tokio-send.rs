//! Sends a message from standard input, on tokio: see `--help`.

#[path = "send/mod.rs"]
mod send;

use smtp_client::{
    resolve::DnsConfig,
    runtime::tokio::{Dns, DnsRuntime, Tokio},
};
use std::{io, process::ExitCode};
use tokio::runtime::Builder;

struct Net;

impl send::Net for Net {
    type Runtime = Tokio;
    type Dns = Dns;

    fn runtime(&self) -> Tokio {
        Tokio::new()
    }

    fn dns(&self, config: &DnsConfig) -> io::Result<Dns> {
        Dns::new(config, DnsRuntime::default())
    }
}

fn main() -> ExitCode {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(send::run(&Net)),
        Err(error) => send::unusable(&error),
    }
}
