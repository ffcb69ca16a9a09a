//! One suite of dialogues over real sockets: on smol, on tokio, and on plain threads around the
//! machine. What is said and what is delivered must be equal.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use smtp_driver::{Listener, Server, Service, Spawn};
use smtp_server_smol::Smol;
use smtp_server_tokio::Tokio;
use std::{
    net::{Ipv4Addr, SocketAddr},
    thread,
};
use testkit::{bare::Embedder, dialogue::Transcript, policy::Policy, suite, threads};

type Said = Vec<(&'static str, Transcript)>;

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// Serves until the suite is through.
async fn serve<R: Spawn>(
    runtime: R,
    listener: impl Listener,
    address: SocketAddr,
    policy: Policy,
) -> Said {
    let service = Service::new(suite::config()).unwrap().credentials(policy.clone());
    let server = Server::new(runtime, service, policy);
    suite::with_server(server, listener, move || suite::run(address)).await
}

fn on_smol(policy: Policy) -> Said {
    smol::block_on(async {
        let listener = smtp_server_smol::TcpListener::bind(loopback()).unwrap();
        let address = listener.local_addr().unwrap();
        serve(Smol::new(), listener, address, policy).await
    })
}

fn on_tokio(policy: Policy) -> Said {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = smtp_server_tokio::TcpListener::bind(loopback()).unwrap();
        let address = listener.local_addr().unwrap();
        serve(Tokio::new(), listener, address, policy).await
    })
}

fn on_threads(policy: Policy) -> Said {
    let listener = std::net::TcpListener::bind(loopback()).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let sockets = listener.incoming().map_while(Result::ok);
        threads::serve(sockets, &suite::config(), || {
            let mut embedder = Embedder::new(policy.clone());
            move |machine, event| embedder.handle(machine, event)
        });
    });
    suite::run(address)
}

#[test]
fn transcripts_and_messages_are_the_same_on_smol_on_tokio_and_on_threads() {
    let smol = with_messages(on_smol);
    assert_eq!(smol.len(), suite::DIALOGUES.len());
    assert_eq!(smol, with_messages(on_tokio));
    assert_eq!(smol, with_messages(on_threads));
}

fn with_messages(run: impl FnOnce(Policy) -> Said) -> Said {
    let policy = Policy::new();
    let said = run(policy.clone());
    assert_eq!(policy.delivered(), suite::delivered());
    said
}
