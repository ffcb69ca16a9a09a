//! A server whose mail goes to one other server, and the command.

use crate::site::{
    Client, eventually,
    program::{Server, program},
};
use serde_json::Value;
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Output,
};
use tempfile::TempDir;

/// `a.example`, in a process of its own, which sends all it takes to `far`.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) far: SocketAddr,
    pub(crate) server: Option<Server>,
}

/// What was printed, and the exit status.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) error: String,
    pub(crate) code: i32,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            out: String::from_utf8(output.stdout).unwrap(),
            error: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap(),
        }
    }
}

impl Said {
    /// Each line as JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        assert_eq!(self.code, 0, "{self:?}");
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl World {
    /// A message that could not be delivered is tried again after an hour.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Nobody else is at this address, so the port stays free.
        let far = TcpListener::bind("127.0.0.3:0").unwrap().local_addr().unwrap();
        let config = format!(
            "hostname = 'mx.a.example'
             data_dir = '{}'
             relay_networks = ['127.0.0.0/8']
             [[listener]]
             address = '127.0.0.1:0'
             [[domain]]
             name = 'a.example'
             mailboxes = ['me']
             [queue.retry]
             after = '1h*'
             [[route]]
             smarthost = {{ host = '127.0.0.3', port = {}, tls = 'off' }}",
            folder.path().join("data").display(),
            far.port()
        );
        fs::write(folder.path().join("mta.toml"), config).unwrap();
        let mut world = Self { folder, far, server: None };
        world.start();
        world
    }

    pub(crate) fn start(&mut self) {
        self.server = Some(Server::with(&["--config", &self.config()]));
    }

    pub(crate) fn stop(&mut self) {
        self.server.take().unwrap().stop();
    }

    pub(crate) fn config(&self) -> String {
        self.folder.path().join("mta.toml").to_str().unwrap().to_owned()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn client(&self) -> Client {
        Client::greeted(self.server.as_ref().unwrap().address)
    }

    /// Sends a message; gives its name.
    pub(crate) fn send(&self, from: &str, to: &[&str], message: &[u8]) -> String {
        let mut client = self.client();
        client.ask(&format!("MAIL FROM:{from}"), "250 ");
        for to in to {
            client.ask(&format!("RCPT TO:{to}"), "250 ");
        }
        client.ask("DATA", "354 ");
        client.send(&[message, b".\r\n"].concat());
        let said = client.expect("250 2.0.0 Ok: ");
        said.trim_end().rsplit(' ').next().unwrap().to_owned()
    }

    /// Runs `smtp-mta queue`.
    pub(crate) fn queue(&self, arguments: &[&str]) -> Said {
        let config = self.config();
        let arguments = [&["queue"], arguments, &["--config", &config]].concat();
        program(&arguments).output().unwrap().into()
    }

    /// The messages in the queue.
    pub(crate) fn list(&self) -> Vec<Value> {
        self.queue(&["list", "--json"]).json()
    }

    /// How many attempts were made for each recipient.
    pub(crate) fn attempts(&self) -> Vec<u64> {
        let attempts = |message: &Value| {
            let recipients = message["recipients"].as_array().unwrap().clone();
            recipients.into_iter().map(|it| it["attempts"].as_u64().unwrap())
        };
        self.list().iter().flat_map(attempts).collect()
    }

    #[track_caller]
    pub(crate) fn until_attempts(&self, expected: &[u64]) {
        eventually("the attempts were made", || self.attempts() == expected);
    }
}
