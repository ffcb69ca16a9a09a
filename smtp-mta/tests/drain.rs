//! How a server ends whose peers stand still, in virtual time: it takes no longer than it says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use smtp_mta::{
    config::Config,
    server::{Control, Mta},
};
use std::{net::SocketAddr, path::Path, sync::mpsc, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, UnixStream},
    sync::oneshot,
    task::{JoinHandle, spawn_blocking},
    time::Instant,
};

struct Server {
    folder: TempDir,
    addresses: Vec<SocketAddr>,
    control: Control,
    running: JoinHandle<()>,
}

impl Server {
    fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::parse(config, Path::new("test.toml")).unwrap();
        config.data_dir = folder.path().to_owned();
        let mta = Mta::start(&config).unwrap();
        let addresses = mta.listening().iter().map(|listener| listener.address).collect();
        let (control, running) = (mta.control(), tokio::spawn(mta.run()));
        Self { folder, addresses, control, running }
    }

    /// Stops it; gives how long it took to end.
    async fn ends(self) -> Duration {
        let since = Instant::now();
        self.control.stop();
        self.running.await.unwrap();
        since.elapsed()
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    async fn ask(&mut self, line: &str, reply: &str) {
        self.0.get_mut().write_all(line.as_bytes()).await.unwrap();
        let mut line = String::new();
        while line.is_empty() || line.as_bytes().get(3) == Some(&b'-') {
            line.clear();
            assert_ne!(self.0.read_line(&mut line).await.unwrap(), 0);
        }
        assert!(line.starts_with(reply), "{line:?} does not start with {reply:?}");
    }

    async fn rest(mut self) -> String {
        let mut rest = Vec::new();
        // A connection that is cut may be reset.
        let _ = self.0.read_to_end(&mut rest).await;
        String::from_utf8(rest).unwrap()
    }
}

/// Keeps the virtual time where it is until it is dropped: the queue is a thread, of which the
/// runtime does not know, and would jump to the next timer while it writes.
struct Frozen {
    _end: mpsc::Sender<()>,
}

impl Frozen {
    fn new() -> Self {
        let (_end, ended) = mpsc::channel::<()>();
        // The time of tokio stands still as long as a blocking task goes on.
        drop(spawn_blocking(move || ended.recv()));
        Self { _end }
    }
}

const SERVER: &str = "hostname = 'mx.example'
    relay_networks = ['127.0.0.0/8']
    [[listener]]
    address = '127.0.0.1:0'
    [[listener]]
    address = '127.0.0.1:0'
    role = 'submissions'
    [[domain]]
    name = 'mx.example'
    mailboxes = ['you']
    ";

/// CONN-12
#[tokio::test(start_paused = true)]
async fn an_idle_session_is_told_and_the_server_ends_at_once() {
    let server = Server::start(SERVER);
    let mut client = Client::connect(server.addresses[0]).await;
    client.ask("", "220 ").await;
    let told = tokio::spawn(client.rest());
    assert!(server.ends().await < Duration::from_secs(10));
    assert!(told.await.unwrap().starts_with("421 "));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_says_nothing_does_not_keep_the_server() {
    let server = Server::start(SERVER);
    let path = server.folder.path().join("control");
    let mut command = UnixStream::connect(path).await.unwrap();
    assert!(server.ends().await < Duration::from_secs(10));
    let mut rest = Vec::new();
    command.read_to_end(&mut rest).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_message_under_way_is_finished_and_acknowledged() {
    let frozen = Frozen::new();
    let server = Server::start(SERVER);
    let mut client = Client::connect(server.addresses[0]).await;
    client.ask("", "220 ").await;
    client.ask("EHLO client.example\r\n", "250 ").await;
    client.ask("MAIL FROM:<>\r\n", "250 ").await;
    client.ask("RCPT TO:<you@mx.example>\r\n", "250 ").await;
    client.ask("DATA\r\n", "354 ").await;
    server.control.stop();
    client.ask("text\r\n.\r\n", "250 2.0.0 Ok: ").await;
    assert!(client.rest().await.starts_with("421 "));
    drop(frozen);
    server.ends().await;
}

#[tokio::test(start_paused = true)]
async fn peers_that_stand_still_are_cut_within_thirty_seconds() {
    let server = Server::start(SERVER);
    let mut in_data = Client::connect(server.addresses[0]).await;
    in_data.ask("", "220 ").await;
    in_data.ask("EHLO client.example\r\n", "250 ").await;
    in_data.ask("MAIL FROM:<>\r\n", "250 ").await;
    in_data.ask("RCPT TO:<you@mx.example>\r\n", "250 ").await;
    in_data.ask("DATA\r\n", "354 ").await;
    let before_tls = Client::connect(server.addresses[1]).await;
    let mut in_tls = Client::connect(server.addresses[0]).await;
    in_tls.ask("", "220 ").await;
    in_tls.ask("EHLO client.example\r\n", "250 ").await;
    in_tls.ask("STARTTLS\r\n", "220 ").await;
    let took = server.ends().await;
    assert!(took > Duration::from_secs(20) && took <= Duration::from_secs(30), "{took:?}");
    assert_eq!(in_data.rest().await, "");
    drop((before_tls, in_tls));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_whose_server_stands_still_is_cut_within_thirty_seconds() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let route =
        format!("[[route]]\nsmarthost = {{ host = '127.0.0.1', port = {port}, tls = 'off' }}\n");
    let server = Server::start(&format!("{SERVER}{route}"));
    let frozen = Frozen::new();
    let mut client = Client::connect(server.addresses[0]).await;
    client.ask("", "220 ").await;
    client.ask("EHLO client.example\r\n", "250 ").await;
    client.ask("MAIL FROM:<me@client.example>\r\n", "250 ").await;
    client.ask("RCPT TO:<you@far.example>\r\n", "250 ").await;
    client.ask("DATA\r\n", "354 ").await;
    client.ask("text\r\n.\r\n", "250 ").await;
    let (accepted, under_way) = oneshot::channel();
    tokio::spawn(async move {
        let connection = silent.accept().await.unwrap();
        accepted.send(connection).unwrap();
    });
    let _connection = under_way.await.unwrap();
    drop(frozen);
    let took = server.ends().await;
    assert!(took > Duration::from_secs(15) && took <= Duration::from_secs(30), "{took:?}");
}
