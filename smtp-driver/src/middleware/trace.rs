//! Watching the octets of a stream.

use crate::Stream;
use std::{
    io::{self, IoSlice},
    task::{Context, Poll, ready},
};

/// Which way octets went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the peer.
    Read,
    /// To the peer.
    Written,
}

/// Shows all octets that pass a stream to a callback: in clear text with passwords and messages,
/// so mind where they go. Inside TLS they are ciphertext.
#[derive(Debug)]
pub struct Trace<S, F> {
    inner: S,
    watch: F,
}

impl<S: Stream, F: FnMut(Direction, &[u8]) + Send> Trace<S, F> {
    /// `inner`, with all its octets shown to `watch`.
    pub fn new(inner: S, watch: F) -> Self {
        Self { inner, watch }
    }
}

impl<S: Stream, F: FnMut(Direction, &[u8]) + Send> Stream for Trace<S, F> {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_readable(cx)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let n = ready!(self.inner.poll_read(cx, buf))?;
        (self.watch)(Direction::Read, &buf[..n]);
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let n = ready!(self.inner.poll_write_vectored(cx, bufs))?;
        let mut left = n;
        for buf in bufs {
            let part = left.min(buf.len());
            if part > 0 {
                (self.watch)(Direction::Written, &buf[..part]);
            }
            left -= part;
        }
        Poll::Ready(Ok(n))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_shutdown(cx)
    }
}
