//! A script on a socket.

use super::{Heard, ScriptedPeer, Surprise};
use crate::line::{PATIENCE, SocketLine};
use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    pin::pin,
    sync::mpsc::{Receiver, Sender, channel},
    task::{Context, Poll, Waker},
    thread,
};

impl ScriptedPeer {
    /// This server at a port of loopback, for one client of any kind. It plays in a thread of its
    /// own and needs no runtime; a client that is silent for ten seconds fails.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn listen(self) -> io::Result<Listening> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (sender, stages) = channel();
        thread::spawn(move || self.play_to_one(&listener, &sender));
        Ok(Listening { address, stages })
    }

    fn play_to_one(&self, listener: &TcpListener, stages: &Sender<Stage>) {
        let socket = listener.accept().map(|(socket, _)| socket);
        // Whoever does not want to hear it has dropped the other end.
        let _ = stages.send(Stage::Connected);
        let played = match socket.and_then(SocketLine::new) {
            Ok(mut line) => {
                match pin!(self.play(&mut line)).poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(played) => played,
                    Poll::Pending => Err(Surprise::of("a socket that blocks has to wait")),
                }
            }
            Err(error) => Err(Surprise::of(&format!("cannot accept: {error}"))),
        };
        let _ = stages.send(Stage::Played(played));
    }
}

enum Stage {
    Connected,
    Played(Result<Heard, Surprise>),
}

/// A [`ScriptedPeer`] that listens.
#[derive(Debug)]
pub struct Listening {
    address: SocketAddr,
    stages: Receiver<Stage>,
}

impl Listening {
    /// Where to connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the script has heard, once it is at its end.
    ///
    /// # Errors
    /// The first thing that the client did otherwise; also if none connects in ten seconds.
    pub fn heard(self) -> Result<Heard, Surprise> {
        if self.stages.recv_timeout(PATIENCE).is_err() {
            return Err(Surprise::of("nobody has connected"));
        }
        match self.stages.recv() {
            Ok(Stage::Played(played)) => played,
            _ => Err(Surprise::of("the script was not played to its end")),
        }
    }
}

impl Drop for Listening {
    /// Ends the thread if it still waits for a client.
    fn drop(&mut self) {
        let _ = TcpStream::connect_timeout(&self.address, PATIENCE);
    }
}

#[cfg(test)]
mod tests {
    use crate::scripted_peer::ScriptedPeer;
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };

    fn listen(script: &str) -> super::Listening {
        script.parse::<ScriptedPeer>().unwrap().listen().unwrap()
    }

    #[test]
    fn a_client_of_any_kind_is_heard_over_a_socket() {
        let peer = listen("S: 220 mx\nC: QUIT\nS: 221 bye\nC: <CLOSED>");
        let mut client = TcpStream::connect(peer.address()).unwrap();
        client.write_all(b"QUIT\r\n").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert_eq!(said, "220 mx\r\n221 bye\r\n");
        assert_eq!(peer.heard().unwrap().positions.last(), Some(&(17, 6)));
    }

    #[test]
    fn a_client_that_does_otherwise_is_found_out_over_a_socket() {
        let peer = listen("S: 220 mx\nC: QUIT");
        TcpStream::connect(peer.address()).unwrap().write_all(b"NOOP\r\n").unwrap();
        assert_eq!(peer.heard().unwrap_err().line, 2);
    }
}
