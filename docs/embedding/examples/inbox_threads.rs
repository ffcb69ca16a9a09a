//! The server of `by_events`, on plain threads: `cargo run -p embedding --example inbox_threads`.

use embedding::{by_events::Inbox, inbox::Store};
use smtp_proto::{server::ServerConfig, wire::Host};
use std::{error::Error, net::TcpListener};
use testkit::threads::serve;

fn main() -> Result<(), Box<dyn Error>> {
    let config = ServerConfig::builder(Host::parse("mx.example.test")?).build();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on {}", listener.local_addr()?);
    let store = Store::default();
    serve(listener.incoming().map_while(Result::ok), &config, || {
        let mut inbox = Inbox::new(store.clone());
        // An answer that comes too late has no effect.
        move |smtp, event| {
            let _ = inbox.answer(smtp, event);
        }
    });
    Ok(())
}
