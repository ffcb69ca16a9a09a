//! A client under test: something that is told to send a message, and says how that ended.

use super::message::Message;
use std::{io, net::SocketAddr, path::Path, time::Duration};

/// What a test needs the client to do: each is a command of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// To send a message to a server, in clear.
    Plain,
    /// The same with STARTTLS, which is required; the certificate is checked.
    StartTls,
    /// To sign in first, inside TLS or not.
    Auth,
    /// To sign in, with STARTTLS required.
    StartTlsAuth,
    /// To send to and from addresses outside ASCII.
    Utf8,
    /// To find the servers of the recipient's domain in the DNS.
    Mx,
    /// The same, and to do DANE: what the name server marks as authentic is believed.
    Dane,
    /// To send a message that must go through TLS all the way, RFC 8689.
    RequireTls,
}

impl Need {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Plain,
        Self::StartTls,
        Self::Auth,
        Self::StartTlsAuth,
        Self::Utf8,
        Self::Mx,
        Self::Dane,
        Self::RequireTls,
    ];

    /// Its key in a sender file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::StartTls => "starttls",
            Self::Auth => "auth",
            Self::StartTlsAuth => "starttls_auth",
            Self::Utf8 => "utf8",
            Self::Mx => "mx",
            Self::Dane => "dane",
            Self::RequireTls => "requiretls",
        }
    }
}

/// A message to send, and where.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// Which command does it.
    pub need: Need,
    /// The server; for [`Need::Mx`] only its port counts.
    pub server: SocketAddr,
    /// The client's own name, for EHLO.
    pub helo: &'a str,
    /// The reverse-path; empty for `<>`.
    pub from: &'a str,
    /// The recipients.
    pub to: &'a [String],
    /// What to send.
    pub message: &'a Message,
    /// The certificate to trust, as PEM.
    pub ca: &'a Path,
    /// A DNS server.
    pub dns: Option<SocketAddr>,
    /// How long to wait for a reply, for clients that can be told.
    pub timeout: Duration,
}

/// How a client ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this exit status; 0 says that the message was sent.
    Exit(i32),
    /// By a signal: it crashed.
    Killed,
}

/// A client that is sending.
pub trait Running {
    /// How it ended, if it has.
    fn ended(&mut self) -> Option<Ended>;

    /// Ends it.
    fn stop(&mut self);

    /// The most memory that it has had, in octets, if that can be seen.
    fn memory(&mut self) -> Option<u64> {
        None
    }

    /// What it said to the user, if that can be heard.
    fn output(&mut self) -> String {
        String::new()
    }
}

/// What the exit status and the time of a client mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manners {
    /// Statuses that say: not sent, to be tried again.
    pub temporary: Vec<i32>,
    /// Statuses that say: not sent, and never will be.
    pub permanent: Vec<i32>,
    /// The client only takes the message and sends it later: its status says nothing.
    pub queues: bool,
    /// How long a message may take.
    pub patience: Duration,
    /// How long to wait for a client that queues, to begin and to come again.
    pub again: Duration,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            temporary: Vec::new(),
            permanent: Vec::new(),
            queues: false,
            patience: Duration::from_secs(20),
            again: Duration::from_secs(3),
        }
    }
}

/// Addresses that stand in a client's configuration. With one of them cases run one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fixed {
    /// The server; by MX only its port counts.
    pub server: Option<SocketAddr>,
    /// The DNS server.
    pub dns: Option<SocketAddr>,
}

/// A client under test.
pub trait Sender: Send + Sync {
    /// Whether it can be told to do this.
    fn serves(&self, need: Need) -> bool;

    /// Whether what it does depends on this placeholder, such as `helo`.
    fn uses(&self, need: Need, placeholder: &str) -> bool;

    /// Where it looks for servers, if that cannot be told it for each test.
    fn fixed(&self) -> Fixed {
        Fixed::default()
    }

    /// What its exit status means.
    fn manners(&self) -> &Manners;

    /// Starts it.
    ///
    /// # Errors
    /// It cannot be started.
    fn start(&self, order: &Order<'_>) -> io::Result<Box<dyn Running>>;
}
