//! The server of `by_handler`, on tokio: `cargo run -p embedding --example inbox_tokio`.

use embedding::{by_handler::Inbox, inbox::Store};
use smtp_driver::{Peer, Service};
use smtp_proto::{server::ServerConfig, wire::Host};
use smtp_server_tokio::{Server, TcpListener, Tokio};
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = ServerConfig::builder(Host::parse("mx.example.test")?).build();
    let listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    println!("listening on {}", listener.local_addr()?);
    let store = Store::default();
    let handlers = move |_: &Peer| Inbox::new(store.clone());
    Server::new(Tokio::new(), Service::new(config)?, handlers).run(listener).await;
    Ok(())
}
