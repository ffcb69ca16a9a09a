//! The configuration file as types that cannot hold a wrong value.
//!
//! Every key has a default; without a file the server listens on loopback for `localhost`.
//! `example.toml` beside this crate is the reference, and a test compares it with these defaults.

mod domain;
mod listener;
mod queue;
#[cfg(test)]
pub(crate) mod reference;
mod values;

pub use domain::{Alias, Domain, Target};
pub use listener::{ClientCertificate, Clients, KeyPair, Listener, Role, TlsStart, loopback};
pub use queue::Queue;

use crate::{
    policy::{
        BadRecipients, DomainName, MailboxName, Network, Policy, Recipients, Sender, Senders,
    },
    route::Rule,
    users::{Fingerprint, UserName},
};
use serde::{Deserialize, Deserializer, de};
use std::{
    collections::HashSet,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use values::{delimiter, size_limit};

/// The port of a server that nobody configured.
pub const DEFAULT_PORT: u16 = 2525;

/// All that can be configured.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the server calls itself in its greeting and in `Received`: on the Internet, the name
    /// that its address resolves to.
    pub hostname: DomainName,
    /// The folder in which everything is kept: mail, queue, users. Made if it is missing.
    pub data_dir: PathBuf,
    /// The longest message, at least 64 KiB; announced by SIZE (RFC 1870).
    #[serde(deserialize_with = "size_limit")]
    #[cfg_attr(test, schemars(with = "reference::Size"))]
    pub message_size_limit: u64,
    /// Where the server listens.
    #[serde(rename = "listener", deserialize_with = "not_empty")]
    pub listeners: Vec<Listener>,
    /// The certificate.
    pub tls: Certificate,
    /// What is logged, and how.
    pub log: Log,
    /// For whom mail is accepted.
    #[serde(rename = "domain", deserialize_with = "not_empty")]
    pub domains: Vec<Domain>,
    /// The character between the name of a mailbox and a tag (RFC 5233): mail for `ada+news` is for
    /// `ada`. An empty text: there are no tags.
    #[serde(deserialize_with = "delimiter")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub recipient_delimiter: Option<char>,
    /// Where mail goes that does not go by the DNS.
    #[serde(rename = "route")]
    pub routes: Vec<Rule>,
    /// The name servers to ask, addresses with a port; none: those of the system.
    #[cfg_attr(test, schemars(with = "Vec<reference::Address>"))]
    pub name_servers: Vec<SocketAddr>,
    /// Whose certificates are believed of the servers that mail goes to: a PEM file; none: those
    /// whom Mozilla believes.
    pub ca_file: Option<PathBuf>,
    /// How much waits, and how long.
    pub queue: Queue,
    /// Networks whose mail to other domains is taken without a login, on listeners of role `mx`.
    /// None means nobody: not this machine either.
    pub relay_networks: Vec<Network>,
    /// What is said of users beside their password.
    #[serde(rename = "user", deserialize_with = "users")]
    pub users: Vec<User>,
}

/// The certificate of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "CertificateFiles"))]
#[serde(try_from = "CertificateFiles")]
pub enum Certificate {
    /// Made by the server for its own name, and kept in the data folder.
    #[default]
    SelfMade,
    /// Two PEM files.
    Files {
        /// The certificate, followed by the intermediate ones.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct CertificateFiles {
    /// A PEM file: the certificate, followed by the intermediate ones. Without it the server makes
    /// one for its own name, which suits a try and no more.
    certificate: Option<PathBuf>,
    /// A PEM file: its private key.
    key: Option<PathBuf>,
}

impl TryFrom<CertificateFiles> for Certificate {
    type Error = &'static str;

