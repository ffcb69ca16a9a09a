//! `smtp-mta send`: a message from the command line, to try a server with.

mod dialogue;
mod message;
mod server;

use crate::{
    config::Config, deliver::Names, route::Tls, server::Refusal, users::command::password_line,
};
use clap::Args;
use message::Message;
use server::Server;
use smtp_client::{
    Cause, Delivery, EightBit, Envelope, Failure, Hop, Mailer, Outcome, Policies, Policy, Pool,
    PoolConfig, Stage, Status, Tls as ClientsTls,
    driver::{
        sasl::Login,
        tls::{ClientTls, TlsError, Verified, Verify},
    },
    mx::{Reach, Routing},
    proto::{
        Class, EnhancedCode,
        body::LineEndings,
        client::{ClientConfig, Mode},
        wire::{HelloName, Host, Reply},
    },
    runtime::tokio::Tokio,
};
use std::{
    env, fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// Some recipients have failed for good.
const FAILED: u8 = 1;
/// Some recipients should be tried again (EX_TEMPFAIL of sysexits).
const TRY_AGAIN: u8 = 75;

/// Send a message, to try a server with
///
/// Prints the dialogue on the standard error output, without passwords and messages, and on the
/// standard output what became of each recipient. Exits with 0 if all were sent, with 1 if some have
/// failed or nothing could be sent, else with 75 if some should be tried again.
#[derive(Debug, Args)]
pub struct SendCommand {
    /// To whom; may be said several times
    #[arg(long, required = true, value_name = "ADDRESS")]
    to: Vec<String>,
    /// From whom, empty for nobody; without it, the login or yourself at the own name
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// Through this host, `host:port` or `unix:/path`; without it, by the DNS
    #[arg(long, value_name = "SERVER")]
    server: Option<Server>,
    /// Speak LMTP
    #[arg(long, requires = "server")]
    lmtp: bool,
    /// Whether to encrypt; without it, implicit on port 465, required with `--login` or `--ca`, else opportunistic
    #[arg(long, value_enum)]
    tls: Option<Tls>,
    /// Believe the certificates in this PEM file, and no others
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Log in as; the password is asked for, or is a line of the standard input
    #[arg(long, value_name = "NAME", requires = "server")]
    login: Option<String>,
    /// The first line of this file is the password
    #[arg(long, value_name = "FILE", requires = "login")]
    password_file: Option<PathBuf>,
    /// The own name; without it, that of the configuration
    #[arg(long, value_name = "NAME")]
    hello: Option<String>,
    /// The port of the hosts that the DNS names
    #[arg(long, value_name = "PORT", default_value_t = 25, conflicts_with = "server")]
    mx_port: u16,
    /// Hosts that the DNS names may be on this machine
    #[arg(long, conflicts_with = "server")]
    loopback: bool,
    /// Do not print the dialogue
    #[arg(long)]
    quiet: bool,
    /// Send a test message with this subject
    #[arg(long, conflicts_with = "file")]
    subject: Option<String>,
    /// Send a test message with this text
    #[arg(long, conflicts_with = "file")]
    text: Option<String>,
    /// The message; without it, the standard input, or a test message if that is a terminal
    file: Option<PathBuf>,
}

impl SendCommand {
    /// Sends it, and prints what became of it.
    ///
    /// # Errors
    /// A plain sentence: nothing was sent.
    pub async fn run(&self, config: &Config) -> Result<ExitCode, Refusal> {
        let name = self.hello.as_deref().unwrap_or(config.hostname.as_str());
        let hello = HelloName::parse(name)
            .map_err(|error| Refusal(format!("`{name}` is not the name of a host: {error}")))?;
        let source = self.source();
        let login = self.login(source)?;
        let terms = self.terms(hello.into_static(), login)?;
        let from = self.from.clone().unwrap_or_else(|| self.own_address(name));
        let builder = self.to.iter().fold(Envelope::builder(&from), |builder, to| builder.to(to));
        let envelope = builder.build().map_err(|error| Refusal(error.to_string()))?;
        let message = match source {
            Source::File(path) => Message::open(path).await?,
            Source::Input => Message::read(config.message_size_limit)?,
            Source::Made => {
                let made = message::Made {
                    envelope: &envelope,
                    host: name,
                    subject: self.subject.as_deref(),
                    text: self.text.as_deref(),
                };
                Message::Octets(made.to_string().into_bytes())
            }
        };
        let pool = Pool::new(Tokio::new(), PoolConfig::default());
        let deliveries = match &self.server {
            Some(server) => {
                let mailer = Mailer::through(pool, terms, server.hop().await?);
                message.send(&mailer, &envelope).await
            }
            None => {
                let names = Names::new(&config.name_servers)
                    .map_err(|error| Refusal(format!("cannot ask the DNS: {error}")))?;
                let reach = if self.loopback { Reach::Loopback } else { Reach::default() };
                let routing = Routing { reach, ..Routing::default() };
                let mailer = Mailer::by_mx(pool, terms, names, routing).port(self.mx_port);
                message.send(&mailer, &envelope).await
            }
        };
        Ok(ExitCode::from(show(&envelope, &deliveries)))
    }

    fn source(&self) -> Source<'_> {
        match &self.file {
            Some(path) => Source::File(path),
            None if self.subject.is_some() || self.text.is_some() => Source::Made,
            None if io::stdin().is_terminal() => Source::Made,
            None => Source::Input,
        }
    }

    /// Who sends if nobody says so.
    fn own_address(&self, host: &str) -> String {
        match &self.login {
            Some(login) if login.contains('@') => login.clone(),
            _ => format!("{}@{host}", env::var("USER").unwrap_or_else(|_| "postmaster".into())),
        }
    }

    fn login(&self, source: Source<'_>) -> Result<Option<Login>, Refusal> {
        let Some(name) = &self.login else { return Ok(None) };
        let password = match &self.password_file {
            Some(path) => {
                let text = fs::read_to_string(path).map_err(unreadable(path))?;
                text.lines().next().unwrap_or_default().to_owned()
            }
            None if io::stdin().is_terminal() => rpassword::prompt_password("Password: ")
                .map_err(|error| Refusal(format!("cannot read the password: {error}")))?,
            None if matches!(source, Source::Input) => {
                let says = "the standard input is the message: use --password-file";
                return Err(Refusal(says.into()));
            }
            None => password_line()?,
        };
        Ok(Some(Login::password(&**name, &*password)))
    }

    fn terms(&self, hello: HelloName<'static>, login: Option<Login>) -> Result<Terms, Refusal> {
        let cannot = |error: TlsError| Refusal(format!("cannot use TLS: {error}"));
        let trust = match &self.ca {
            Some(roots) => ClientTls::builder().roots_pem_file(roots).map_err(cannot)?,
            None => ClientTls::builder(),
        };
        let must_be_right = login.is_some() || self.ca.is_some();
        let tls = match &self.server {
            Some(server) if server.port() == Some(server::SUBMISSIONS) => Tls::Implicit,
            _ if must_be_right => Tls::Required,
            _ => Tls::Opportunistic,
        };
        let mut policy = Policy::new(hello);
        let machine = ClientConfig::builder().line_endings(LineEndings::Normalise);
        policy.machine = machine.mode(if self.lmtp { Mode::Lmtp } else { Mode::Smtp }).build();
        policy.eight_bit = EightBit::Convert;
        policy.login = login;
        policy.watch = (!self.quiet).then(dialogue::on_stderr);
        Ok(Terms { policy, trust: trust.build().map_err(cannot)?, tls: self.tls.unwrap_or(tls) })
    }
}

