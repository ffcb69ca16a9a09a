//! Octets between the stream and the machine, in clear or through TLS. It is the same for both
//! roles.

use crate::{
    handler::ClientCertificate,
    stream::Stream,
    tls::{ChannelBinding, Session, client_certificate},
};
use smtp_proto::{client::ClientConnection, server::ServerConnection};
use std::{
    io::{self, BufRead, IoSlice, Read, Write},
    task::{Context, Poll, ready},
};

/// A machine, as far as it has something to write.
pub(crate) trait Output {
    fn poll_transmit(&self) -> Option<&[u8]>;
    fn handle_transmitted(&mut self, n: usize);
}

impl Output for ServerConnection {
    fn poll_transmit(&self) -> Option<&[u8]> {
        self.poll_transmit()
    }

    fn handle_transmitted(&mut self, n: usize) {
        self.handle_transmitted(n);
    }
}

impl Output for ClientConnection {
    fn poll_transmit(&self) -> Option<&[u8]> {
        self.poll_transmit()
    }

    fn handle_transmitted(&mut self, n: usize) {
        self.handle_transmitted(n);
    }
}

/// Slices that one write is given at most.
const SLICES: usize = 64;

/// What is still to be written of the octets of a message.
pub(crate) struct Pieces<'p> {
    pieces: &'p [&'p [u8]],
    /// Octets of the first piece that have been written.
    written: usize,
}

impl<'p> Pieces<'p> {
    pub(crate) fn new(pieces: &'p [&'p [u8]]) -> Self {
        let mut pieces = Self { pieces, written: 0 };
        pieces.advance(0);
        pieces
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// `n` octets were written. Stops at the end.
    fn advance(&mut self, n: usize) {
        self.written += n;
        while let Some((first, rest)) = self.pieces.split_first() {
            if self.written < first.len() {
                return;
            }
            self.written -= first.len();
            self.pieces = rest;
        }
    }

    fn iter(&self) -> impl Iterator<Item = &'p [u8]> {
        let skipped = self.written;
        let (first, rest) = match self.pieces.split_first() {
            Some((first, rest)) => (Some(&first[skipped..]), rest),
            None => (None, self.pieces),
        };
        first.into_iter().chain(rest.iter().copied())
    }
}