    fn try_from(files: CertificateFiles) -> Result<Self, Self::Error> {
        match (files.certificate, files.key) {
            (Some(certificate), Some(key)) => Ok(Self::Files { certificate, key }),
            (None, None) => Ok(Self::SelfMade),
            (Some(_), None) => Err("`certificate` needs a `key` beside it"),
            (None, Some(_)) => Err("`key` needs a `certificate` beside it"),
        }
    }
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// For people or for programs.
    pub format: LogFormat,
    /// The least important thing that is logged.
    pub level: LogLevel,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How important a log line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What somebody must look after.
    Error,
    /// What somebody should know.
    Warn,
    /// A line for each session and each message.
    #[default]
    Info,
    /// A line for each refused recipient and each broken rule as well.
    Debug,
}

/// What is said of a user beside the password.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct User {
    /// As the user logs in.
    pub name: UserName,
    /// As whom the user may send, beside the own addresses.
    #[serde(default)]
    pub may_send_as: Vec<Sender>,
    /// The SHA-256 fingerprints of certificates by which the user logs in without a password (AUTH
    /// EXTERNAL), at listeners with a `client_ca_file` by which they are signed.
    #[serde(default)]
    pub certificates: Vec<Fingerprint>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hostname: DomainName::localhost(),
            data_dir: "smtp-mta-data".into(),
            message_size_limit: 50 << 20,
            listeners: loopback(DEFAULT_PORT),
            tls: Certificate::default(),
            log: Log::default(),
            domains: vec![Domain::new(DomainName::localhost(), [MailboxName::you()])],
            recipient_delimiter: Some('+'),
            routes: Vec::new(),
            name_servers: Vec::new(),
            ca_file: None,
            queue: Queue::default(),
            relay_networks: Vec::new(),
            users: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError`] says what is wrong, and where.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            path: path.into(),
            at: None,
            says: error.to_string(),
        })?;
        Self::parse(&text, path)
    }

    /// Parses `text`, the content of the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError`] says what is wrong, and where.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let wrong = |offset: Option<usize>, says: &str| ConfigError {
            path: path.into(),
            at: offset.map(|offset| position(text, offset)),
            says: plain(says),
        };
        let config: Self = toml::from_str(text)
            .map_err(|error| wrong(error.span().map(|span| span.start), error.message()))?;
        config.recipients().map_err(|error| wrong(Some(error.offset), &error.says))?;
        Ok(config)
    }

    /// The recipients for whom mail is accepted.
    ///
    /// # Errors
    /// The domains contradict each other; never those of a file that was read.
    pub fn recipients(&self) -> Result<Recipients, BadRecipients> {
        Recipients::new(&self.domains, self.recipient_delimiter)
    }

    /// Who may send what to whom.
    ///
    /// # Errors
    /// As for [`recipients`](Self::recipients).
    pub fn policy(&self) -> Result<Policy, BadRecipients> {
        let mut senders = Senders::default();
        for user in &self.users {
            senders.allow(user.name.clone(), user.may_send_as.iter().cloned());
        }
        Ok(Policy::new(self.recipients()?, self.relay_networks.clone(), senders))
    }
}

/// What is wrong with a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// Line and column, counted from 1, in characters; `None` if the file could not be read.
    pub at: Option<(usize, usize)>,
    /// What is wrong.
    pub says: String,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.says)
    }
}

/// Line and column of the octet at `offset`.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// The sentence of a TOML error in the words of the manual, which says "key", on one line.
fn plain(message: &str) -> String {
    message
        .replace("unknown field", "unknown key")
        .replace("missing field", "missing key")
        .replace("unknown variant", "unknown value")
        .replace('\n', "; ")
}

/// What is said of each user; a certificate is that of one.
fn users<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<User>, D::Error> {
    let users = Vec::<User>::deserialize(from)?;
    let mut known = HashSet::new();
    match users.iter().flat_map(|user| &user.certificates).all(|it| known.insert(*it)) {
        true => Ok(users),
        false => Err(de::Error::custom("a certificate can be that of one user only, once")),
    }
}

