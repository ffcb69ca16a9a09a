//! The command line.

use clap::{Parser, ValueEnum};
use smtp_client::{
    Envelope, EnvelopeBuilder, Policy, Tls,
    driver::{
        sasl::Login,
        tls::{ClientTls, Connector, TlsError, Verify},
    },
    mx::{Reach, Routing},
    proto::{
        body::{Framing, LineEndings},
        client::{ClientConfig, Mode, Timeouts},
        ext::{BodyType, Notify, Ret},
        wire::{Domain, HelloName, Mechanism},
    },
};
use std::{error::Error, fs, net::SocketAddr, path::PathBuf, time::Duration};

/// Sends the message on standard input, and prints a line for each recipient:
/// `ADDRESS sent|delayed|failed CODE ENHANCED HOST TEXT`. Exits with 0 if all were sent, 69 if some
/// have failed or the login was refused, else 75 if some should be tried again.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Host and port.
    #[arg(long, default_value = "127.0.0.1:25")]
    pub(crate) server: String,
    /// A unix socket instead.
    #[arg(long)]
    pub(crate) unix: Option<PathBuf>,
    /// A name server, address and port, to be asked for the hosts of each recipient's domain.
    #[arg(long, conflicts_with_all = ["server", "unix"])]
    pub(crate) dns: Option<SocketAddr>,
    /// The port of those hosts.
    #[arg(long, requires = "dns", default_value_t = 25)]
    pub(crate) port: u16,
    /// LMTP instead of SMTP.
    #[arg(long)]
    lmtp: bool,
    /// Whether to encrypt.
    #[arg(long, value_enum, default_value = "none")]
    tls: TlsMode,
    /// Roots to believe, PEM; without it, Mozilla's.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Whose certificate it must be; without it, the host's.
    #[arg(long)]
    tls_name: Option<String>,
    /// Who logs in.
    #[arg(long, requires = "password_file")]
    user: Option<String>,
    /// The file that holds the password, or with an OAuth mechanism the token.
    #[arg(long, requires = "user")]
    password_file: Option<PathBuf>,
    /// The mechanism to log in by; without it, the best.
    #[arg(long)]
    mechanism: Option<String>,
    /// Logs in although anybody could listen.
    #[arg(long)]
    login_in_clear: bool,
    /// The sender; empty for notices.
    #[arg(long, default_value = "")]
    from: String,
    /// A recipient.
    #[arg(long = "to", required = true)]
    to: Vec<String>,
    /// BDAT instead of DATA, where it is offered.
    #[arg(long)]
    chunking: bool,
    /// One command at a time.
    #[arg(long)]
    no_pipelining: bool,
    /// What the message is made of; without it, it is looked at.
    #[arg(long, value_enum)]
    body_type: Option<BodyKind>,
    /// Headers are in UTF-8.
    #[arg(long)]
    utf8_headers: bool,
    /// When to tell the sender: never, or words of success,failure,delay.
    #[arg(long, value_parser = notify)]
    notify: Option<Notify>,
    /// How much of the message a failure notice should carry.
    #[arg(long, value_enum)]
    ret: Option<RetKind>,
    /// An identifier for notices.
    #[arg(long)]
    envid: Option<String>,
    /// How often to send it, over one connection.
    #[arg(long, default_value_t = 1)]
    pub(crate) repeat: u32,
    /// What to call ourselves.
    #[arg(long, default_value = "localhost")]
    helo: String,
    /// Seconds that the server may take for each answer; without it, those of RFC 5321.
    #[arg(long)]
    timeout: Option<u64>,
    /// Where to write what was said.
    #[arg(long)]
    pub(crate) trace: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TlsMode {
    None,
    Opportunistic,
    Required,
    Implicit,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BodyKind {
    #[value(name = "7bit")]
    SevenBit,
    #[value(name = "8bitmime")]
    EightBitMime,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RetKind {
    Full,
    Hdrs,
}

fn notify(words: &str) -> Result<Notify, String> {
    if words == "never" {
        return Ok(Notify::Never);
    }
    let (mut success, mut failure, mut delay) = (false, false, false);
    for word in words.split(',') {
        match word {
            "success" => success = true,
            "failure" => failure = true,
            "delay" => delay = true,
            word => return Err(format!("{word:?} is none of success, failure, delay")),
        }
    }
    Ok(Notify::On { success, failure, delay })
}

impl Options {
    /// Those that were given; exits if they make no sense.
    pub(crate) fn from_command_line() -> Self {
        Self::parse()
    }

    /// From whom, to whom.
    pub(crate) fn envelope(&self) -> Result<Envelope, Box<dyn Error>> {
        let start = Envelope::builder(&self.from);
        let mut envelope = self.to.iter().fold(start, |builder, to| builder.to(to));
        if self.utf8_headers {
            envelope = envelope.utf8_headers();
        }
        envelope = set(envelope, self.notify, EnvelopeBuilder::notify);
        envelope = set(envelope, self.envid.as_deref(), EnvelopeBuilder::envelope_id);
        envelope = set(envelope, self.ret, |builder, ret| match ret {
            RetKind::Full => builder.ret(Ret::Full),
            RetKind::Hdrs => builder.ret(Ret::Hdrs),
        });
        envelope = set(envelope, self.body_type, |builder, kind| match kind {
            BodyKind::SevenBit => builder.content(BodyType::SevenBit),
            BodyKind::EightBitMime => builder.content(BodyType::EightBitMime),
        });
        Ok(envelope.build()?)
    }

    /// How hosts are found: what the DNS says of this one is left out. The name server is one of
    /// the caller's own, whose hosts may be on this machine.
    pub(crate) fn routing(&self) -> Routing {
        let own_name = Domain::parse(&self.helo).ok().map(Domain::into_static);
        let own_names = own_name.into_iter().collect();
        Routing { own_names, reach: Reach::Loopback, ..Routing::default() }
    }

    /// How to send to `host`.
    pub(crate) fn policy(&self, host: &str) -> Result<Policy, Box<dyn Error>> {
        let mut policy = self.policy_in_clear()?;
        policy.tls = match self.tls {
            TlsMode::None => Tls::None,
            TlsMode::Opportunistic => {
                Tls::Opportunistic(self.connector(host, Verify::Opportunistic)?)
            }
            TlsMode::Required => Tls::Required(self.connector(host, Verify::Required)?),
            TlsMode::Implicit => Tls::Implicit(self.connector(host, Verify::Required)?),
        };
        Ok(policy)
    }

    /// How to send to any host, but for TLS.
    pub(crate) fn policy_in_clear(&self) -> Result<Policy, Box<dyn Error>> {
        let mut policy = Policy::new(HelloName::parse(&self.helo)?);
        let mut machine = ClientConfig::builder().line_endings(LineEndings::Normalise);
        if self.lmtp {
            machine = machine.mode(Mode::Lmtp);
        }
        if self.no_pipelining {
            machine = machine.without_pipelining();
        }
        if let Some(seconds) = self.timeout {
            machine = machine.timeouts(timeouts(Duration::from_secs(seconds)));
        }
        policy.machine = machine.build();
        if self.chunking {
            policy.framing = Framing::Chunked;
        }
        if let Some(name) = &self.mechanism {
            policy.mechanism = Some(Mechanism::parse(name)?.into_static());
        }
        policy.login = self.login()?;
        policy.danger_login_unprotected = self.login_in_clear;
        Ok(policy)
    }

    /// What TLS is to be for hosts that are strangers, if it is wanted as that.
    pub(crate) fn opportunistic(&self) -> Result<Option<ClientTls>, TlsError> {
        let is_wanted = matches!(self.tls, TlsMode::Opportunistic) && self.tls_name.is_none();
        is_wanted.then(|| self.client_tls()).transpose()
    }

    fn client_tls(&self) -> Result<ClientTls, TlsError> {
        let mut tls = ClientTls::builder();
        if let Some(roots) = &self.ca {
            tls = tls.roots_pem_file(roots)?;
        }
        tls.build()
    }

    fn connector(&self, host: &str, verify: Verify) -> Result<Connector, TlsError> {
        let name = self.tls_name.as_deref().unwrap_or(host);
        self.client_tls()?.connector(name, verify)
    }

    fn login(&self) -> Result<Option<Login>, Box<dyn Error>> {
        let is =
            |name: &str| self.mechanism.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(name));
        if is("EXTERNAL") {
            return Ok(Some(Login::external()));
        }
        let (Some(user), Some(path)) = (&self.user, &self.password_file) else { return Ok(None) };
        let secret = fs::read_to_string(path)?;
        let secret = secret.trim_end_matches(['\r', '\n']);
        Ok(Some(match is("OAUTHBEARER") || is("XOAUTH2") {
            true => Login::token(user, secret),
            false => Login::password(user, secret),
        }))
    }
}

/// `builder` with `value`, if there is one.
fn set<T>(
    builder: EnvelopeBuilder,
    value: Option<T>,
    with: impl FnOnce(EnvelopeBuilder, T) -> EnvelopeBuilder,
) -> EnvelopeBuilder {
    match value {
        Some(value) => with(builder, value),
        None => builder,
    }
}

fn timeouts(each: Duration) -> Timeouts {
    let mut timeouts = Timeouts::default();
    for timeout in [
        &mut timeouts.greeting,
        &mut timeouts.mail,
        &mut timeouts.rcpt,
        &mut timeouts.data,
        &mut timeouts.block,
        &mut timeouts.message,
        &mut timeouts.command,
        &mut timeouts.quit,
        &mut timeouts.handshake,
        &mut timeouts.linger,
    ] {
        *timeout = each;
    }
    timeouts
}
