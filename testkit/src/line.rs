//! The client's end of a dialogue.

use smtp_driver::{Runtime, Stream, Timer};
use std::{
    future::{self, Future, poll_fn},
    io::{self, IoSlice, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    task::{Poll, ready},
    time::Duration,
};

/// The client's side of a connection, whatever it is made of.
pub trait Line {
    /// Sends all of `octets`, in one write if it can.
    ///
    /// # Errors
    /// Those of the connection.
    fn write(&mut self, octets: &[u8]) -> impl Future<Output = io::Result<()>>;
    /// Receives some octets; 0 at the end.
    ///
    /// # Errors
    /// Those of the connection, and that the server is silent for too long.
    fn read(&mut self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>>;
    /// Closes the writing side.
    ///
    /// # Errors
    /// Those of the connection.
    fn finish(&mut self) -> impl Future<Output = io::Result<()>>;
    /// Lets time pass.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] where time cannot be made to pass.
    fn pass(&mut self, time: Duration) -> impl Future<Output = io::Result<()>>;
}

/// A [`Stream`] with the runtime that it lives in; in a
/// [`VirtualRuntime`](crate::clock::VirtualRuntime) hours pass at once.
#[derive(Debug)]
pub struct StreamLine<S, R> {
    stream: S,
    runtime: R,
    /// Read while a write had to wait, so that two narrow pipes cannot block each other.
    stash: Vec<u8>,
}

impl<S: Stream, R: Runtime> StreamLine<S, R> {
    /// The client's end of a connection is `stream`.
    pub fn new(stream: S, runtime: R) -> Self {
        Self { stream, runtime, stash: Vec::new() }
    }
}

impl<S: Stream, R: Runtime> Line for StreamLine<S, R> {
    async fn write(&mut self, mut octets: &[u8]) -> io::Result<()> {
        while !octets.is_empty() {
            let bufs = [IoSlice::new(octets)];
            let n = poll_fn(|cx| {
                let written = self.stream.poll_write_vectored(cx, &bufs);
                let mut buf = [0; 512];
                match written {
                    Poll::Pending => match ready!(self.stream.poll_read(cx, &mut buf)) {
                        // The server has closed its side, and may still read.
                        Ok(0) => Poll::Pending,
                        Ok(n) => {
                            self.stash.extend_from_slice(&buf[..n]);
                            Poll::Ready(Ok(0))
                        }
                        Err(error) => Poll::Ready(Err(error)),
                    },
                    written => written,
                }
            })
            .await?;
            octets = &octets[n..];
        }
        Ok(())
    }

    async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.stash.is_empty() {
            let n = buf.len().min(self.stash.len());
            buf[..n].copy_from_slice(&self.stash[..n]);
            self.stash.drain(..n);
            return Ok(n);
        }
        poll_fn(|cx| self.stream.poll_read(cx, buf)).await
    }

    async fn finish(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.stream.poll_shutdown(cx)).await
    }

    async fn pass(&mut self, time: Duration) -> io::Result<()> {
        let mut timer = self.runtime.timer();
        timer.set(Some(self.runtime.now() + time));
        poll_fn(|cx| timer.poll_fired(cx)).await;
        Ok(())
    }
}

/// How long the other end of a socket may be silent before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A socket that blocks. An other end that is silent for ten seconds fails the test.
#[derive(Debug)]
pub struct SocketLine(TcpStream);

impl SocketLine {
    /// Connects to `address`.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        TcpStream::connect(address).and_then(Self::new)
    }

    /// The line over `socket`, which is connected.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(socket))
    }

    /// The socket, with all that was not read.
    #[must_use]
    pub fn into_inner(self) -> TcpStream {
        self.0
    }
}

impl Line for SocketLine {
    fn write(&mut self, octets: &[u8]) -> impl Future<Output = io::Result<()>> {
        future::ready(self.0.write_all(octets))
    }

    fn read(&mut self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        future::ready(self.0.read(buf))
    }

    fn finish(&mut self) -> impl Future<Output = io::Result<()>> {
        future::ready(self.0.shutdown(Shutdown::Write))
    }

    fn pass(&mut self, _: Duration) -> impl Future<Output = io::Result<()>> {
        future::ready(Err(io::ErrorKind::Unsupported.into()))
    }
}
