//! Listeners of tokio, and the server that runs over them.

use crate::{stream::TokioStream, timer::Tokio};
use smtp_driver::{Listener, Peer};
use std::{
    io,
    net::SocketAddr,
    task::{Context, Poll, ready},
};
use tokio::net::{TcpStream, UnixStream};

/// A server on tokio: `Server::new(Tokio::new(), service, handlers).run(listener)`.
pub type Server<N> = smtp_driver::Server<Tokio, N>;

/// Accepts TCP connections. Must be made and used within the runtime.
#[derive(Debug)]
pub struct TcpListener(tokio::net::TcpListener);

impl TcpListener {
    /// Listens on `address` with a long backlog; port 0 lets the kernel choose one. See
    /// [`smtp_driver::listen`].
    ///
    /// # Errors
    /// Those of the system: the address is in use, not ours, or its port needs a privilege.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        smtp_driver::listen(address)?.try_into()
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl TryFrom<std::net::TcpListener> for TcpListener {
    type Error = io::Error;

    /// Takes a socket that listens already, such as one that systemd passed.
    fn try_from(socket: std::net::TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(socket).map(Self)
    }
}

impl Listener for TcpListener {
    type Stream = TokioStream<TcpStream>;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Stream, Peer)>> {
        let (socket, remote) = ready!(self.0.poll_accept(cx))?;
        let peer = Peer { remote: Some(remote), local: socket.local_addr().ok() };
        Poll::Ready(Ok((socket.into(), peer)))
    }
}

/// Accepts connections to a unix socket, as LMTP often does. Must be made and used within the
/// runtime.
#[derive(Debug)]
pub struct UnixListener(tokio::net::UnixListener);

impl TryFrom<std::os::unix::net::UnixListener> for UnixListener {
    type Error = io::Error;

    /// Takes a socket that listens already.
    fn try_from(socket: std::os::unix::net::UnixListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        tokio::net::UnixListener::from_std(socket).map(Self)
    }
}

impl Listener for UnixListener {
    type Stream = TokioStream<UnixStream>;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Stream, Peer)>> {
        let (socket, _) = ready!(self.0.poll_accept(cx))?;
        Poll::Ready(Ok((socket.into(), Peer { remote: None, local: None })))
    }
}
