//! Breaking a stream at a chosen octet.

use crate::Stream;
use std::{
    io::{self, IoSlice},
    task::{Context, Poll, ready},
};

/// How a stream breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Every read, and every write too, fails with this.
    Fail(io::ErrorKind),
    /// Reads say that the stream has ended; writes still go through.
    End,
}

/// Breaks a stream once a number of octets has been read.
#[derive(Debug)]
pub struct Fault<S> {
    inner: S,
    left: usize,
    outcome: Outcome,
}

impl<S: Stream> Fault<S> {
    /// `inner`, which gives `after` octets to read and then breaks.
    pub fn new(inner: S, after: usize, outcome: Outcome) -> Self {
        Self { inner, left: after, outcome }
    }

    fn broken(&self) -> Option<io::Result<usize>> {
        (self.left == 0).then_some(match self.outcome {
            Outcome::Fail(kind) => Err(kind.into()),
            Outcome::End => Ok(0),
        })
    }
}

impl<S: Stream> Stream for Fault<S> {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.broken() {
            Some(_) => Poll::Ready(Ok(())),
            None => self.inner.poll_readable(cx),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if let Some(broken) = self.broken() {
            return Poll::Ready(broken);
        }
        let most = buf.len().min(self.left);
        let n = ready!(self.inner.poll_read(cx, &mut buf[..most]))?;
        self.left -= n;
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.broken() {
            Some(Err(e)) => Poll::Ready(Err(e)),
            _ => self.inner.poll_write_vectored(cx, bufs),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_shutdown(cx)
    }
}
