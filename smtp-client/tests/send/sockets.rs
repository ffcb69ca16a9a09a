//! A message from a file, over real sockets, on each runtime.

use crate::world::{MESSAGE, envelope, policy};
use smtp_client::{Connection, Report, proto::client::ClientConfig, runtime};
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixListener,
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
};
use testkit::scripted_peer::{Heard, ScriptedPeer, Surprise};

/// Over 64 KiB, so that it is read in pieces, twice: once to count it.
fn message() -> String {
    format!("Subject: x\r\n\r\n{}", "0123456789abcd\r\n".repeat(10_000))
}

fn script() -> ScriptedPeer {
    let script = format!(
        "S: 220 mx
        C: EHLO client.example.test
        S: 250-mx
        S: 250-PIPELINING
        S: 250 SIZE
        C: MAIL FROM:<a@example.test> SIZE={}
        C: RCPT TO:<b@example.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: <MESSAGE>
        S: 250 taken
        C: QUIT
        S: 221 bye
        C: <CLOSED>",
        message().len()
    );
    script.parse().unwrap()
}

type Server = JoinHandle<Result<Heard, Surprise>>;

/// Plays the script to the first that connects.
fn tcp_server() -> (SocketAddr, Server) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let socket = smol::Async::new(socket).unwrap();
        let stream = runtime::smol::SmolStream::from(socket);
        let mut line = testkit::line::StreamLine::new(stream, runtime::smol::Smol::new());
        smol::block_on(script().play(&mut line))
    });
    (address, server)
}

/// The same on a unix socket in a folder of its own.
fn unix_server(name: &str) -> (PathBuf, Server) {
    let path = folder(name).join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let socket = smol::Async::new(socket).unwrap();
        let stream = runtime::smol::SmolStream::from(socket);
        let mut line = testkit::line::StreamLine::new(stream, runtime::smol::Smol::new());
        smol::block_on(script().play(&mut line))
    });
    (path, server)
}

/// An empty folder.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn file(name: &str) -> PathBuf {
    let path = folder(name).join("message");
    fs::write(&path, message()).unwrap();
    path
}

#[track_caller]
fn check(report: &Report, server: Server) {
    assert!(report.is_all_sent(), "{report:?}");
    let heard = server.join().unwrap().unwrap();
    assert_eq!(heard.messages, [(message() + ".\r\n").into_bytes()]);
}

#[test]
fn on_tokio() {
    use smtp_client::runtime::tokio::{File, Tokio, connect, connect_unix};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let to = envelope(&["b@example.test"]).build().unwrap();
    runtime.block_on(async {
        let (address, server) = tcp_server();
        let stream = connect(address).await.unwrap();
        let opening = Connection::open(stream, Tokio::new(), "mx", Arc::new(policy()));
        let mut connection = opening.await.unwrap();
        let body = File::open(file("tokio-tcp")).await.unwrap();
        let report = connection.send(&to, body).await;
        connection.quit().await;
        check(&report, server);

        let (path, server) = unix_server("tokio-socket");
        let stream = connect_unix(path).await.unwrap();
        let opening = Connection::open(stream, Tokio::new(), "mx", Arc::new(policy()));
        let mut connection = opening.await.unwrap();
        let report = connection.send(&to, message()).await;
        connection.quit().await;
        check(&report, server);
    });
}

#[test]
fn on_smol() {
    use smtp_client::runtime::smol::{File, Smol, connect, connect_unix};
    let to = envelope(&["b@example.test"]).build().unwrap();
    smol::block_on(async {
        let (address, server) = tcp_server();
        let stream = connect(address).await.unwrap();
        let opening = Connection::open(stream, Smol::new(), "mx", Arc::new(policy()));
        let mut connection = opening.await.unwrap();
        let body = File::open(file("smol-tcp")).await.unwrap();
        let report = connection.send(&to, body).await;
        connection.quit().await;
        check(&report, server);

        let (path, server) = unix_server("smol-socket");
        let stream = connect_unix(path).await.unwrap();
        let opening = Connection::open(stream, Smol::new(), "mx", Arc::new(policy()));
        let mut connection = opening.await.unwrap();
        let report = connection.send(&to, message()).await;
        connection.quit().await;
        check(&report, server);
    });
}

#[test]
fn a_connection_may_be_used_on_any_thread() {
    fn is_send(_: impl Send) {}
    let sending = async {
        let stream = runtime::tokio::connect(SocketAddr::from(([127, 0, 0, 1], 1))).await.unwrap();
        let tokio = runtime::tokio::Tokio::new();
        let mut policy = policy();
        policy.machine = ClientConfig::builder().build();
        let mut connection = Connection::open(stream, tokio, "mx", Arc::new(policy)).await.unwrap();
        let to = envelope(&["b@example.test"]).build().unwrap();
        let _ = connection.send(&to, MESSAGE).await;
        connection.quit().await;
    };
    is_send(sending);
}
