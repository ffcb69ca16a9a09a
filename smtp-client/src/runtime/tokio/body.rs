//! Messages from tokio's readers and files.

use crate::body::{Body, Chunk, Window};
use std::{
    io::{self, SeekFrom},
    path::Path,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    fs,
    io::{AsyncRead, AsyncSeek, ReadBuf},
};

/// The message that a reader gives. It can be sent once: to another host, or in another
/// transaction, only while no more than its first 64 KiB were read.
#[derive(Debug)]
pub struct Reader<R> {
    inner: R,
    window: Window,
}

impl<R: AsyncRead + Unpin + Send> Reader<R> {
    /// What `inner` gives, up to its end.
    pub fn new(inner: R) -> Self {
        Self { inner, window: Window::new() }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let inner = &mut self.inner;
        self.window.poll_fill(cx, |cx, octets| {
            let mut buf = ReadBuf::new(octets);
            ready!(Pin::new(&mut *inner).poll_read(cx, &mut buf))?;
            Poll::Ready(Ok(buf.filled().len()))
        })
    }
}

impl<R: AsyncRead + Unpin + Send> Body for Reader<R> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_fill(cx)
    }

    fn chunk(&self) -> Chunk<'_> {
        self.window.chunk()
    }

    fn poll_rewind(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.window.rewind())
    }

    fn can_rewind(&self) -> bool {
        false
    }
}

/// The message that a file has, from its start. It can be sent any number of times.
#[derive(Debug)]
pub struct File<F = fs::File> {
    reader: Reader<F>,
    /// A seek is under way.
    seeking: bool,
}

impl File {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// Those of the file system.
    pub async fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        fs::File::open(path).await.map(Self::new)
    }
}

impl<F: AsyncRead + AsyncSeek + Unpin + Send> File<F> {
    /// What `inner` has, wherever it stands now.
    pub fn new(inner: F) -> Self {
        Self { reader: Reader::new(inner), seeking: false }
    }
}

impl<F: AsyncRead + AsyncSeek + Unpin + Send> Body for File<F> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.reader.poll_fill(cx)
    }

    fn chunk(&self) -> Chunk<'_> {
        self.reader.window.chunk()
    }

    fn poll_rewind(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = Pin::new(&mut self.reader.inner);
        if !self.seeking {
            // Whatever was begun has to end first.
            ready!(inner.as_mut().poll_complete(cx))?;
            inner.as_mut().start_seek(SeekFrom::Start(0))?;
            self.seeking = true;
        }
        let sought = ready!(inner.poll_complete(cx));
        self.seeking = false;
        self.reader.window.clear();
        Poll::Ready(sought.map(drop))
    }

    fn can_rewind(&self) -> bool {
        true
    }
}
