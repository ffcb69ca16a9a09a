//! Where the server listens, and what is spoken there.

use serde::{Deserialize, Deserializer, de};
use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

/// An address to listen on, and what is spoken there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "Keys"))]
#[serde(try_from = "Keys")]
pub struct Listener {
    /// The address and the port; port 0 takes one that is free.
    pub address: SocketAddr,
    /// Who is expected to talk to it.
    pub role: Role,
    /// How TLS begins.
    pub tls: TlsStart,
    /// What it shows instead of the certificate for all; the first one for names that no other is
    /// for.
    pub certificates: Vec<KeyPair>,
    /// Whether it asks clients for theirs.
    pub clients: Option<Clients>,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyPair {
    /// A PEM file: the certificate, followed by the intermediate ones.
    pub certificate: PathBuf,
    /// A PEM file: its private key.
    pub key: PathBuf,
}

/// Whose certificates a listener asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// A PEM file with who may have signed them.
    pub ca_file: PathBuf,
    /// Whether a client may have none.
    pub certificate: ClientCertificate,
}

/// Whether a client may be without a certificate. One with a certificate that is not right is turned
/// away in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificate {
    /// It may.
    #[default]
    Optional,
    /// It is turned away.
    Required,
}

/// Who is expected to talk to a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Other servers, with mail for the local domains.
    #[default]
    Mx,
    /// Mail programs of users, who log in (RFC 6409).
    Submission,
    /// The same inside TLS (RFC 8314 §3.3).
    Submissions,
    /// Another server of ours, with mail for the local domains (RFC 2033).
    Lmtp,
}

impl Role {
    /// As it is written in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mx => "mx",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
            Self::Lmtp => "lmtp",
        }
    }

    /// Whether users log in here.
    pub fn is_submission(self) -> bool {
        matches!(self, Self::Submission | Self::Submissions)
    }
}

/// How TLS begins on a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum TlsStart {
    /// When the client says STARTTLS (RFC 3207).
    #[default]
    Starttls,
    /// With the first octet (RFC 8314 §3.3).
    Implicit,
    /// Never.
    Off,
}

/// A listener as it is written.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Keys {
    /// Where to listen; port 0 takes one that is free. One on `[::1]` is left out on a machine
    /// without IPv6.
    #[serde(deserialize_with = "socket_address")]
    #[cfg_attr(test, schemars(with = "super::reference::Address"))]
    address: SocketAddr,
    /// Who is expected there; `"mx"` unless it says otherwise.
    #[serde(default)]
    role: Role,
    /// How TLS begins; `"starttls"` unless it says otherwise. `"submissions"` is always
    /// `"implicit"`, and `"submission"` never `"off"`.
    tls: Option<TlsStart>,
    /// Shown instead of the certificate of `[tls]`: the one that is for the name which the client asks
    /// for (SNI), the first one for any other name. Loaded again when the files change.
    #[serde(default)]
    certificates: Vec<KeyPair>,
    /// Whose certificates clients are asked for: a PEM file with who has signed them; none: they are
    /// not asked.
    client_ca_file: Option<PathBuf>,
    /// Whether a client may be without; `"optional"` unless it says otherwise. One whose certificate
    /// is not right is turned away in any case.
    client_certificate: Option<ClientCertificate>,
}

impl TryFrom<Keys> for Listener {
    type Error = &'static str;

    fn try_from(keys: Keys) -> Result<Self, Self::Error> {
        let Keys { address, role, tls, certificates, client_ca_file, client_certificate } = keys;
        let tls = match (role, tls) {
            (Role::Submissions, None | Some(TlsStart::Implicit)) => TlsStart::Implicit,
            (Role::Submissions, Some(_)) => {
                return Err(
                    "`submissions` begins inside TLS; the role for STARTTLS is `submission`",
                );
            }
            (Role::Submission, Some(TlsStart::Off)) => {
                return Err("`submission` takes passwords, which need TLS");
            }
            (Role::Lmtp, _) if address.port() == 25 => {
                return Err("LMTP must not be spoken on port 25 (RFC 2033 §5)");
            }
            (_, tls) => tls.unwrap_or_default(),
        };
        let clients = match (client_ca_file, client_certificate) {
            (Some(ca_file), certificate) => {
                Some(Clients { ca_file, certificate: certificate.unwrap_or_default() })
            }
            (None, None) => None,
            (None, Some(_)) => {
                return Err("`client_certificate` needs a `client_ca_file` beside it");
            }
        };
        if tls == TlsStart::Off && (clients.is_some() || !certificates.is_empty()) {
            return Err("without TLS there are no certificates");
        }
        Ok(Self { address, role, tls, certificates, clients })
    }
}

impl Listener {
    /// A listener with the certificate for all, which asks for none.
    pub fn new(address: SocketAddr, role: Role, tls: TlsStart) -> Self {
        Self { address, role, tls, certificates: Vec::new(), clients: None }
    }
}

/// Both loopback addresses, with STARTTLS.
pub fn loopback(port: u16) -> Vec<Listener> {
    [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))]
        .map(|address| Listener::new(address, Role::default(), TlsStart::default()))
        .into()
}

fn socket_address<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(|_| {
        de::Error::custom(format_args!(
            "`{text}` is not an address with a port, such as `192.0.2.1:25` or `[::]:25`"
        ))
    })
}
