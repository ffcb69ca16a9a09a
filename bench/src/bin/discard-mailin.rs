//! mailin-embedded, discarding: `discard-mailin ADDRESS:PORT`. A thread for each connection.

use mailin_embedded::{Handler, Server, SslConfig};
use std::{env, error::Error};

#[derive(Clone)]
struct Discard;

impl Handler for Discard {}

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("usage: discard-mailin ADDRESS:PORT")?;
    let mut server = Server::new(Discard);
    server.with_name("mx.example").with_num_threads(64).with_ssl(SslConfig::None)?;
    server.with_addr(address)?;
    Ok(server.serve()?)
}
