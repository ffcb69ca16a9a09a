//! What the senders have in common: all but the runtime.

mod options;
mod trace;

use options::Options;
use smtp_client::{
    Connect, Connection, Delivery, Endpoint, Envelope, Failure, Hop, Mailer, Opportunistic,
    Outcome, Policies, Policy, Pool, PoolConfig, Report, Stage, Status,
    proto::{Class, wire::Host},
    resolve::{DnsConfig, Resolver},
};
use std::{
    error::Error,
    fmt::Display,
    io::{self, Read},
    net::ToSocketAddrs,
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
    type Runtime: Connect;
    type Dns: Resolver;

    fn runtime(&self) -> Self::Runtime;
    fn dns(&self, config: &DnsConfig) -> io::Result<Self::Dns>;
}

/// Sends what the command line and standard input say.
pub(crate) async fn run(net: &(impl Net + Sync)) -> ExitCode {
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

impl<'n, N: Net + Sync> Job<'n, N> {
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
            let outcomes = match self.options.opportunistic()? {
                Some(tls) => {
                    let policy = self.watched(self.options.policy_in_clear()?);
                    self.by_mx(dns, Opportunistic::new(policy, tls)).await
                }
                None => self.by_mx(dns, PerHost(self)).await,
            };
            return Ok(show(&self.envelope, &[outcomes]));
        }
        let (host, endpoint) = match &self.options.unix {
            Some(path) => (path.display().to_string(), path.clone().into()),
            None => {
                let server = self.options.server.clone();
                let address = server.to_socket_addrs()?.next();
                (server, address.ok_or("the server has no address")?.into())
            }
        };
        let reports = self.over(&host, &endpoint).await?.unwrap_or_else(|failure| {
            vec![Report::failed(self.envelope.recipients().len(), &failure)]
        });
        let outcomes: Vec<_> = reports.into_iter().map(|report| report.outcomes).collect();
        Ok(show(&self.envelope, &outcomes))
    }

    /// Sends the message as often as wanted over one connection.
    async fn over(
        &self,
        host: &str,
        endpoint: &Endpoint,
    ) -> Result<Result<Vec<Report>, Failure>, Box<dyn Error>> {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let policy = Arc::new(self.policy(name)?);
        let runtime = self.net.runtime();
        let stream = match runtime.connect(endpoint).await {
            Ok(stream) => stream,
            Err(error) => return Ok(Err(Failure::unreachable(host, &error))),
        };
        let opening = Connection::open(stream, runtime, host, policy);
        let mut connection = match opening.await {
            Ok(connection) => connection,
            Err(failure) => return Ok(Err(failure)),
        };
        if let Some(tls) = connection.tls() {
            eprintln!("{} {} {:?}", tls.version, tls.cipher, tls.verified);
        }
        let mut reports = Vec::new();
        for _ in 0..self.options.repeat {
            reports.push(connection.send(&self.envelope, &self.message).await);
        }
        connection.quit().await;
        Ok(Ok(reports))
    }

    /// Sends the message once to the hosts that the DNS names for each recipient's domain.
    async fn by_mx(&self, dns: N::Dns, policies: impl Policies) -> Vec<Outcome> {
        let pool = Pool::new(self.net.runtime(), PoolConfig::default());
        let mailer = Mailer::by_mx(pool, policies, dns, self.options.routing());
        let mailer = mailer.port(self.options.port);
        let deliveries = mailer.send(&self.envelope, &self.message).await;
        mailer.pool().close().await;
        deliveries.into_iter().map(|Delivery { outcome, .. }| outcome).collect()
    }

    fn policy(&self, host: &str) -> Result<Policy, Box<dyn Error>> {
        Ok(self.watched(self.options.policy(host)?))
    }

    fn watched(&self, mut policy: Policy) -> Policy {
        policy.watch = self.trace.as_ref().map(trace::Trace::watch);
        policy
    }
}

/// The policy of the command line; TLS verifies each host by its name.
struct PerHost<'j, 'n, N>(&'j Job<'n, N>);

impl<N: Net + Sync> Policies for PerHost<'_, '_, N> {
    async fn policy(&self, _: Option<&Host<'_>>, hop: &Hop) -> Result<Arc<Policy>, Failure> {
        let policy = self.0.policy(&hop.host).map_err(|error| io::Error::other(error.to_string()));
        policy.map(Arc::new).map_err(|error| Failure::unreachable(hop.host.clone(), &error))
    }
}

/// Prints a line for each recipient of each message; the exit code that they make together.
fn show(envelope: &Envelope, messages: &[Vec<Outcome>]) -> u8 {
    let mut worst = 0;
    for outcomes in messages {
        for (rcpt, outcome) in envelope.recipients().iter().zip(outcomes) {
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
            worst = match outcome.status {
                Status::Failed => FAILED,
                Status::Delayed if is_wrong_password(outcome) => FAILED,
                Status::Delayed if worst == 0 => TRY_AGAIN,
                _ => worst,
            };
        }
    }
    worst
}

/// A login that is refused is no fault of the message, which a queue would keep; but who has typed
/// the password must hear of it.
fn is_wrong_password(outcome: &Outcome) -> bool {
    outcome.stage == Stage::Auth && outcome.reply.class() == Some(Class::Permanent)
}
