//! Where the server listens, and what is spoken there.

use serde::{Deserialize, Deserializer, de};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// An address to listen on, and what is spoken there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// The address and the port; port 0 takes one that is free.
    #[serde(deserialize_with = "socket_address")]
    pub address: SocketAddr,
    /// Who is expected to talk to it.
    #[serde(default)]
    pub role: Role,
    /// How TLS begins.
    #[serde(default)]
    pub tls: TlsStart,
}

/// Who is expected to talk to a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Other servers, with mail for the local domains.
    #[default]
    Mx,
}

/// How TLS begins on a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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

/// Both loopback addresses, with STARTTLS.
pub fn loopback(port: u16) -> Vec<Listener> {
    [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))]
        .map(|address| Listener { address, role: Role::default(), tls: TlsStart::default() })
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
