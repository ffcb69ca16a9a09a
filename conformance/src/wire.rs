//! A connection as the suite uses it: octets out, octets in, and three ways to hear nothing.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A server that was restarted takes connections again within this time.
const BACK: Duration = Duration::from_secs(60);

/// What one read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// This many octets.
    Octets(usize),
    /// The peer has closed; FIN and RST are the same.
    Closed,
    /// Nothing came in time.
    Silent,
}

/// A connection to the server that is judged. Blocking; one session owns one.
pub trait Wire: Send {
    /// Sends all of `octets`; false if the peer has closed.
    fn send(&mut self, octets: &[u8]) -> bool;

    /// Waits at most `patience` for octets.
    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> Received;

    /// Closes our side and leaves the other open.
    fn finish(&mut self);
}

/// Which listener of the server a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Port {
    /// The one that the run is about.
    Main,
    /// TLS from the first octet.
    ImplicitTls,
    /// Submission.
    Submission,
    /// LMTP.
    Lmtp,
    /// Expects a PROXY header in front of each session.
    Proxy,
    /// SMTP by a server whose certificate is missing.
    BrokenTls,
}

/// A server that is judged: something to connect to.
pub trait Target: Send + Sync {
    /// A new connection.
    ///
    /// # Errors
    /// There is none to be had: the listener is not there, or not told of.
    fn connect(&self, port: Port) -> io::Result<Box<dyn Wire>>;

    /// Whether it has such a listener.
    fn has(&self, port: Port) -> bool;

    /// Stops the server as its operator does, and starts it again; returns when it is back. `None`
    /// if nobody told how.
    fn restart(&self) -> Option<io::Result<()>> {
        None
    }
}

/// A server at TCP addresses.
#[derive(Clone, Debug)]
pub struct TcpTarget {
    /// The listener that the run is about.
    pub main: SocketAddr,
    /// TLS from the first octet.
    pub implicit_tls: Option<SocketAddr>,
    /// Submission.
    pub submission: Option<SocketAddr>,
    /// LMTP.
    pub lmtp: Option<SocketAddr>,
    /// Expects a PROXY header.
    pub proxy: Option<SocketAddr>,
    /// Has no certificate.
    pub broken_tls: Option<SocketAddr>,
    /// The command that restarts the server; empty if there is none.
    pub restart: Vec<String>,
    /// For connecting and for sending.
    pub timeout: Duration,
}

impl TcpTarget {
    fn address(&self, port: Port) -> Option<SocketAddr> {
        match port {
            Port::Main => Some(self.main),
            Port::ImplicitTls => self.implicit_tls,
            Port::Submission => self.submission,
            Port::Lmtp => self.lmtp,
            Port::Proxy => self.proxy,
            Port::BrokenTls => self.broken_tls,
        }
    }

    /// Waits until the main listener takes connections.
    fn wait(&self) -> io::Result<()> {
        let deadline = Instant::now() + BACK;
        loop {
            match TcpStream::connect_timeout(&self.main, self.timeout) {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(100)),
            }
        }
    }
}

impl Target for TcpTarget {
    fn connect(&self, port: Port) -> io::Result<Box<dyn Wire>> {
        let address = self.address(port).ok_or(io::ErrorKind::AddrNotAvailable)?;
        let stream = TcpStream::connect_timeout(&address, self.timeout)?;
        Ok(Box::new(TcpWire::new(stream, self.timeout)?))
    }

    fn has(&self, port: Port) -> bool {
        self.address(port).is_some()
    }

    fn restart(&self) -> Option<io::Result<()>> {
        let (program, arguments) = self.restart.split_first()?;
        let status = Command::new(program).args(arguments).stdin(Stdio::null()).output();
        Some(status.and_then(|output| match output.status.success() {
            true => self.wait(),
            false => Err(io::Error::other(format!("{program} ended with {}", output.status))),
        }))
    }
}

/// A connection over TCP.
pub struct TcpWire(TcpStream);

impl TcpWire {
    /// Over `stream`, on which each segment is sent as it is written: cases depend on where it is
    /// cut. A send that takes longer than `timeout` fails.
    ///
    /// # Errors
    /// The stream does not take its options: it is closed.
    pub fn new(stream: TcpStream, timeout: Duration) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(Self(stream))
    }
}

impl Wire for TcpWire {
    fn send(&mut self, octets: &[u8]) -> bool {
        self.0.write_all(octets).is_ok()
    }

    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> Received {
        // A timeout of zero would mean none.
        let patience = patience.max(Duration::from_millis(1));
        if self.0.set_read_timeout(Some(patience)).is_err() {
            return Received::Closed;
        }
        loop {
            return match self.0.read(buffer) {
                Ok(0) => Received::Closed,
                Ok(n) => Received::Octets(n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if is_timeout(&e) => Received::Silent,
                Err(_) => Received::Closed,
            };
        }
    }

    fn finish(&mut self) {
        // Nothing to do if the peer was faster.
        drop(self.0.shutdown(Shutdown::Write));
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_restart_is_what_its_command_says_and_over_when_the_server_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = |command: &[&str]| TcpTarget {
            main: listener.local_addr().unwrap(),
            implicit_tls: None,
            submission: None,
            lmtp: None,
            proxy: None,
            broken_tls: None,
            restart: command.iter().map(|&word| word.to_owned()).collect(),
            timeout: Duration::from_secs(5),
        };
        assert!(target(&[]).restart().is_none());
        assert!(target(&["true"]).restart().unwrap().is_ok());
        let failed = target(&["false"]).restart().unwrap().unwrap_err();
        assert!(failed.to_string().contains("exit status: 1"), "{failed}");
    }
}