fn not_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    let list = Vec::deserialize(from)?;
    if list.is_empty() { Err(de::Error::custom("at least one is needed")) } else { Ok(list) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("x.toml"))
    }

    /// The file, the place and the start of the sentence.
    #[track_caller]
    fn wrong(text: &str, says: &str) {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }

    #[test]
    fn an_empty_file_gives_the_defaults() {
        assert_eq!(parse(""), Ok(Config::default()));
    }

    #[test]
    fn the_example_shows_the_defaults() {
        let example = include_str!("../../example.toml");
        assert_eq!(parse(example), Ok(Config::default()));
    }

    #[test]
    fn every_key_of_the_example_is_read() {
        // The keys that the example shows only as comments.
        let example = include_str!("../../example.toml").replace("\n#: ", "\n");
        let config = parse(&example).unwrap();
        assert!(matches!(config.tls, Certificate::Files { .. }));
        assert_eq!(config.routes.len(), 3);
        let required = |clients: &Clients| clients.certificate == ClientCertificate::Required;
        assert!(config.listeners.iter().any(|it| it.certificates.len() == 2));
        assert!(config.listeners.iter().any(|it| it.clients.as_ref().is_some_and(required)));
        assert_eq!(config.domains.len(), 4);
        assert_eq!(config.domains.iter().map(|domain| domain.aliases.len()).sum::<usize>(), 3);
        assert_eq!(config.queue.max_messages, Some(1_000_000));
        assert_eq!(config.queue.retry.domains.len(), 1);
        assert!(config.ca_file.is_some());
        assert_ne!(config, Config::default());
    }

    #[test]
    fn a_role_says_how_tls_begins_unless_the_file_does() {
        let config = parse(
            "[[listener]]
             address = '[::1]:587'
             role = 'submission'
             [[listener]]
             address = '[::1]:465'
             role = 'submissions'
             [[listener]]
             address = '[::1]:24'
             role = 'lmtp'
             tls = 'off'",
        );
        let tls: Vec<_> = config.unwrap().listeners.iter().map(|it| it.tls).collect();
        assert_eq!(tls, [TlsStart::Starttls, TlsStart::Implicit, TlsStart::Off]);
    }

    #[test]
    fn unknown_keys_are_errors_with_their_place() {
        wrong("hostnme = 'a'", "x.toml:1:1: unknown key `hostnme`, expected one of `hostname`");
        wrong("[log]\nformat = 'json'\n  colour = 1\n", "x.toml:3:3: unknown key `colour`");
        wrong("\n[[listener]]\naddress = '[::1]:1'\nport = 1", "x.toml:4:1: unknown key `port`");
        wrong("[[domain]]\nname = 'ä.example'\nmailboxes = []\nx.y = 1", "x.toml:4:1: unknown key");
        wrong("[queues]\n", "x.toml:1:2: unknown key `queues`");
        wrong("[queue]\nsize = 1", "x.toml:2:1: unknown key `size`");
    }

    #[test]
    fn wrong_values_are_errors_with_their_place() {
        wrong("hostname = 'a b'", "x.toml:1:12: `a b` is not a domain name");
        wrong("hostname = 1", "x.toml:1:12: invalid type: integer `1`, expected a string");
        wrong(
            "[[listener]]\naddress = 'localhost'",
            "x.toml:2:11: `localhost` is not an address with a port",
        );
        wrong(
            "[[listener]]\naddress = '[::]:25'\nrole = 'mxx'",
            "x.toml:3:8: unknown value `mxx`, expected one of `mx`, `submission`, `submissions`, `lmtp`",
        );
        let listener = |keys| format!("[[listener]]\naddress = '[::1]:25'\n{keys}");
        wrong(
            &listener("role = 'submissions'\ntls = 'starttls'"),
            "x.toml:1:1: `submissions` begins inside TLS",
        );
        wrong(
            &listener("role = 'submission'\ntls = 'off'"),
            "x.toml:1:1: `submission` takes passwords, which need TLS",
        );
        wrong(
            &listener("certificates = [{ key = 'k' }]"),
            "x.toml:3:17: missing key `certificate`",
        );
        wrong(
            &listener("client_certificate = 'required'"),
            "x.toml:1:1: `client_certificate` needs a `client_ca_file` beside it",
        );
        wrong(
            &listener("client_ca_file = 'ca'\nclient_certificate = 'maybe'"),
            "x.toml:4:22: unknown value `maybe`, expected `optional` or `required`",
        );
        for keys in [
            "tls = 'off'\nclient_ca_file = 'ca'",
            "tls = 'off'\ncertificates = [{ certificate = 'c', key = 'k' }]",
        ] {
            wrong(&listener(keys), "x.toml:1:1: without TLS there are no certificates");
        }
        wrong(&listener("role = 'lmtp'"), "x.toml:1:1: LMTP must not be spoken on port 25");
        wrong("relay_networks = ['10.0.0.1/8']", "x.toml:1:18: `10.0.0.1/8` is not a network");
        wrong(
            "[[user]]\nname = 'ada'\nmay_send_as = ['x']",
            "x.toml:3:15: `x` is neither an address, nor",
        );
        wrong(
            "[[user]]\nname = 'ada'\ncertificates = ['aa:bb']",
            "x.toml:3:16: `aa:bb` is not the SHA-256 fingerprint of a certificate",
        );
        let print = "0f".repeat(32);
        let ada = format!("[[user]]\nname = 'ada'\ncertificates = ['{print}']\n");
        let twice = ada.clone() + &ada.replace("ada", "bob");
        wrong(&twice, "x.toml:1:1: a certificate can be that of one user only");
        wrong("listener = []", "x.toml:1:12: at least one is needed");
        wrong("[[domain]]\nname = 'a.example'", "x.toml:1:1: missing key `mailboxes`");
        wrong(
            "[[domain]]\nname = 'a.example'\nmailboxes = ['ok', '../x']",
            "x.toml:3:13: `../x` cannot be: the name of a mailbox must not start with a dot",
        );
        wrong("[tls]\nkey = 'k.pem'", "x.toml:1:1: `key` needs a `certificate` beside it");
        wrong("[log]\nlevel = 'loud'", "x.toml:2:9: unknown value `loud`");
    }

    #[test]
    fn what_is_no_toml_is_an_error_with_its_place() {
        wrong("hostname = \n", "x.toml:1:12: ");
        wrong("a = 1\na = 2\n", "x.toml:");
        wrong("[log", "x.toml:1:5: ");
    }

    #[test]
    fn the_column_counts_characters() {
        wrong("log = {'ä' = 1}", "x.toml:1:8: unknown key `ä`");
        wrong("domain = [{name = 'ä.example', mailboxes = 1}]", "x.toml:1:44: ");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Config::read(Path::new("no/such.toml")).unwrap_err().to_string();
        assert!(error.starts_with("no/such.toml: "), "{error}");
    }

    #[test]
    fn sizes_are_numbers_or_have_a_unit() {
        let limit = |text: &str| parse(&format!("message_size_limit = {text}"));
        for (text, octets) in [
            ("70000", 70_000),
            ("'70000'", 70_000),
            ("'64 KiB'", 65_536),
            ("'50MiB'", 50 << 20),
            ("'3 GiB'", 3 << 30),
        ] {
            assert_eq!(limit(text).unwrap().message_size_limit, octets, "{text}");
        }
        for text in ["0", "-1", "65535", "1.5", "'MiB'", "'5 MB'", "'99999999999 GiB'", "''"] {
            assert!(limit(text).is_err(), "{text}");
        }
        wrong("message_size_limit = 'big'", "x.toml:1:22: invalid value: string \"big\", expected");
    }
}
