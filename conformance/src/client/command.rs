//! A client that is a command: a sender file, the placeholders in it, and the process.

use super::{
    sasl::{PASSWORD, USER},
    sender::{Ended, Fixed, Manners, Need, Order, Running, Sender},
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    net::SocketAddr,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// A sender file: `conformance/senders/NAME.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SenderFile {
    /// The program, for reports.
    #[serde(default)]
    pub name: String,
    /// Its name and version, for reports: `curl 7.88.1`.
    pub software: Option<String>,
    /// Exit statuses that say: not sent, to be tried again.
    #[serde(default)]
    pub exit_temporary: Vec<i32>,
    /// Exit statuses that say: not sent, and never will be.
    #[serde(default)]
    pub exit_permanent: Vec<i32>,
    /// The command returns before the message is delivered.
    #[serde(default)]
    pub queues: bool,
    /// Seconds that a message may take.
    pub patience: Option<u64>,
    /// Seconds to wait for a client that queues, to begin and to come again.
    pub again: Option<u64>,
    /// Where the client looks for the server, if its configuration says so.
    pub listen: Option<SocketAddr>,
    /// Where it looks for the DNS, if its configuration says so.
    pub dns: Option<SocketAddr>,
    /// What is put into the environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The commands.
    pub commands: Commands,
}

impl SenderFile {
    /// What it says of exit statuses and times.
    pub fn manners(&self) -> Manners {
        let usual = Manners::default();
        Manners {
            temporary: self.exit_temporary.clone(),
            permanent: self.exit_permanent.clone(),
            queues: self.queues,
            patience: self.patience.map_or(usual.patience, Duration::from_secs),
            again: self.again.map_or(usual.again, Duration::from_secs),
        }
    }
}

/// A command for each need: its words, without a shell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commands {
    /// Sends in clear.
    pub plain: Option<Vec<String>>,
    /// Requires STARTTLS.
    pub starttls: Option<Vec<String>>,
    /// Signs in.
    pub auth: Option<Vec<String>>,
    /// Requires STARTTLS, then signs in.
    pub starttls_auth: Option<Vec<String>>,
    /// Sends to addresses outside ASCII.
    pub utf8: Option<Vec<String>>,
    /// Finds the servers in the DNS.
    pub mx: Option<Vec<String>>,
    /// The same, and does DANE.
    pub dane: Option<Vec<String>>,
    /// Marks the message as one that must go through TLS all the way.
    pub requiretls: Option<Vec<String>>,
}

/// A client that is a command.
#[derive(Clone, Debug)]
pub struct CommandSender {
    file: SenderFile,
    folder: PathBuf,
    manners: Manners,
}

impl CommandSender {
    /// What `file` says; `{folder}` in it is `folder`.
    pub fn new(file: SenderFile, folder: &Path, manners: Manners) -> Self {
        Self { file, folder: folder.to_owned(), manners }
    }

    fn words(&self, need: Need) -> Option<&[String]> {
        let all = &self.file.commands;
        match need {
            Need::Plain => all.plain.as_deref(),
            Need::StartTls => all.starttls.as_deref(),
            Need::Auth => all.auth.as_deref(),
            Need::StartTlsAuth => all.starttls_auth.as_deref(),
            Need::Utf8 => all.utf8.as_deref(),
            Need::Mx => all.mx.as_deref(),
            Need::Dane => all.dane.as_deref(),
            Need::RequireTls => all.requiretls.as_deref(),
        }
    }
}

impl Sender for CommandSender {
    fn serves(&self, need: Need) -> bool {
        self.words(need).is_some()
    }

    fn uses(&self, need: Need, placeholder: &str) -> bool {
        let mark = format!("{{{placeholder}}}");
        self.words(need).is_some_and(|words| words.iter().any(|word| word.contains(&mark)))
            || self.file.env.values().any(|value| value.contains(&mark))
    }

    fn fixed(&self) -> Fixed {
        Fixed { server: self.file.listen, dns: self.file.dns }
    }

    fn manners(&self) -> &Manners {
        &self.manners
    }

    fn start(&self, order: &Order<'_>) -> io::Result<Box<dyn Running>> {
        let words = self.words(order.need).ok_or(io::ErrorKind::Unsupported)?;
        let files = TempDir::with_prefix("smtp-conformance-")?;
        let path = |name: &str| files.path().join(name);
        fs::write(path("message"), order.message.unix())?;
        fs::write(path("message.eml"), order.message.eml())?;
        let values = Values::new(order, &self.folder, files.path());
        let mut words = values.fill(words, order.to).into_iter();
        let program = words.next().ok_or(io::ErrorKind::InvalidInput)?;
        let child = Command::new(program)
            .args(words)
            .envs(self.file.env.iter().map(|(name, value)| (name, values.put(value))))
            .stdin(File::open(path("message"))?)
            .stdout(File::create(path("stdout"))?)
            .stderr(File::create(path("stderr"))?)
            // A group of its own, so that all of it can be ended.
            .process_group(0)
            .spawn()?;
        Ok(Box::new(Process { child, files, memory: None }))
    }
}

