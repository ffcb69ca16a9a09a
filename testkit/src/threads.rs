//! An adapter without a runtime and without the driver: blocking sockets, a thread for each
//! connection, and the machine.

use rustls::StreamOwned;
use smtp_proto::{
    Instant, Need, Step,
    server::{Event, ServerConfig, ServerConnection, Start},
};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

/// How long the peer may be silent in a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Serves each of `sockets`, as they come; `answerer` makes for each connection what answers its
/// events.
pub fn serve<A>(
    sockets: impl Iterator<Item = TcpStream>,
    config: &Arc<ServerConfig>,
    answerer: impl Fn() -> A,
) where
    A: FnMut(&mut ServerConnection, Event<'_>) + Send + 'static,
{
    serve_with(sockets, config, None, answerer);
}

/// The same; where there is `tls`, and the machine offers it, STARTTLS is answered here.
pub fn serve_with<A>(
    sockets: impl Iterator<Item = TcpStream>,
    config: &Arc<ServerConfig>,
    tls: Option<&Arc<rustls::ServerConfig>>,
    answerer: impl Fn() -> A,
) where
    A: FnMut(&mut ServerConnection, Event<'_>) + Send + 'static,
{
    for socket in sockets {
        let (config, tls, answer) = (config.clone(), tls.cloned(), answerer());
        // A broken connection is the peer's business.
        thread::spawn(move || drop(serve_one(socket, config, tls, answer)));
    }
}

/// A socket, which may have begun TLS.
enum Socket {
    Clear(TcpStream),
    Secure(Box<StreamOwned<rustls::ServerConnection, TcpStream>>),
}

impl Socket {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Clear(socket) => socket,
            Self::Secure(stream) => &stream.sock,
        }
    }

    /// Does the handshake.
    fn secure(&mut self, tls: Arc<rustls::ServerConfig>) -> io::Result<()> {
        let socket = self.tcp().try_clone()?;
        socket.set_read_timeout(Some(HANDSHAKE))?;
        let session = rustls::ServerConnection::new(tls).map_err(io::Error::other)?;
        let mut stream = Box::new(StreamOwned::new(session, socket));
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        *self = Self::Secure(stream);
        Ok(())
    }

    /// Says that nothing more comes.
    fn finish(&mut self) -> io::Result<()> {
        if let Self::Secure(stream) = self {
            stream.conn.send_close_notify();
            stream.flush()?;
        }
        self.tcp().shutdown(Shutdown::Write)
    }
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.read(buf),
            Self::Secure(stream) => stream.read(buf),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.write(buf),
            Self::Secure(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(socket) => socket.flush(),
            Self::Secure(stream) => stream.flush(),
        }
    }
}

/// Serves one connection, from its first octet to its last. Each event is given to `answer`, which
/// answers it at once.
fn serve_one(
    socket: TcpStream,
    config: Arc<ServerConfig>,
    tls: Option<Arc<rustls::ServerConfig>>,
    mut answer: impl FnMut(&mut ServerConnection, Event<'_>),
) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut socket = Socket::Clear(socket);
    let origin = std::time::Instant::now();
    let linger = config.timeouts().linger;
    let mut machine = ServerConnection::new(config, Start::Plain);
    let mut received = Vec::new();
    loop {
        let now = Instant::ZERO + origin.elapsed();
        let mut unread = received.as_slice();
        let need = loop {
            match machine.poll_event(&mut unread, now) {
                // An answer can only be stale when its timer has fired meanwhile.
                Step::Event(Event::StartTls(pending)) if tls.is_some() => {
                    let _ = machine.accept(pending);
                }
                Step::Event(Event::Handshake(pending)) => {
                    let done = tls.clone().map(|tls| socket.secure(tls));
                    let _ = match done {
                        Some(Ok(())) => machine.establish(pending),
                        _ => machine.abandon(pending),
                    };
                }
                Step::Event(event) => answer(&mut machine, event),
                Step::Need(need) => break Some(need),
                Step::Closed(_) => break None,
            }
        };
        let consumed = received.len() - unread.len();
        received.drain(..consumed);
        while let Some(octets) = machine.poll_transmit() {
            let written = socket.write(octets)?;
            machine.handle_transmitted(written);
        }
        socket.flush()?;
        match need {
            Some(Need::Flush) => {}
            Some(Need::Decision | Need::Input) => {
                // Zero would mean: no time-out.
                let least = Duration::from_millis(1);
                let left = machine.poll_timeout().map(|at| at.saturating_since(now).max(least));
                socket.tcp().set_read_timeout(left)?;
                let mut buf = [0; 4096];
                match socket.read(&mut buf) {
                    Ok(0) => machine.handle_eof(),
                    Ok(n) => received.extend_from_slice(&buf[..n]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        machine.handle_timeout(Instant::ZERO + origin.elapsed());
                    }
                    Err(error) => return Err(error),
                }
            }
            None => {
                socket.finish()?;
                // What the peer still sends is read, or the system would tell it of an error.
                let mut socket = socket.tcp();
                socket.set_read_timeout(Some(linger))?;
                io::copy(&mut socket, &mut io::sink())?;
                return Ok(());
            }
        }
    }
}
