//! What is asked of a destination, and what it is told.

use crate::{
    connect::Endpoint,
    outcome::{Failure, Stage},
};
use smtp_driver::{
    Pool,
    sasl::Login,
    tls::{ClientTlsInfo, Connector},
};
use smtp_proto::{
    body::Framing,
    client::ClientConfig,
    wire::{HelloName, Mechanism, Reply},
};
use std::{fmt, sync::Arc};

/// How mail goes to one destination: a value, made once or for each message, by whatever knows the
/// destination.
///
/// ```
/// use smtp_client::{Policy, Tls, driver::sasl::Login, proto::wire::HelloName};
///
/// let mut policy = Policy::new(HelloName::parse("client.example.org")?);
/// assert!(matches!(policy.tls, Tls::None)); // unless you say more
/// policy.login = Some(Login::password("user", "password")); // said inside TLS only
/// # Ok::<(), smtp_client::proto::wire::Malformed>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Policy {
    /// What we are called in EHLO: a name that leads to our address (RFC 5321 §4.1.4).
    pub hello: HelloName<'static>,
    /// Whether the connection is encrypted, and with whom.
    pub tls: Tls,
    /// What to log in with; without it nobody logs in.
    pub login: Option<Login>,
    /// The one mechanism to log in with; without it, the best that is offered.
    pub mechanism: Option<Mechanism<'static>>,
    /// Logs in also where anybody could listen, or be at the other end: without TLS, or with a
    /// server whose certificate is not right. RFC 4954 §9 and RFC 8314 §4 forbid it.
    pub danger_login_unprotected: bool,
    /// How the octets of a message are sent: by DATA, or by BDAT (RFC 3030) where that is offered.
    pub framing: Framing,
    /// What becomes of a message of 8-bit octets where the server takes none.
    pub eight_bit: EightBit,
    /// SMTP or LMTP, timers, bounds, line endings.
    pub machine: Arc<ClientConfig>,
    /// Receive buffers, shared by all connections that are given the same pool.
    pub buffers: Pool,
    /// Is shown what is said on all connections.
    pub watch: Option<Watch>,
}

impl Policy {
    /// SMTP in clear text and without a login, by DATA, with the defaults of all the rest.
    #[must_use]
    pub fn new(hello: HelloName<'_>) -> Self {
        Self {
            hello: hello.into_static(),
            tls: Tls::None,
            login: None,
            mechanism: None,
            danger_login_unprotected: false,
            framing: Framing::Dot,
            eight_bit: EightBit::Refuse,
            machine: Arc::new(ClientConfig::default()),
            buffers: Pool::default(),
            watch: None,
        }
    }
}

/// Whether a connection is encrypted. Whether the server must be the one that it should be is the
/// [`Connector`]'s to say.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Tls {
    /// Never.
    None,
    /// By STARTTLS (RFC 3207) where the server offers it, else in clear. If the handshake fails the
    /// connection is lost: it is the caller's to try another one in clear.
    Opportunistic(Connector),
    /// By STARTTLS, or there is no mail (RFC 8461, RFC 7672).
    Required(Connector),
    /// From the first octet, as on port 465 (RFC 8314 §3.3).
    Implicit(Connector),
}

/// What becomes of a message that has 8-bit octets, or may have, where 8BITMIME is not offered (RFC
/// 6152 §3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EightBit {
    /// It fails, 5.6.3.
    #[default]
    Refuse,
    /// It is converted, as [`seven_bit`](crate::seven_bit) says; fails, 5.6.3, if it cannot be. It
    /// is held in memory for that, up to [`MAX_SIZE`](crate::seven_bit::MAX_SIZE). So is one that
    /// can be read only once and whose content the envelope does not declare.
    ///
    /// A DKIM signature does not survive it.
    Convert,
}

/// Watches what is said on a connection. Passwords are not in it, nor the octets of messages.
#[derive(Clone)]
pub struct Watch(Arc<dyn Fn(Said<'_>) + Send + Sync>);

impl Watch {
    /// Calls `watch` for all that is said.
    pub fn new(watch: impl Fn(Said<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(watch))
    }

    pub(crate) fn show(&self, said: Said<'_>) {
        (self.0)(said);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// Something that was said, or that happened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Said<'s> {
    /// A command, when it is given to the machine: without PIPELINING it leaves later.
    Client(fmt::Arguments<'s>),
    /// So many octets of a message, as they are in memory.
    Body(u64),
    /// A reply, and what it is about.
    Server(Stage, &'s Reply<'s>),
    /// A connection that is used from here on, or will be if it can be made. Only who takes
    /// connections from a pool is shown this.
    #[non_exhaustive]
    Connection {
        /// What the server is called.
        host: &'s str,
        /// Where it listens.
        endpoint: &'s Endpoint,
        /// It was open already.
        kept: bool,
    },
    /// The connection is encrypted from here on.
    Tls(&'s ClientTlsInfo),
    /// Something did not work, and no reply says so.
    Failure(&'s Failure),
}