/// What stands for each placeholder.
struct Values(Vec<(&'static str, String)>);

impl Values {
    fn new(order: &Order<'_>, folder: &Path, files: &Path) -> Self {
        let shown = |path: &Path| path.display().to_string();
        Self(vec![
            ("addr", order.server.to_string()),
            ("host", order.server.ip().to_string()),
            ("name", "localhost".into()),
            ("port", order.server.port().to_string()),
            ("helo", order.helo.to_owned()),
            ("from", order.from.to_owned()),
            ("recipients", order.to.join(",")),
            ("message", shown(&files.join("message"))),
            ("eml", shown(&files.join("message.eml"))),
            ("ca", shown(order.ca)),
            ("user", USER.to_owned()),
            ("password", PASSWORD.to_owned()),
            ("dns", order.dns.map(|address| address.to_string()).unwrap_or_default()),
            ("dns_host", order.dns.map(|address| address.ip().to_string()).unwrap_or_default()),
            ("dns_port", order.dns.map(|address| address.port().to_string()).unwrap_or_default()),
            ("timeout", order.timeout.as_secs().to_string()),
            ("folder", shown(folder)),
            ("tmp", shown(files)),
        ])
    }

    /// `word` with the values in it. One pass: what a value holds is not looked at again.
    fn put(&self, word: &str) -> String {
        let mut out = String::new();
        let mut rest = word;
        while let Some((before, behind)) = rest.split_once('{') {
            out.push_str(before);
            let known = behind.split_once('}').and_then(|(name, after)| {
                let value = self.0.iter().find(|(key, _)| *key == name)?;
                Some((&value.1, after))
            });
            rest = match known {
                Some((value, after)) => {
                    out.push_str(value);
                    after
                }
                None => {
                    out.push('{');
                    behind
                }
            };
        }
        out.push_str(rest);
        out
    }

    /// All words. One that holds `{to}` is repeated for each recipient, and with it the option in
    /// front of it.
    fn fill(&self, words: &[String], to: &[String]) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for word in words {
            let Some((before, behind)) = word.split_once("{to}") else {
                out.push(self.put(word));
                continue;
            };
            let option = out.pop_if(|last| last.starts_with('-') && *last != "--");
            for recipient in to {
                out.extend(option.clone());
                out.push(format!("{}{recipient}{}", self.put(before), self.put(behind)));
            }
        }
        out
    }
}

/// A process that sends.
struct Process {
    child: Child,
    files: TempDir,
    memory: Option<u64>,
}

impl Running for Process {
    fn ended(&mut self) -> Option<Ended> {
        self.memory = memory(self.child.id()).max(self.memory);
        let status = self.child.try_wait().ok()??;
        Some(how(status))
    }

    fn stop(&mut self) {
        // The whole group: a script may have started the client.
        let group = format!("-{}", self.child.id());
        let killed =
            Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        drop((killed, self.child.kill(), self.child.wait()));
    }

    fn memory(&mut self) -> Option<u64> {
        self.memory
    }

    fn output(&mut self) -> String {
        let mut text = String::new();
        for name in ["stdout", "stderr"] {
            let Ok(file) = File::open(self.files.path().join(name)) else { continue };
            let mut octets = Vec::new();
            // What cannot be read is not shown.
            drop(file.take(16 << 10).read_to_end(&mut octets));
            text.push_str(&String::from_utf8_lossy(&octets));
        }
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

/// How a process ended. One that wrote to a server that had gone may have been ended by SIGPIPE: as
/// a shell tells it, that is a status of failure, and no crash.
fn how(status: ExitStatus) -> Ended {
    const SIGPIPE: i32 = 13;
    match status.signal() {
        Some(SIGPIPE) => Ended::Exit(128 + SIGPIPE),
        _ => status.code().map_or(Ended::Killed, Ended::Exit),
    }
}

/// The most memory that a process has had: `VmHWM` in proc(5).
fn memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_by_a_broken_pipe_is_a_failure_and_no_crash() {
        assert_eq!(how(ExitStatus::from_raw(13)), Ended::Exit(141));
        assert_eq!(how(ExitStatus::from_raw(11)), Ended::Killed);
        assert_eq!(how(ExitStatus::from_raw(75 << 8)), Ended::Exit(75));
    }
}
