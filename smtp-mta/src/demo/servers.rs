//! The servers of the demonstration, each with a folder of its own.

use crate::{
    config::{Config, Role},
    server::{Control, Mta, Refusal},
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{task::JoinHandle, time::timeout};

/// How long a server may take to stop.
const STOP: Duration = Duration::from_secs(5);

/// How `b.example` is configured: it takes mail from other servers, and by LMTP that of
/// `c.example`.
pub(super) const FAR: &str = "\
hostname = 'mx.b.example'

[[listener]]
address = '127.0.0.1:0'
role = 'mx'

[[listener]]
address = '127.0.0.1:0'
role = 'lmtp'

[[domain]]
name = 'b.example'
mailboxes = ['bob']

[[domain]]
name = 'c.example'
mailboxes = ['carol']
";

/// How `a.example` is configured, whose users send to the others.
pub(super) fn near(name_server: SocketAddr, mx: SocketAddr, lmtp: SocketAddr) -> String {
    let port = mx.port();
    format!(
        "\
hostname = 'mail.a.example'
name_servers = ['{name_server}']

[[listener]]
address = '127.0.0.1:0'
role = 'submission'

[[domain]]
name = 'a.example'
mailboxes = ['ann']

[[route]]
port = {port}
loopback = true

[[route]]
recipients = ['c.example']
lmtp = '{lmtp}'
"
    )
}

/// A server that runs.
#[derive(Debug)]
pub(super) struct Server {
    /// Where it keeps everything.
    pub(super) folder: PathBuf,
    listening: Vec<(Role, SocketAddr)>,
    control: Control,
    running: JoinHandle<()>,
}

impl Server {
    /// Starts one of which `config` says all but the folder.
    pub(super) fn start(config: &str, folder: PathBuf) -> Result<Self, Refusal> {
        let mut config = Config::parse(config, Path::new("demo.toml"))
            .map_err(|error| Refusal(error.to_string()))?;
        config.data_dir.clone_from(&folder);
        let mta = Mta::start(&config)?;
        let listening = mta.listening().iter().map(|it| (it.role, it.address)).collect();
        let control = mta.control();
        Ok(Self { folder, listening, control, running: tokio::spawn(mta.run()) })
    }

    /// Where it listens in `role`.
    pub(super) fn address(&self, role: Role) -> Result<SocketAddr, Refusal> {
        let found = self.listening.iter().find(|(of, _)| *of == role);
        let address = found.map(|(_, address)| *address);
        address.ok_or_else(|| Refusal(format!("nobody listens as {role:?}")))
    }

    /// The only message of a mailbox.
    pub(super) fn only_message(&self, mailbox: &str) -> Result<(PathBuf, Vec<u8>), Refusal> {
        let new = self.folder.join("mail").join(mailbox).join("new");
        let unreadable = |error| Refusal(format!("cannot read {}: {error}", new.display()));
        let mut files = std::fs::read_dir(&new).map_err(unreadable)?;
        match (files.next(), files.next()) {
            (Some(file), None) => {
                let path = file.map_err(unreadable)?.path();
                let message = std::fs::read(&path).map_err(unreadable)?;
                Ok((path, message))
            }
            (None, _) => Err(Refusal(format!("there is no message in {}", new.display()))),
            _ => Err(Refusal(format!("there is more than one message in {}", new.display()))),
        }
    }

    /// Stops it.
    pub(super) async fn stop(self) -> Result<(), Refusal> {
        self.control.stop();
        match timeout(STOP, self.running).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Refusal(format!("a server has failed: {error}"))),
            Err(_) => Err(Refusal("a server did not stop in time".into())),
        }
    }
}
