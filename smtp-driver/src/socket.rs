//! Listening sockets, before a runtime takes them.

use socket2::{Domain, Protocol, Socket, Type};
use std::{io, net::SocketAddr};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// Listens on `address`; port 0 lets the kernel choose one.
///
/// The address may be that of a server that has just ended (`SO_REUSEADDR`), and an IPv6 address
/// stands for IPv6 only, so that `0.0.0.0` and `[::]` can be listened on side by side. The socket
/// does not block.
///
/// # Errors
/// Those of the system: the address is in use, not ours, or its port needs a privilege.
pub fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Elsewhere it would let two servers share the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
