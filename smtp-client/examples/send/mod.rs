//! What the senders have in common: all but the runtime.

mod options;
mod trace;

use options::Options;
use smtp_client::{
    Connection, Envelope, Failure, Outcome, Report, Status,
    driver::{Runtime, Stream},
    proto::wire::{ForwardPath, Host},
    resolve::{DnsConfig, Resolver},
};
use std::{
    collections::BTreeMap,
    error::Error,
    fmt::Display,
    future::Future,
    io::{self, Read},
    net::{SocketAddr, ToSocketAddrs},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

/// Some recipients should be tried again (sysexits' EX_TEMPFAIL).
const TRY_AGAIN: u8 = 75;
/// Some recipients have failed for good (EX_UNAVAILABLE).
const FAILED: u8 = 69;
/// What was asked for makes no sense (EX_USAGE).
const USAGE: u8 = 64;

/// What a runtime gives.
pub(crate) trait Net {
    type Runtime: Runtime;
    type Tcp: Stream;
    type Unix: Stream;
    type Dns: Resolver;

    fn runtime(&self) -> Self::Runtime;
    fn dns(&self, config: &DnsConfig) -> io::Result<Self::Dns>;
    fn tcp(&self, address: SocketAddr) -> impl Future<Output = io::Result<Self::Tcp>>;
    fn unix(&self, path: &Path) -> impl Future<Output = io::Result<Self::Unix>>;
}

/// Sends what the command line and standard input say.
pub(crate) async fn run(net: &impl Net) -> ExitCode {
    match Job::new(net) {
        Ok(job) => match job.run().await {
            Ok(code) => ExitCode::from(code),
            Err(error) => unusable(&*error),
        },
        Err(error) => unusable(&*error),
    }
}

/// Says what is wrong with the options.
pub(crate) fn unusable(error: &(impl Display + ?Sized)) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(USAGE)
}

/// A message and how to send it.
struct Job<'n, N> {
    net: &'n N,
    options: Options,
    envelope: Envelope,
    message: Vec<u8>,
    trace: Option<trace::Trace>,
}

impl<'n, N: Net> Job<'n, N> {
    fn new(net: &'n N) -> Result<Self, Box<dyn Error>> {
        let options = Options::from_command_line();
        let envelope = options.envelope()?;
        let trace = options.trace.as_deref().map(trace::Trace::create).transpose()?;
        let mut message = Vec::new();
        io::stdin().lock().read_to_end(&mut message)?;
        Ok(Self { net, options, envelope, message, trace })
    }

    /// The exit code.
    async fn run(&self) -> Result<u8, Box<dyn Error>> {
        if let Some(server) = self.options.dns {
            let dns = self.net.dns(&DnsConfig::new(vec![server]))?;
            return Ok(show(&self.envelope, &[self.by_mx(&dns).await?]));
        }
        let reports = match &self.options.unix {
            Some(path) => {
                let host = path.display().to_string();
                self.over(&self.envelope, &host, self.net.unix(path).await).await?
            }
            None => {
                let server = &self.options.server;
                let address =
                    server.to_socket_addrs()?.next().ok_or("the server has no address")?;
                self.over(&self.envelope, server, self.net.tcp(address).await).await?
            }
        };
        Ok(show(&self.envelope, &reports.unwrap_or_else(|failure| vec![self.all(&failure)])))
    }

    /// Sends the message as often as wanted over one connection.
    async fn over<S: Stream>(
        &self,
        envelope: &Envelope,
        host: &str,
        connected: io::Result<S>,
    ) -> Result<Result<Vec<Report>, Failure>, Box<dyn Error>> {
        let mut policy = self.options.policy(host)?;
        policy.watch = self.trace.as_ref().map(trace::Trace::watch);
        let stream = match connected {
            Ok(stream) => stream,
            Err(error) => return Ok(Err(Failure::unreachable(host, &error))),
        };
        let opening = Connection::open(stream, self.net.runtime(), host, Arc::new(policy));
        let mut connection = match opening.await {
            Ok(connection) => connection,
            Err(failure) => return Ok(Err(failure)),
        };
        if let Some(tls) = connection.tls() {
            eprintln!("{} {} {:?}", tls.version, tls.cipher, tls.verified);
        }
        let mut reports = Vec::new();
        for _ in 0..self.options.repeat {
            reports.push(connection.send(envelope, &self.message).await);
        }
        connection.quit().await;
        Ok(Ok(reports))
    }

    /// Sends the message once to the hosts that the DNS names for each recipient's domain.
    async fn by_mx(&self, dns: &N::Dns) -> Result<Report, Box<dyn Error>> {
        let mut domains: BTreeMap<String, (Option<Host<'static>>, Vec<usize>)> = BTreeMap::new();
        for (place, rcpt) in self.envelope.recipients().iter().enumerate() {
            let host = match &rcpt.to {
                ForwardPath::Mailbox(mailbox) => Some(mailbox.host.clone()),
                ForwardPath::Postmaster => None,
            };
            let name = host.as_ref().map(|host| host.to_string().to_lowercase());
            domains.entry(name.unwrap_or_default()).or_insert((host, vec![])).1.push(place);
        }
        let mut outcomes = BTreeMap::new();
        let mut passed_on = true;
        for (name, (host, places)) in domains {
            let host = host.ok_or("<postmaster> has no domain")?;
            let some = self.envelope.for_recipients(places.iter().copied()).ok_or("nobody")?;
            let report = match self.options.routing().next_hops(dns, &host, seed()).await {
                Err(none) => Report::failed(places.len(), &Failure::no_route(name, &none)),
                Ok(hops) => {
                    let mut last = None;
                    let doors = hops.iter().flat_map(|hop| {
                        hop.addresses.iter().map(|address| (hop.host.to_string(), *address))
                    });
                    for (host, address) in doors {
                        let address = SocketAddr::new(address, self.options.port);
                        let sent = self.over(&some, &host, self.net.tcp(address).await).await?;
                        let usable = !matches!(&sent, Err(failure) if !failure.is_permanent());
                        last = Some(sent);
                        if usable {
                            break;
                        }
                    }
                    match last.ok_or("a route without an address")? {
                        Ok(mut reports) => reports.pop().ok_or("nothing was sent")?,
                        Err(failure) => Report::failed(places.len(), &failure),
                    }
                }
            };
            passed_on &= report.dsn_passed_on;
            outcomes.extend(places.into_iter().zip(report.outcomes));
        }
        let mut whole = self.all(&Failure::unreachable("", &io::ErrorKind::NotFound.into()));
        whole.outcomes = outcomes.into_values().collect::<Vec<Outcome>>();
        whole.dsn_passed_on = passed_on;
        Ok(whole)
    }

    fn all(&self, failure: &Failure) -> Report {
        Report::failed(self.envelope.recipients().len(), failure)
    }
}

/// A number that nobody can know before.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

/// Prints a line for each recipient of each report; the exit code that they make together.
fn show(envelope: &Envelope, reports: &[Report]) -> u8 {
    let mut worst = 0;
    for report in reports {
        for (rcpt, outcome) in envelope.recipients().iter().zip(&report.outcomes) {
            let address = rcpt.to.to_string();
            println!(
                "{} {} {} {} {} {}",
                address.trim_matches(['<', '>']),
                outcome.status,
                outcome.reply.code(),
                outcome.enhanced(),
                outcome.host,
                outcome.reply.text(),
            );
        }
        if report.count(Status::Failed) > 0 {
            worst = FAILED;
        } else if report.count(Status::Delayed) > 0 && worst == 0 {
            worst = TRY_AGAIN;
        }
    }
    worst
}
