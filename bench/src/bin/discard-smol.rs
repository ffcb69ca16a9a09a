//! Our server on smol, discarding: `discard-smol ADDRESS:PORT [tls]`, one thread unless
//! `SMOL_THREADS` says otherwise, like the floor.

use smtp_bench::discard::{Discard, limiter, of_command_line};
use smtp_driver::Peer;
use smtp_server_smol::{Server, Smol, TcpListener};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let (address, service) = of_command_line()?;
    smol::block_on(async {
        let listener = TcpListener::bind(address)?;
        let server = Server::new(Smol::new(), service, |_: &Peer| Discard).limiter(limiter());
        server.run(listener).await;
        Ok(())
    })
}
