//! A duplex byte stream without a network.
//!
//! Both ends are alike. What runs in an executor uses an end as a [`Stream`]; what stands outside
//! of it, a script say, uses the plain methods, which never wait.

use crate::lock;
use smtp_driver::Stream;
use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

/// Two connected ends; each direction holds at most `capacity` octets that were not read yet.
#[must_use]
pub fn pair(capacity: usize) -> (MemoryStream, MemoryStream) {
    let there = Arc::new(Mutex::new(Pipe::new(capacity)));
    let back = Arc::new(Mutex::new(Pipe::new(capacity)));
    (
        MemoryStream { incoming: there.clone(), outgoing: back.clone() },
        MemoryStream { incoming: back, outgoing: there },
    )
}

/// One end of a [`pair`]. Dropping it closes both directions.
#[derive(Debug)]
pub struct MemoryStream {
    incoming: Arc<Mutex<Pipe>>,
    outgoing: Arc<Mutex<Pipe>>,
}

impl MemoryStream {
    /// Writes as much of `octets` as there is room for, and says how much that was; nothing once
    /// either side has closed this direction.
    pub fn put(&self, octets: &[u8]) -> usize {
        lock(&self.outgoing).write(octets)
    }

    /// Takes everything that has arrived.
    #[must_use]
    pub fn take(&self) -> Vec<u8> {
        let mut pipe = lock(&self.incoming);
        let octets = pipe.octets.drain(..).collect();
        pipe.wake_writer();
        octets
    }

    /// Closes the writing side; the other end reads what was written, then the end of the stream.
    pub fn close(&self) {
        lock(&self.outgoing).close();
    }

    /// Whether the other end has closed its writing side and all of it has been taken.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let pipe = lock(&self.incoming);
        pipe.closed && pipe.octets.is_empty()
    }
}

impl Stream for MemoryStream {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = lock(&self.incoming);
        if pipe.octets.is_empty() && !pipe.closed {
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut pipe = lock(&self.incoming);
        if pipe.octets.is_empty() && !pipe.closed && !buf.is_empty() {
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = buf.len().min(pipe.octets.len());
        for (to, octet) in buf.iter_mut().zip(pipe.octets.drain(..n)) {
            *to = octet;
        }
        pipe.wake_writer();
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = lock(&self.outgoing);
        if pipe.closed || pipe.reader_gone {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let wanted: usize = bufs.iter().map(|buf| buf.len()).sum();
        let written = bufs.iter().map(|buf| pipe.write(buf)).sum();
        if written == 0 && wanted > 0 {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(written))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close();
        Poll::Ready(Ok(()))
    }
}

impl Drop for MemoryStream {
    fn drop(&mut self) {
        lock(&self.outgoing).close();
        let mut incoming = lock(&self.incoming);
        incoming.reader_gone = true;
        incoming.wake_writer();
    }
}

/// One direction.
#[derive(Debug)]
struct Pipe {
    octets: VecDeque<u8>,
    capacity: usize,
    /// The writer will write no more.
    closed: bool,
    reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn new(capacity: usize) -> Self {
        Self {
            octets: VecDeque::new(),
            capacity,
            closed: false,
            reader_gone: false,
            reader: None,
            writer: None,
        }
    }

    fn write(&mut self, octets: &[u8]) -> usize {
        if self.closed || self.reader_gone {
            return 0;
        }
        let n = octets.len().min(self.capacity - self.octets.len());
        self.octets.extend(&octets[..n]);
        if n > 0 {
            self.wake_reader();
        }
        n
    }

    fn close(&mut self) {
        self.closed = true;
        self.wake_reader();
    }

    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    fn wake_writer(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::pair;
    use crate::clock::VirtualRuntime;
    use smtp_driver::Stream;
    use std::{future::poll_fn, io::IoSlice};

    #[test]
    fn a_full_pipe_makes_the_writer_wait_for_the_reader() {
        let runtime = VirtualRuntime::new();
        let (mut writer, reader) = pair(4);
        let task = runtime.spawn(async move {
            let first = poll_fn(|cx| writer.poll_write_vectored(cx, &[IoSlice::new(b"abcdef")]));
            assert_eq!(first.await.unwrap(), 4);
            let bufs = [IoSlice::new(b"e"), IoSlice::new(b"f")];
            let second = poll_fn(|cx| writer.poll_write_vectored(cx, &bufs));
            assert_eq!(second.await.unwrap(), 2);
        });
        runtime.run_ready();
        assert!(!task.is_finished());
        assert_eq!(reader.take(), b"abcd");
        runtime.run_ready();
        assert!(task.is_finished());
        assert_eq!(reader.take(), b"ef");
        assert!(reader.is_finished());
    }

    #[test]
    fn what_was_written_before_the_end_is_read_before_the_end() {
        let runtime = VirtualRuntime::new();
        let (script, mut stream) = pair(64);
        assert_eq!(script.put(b"QUIT\r\n"), 6);
        script.close();
        assert_eq!(script.put(b"more"), 0);
        let read = runtime.run_until(async move {
            poll_fn(|cx| stream.poll_readable(cx)).await.unwrap();
            let mut buf = [0; 16];
            let first = poll_fn(|cx| stream.poll_read(cx, &mut buf)).await.unwrap();
            let second = poll_fn(|cx| stream.poll_read(cx, &mut buf)).await.unwrap();
            (first, second)
        });
        assert_eq!(read, (6, 0));
    }
}
