//! The server that the command line names.

use crate::server::Refusal;
use smtp_client::{Endpoint, Hop};
use std::{net::Ipv6Addr, path::PathBuf, str::FromStr};
use tokio::net::lookup_host;

/// Where servers take mail from other servers.
const SMTP: u16 = 25;
/// Where TLS begins with the first octet (RFC 8314 §7.3).
pub(super) const SUBMISSIONS: u16 = 465;

/// A host with a port, or a socket in the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Server {
    Tcp(String, u16),
    Unix(PathBuf),
}

impl Server {
    pub(super) fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(_, port) => Some(*port),
            Self::Unix(_) => None,
        }
    }

    /// Where it is, as the system finds the addresses of its name.
    pub(super) async fn hop(&self) -> Result<Hop, Refusal> {
        match self {
            Self::Tcp(host, port) => {
                let found = lookup_host((host.as_str(), *port)).await;
                let found = found.map_err(|error| {
                    Refusal(format!("the address of {host} cannot be found: {error}"))
                })?;
                Ok(Hop {
                    host: host.as_str().into(),
                    endpoints: found.map(Endpoint::Tcp).collect(),
                })
            }
            Self::Unix(path) => Ok(Hop {
                host: path.display().to_string().into(),
                endpoints: vec![Endpoint::Unix(path.clone())],
            }),
        }
    }
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        let (host, port) = match text.rsplit_once(':') {
            // An IPv6 address with a port has brackets.
            Some((host, port)) if !text.ends_with(']') && text.parse::<Ipv6Addr>().is_err() => {
                (host, port.parse().ok().filter(|port| *port > 0))
            }
            _ => (text, Some(SMTP)),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match port {
            Some(port) if !bare.is_empty() => Ok(Self::Tcp(bare.to_owned(), port)),
            _ => Err("it is neither a host, nor `host:port`, nor `unix:/path`".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_with_or_without_a_port_or_a_socket() {
        let tcp = |host: &str, port| Ok(Server::Tcp(host.to_owned(), port));
        for (text, server) in [
            ("mx.example", tcp("mx.example", 25)),
            ("mx.example:587", tcp("mx.example", 587)),
            ("192.0.2.1", tcp("192.0.2.1", 25)),
            ("2001:db8::1", tcp("2001:db8::1", 25)),
            ("[2001:db8::1]:465", tcp("2001:db8::1", 465)),
            ("[2001:db8::1]", tcp("2001:db8::1", 25)),
            ("unix:/run/lmtp", Ok(Server::Unix("/run/lmtp".into()))),
        ] {
            assert_eq!(text.parse(), server, "{text}");
        }
        for text in ["", ":25", "mx.example:", "mx.example:0", "mx.example:smtp", "unix:"] {
            assert!(text.parse::<Server>().is_err(), "{text}");
        }
    }
}
