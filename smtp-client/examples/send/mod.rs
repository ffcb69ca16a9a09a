//! What the senders have in common: all but the runtime.

mod options;

pub(crate) use options::Options;

use smtp_client::{
    Connection, Envelope, Failure, Policy, Report, Said, Status, Watch,
    driver::{Runtime, Stream},
};
use std::{
    error::Error,
    fmt::Display,
    fs::File,
    future::Future,
    io::{self, Read, Write},
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

/// Some recipients should be tried again (sysexits' EX_TEMPFAIL).
const TRY_AGAIN: u8 = 75;
/// Some recipients have failed for good (EX_UNAVAILABLE).
const FAILED: u8 = 69;
/// What was asked for makes no sense (EX_USAGE).
const USAGE: u8 = 64;

/// Sends what `options` say, over what `connect` or `connect_unix` connects.
pub(crate) async fn run<R: Runtime, S: Stream, U: Stream, F, G>(
    options: &Options,
    runtime: impl Fn() -> R,
    connect: impl Fn(SocketAddr) -> F,
    connect_unix: impl Fn(PathBuf) -> G,
) -> ExitCode
where
    F: Future<Output = io::Result<S>>,
    G: Future<Output = io::Result<U>>,
{
    let job = match Job::new(options) {
        Ok(job) => job,
        Err(error) => return unusable(&*error),
    };
    let ended = match &options.unix {
        Some(path) => {
            job.send(runtime(), &path.display().to_string(), connect_unix(path.clone())).await
        }
        None => {
            let address = match address(&options.server) {
                Ok(address) => address,
                Err(error) => return unusable(&error),
            };
            job.send(runtime(), &options.server, connect(address)).await
        }
    };
    ExitCode::from(ended)
}

/// Says what is wrong with the options.
pub(crate) fn unusable(error: &(impl Display + ?Sized)) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(USAGE)
}

fn address(server: &str) -> io::Result<SocketAddr> {
    let found = server.to_socket_addrs()?.next();
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the server has no address"))
}

/// A message and how to send it.
struct Job {
    envelope: Envelope,
    policy: Arc<Policy>,
    message: Vec<u8>,
    repeat: u32,
}

impl Job {
    fn new(options: &Options) -> Result<Self, Box<dyn Error>> {
        let mut policy = options.policy()?;
        if let Some(path) = &options.trace {
            policy.watch = Some(trace(File::create(path)?));
        }
        let envelope = options.envelope()?;
        let mut message = Vec::new();
        io::stdin().lock().read_to_end(&mut message)?;
        Ok(Self { envelope, policy: Arc::new(policy), message, repeat: options.repeat })
    }

    /// Sends it as often as wanted over one connection, and another where that cannot be kept.
    async fn send<S: Stream, R: Runtime>(
        &self,
        runtime: R,
        host: &str,
        connecting: impl Future<Output = io::Result<S>>,
    ) -> u8 {
        let stream = match connecting.await {
            Ok(stream) => stream,
            Err(error) => {
                return self.show(&Report::failed(
                    self.envelope.recipients().len(),
                    &Failure::unreachable(host, &error),
                ));
            }
        };
        let opened = Connection::open(stream, runtime, host, self.policy.clone()).await;
        let mut connection = match opened {
            Ok(connection) => connection,
            Err(failure) => {
                return self.show(&Report::failed(self.envelope.recipients().len(), &failure));
            }
        };
        if let Some(tls) = connection.tls() {
            eprintln!("{} {} {:?}", tls.version, tls.cipher, tls.verified);
        }
        let mut worst = 0;
        for _ in 0..self.repeat {
            let report = connection.send(&self.envelope, &self.message).await;
            let code = self.show(&report);
            worst = if worst == FAILED { worst } else { worst.max(code).min(code.max(worst)) };
            if code == FAILED {
                worst = FAILED;
            }
        }
        connection.quit().await;
        worst
    }

    /// Prints a line for each recipient; the exit code that they make together.
    fn show(&self, report: &Report) -> u8 {
        for (rcpt, outcome) in self.envelope.recipients().iter().zip(&report.outcomes) {
            let address = rcpt.to.to_string();
            let (code, enhanced) = (outcome.reply.code(), outcome.enhanced());
            println!(
                "{} {} {code} {enhanced} {} {}",
                address.trim_matches(['<', '>']),
                outcome.status,
                outcome.host,
                outcome.reply.text(),
            );
        }
        match (report.count(Status::Failed), report.count(Status::Delayed)) {
            (0, 0) => 0,
            (0, _) => TRY_AGAIN,
            (_, _) => FAILED,
        }
    }
}

/// Writes what is said to `file`, without secrets and messages.
fn trace(file: File) -> Watch {
    let file = Mutex::new(file);
    Watch::new(move |said| {
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = match said {
            Said::Client(line) => writeln!(file, "C: {line}"),
            Said::Body(size) => writeln!(file, "C: [{size} octets]"),
            Said::Server(_, reply) => {
                let lines: Vec<String> =
                    reply.lines().map(|line| line.escape_ascii().to_string()).collect();
                let last = lines.len().saturating_sub(1);
                lines.iter().enumerate().try_for_each(|(at, line)| {
                    let separator = if at == last { ' ' } else { '-' };
                    writeln!(file, "S: {}{separator}{line}", reply.code())
                })
            }
            _ => Ok(()),
        };
        if let Err(error) = written {
            eprintln!("the trace cannot be written: {error}");
        }
    })
}