/// Has `write` take the machine's output, `pieces`, and what the machine has behind them, in one
/// call, and tells the machine how much of it was taken.
fn write_body(
    conn: &mut ClientConnection,
    pieces: &mut Pieces<'_>,
    write: impl FnOnce(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<()>> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let mut used = 0;
    let head = conn.poll_transmit().unwrap_or_default();
    // What stands behind the pieces may only leave with the last of them.
    let behind = conn.poll_transmit_behind().unwrap_or_default();
    let all = [head].into_iter().chain(pieces.iter()).chain([behind]);
    for octets in all.filter(|octets| !octets.is_empty()).take(SLICES) {
        slices[used] = IoSlice::new(octets);
        used += 1;
    }
    let n = ready!(write(&slices[..used]))?;
    if n == 0 {
        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
    }
    pieces.advance(n.saturating_sub(head.len()));
    conn.handle_transmitted(n);
    Poll::Ready(Ok(()))
}

/// How far the closing of a stream has come.
#[derive(Default)]
pub(crate) enum Closing {
    #[default]
    Output,
    TlsNotice,
    Shutdown,
    Drain,
}

/// Reads of a stream that is closed that one wake-up may do before other tasks get their turn.
const DRAINS: u32 = 64;

/// The stream, and TLS on it once that has begun.
pub(crate) struct Pump<S> {
    stream: S,
    tls: Option<Box<Tls>>,
}

struct Tls {
    session: rustls::Connection,
    ems_required: bool,
    /// It broke: only rustls' own alert is still to be sent, no text of SMTP.
    broken: bool,
}

impl<S: Stream> Pump<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, tls: None }
    }

    /// Writes what the machine has to say. Ready when all of it has left.
    pub(crate) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        conn: &mut impl Output,
    ) -> Poll<io::Result<()>> {
        let Some(tls) = &mut self.tls else {
            while let Some(octets) = conn.poll_transmit() {
                let n = ready!(self.stream.poll_write_vectored(cx, &[IoSlice::new(octets)]))?;
                if n == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                conn.handle_transmitted(n);
            }
            return Poll::Ready(Ok(()));
        };
        // The machine's output counts as sent when its last record has left, but for one: so its
        // flush timer watches the peer, not a buffer inside rustls.
        loop {
            ready!(poll_write_tls(&mut self.stream, cx, &mut tls.session))?;
            let Some(octets) = conn.poll_transmit().filter(|_| !tls.broken) else {
                return Poll::Ready(Ok(()));
            };
            let n = tls.session.writer().write(octets)?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            conn.handle_transmitted(n);
        }
    }

    /// Writes some of the `pieces` of a message where the machine wants them: behind its own output
    /// and before what it has behind them. Ready when some have left; with TLS, when they have left
    /// as records.
    ///
    /// In clear the pieces go to the stream as they are; rustls encrypts them from where they are.
    pub(crate) fn poll_write_body(
        &mut self,
        cx: &mut Context<'_>,
        conn: &mut ClientConnection,
        pieces: &mut Pieces<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(tls) = &mut self.tls else {
            return match pieces.is_empty() {
                true => Poll::Ready(Ok(())),
                false => {
                    let stream = &mut self.stream;
                    write_body(conn, pieces, |bufs| stream.poll_write_vectored(cx, bufs))
                }
            };
        };
        ready!(poll_write_tls(&mut self.stream, cx, &mut tls.session))?;
        if pieces.is_empty() {
            return Poll::Ready(Ok(()));
        }
        if tls.broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let mut writer = tls.session.writer();
        ready!(write_body(conn, pieces, |bufs| Poll::Ready(writer.write_vectored(bufs))))?;
        poll_write_tls(&mut self.stream, cx, &mut tls.session)
    }

    /// Reads for the machine into `buf`, which is not empty; 0 is the end of the stream.
    ///
    /// A stream that ends without `close_notify` ends all the same: SMTP frames its messages, so
    /// a truncated one is aborted by the machine.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Some(tls) = &mut self.tls else { return self.stream.poll_read(cx, buf) };
        loop {
            match tls.session.reader().read(buf) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Poll::Ready(Ok(0)),
                read => return Poll::Ready(read),
            }
            ready!(poll_read_tls(&mut self.stream, cx, &mut tls.session))?;
            if let Err(e) = tls.session.process_new_packets() {
                tls.broken = true;
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, e)));
            }
        }
    }

    /// Ready when [`poll_read`](Self::poll_read) is worth a try.
    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(tls) = &mut self.tls {
            match tls.session.reader().fill_buf() {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                _ => return Poll::Ready(Ok(())),
            }
        }
        self.stream.poll_readable(cx)
    }

    /// Begins TLS: what the stream brings from now on is the peer's handshake.
    pub(crate) fn start_tls(&mut self, session: Session) {
        let Session { connection, ems_required } = session;
        self.tls = Some(Box::new(Tls { session: connection, ems_required, broken: false }));
    }

    /// What a login can be bound to; `None` in clear.
    pub(crate) fn channel_binding(&self) -> Option<ChannelBinding> {
        let tls = self.tls.as_ref()?;
        ChannelBinding::of(&tls.session, tls.ems_required)
    }

    /// What the peer, a client, has shown; `None` in clear.
    pub(crate) fn client_certificate(&self) -> Option<ClientCertificate> {
        client_certificate(&self.tls.as_ref()?.session)
    }

    /// Goes on with the handshake. An alert for one that fails is left for
    /// [`poll_flush`](Self::poll_flush).
    pub(crate) fn poll_handshake(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<&rustls::Connection>> {
        let Some(tls) = &mut self.tls else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let failed = loop {
            ready!(poll_write_tls(&mut self.stream, cx, &mut tls.session))?;
            if !tls.session.is_handshaking() {
                return Poll::Ready(Ok(&tls.session));
            }
            match ready!(poll_read_tls(&mut self.stream, cx, &mut tls.session)) {
                Ok(0) => break io::ErrorKind::UnexpectedEof.into(),
                Ok(_) => {}
                Err(e) => break e,
            }
            if let Err(e) = tls.session.process_new_packets() {
                break io::Error::new(io::ErrorKind::InvalidData, e);
            }
        };
        tls.broken = true;
        Poll::Ready(Err(failed))
    }

    /// Closes the stream: writes what is left, says `close_notify`, closes our side and waits for
    /// the peer to close its own.
    pub(crate) fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        conn: &mut impl Output,
        closing: &mut Closing,
    ) -> Poll<io::Result<()>> {
        let mut budget = DRAINS;
        loop {
            *closing = match closing {
                Closing::Output => {
                    ready!(self.poll_flush(cx, conn))?;
                    if let Some(tls) = self.tls.as_mut().filter(|tls| !tls.broken) {
                        tls.session.send_close_notify();
                    }
                    Closing::TlsNotice
                }
                Closing::TlsNotice => {
                    ready!(self.poll_flush(cx, conn))?;
                    Closing::Shutdown
                }
                Closing::Shutdown => {
                    ready!(self.stream.poll_shutdown(cx))?;
                    Closing::Drain
                }
                Closing::Drain => {
                    // Closing with octets unread would make the kernel send a reset, which can
                    // overtake our last words.
                    if ready!(self.stream.poll_read(cx, &mut [0; 512]))? == 0 {
                        return Poll::Ready(Ok(()));
                    }
                    budget -= 1;
                    if budget == 0 {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Closing::Drain
                }
            };
        }
    }
}

/// Sends all records that rustls has ready.
fn poll_write_tls<S: Stream>(
    stream: &mut S,
    cx: &mut Context<'_>,
    session: &mut rustls::Connection,
) -> Poll<io::Result<()>> {
    while session.wants_write() {
        match session.write_tls(&mut NonBlocking { stream, cx }) {
            Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(e) => return Poll::Ready(Err(e)),
        }
    }
    Poll::Ready(Ok(()))
}

fn poll_read_tls<S: Stream>(
    stream: &mut S,
    cx: &mut Context<'_>,
    session: &mut rustls::Connection,
) -> Poll<io::Result<usize>> {
    match session.read_tls(&mut NonBlocking { stream, cx }) {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        read => Poll::Ready(read),
    }
}

/// A [`Stream`] as rustls wants it: what would wait is `WouldBlock`, with the waker kept.
struct NonBlocking<'s, 'w, S> {
    stream: &'s mut S,
    cx: &'s mut Context<'w>,
}

fn or_would_block<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl<S: Stream> Read for NonBlocking<'_, '_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        or_would_block(self.stream.poll_read(self.cx, buf))
    }
}

impl<S: Stream> Write for NonBlocking<'_, '_, S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        or_would_block(self.stream.poll_write_vectored(self.cx, bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
