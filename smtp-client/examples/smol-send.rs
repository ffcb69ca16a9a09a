//! Sends a message from standard input, on smol: see `--help`.

#[path = "send/mod.rs"]
mod send;

use smtp_client::{
    resolve::DnsConfig,
    runtime::smol::{Dns, DnsRuntime, Smol},
};
use std::{io, process::ExitCode};

struct Net;

impl send::Net for Net {
    type Runtime = Smol;
    type Dns = Dns;

    fn runtime(&self) -> Smol {
        Smol::new()
    }

    fn dns(&self, config: &DnsConfig) -> io::Result<Dns> {
        Dns::new(config, DnsRuntime::default())
    }
}

fn main() -> ExitCode {
    smol::block_on(send::run(&Net))
}
