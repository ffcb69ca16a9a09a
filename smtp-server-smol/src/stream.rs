//! Sockets of smol as streams of the driver.

use smol::Async;
use smtp_driver::Stream;
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    os::unix::net::UnixStream,
    task::{Context, Poll, ready},
};

/// A socket of smol.
#[derive(Debug)]
pub struct SmolStream<T>(Async<T>);

impl From<Async<TcpStream>> for SmolStream<TcpStream> {
    /// Takes a connected socket, and turns Nagle's algorithm off: the driver gathers replies
    /// itself, and a delayed one would wait for the peer's delayed acknowledgement.
    fn from(socket: Async<TcpStream>) -> Self {
        // It fails only if the peer is gone, which the first read will tell.
        let _ = socket.get_ref().set_nodelay(true);
        Self(socket)
    }
}

impl From<Async<UnixStream>> for SmolStream<UnixStream> {
    fn from(socket: Async<UnixStream>) -> Self {
        Self(socket)
    }
}

impl<T: Socket> Stream for SmolStream<T>
where
    for<'s> &'s T: Read + Write,
{
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_readable(cx)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.0.get_ref().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
            ready!(self.0.poll_readable(cx))?;
        }
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.0.get_ref().write_vectored(bufs) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
            ready!(self.0.poll_writable(cx))?;
        }
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0.get_ref().shutdown(Shutdown::Write) {
            // The peer was first.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}

/// What sockets have in common without a trait for it.
pub trait Socket: Send + Sync {
    #[doc(hidden)]
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
}

impl Socket for TcpStream {
    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }
}

impl Socket for UnixStream {
    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }
}
