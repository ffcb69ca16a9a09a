//! A server in this process, and a client that speaks raw lines.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub(crate) mod log;
pub(crate) mod login;
pub(crate) mod program;
pub(crate) mod tls;

use smtp_mta::{
    config::Config,
    queue::{Entry, Filter},
    server::{Control, Mta},
    users::{UserName, UsersFile},
};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{runtime::Runtime, task::JoinHandle};

/// A server on a port that the kernel chose, with a data folder of its own.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) address: SocketAddr,
    control: Control,
    runtime: Runtime,
    running: JoinHandle<()>,
}

impl Site {
    /// A server of which `config` says all but the folder; its first listener is the one to use.
    pub(crate) fn with(config: &str) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), config)
    }

    /// The same with a data folder that may have been in use.
    pub(crate) fn in_folder(folder: TempDir, config: &str) -> Self {
        let mut config = Config::parse(config, Path::new("test.toml")).unwrap();
        config.data_dir = folder.path().to_owned();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap();
        let mta = runtime.block_on(async { Mta::start(&config) }).unwrap();
        let address = mta.listening()[0].address;
        let control = mta.control();
        let running = runtime.spawn(async { mta.run().await });
        Self { folder, address, control, runtime, running }
    }

    /// A server for `mx.example` with two mailboxes.
    pub(crate) fn new() -> Self {
        Self::listening("")
    }

    /// The same with `more` about its one listener, and behind that.
    pub(crate) fn listening(more: &str) -> Self {
        Self::with(&format!(
            "hostname = 'mx.example'
             [[domain]]
             name = 'mx.example'
             mailboxes = ['you', 'other']
             [[listener]]
             address = '127.0.0.1:0'
             {more}"
        ))
    }

    /// `relay.example` at these addresses and in these roles, where `me` logs in and sends as
    /// anybody.
    pub(crate) fn smarthost(listeners: &[(SocketAddr, &str)], password: &str) -> Self {
        let mut config = "hostname = 'relay.example'
             domain = [{ name = 'relay.example', mailboxes = ['you'] }]
             user = [{ name = 'me', may_send_as = ['*'] }]"
            .to_owned();
        for (address, role) in listeners {
            config += &format!("\n[[listener]]\naddress = '{address}'\nrole = '{role}'");
        }
        let site = Self::with(&config);
        site.add_user("me", password);
        site
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Waits until nothing is left to deliver.
    #[track_caller]
    pub(crate) fn delivered(&self) {
        let queue = self.control.queue();
        eventually("the queue is empty", || {
            // Of one that is closed nothing more comes.
            self.runtime.block_on(queue.totals()).map_or(true, |totals| totals.messages == 0)
        });
    }

    /// The messages in a mailbox, once nothing is left to deliver.
    #[track_caller]
    pub(crate) fn mailbox(&self, name: &str) -> Vec<Vec<u8>> {
        self.delivered();
        self.mailbox_now(name)
    }

    /// The messages that are in a mailbox now.
    pub(crate) fn mailbox_now(&self, name: &str) -> Vec<Vec<u8>> {
        files(&self.folder.path().join("mail").join(name).join("new"))
            .iter()
            .map(|path| fs::read(path).unwrap())
            .collect()
    }

    /// Forgets the messages in a mailbox.
    pub(crate) fn empty(&self, name: &str) {
        for file in files(&self.folder.path().join("mail").join(name).join("new")) {
            fs::remove_file(file).unwrap();
        }
    }

    /// Everything that is being received, or was left behind.
    pub(crate) fn leftovers(&self) -> Vec<PathBuf> {
        self.delivered();
        let mut left = files(&self.folder.path().join("tmp"));
        for mailbox in ["you", "other", "postmaster"] {
            left.extend(files(&self.folder.path().join("mail").join(mailbox).join("tmp")));
        }
        left
    }

    /// Lets somebody log in.
    pub(crate) fn add_user(&self, name: &str, password: &str) {
        let name = UserName::new(name).unwrap();
        UsersFile::new(self.folder.path()).add(&name, password).unwrap();
    }

    pub(crate) fn begin_to_stop(&self) {
        self.control.stop();
    }

    /// Stops the server with what it has in its queue.
    pub(crate) fn into_folder(self) -> TempDir {
        self.control.stop();
        self.runtime.block_on(self.running).unwrap();
        self.folder
    }

    /// How many messages are in the queue.
    pub(crate) fn queued(&self) -> u64 {
        self.runtime.block_on(self.control.queue().totals()).unwrap().messages
    }

    /// How many messages were read from the queue, not from memory.
    pub(crate) fn reads(&self) -> u64 {
        self.runtime.block_on(self.control.queue().totals()).unwrap().reads
    }

    /// What is in the queue.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let found = self.control.queue().find(Filter::default(), None, 100);
        self.runtime.block_on(found).unwrap()
    }

    /// Delivers what was stored, and stops the server; returns when every connection has ended.
    pub(crate) fn stop(&mut self) {
        self.delivered();
        self.control.stop();
        self.runtime.block_on(&mut self.running).unwrap();
    }
}

