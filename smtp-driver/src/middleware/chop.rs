//! Cutting up reads and writes.

use crate::Stream;
use std::{
    io::{self, IoSlice},
    task::{Context, Poll},
};

/// Cuts each read and write of a stream to a few octets, as many as a seed says: the same seed
/// gives the same cuts.
#[derive(Debug)]
pub struct Chop<S> {
    inner: S,
    most: usize,
    state: u64,
}

impl<S: Stream> Chop<S> {
    /// `inner`, with reads and writes of 1 to `most` octets each.
    pub fn new(inner: S, most: usize, seed: u64) -> Self {
        Self { inner, most: most.max(1), state: seed }
    }

    /// 1 to `most`, by SplitMix64.
    fn cut(&mut self) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let z = (z ^ (z >> 31)) >> 33;
        1 + usize::try_from(z).unwrap_or(0) % self.most
    }
}

impl<S: Stream> Stream for Chop<S> {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_readable(cx)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let n = self.cut().min(buf.len());
        self.inner.poll_read(cx, &mut buf[..n])
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let most = self.cut();
        let Some(first) = bufs.iter().find(|buf| !buf.is_empty()) else {
            return Poll::Ready(Ok(0));
        };
        let n = most.min(first.len());
        self.inner.poll_write_vectored(cx, &[IoSlice::new(&first[..n])])
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_shutdown(cx)
    }
}
