//! Octets between the stream and the machine, in clear or through TLS.

use crate::{handler::TlsInfo, stream::Stream};
use smtp_proto::server::ServerConnection;
use std::{
    io::{self, BufRead, IoSlice, Read, Write},
    sync::Arc,
    task::{Context, Poll, ready},
};

/// The stream, and TLS on it once that has begun.
pub(crate) struct Pump<S> {
    stream: S,
    tls: Option<Box<Tls>>,
}

struct Tls {
    session: rustls::ServerConnection,
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
        conn: &mut ServerConnection,
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
    pub(crate) fn start_tls(&mut self, config: Arc<rustls::ServerConfig>) -> io::Result<()> {
        let session = rustls::ServerConnection::new(config).map_err(io::Error::other)?;
        self.tls = Some(Box::new(Tls { session, broken: false }));
        Ok(())
    }

    /// Goes on with the handshake. An alert for one that fails is left for
    /// [`poll_flush`](Self::poll_flush).
    pub(crate) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TlsInfo>> {
        let Some(tls) = &mut self.tls else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let failed = loop {
            ready!(poll_write_tls(&mut self.stream, cx, &mut tls.session))?;
            if !tls.session.is_handshaking() {
                return Poll::Ready(Ok(info(&tls.session)));
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

    /// Queues `close_notify`, if there is TLS to close.
    pub(crate) fn close_tls(&mut self) {
        if let Some(tls) = &mut self.tls
            && !tls.broken
        {
            tls.session.send_close_notify();
        }
    }

    /// Closes the writing side.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(cx)
    }

    /// Reads what the stream still brings, to throw it away; 0 is its end.
    pub(crate) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.stream.poll_read(cx, &mut [0; 512])
    }
}

/// Sends all records that rustls has ready.
fn poll_write_tls<S: Stream>(
    stream: &mut S,
    cx: &mut Context<'_>,
    session: &mut rustls::ServerConnection,
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
    session: &mut rustls::ServerConnection,
) -> Poll<io::Result<usize>> {
    match session.read_tls(&mut NonBlocking { stream, cx }) {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        read => Poll::Ready(read),
    }
}

fn info(session: &rustls::ServerConnection) -> TlsInfo {
    TlsInfo {
        version: match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "unknown",
        },
        cipher: session
            .negotiated_cipher_suite()
            .map(|suite| format!("{:?}", suite.suite()))
            .unwrap_or_default(),
        server_name: session.server_name().map(str::to_owned),
        client_certificate: session.peer_certificates().is_some_and(|chain| !chain.is_empty()),
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
