//! An adapter without a runtime and without the driver: blocking sockets, a thread for each
//! connection, and the machine.

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

/// Serves each of `sockets`, as they come; `answerer` makes for each connection what answers its
/// events.
pub fn serve<A>(
    sockets: impl Iterator<Item = TcpStream>,
    config: &Arc<ServerConfig>,
    answerer: impl Fn() -> A,
) where
    A: FnMut(&mut ServerConnection, Event<'_>) + Send + 'static,
{
    for socket in sockets {
        let (config, answer) = (config.clone(), answerer());
        // A broken connection is the peer's business.
        thread::spawn(move || drop(serve_one(socket, config, answer)));
    }
}

/// Serves one connection, from its first octet to its last. Each event is given to `answer`, which
/// answers it at once.
///
/// # Errors
/// Those of the socket.
pub fn serve_one(
    mut socket: TcpStream,
    config: Arc<ServerConfig>,
    mut answer: impl FnMut(&mut ServerConnection, Event<'_>),
) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let origin = std::time::Instant::now();
    let linger = config.timeouts().linger;
    let mut machine = ServerConnection::new(config, Start::Plain);
    let mut received = Vec::new();
    loop {
        let now = Instant::ZERO + origin.elapsed();
        let mut unread = received.as_slice();
        let need = loop {
            match machine.poll_event(&mut unread, now) {
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
        match need {
            Some(Need::Flush) => {}
            Some(Need::Decision | Need::Input) => {
                // Zero would mean: no time-out.
                let least = Duration::from_millis(1);
                let left = machine.poll_timeout().map(|at| at.saturating_since(now).max(least));
                socket.set_read_timeout(left)?;
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
                socket.shutdown(Shutdown::Write)?;
                // What the peer still sends is read, or the system would tell it of an error.
                socket.set_read_timeout(Some(linger))?;
                io::copy(&mut socket, &mut io::sink())?;
                return Ok(());
            }
        }
    }
}
