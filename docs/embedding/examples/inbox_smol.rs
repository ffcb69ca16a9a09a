//! The server of `by_handler`, on smol: `cargo run -p embedding --example inbox_smol`.

use embedding::{by_handler::Inbox, inbox::Store};
use smtp_driver::{Peer, Service};
use smtp_proto::{server::ServerConfig, wire::Host};
use smtp_server_smol::{Server, Smol, TcpListener};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let config = ServerConfig::builder(Host::parse("mx.example.test")?).build();
    let listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    println!("listening on {}", listener.local_addr()?);
    let store = Store::default();
    let handlers = move |_: &Peer| Inbox::new(store.clone());
    smol::block_on(Server::new(Smol::new(), Service::new(config)?, handlers).run(listener));
    Ok(())
}
