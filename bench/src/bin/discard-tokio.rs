//! Our server on tokio, discarding: `discard-tokio ADDRESS:PORT [tls]`, one worker thread, like the
//! floor.

use smtp_bench::discard::{Discard, limiter, of_command_line};
use smtp_driver::Peer;
use smtp_server_tokio::{Server, TcpListener, Tokio};
use std::error::Error;
use tokio::runtime::Builder;

fn main() -> Result<(), Box<dyn Error>> {
    let (address, service) = of_command_line()?;
    Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(address)?;
        let server = Server::new(Tokio::new(), service, |_: &Peer| Discard).limiter(limiter());
        server.run(listener).await;
        Ok(())
    })
}