/// Where the message comes from.
#[derive(Clone, Copy, Debug)]
enum Source<'s> {
    File(&'s Path),
    Input,
    Made,
}

/// How a host is talked to.
struct Terms {
    policy: Policy,
    trust: ClientTls,
    tls: Tls,
}

impl Policies for Terms {
    async fn policy(&self, _: Option<&Host<'_>>, hop: &Hop) -> Result<Arc<Policy>, Failure> {
        let connector = |verify| {
            self.trust.connector(&hop.host, verify).map_err(|error| Failure {
                stage: Stage::Tls,
                reply: Reply::local(EnhancedCode::permanent(3, 5), &error.to_string()).into(),
                cause: Cause::Tls,
                host: hop.host.clone(),
            })
        };
        let mut policy = self.policy.clone();
        policy.tls = match self.tls {
            Tls::Off => ClientsTls::None,
            // No certificate can be for the path of a socket; and none has to be.
            Tls::Opportunistic => {
                connector(Verify::Opportunistic).map_or(ClientsTls::None, ClientsTls::Opportunistic)
            }
            Tls::Required => ClientsTls::Required(connector(Verify::Required)?),
            Tls::Implicit => ClientsTls::Implicit(connector(Verify::Required)?),
        };
        Ok(policy.into())
    }
}

/// Prints a line for each recipient; the exit code that they make together.
fn show(envelope: &Envelope, deliveries: &[Delivery]) -> u8 {
    let mut code = 0;
    let mut out = io::stdout().lock();
    for (rcpt, delivery) in envelope.recipients().iter().zip(deliveries) {
        let Delivery { outcome, endpoint, tls, .. } = delivery;
        let (to, reply) = (rcpt.to.to_string(), &outcome.reply);
        let is_refused = is_refused_login(outcome);
        let status = if is_refused { Status::Failed } else { outcome.status };
        let at = endpoint.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
        let over = match tls.as_ref().map(|tls| (tls.version, &tls.verified)) {
            None => String::new(),
            Some((version, Verified::Yes)) => format!(" over {version}, verified"),
            Some((version, Verified::No(why))) => format!(" over {version}, not verified ({why})"),
        };
        // If the output is closed, the exit code tells.
        let _ = writeln!(
            out,
            "{}: {status} by {}{at}{over}, {}: {reply}",
            to.trim_matches(['<', '>']),
            outcome.host,
            outcome.stage,
        );
        code = match status {
            Status::Failed => FAILED,
            Status::Delayed if code == 0 => TRY_AGAIN,
            _ => code,
        };
    }
    code
}

/// A login that is refused is no fault of the message, which a queue would keep; but who has typed
/// the password must hear of it.
fn is_refused_login(outcome: &Outcome) -> bool {
    outcome.stage == Stage::Auth && outcome.reply.class() == Some(Class::Permanent)
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> Refusal {
    move |error| Refusal(format!("cannot read {}: {error}", path.display()))
}
