//! Listeners of smol, and the server that runs over them.

use crate::{stream::SmolStream, timer::Smol};
use smol::Async;
use smtp_driver::{Listener, Peer};
use std::{
    io,
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    task::{Context, Poll, ready},
};

/// A server on smol: `Server::new(Smol::new(), service, handlers).run(listener)`.
pub type Server<N> = smtp_driver::Server<Smol, N>;

/// Accepts TCP connections.
#[derive(Debug)]
pub struct TcpListener(Async<std::net::TcpListener>);

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
        self.0.get_ref().local_addr()
    }
}

impl TryFrom<std::net::TcpListener> for TcpListener {
    type Error = io::Error;

    /// Takes a socket that listens already, such as one that systemd passed.
    fn try_from(socket: std::net::TcpListener) -> io::Result<Self> {
        Async::new(socket).map(Self)
    }
}

impl Listener for TcpListener {
    type Stream = SmolStream<TcpStream>;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Stream, Peer)>> {
        let (socket, remote) = ready!(poll_accept(&self.0, cx, std::net::TcpListener::accept))?;
        let peer = Peer { remote: Some(remote), local: socket.local_addr().ok() };
        Poll::Ready(Ok((Async::new(socket)?.into(), peer)))
    }
}

/// Accepts connections to a unix socket, as LMTP often does.
#[derive(Debug)]
pub struct UnixListener(Async<std::os::unix::net::UnixListener>);

impl TryFrom<std::os::unix::net::UnixListener> for UnixListener {
    type Error = io::Error;

    /// Takes a socket that listens already.
    fn try_from(socket: std::os::unix::net::UnixListener) -> io::Result<Self> {
        Async::new(socket).map(Self)
    }
}

impl Listener for UnixListener {
    type Stream = SmolStream<UnixStream>;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Stream, Peer)>> {
        let (socket, _) =
            ready!(poll_accept(&self.0, cx, std::os::unix::net::UnixListener::accept))?;
        let peer = Peer { remote: None, local: None };
        Poll::Ready(Ok((Async::new(socket)?.into(), peer)))
    }
}

fn poll_accept<L, T>(
    listener: &Async<L>,
    cx: &mut Context<'_>,
    accept: impl Fn(&L) -> io::Result<T>,
) -> Poll<io::Result<T>> {
    loop {
        match accept(listener.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
        ready!(listener.poll_readable(cx))?;
    }
}
