//! The listening sockets, and what happens at them.

use super::{Passed, Refusal};
use crate::config::{Listener, Role};
use smtp_driver::Notice;
use smtp_server_tokio::TcpListener;
use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

/// Where a listener gets its connections from.
#[derive(Debug)]
pub(super) enum Socket {
    /// From where one gets them that is open, by its place among these.
    Kept(usize),
    /// From a socket of its own.
    New(TcpListener),
}

/// A socket for each of `listeners` but those that this machine cannot have: the one that is `open`
/// at its address, or one that was passed, or a new one.
pub(super) fn sockets(
    listeners: &[Listener],
    open: &[SocketAddr],
    passed: Passed,
) -> Result<Vec<(Listener, Socket)>, Refusal> {
    let mut free: Vec<_> = open.iter().map(Some).collect();
    let mut sockets = Vec::new();
    for (listener, passed) in listeners.iter().zip(passed.assign(listeners)?) {
        let address = listener.address;
        let kept = free.iter_mut().position(|it| it.take_if(|it| **it == address).is_some());
        let socket = match (kept, passed) {
            (Some(place), _) => Ok(Socket::Kept(place)),
            (None, Some(passed)) => passed.try_into().map(Socket::New),
            (None, None) => TcpListener::bind(address).map(Socket::New),
        };
        match socket {
            Ok(socket) => sockets.push((listener.clone(), socket)),
            Err(error) if is_missing_loopback(address, &error) => {
                tracing::info!(address = address.to_string(), "no IPv6 here: listener left out");
            }
            Err(error) => {
                let ours = open.iter().find(|it| it.port() == address.port());
                return Err(cannot_listen(address, &error, ours));
            }
        }
    }
    if sockets.is_empty() {
        return Err(Refusal("there is no address to listen on".into()));
    }
    Ok(sockets)
}

/// A machine without IPv6 is no reason not to run on loopback.
fn is_missing_loopback(address: SocketAddr, error: &io::Error) -> bool {
    // EAFNOSUPPORT on Linux, for which the standard library has no stable kind.
    let no_family = error.raw_os_error() == Some(97);
    let no_address = error.kind() == io::ErrorKind::AddrNotAvailable;
    address.ip() == IpAddr::from(Ipv6Addr::LOCALHOST) && (no_family || no_address)
}

fn cannot_listen(address: SocketAddr, error: &io::Error, ours: Option<&SocketAddr>) -> Refusal {
    Refusal(match (error.kind(), ours) {
        (io::ErrorKind::AddrInUse, Some(ours)) => {
            format!("cannot listen on {address} beside {ours}: that needs a restart")
        }
        (io::ErrorKind::AddrInUse, None) => {
            format!("cannot listen on {address}: another program uses this port")
        }
        _ => format!("cannot listen on {address}: {error}"),
    })
}

/// The addresses at which other servers reach us, as far as this machine knows them.
pub(super) fn own_addresses(listeners: &[Listener]) -> io::Result<Vec<IpAddr>> {
    let mut own = Vec::new();
    for listener in listeners.iter().filter(|listener| listener.role == Role::Mx) {
        let at = listener.address.ip();
        if !at.is_unspecified() {
            own.push(at);
            continue;
        }
        // A socket for all addresses of IPv6 takes those of IPv4 as well.
        let interfaces = if_addrs::get_if_addrs()?.into_iter().map(|interface| interface.ip());
        own.extend(interfaces.filter(|ip| ip.is_ipv4() || at.is_ipv6()));
    }
    own.sort_unstable();
    own.dedup();
    Ok(own)
}

/// What happens beside the sessions, whose handlers log for themselves.
pub(super) fn observe(notice: Notice<'_>) {
    match notice {
        Notice::AcceptFailed(error) => {
            tracing::error!(reason = error.to_string(), "cannot accept connections");
        }
        Notice::TurnedAway { peer, full } => {
            let peer = peer.remote.map(|remote| remote.to_string());
            tracing::warn!(peer, reason = full.to_string(), "connection turned away");
        }
        Notice::Ended { peer, result } => {
            let peer = peer.remote.map(|remote| remote.to_string());
            tracing::debug!(peer, reason = format!("{result:?}"), "connection ended");
        }
        Notice::Cut { peer } => {
            let peer = peer.remote.map(|remote| remote.to_string());
            tracing::warn!(peer, "connection cut: it had not ended in time");
        }
        _ => {}
    }
}
