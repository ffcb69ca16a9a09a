//! Sockets of tokio as streams of the driver.

use smtp_driver::Stream;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};

/// A socket of tokio.
#[derive(Debug)]
pub struct TokioStream<T>(T);

impl From<TcpStream> for TokioStream<TcpStream> {
    /// Takes a connected socket, and turns Nagle's algorithm off: the driver gathers replies
    /// itself, and a delayed one would wait for the peer's delayed acknowledgement.
    fn from(socket: TcpStream) -> Self {
        // It fails only if the peer is gone, which the first read will tell.
        let _ = socket.set_nodelay(true);
        Self(socket)
    }
}

impl From<UnixStream> for TokioStream<UnixStream> {
    fn from(socket: UnixStream) -> Self {
        Self(socket)
    }
}

impl<T: Readiness> Stream for TokioStream<T> {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_read_ready(cx)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        // Not `try_read`: this forgets the readiness after a short read, so that `poll_readable`
        // waits for the next octets.
        let mut buf = ReadBuf::new(buf);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// What tokio's sockets have in common without a trait for it.
pub trait Readiness: AsyncRead + AsyncWrite + Unpin + Send {
    #[doc(hidden)]
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl Readiness for TcpStream {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(cx)
    }
}

impl Readiness for UnixStream {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(cx)
    }
}
