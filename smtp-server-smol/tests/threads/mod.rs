//! An adapter without a runtime and without the driver: blocking sockets, a thread for each
//! connection, and the machine.

use smtp_proto::{
    Instant, Need, Step,
    server::{ServerConfig, ServerConnection, Start},
};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};
use testkit::{bare::Embedder, policy::Policy};

/// Serves what `listener` accepts, for ever.
pub(crate) fn serve(listener: &TcpListener, config: &Arc<ServerConfig>, policy: &Policy) {
    for socket in listener.incoming().map_while(Result::ok) {
        let (config, policy) = (config.clone(), policy.clone());
        // A broken connection is the peer's business.
        thread::spawn(move || drop(connection(socket, config, policy)));
    }
}

fn connection(mut socket: TcpStream, config: Arc<ServerConfig>, policy: Policy) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let origin = std::time::Instant::now();
    let mut machine = ServerConnection::new(config, Start::Plain);
    let mut embedder = Embedder::new(policy);
    let mut received = Vec::new();
    loop {
        let now = Instant::ZERO + origin.elapsed();
        let mut unread = received.as_slice();
        let need = loop {
            match machine.poll_event(&mut unread, now) {
                Step::Event(event) => embedder.handle(&mut machine, event),
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
                io::copy(&mut socket, &mut io::sink())?;
                return Ok(());
            }
        }
    }
}