/// Waits until `it` is so. Bounds a test that has failed; what works takes milliseconds.
#[track_caller]
pub(crate) fn eventually(it: &str, is_so: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < Duration::from_secs(60), "{it}: not within a minute");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The files of a folder; none if it is not there.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A message without its trace fields.
#[track_caller]
pub(crate) fn without_trace(message: &[u8]) -> &[u8] {
    let text = String::from_utf8_lossy(message);
    let mut fields = text.split_inclusive("\r\n");
    let mut trace = fields.next().unwrap().len();
    assert!(text.starts_with("Return-Path: <"), "{text}");
    let received = fields.next().unwrap();
    assert!(received.starts_with("Received: from "), "{received}");
    trace += received.len();
    trace += fields.take_while(|line| line.starts_with('\t')).map(str::len).sum::<usize>();
    &message[trace..]
}

/// A client that says what it is told to.
pub(crate) struct Client {
    stream: TcpStream,
    replies: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        // Bounds a test that has failed; none waits for it.
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let replies = BufReader::new(stream.try_clone().unwrap());
        Self { stream, replies }
    }

    /// Connected, greeted, and answered.
    pub(crate) fn greeted(address: SocketAddr) -> Self {
        let mut client = Self::connect(address);
        client.expect("220 ");
        client.ask("EHLO client.example", "250 ");
        client
    }

    pub(crate) fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).unwrap();
    }

    /// The last line of the next reply.
    #[track_caller]
    pub(crate) fn expect(&mut self, starts: &str) -> String {
        loop {
            let mut line = String::new();
            self.replies.read_line(&mut line).unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                assert!(line.starts_with(starts), "{line:?} does not start with {starts:?}");
                return line;
            }
        }
    }

    /// The lines of the next reply.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            self.replies.read_line(&mut line).unwrap();
            let is_last = line.as_bytes().get(3) != Some(&b'-');
            lines.push(line);
            if is_last {
                return lines;
            }
        }
    }

    #[track_caller]
    pub(crate) fn ask(&mut self, line: &str, reply: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes());
        self.expect(reply)
    }

    /// MAIL, RCPT for each of `to`, DATA, and the octets as they are.
    #[track_caller]
    pub(crate) fn deliver(&mut self, to: &[&str], octets: &[u8], reply: &str) -> String {
        self.ask("MAIL FROM:<me@client.example>", "250 ");
        for to in to {
            self.ask(&format!("RCPT TO:<{to}>"), "250 ");
        }
        self.ask("DATA", "354 ");
        self.send(octets);
        self.expect(reply)
    }

    /// Says no more, and hears the rest.
    pub(crate) fn rest(mut self) -> String {
        // It fails if the server has closed already.
        let _ = self.stream.shutdown(Shutdown::Write);
        let mut rest = Vec::new();
        // A server that closes with octets unread resets the connection; what came before counts.
        let _ = self.replies.read_to_end(&mut rest);
        String::from_utf8(rest).unwrap()
    }

    pub(crate) fn into_stream(self) -> TcpStream {
        assert!(self.replies.buffer().is_empty());
        self.stream
    }
}
