//! What a hangup changes in a server that runs, and what it leaves alone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod site;

use rustix::process::{Pid, Signal, kill_process};
use rustls::{HandshakeKind, version::TLS12};
use serde_json::Value;
use site::{
    Client, Site, eventually, files,
    tls::{client, connected, dialogue},
};
use std::{
    collections::HashSet,
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// A server in a process of its own, with a configuration that can be written anew.
struct Server {
    child: Child,
    folder: TempDir,
    events: Receiver<Value>,
    /// Where its first listener listens.
    address: SocketAddr,
}

const MX: &str = "hostname = 'mx.example'
    [log]
    format = 'json'
    [[listener]]
    address = '127.0.0.1:0'
    ";
const YOU: &str = "[[domain]]\nname = 'mx.example'\nmailboxes = ['you']\n";
const YOU_AND_NEW: &str = "[[domain]]\nname = 'mx.example'\nmailboxes = ['you', 'new']\n";

impl Server {
    fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mta.toml");
        fs::write(&path, config).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_smtp-mta"))
            .arg("--config")
            .arg(&path)
            .arg("--data")
            .arg(folder.path().join("data"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let (sender, events) = mpsc::channel();
        thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                // A line that is none of the log fails the test that waits for an event.
                drop(sender.send(serde_json::from_str(&line).unwrap_or(Value::String(line))));
            }
        });
        let address = "127.0.0.1:0".parse().unwrap();
        let mut server = Self { child, folder, events, address };
        server.address = server.listens();
        server
    }

    /// Waits for the next event of this name. Bounds a test that has failed.
    #[track_caller]
    fn event(&self, names: &[&str]) -> Value {
        loop {
            let event = self.events.recv_timeout(Duration::from_secs(60));
            let event = event.unwrap_or_else(|error| panic!("none of {names:?}: {error}"));
            assert!(event.is_object(), "{event}");
            if names.iter().any(|name| event["message"] == *name) {
                return event;
            }
        }
    }

    #[track_caller]
    fn listens(&self) -> SocketAddr {
        self.event(&["listening"])["address"].as_str().unwrap().parse().unwrap()
    }

    fn hang_up(&self) {
        kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
    }

    fn write(&self, config: &str) {
        // At once, so that no half of it is read.
        let path = self.folder.path().join("mta.toml.new");
        fs::write(&path, config).unwrap();
        fs::rename(path, self.folder.path().join("mta.toml")).unwrap();
    }

    /// What has changed, or why nothing has.
    #[track_caller]
    fn reload(&self, config: &str) -> Result<String, String> {
        self.write(config);
        self.hang_up();
        let [done, refused] =
            ["configuration read again", "configuration not read again: the one before stays"];
        let event = self.event(&[done, refused]);
        match event["message"] == done {
            true => Ok(event["changed"].as_str().unwrap().into()),
            false => Err(event["reason"].as_str().unwrap().into()),
        }
    }

    fn mailbox(&self, name: &str) -> Vec<PathBuf> {
        files(&self.folder.path().join("data/mail").join(name).join("new"))
    }

    fn ends(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_new_mailbox_is_there_from_the_next_transaction_on_in_an_open_session_too() {
    let server = Server::start(&format!("{MX}{YOU}"));
    let mut client = Client::greeted(server.address);
    client.ask("MAIL FROM:<>", "250 ");
    client.ask("RCPT TO:<new@mx.example>", "550 5.1.1");
    assert_eq!(server.reload(&format!("{MX}{YOU_AND_NEW}")), Ok("domain".into()));
    client.ask("RCPT TO:<new@mx.example>", "550 5.1.1");
    client.ask("RSET", "250 ");
    client.deliver(&["new@mx.example"], b"text\r\n.\r\n", "250 ");
    eventually("it is in the new mailbox", || server.mailbox("new").len() == 1);

    // What began when it was there ends as it began.
    client.ask("MAIL FROM:<>", "250 ");
    assert_eq!(server.reload(&format!("{MX}{YOU}")), Ok("domain".into()));
    client.ask("RCPT TO:<new@mx.example>", "250 ");
    client.ask("RSET", "250 ");
    client.ask("MAIL FROM:<>", "250 ");
    client.ask("RCPT TO:<new@mx.example>", "550 5.1.1");
    assert_eq!(server.reload(&format!("{MX}{YOU}")), Ok("nothing".into()));
    drop(client);
    server.ends();
}

#[test]
fn what_cannot_be_used_changes_nothing_and_is_one_line_with_the_place() {
    let server = Server::start(&format!("{MX}{YOU}"));
    let path = server.folder.path().join("mta.toml");
    let path = path.to_str().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let with = |more: &str| server.reload(&format!("{MX}{YOU_AND_NEW}{more}")).unwrap_err();

    let wrong = server.reload(&format!("hostnme = 'x'\n{MX}{YOU_AND_NEW}")).unwrap_err();
    assert!(wrong.starts_with(&format!("{path}:1:1: unknown key `hostnme`")), "{wrong}");
    let wrong = with("[tls]\ncertificate = 'no.pem'\nkey = 'no.key'\n");
    assert!(wrong.starts_with("cannot use no.pem: "), "{wrong}");
    let wrong = with(&format!("[[listener]]\naddress = '{taken}'\n"));
    assert_eq!(wrong, format!("cannot listen on {taken}: another program uses this port"));
    let other =
        format!("{MX}{YOU_AND_NEW}").replace("'mx.example'\n    [log]", "'a.example'\n[log]");
    let wrong = server.reload(&other).unwrap_err();
    assert_eq!(wrong, "needs a restart, for it changes hostname");
    fs::remove_file(path).unwrap();
    server.hang_up();
    server.event(&["configuration not read again: the one before stays"]);

    let mut client = Client::greeted(server.address);
    client.ask("MAIL FROM:<>", "250 ");
    client.ask("RCPT TO:<new@mx.example>", "550 5.1.1");
    client.ask("RCPT TO:<you@mx.example>", "250 ");
}

#[test]
fn mail_that_waits_goes_where_the_new_route_says() {
    let far = Site::with(
        "hostname = 'far.example'
         [[listener]]
         address = '127.0.0.1:0'
         [[domain]]
         name = 'far.example'
         mailboxes = ['you']",
    );
    let config = |smarthost: SocketAddr| {
        format!(
            "relay_networks = ['127.0.0.0/8']
             {MX}{YOU}
             [[route]]
             smarthost = {{ host = '127.0.0.1', port = {}, tls = 'off' }}
             [queue.retry]
             after = '1s*'",
            smarthost.port()
        )
    };
    // Nobody listens there any more.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server::start(&config(dead));
    Client::greeted(server.address).deliver(&["you@far.example"], b"text\r\n.\r\n", "250 ");
    assert_eq!(server.event(&["delivery"])["outcome"], "delayed");
    assert_eq!(server.reload(&config(far.address)), Ok("route".into()));
    eventually("it has arrived", || far.mailbox_now("you").len() == 1);
    server.ends();
}

#[test]
fn a_new_listener_answers_and_one_that_is_gone_does_not() {
    let first =
        "hostname = 'mx.example'\n[log]\nformat = 'json'\n[[listener]]\naddress = '127.0.0.1:0'\n";
    let second = first.replace("127.0.0.1", "127.0.0.2");
    let both = format!("{first}[[listener]]\naddress = '127.0.0.2:0'\n{YOU}");
    let server = Server::start(&format!("{first}{YOU}"));
    let mut open = Client::greeted(server.address);

    server.write(&both);
    server.hang_up();
    let new = server.listens();
    let mut at_new = Client::greeted(new);
    let mut between = Client::greeted(server.address);
    between.deliver(&["you@mx.example"], b"text\r\n.\r\n", "250 ");
    open.ask("NOOP", "250 ");

    assert_eq!(server.reload(&format!("{second}{YOU}")), Ok("listener".into()));
    open.expect("421 ");
    at_new.ask("NOOP", "250 ");
    Client::greeted(new);
    eventually("the port is closed", || TcpStream::connect(server.address).is_err());
    drop(at_new);
    server.ends();
}

#[test]
fn a_listener_that_stays_serves_the_next_connection_by_the_new_configuration() {
    let server = Server::start(&format!("{MX}{YOU}"));
    let size = |client: &mut Client| {
        client.send(b"EHLO client.example\r\n");
        client.lines().into_iter().find(|line| line.contains("SIZE")).unwrap()
    };
    let mut before = Client::greeted(server.address);
    let limited = format!("message_size_limit = '1 MiB'\n{MX}{YOU}");
    assert_eq!(server.reload(&limited), Ok("message_size_limit".into()));
    assert!(size(&mut before).ends_with("SIZE 52428800\r\n"));
    assert!(size(&mut Client::greeted(server.address)).ends_with("SIZE 1048576\r\n"));

    let full = format!("{MX}{YOU}[queue]\nmax_messages = 0\n");
    assert_eq!(server.reload(&full), Ok("message_size_limit, queue".into()));
    before.ask("MAIL FROM:<>", "452 4.3.1");
    let secret = format!("{MX}tls = 'off'\n{YOU}");
    assert_eq!(server.reload(&secret), Ok("listener, queue".into()));
    before.ask("STARTTLS", "220 ");
    Client::greeted(server.address).ask("STARTTLS", "502 ");
}

#[test]
fn a_storm_of_hangups_while_mail_flows_loses_nothing_and_doubles_nothing() {
    let route = "[[route]]\nrecipients = ['elsewhere.example']\nlmtp = 'unix:/nowhere'\n";
    let configs = [format!("{MX}{YOU}"), format!("{MX}{YOU_AND_NEW}{route}")];
    let server = Server::start(&configs[0]);
    let address = server.address;
    let (told, ids) = mpsc::channel();
    let storm = |server: &Server| {
        let mut reloads = 0;
        let mut seen = HashSet::new();
        while seen.len() < 400 {
            assert!(server.reload(&configs[(reloads + 1) % 2]).is_ok());
            reloads += 1;
            seen.extend(ids.try_iter());
        }
        (reloads, seen)
    };
    let (reloads, mut acknowledged) = thread::scope(|scope| {
        for _ in 0..4 {
            let told = told.clone();
            scope.spawn(move || {
                // A connection for every other message.
                for _ in 0..60 {
                    let mut client = Client::greeted(address);
                    for _ in 0..2 {
                        let reply = client.deliver(&["you@mx.example"], b"text\r\n.\r\n", "250 ");
                        let id = reply.trim_end().rsplit(' ').next().unwrap();
                        told.send(id.to_owned()).unwrap();
                    }
                }
            });
        }
        storm(&server)
    });
    acknowledged.extend(ids.try_iter());
    assert_eq!(acknowledged.len(), 480);
    assert!(reloads > 10, "{reloads}");
    let id = |path: &PathBuf| path.to_str().unwrap().split('.').rev().nth(2).unwrap().to_owned();
    eventually("everything is in the mailbox", || {
        server.mailbox("you").iter().map(id).collect::<HashSet<_>>() == acknowledged
    });
    assert_eq!(server.mailbox("you").len(), 480);
    server.ends();
}

#[test]
fn a_certificate_that_was_renewed_is_shown_after_a_hangup() {
    // Two servers have made one each.
    let made = |name: &str| {
        let server = Server::start(&format!("{MX}{YOU}"));
        let own = server.folder.path().join("data/tls");
        let read = |suffix: &str| fs::read(own.join(format!("mx.example.{suffix}"))).unwrap();
        (name.to_owned(), read("crt"), read("key"))
    };
    let [first, second] = ["first", "second"].map(made);
    let folder = tempfile::tempdir().unwrap();
    let install = |(_, certificate, key): &(String, Vec<u8>, Vec<u8>)| {
        fs::write(folder.path().join("c.pem"), certificate).unwrap();
        fs::write(folder.path().join("k.pem"), key).unwrap();
    };
    install(&first);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let files = format!("[tls]\ncertificate = '{}'\nkey = '{}'\n", path("c.pem"), path("k.pem"));
    let server = Server::start(&format!("{MX}{YOU}{files}"));
    assert!(shows(server.address, &path("c.pem")));
    install(&second);
    assert_eq!(server.reload(&format!("{MX}{YOU}{files}")), Ok("certificate".into()));
    assert!(shows(server.address, &path("c.pem")));
}

/// Whether the server at `address` has the certificate of the file.
fn shows(address: SocketAddr, certificate: &str) -> bool {
    let mut client = Client::greeted(address);
    client.ask("STARTTLS", "220 ");
    let stream = client.into_stream();
    let mut tls = site::tls::trusting(Path::new(certificate), "mx.example", stream);
    tls.conn.complete_io(&mut tls.sock).is_ok()
}

#[test]
fn tls_sessions_outlive_a_hangup_until_the_rules_for_clients_are_others() {
    let server = Server::start(&format!("{MX}{YOU}"));
    let certificate = server.folder.path().join("data/tls/mx.example.crt");
    let config = client(&certificate, &[&TLS12]);
    let kind = || {
        let mut clear = Client::greeted(server.address);
        clear.ask("STARTTLS", "220 ");
        let mut stream = connected(&config, "mx.example", clear.into_stream());
        dialogue(&mut stream, &[("EHLO client.example\r\n", "250 "), ("QUIT\r\n", "221 ")]);
        stream.conn.handshake_kind().unwrap()
    };
    assert_eq!([kind(), kind()], [HandshakeKind::Full, HandshakeKind::Resumed]);
    assert_eq!(server.reload(&format!("{MX}{YOU_AND_NEW}")), Ok("domain".into()));
    assert_eq!(kind(), HandshakeKind::Resumed);

    let path = certificate.display();
    let asks = format!("client_ca_file = '{path}'\nclient_certificate = 'optional'\n");
    assert_eq!(server.reload(&format!("{MX}{asks}{YOU_AND_NEW}")), Ok("listener".into()));
    assert_eq!([kind(), kind()], [HandshakeKind::Full; 2]);
    // What began before somebody was asked is not gone on with after.
    assert_eq!(server.reload(&format!("{MX}{YOU_AND_NEW}")), Ok("listener".into()));
    assert_eq!(kind(), HandshakeKind::Full);
}
