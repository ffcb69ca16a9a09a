//! A load that costs little: one thread, blocking sockets, whole steps for all connections in turn.
//!
//! `session-load ADDRESS:PORT OCTETS CONNECTIONS SECONDS MESSAGES MODE`. It ends after so many
//! seconds or messages, whichever come first, and prints both. The modes:
//!
//! - `kept`: one command at a time over kept connections, as a client without PIPELINING;
//! - `pipelined`: a message, and the MAIL, RCPT and DATA of the next, in one write (RFC 2920);
//! - `new`: one command at a time, and a connection for each message.

use socket2::{Domain, Socket, Type};
use std::{
    env,
    error::Error,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// Nothing may take longer than this.
const PATIENCE: Duration = Duration::from_secs(30);

const EHLO: &[u8] = b"EHLO client.example\r\n";
const MAIL: &[u8] = b"MAIL FROM:<sender@client.example>\r\n";
const RCPT: &[u8] = b"RCPT TO:<recipient@mx.example>\r\n";
const DATA: &[u8] = b"DATA\r\n";
const QUIT: &[u8] = b"QUIT\r\n";

/// A connection, and what has been read of its replies.
struct Connection {
    stream: TcpStream,
    replies: Vec<u8>,
}

impl Connection {
    /// Connects from an address of loopback of its own, so that ports do not run out.
    fn open(server: SocketAddr, number: usize) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
        if server.is_ipv4() {
            let last = u8::try_from(1 + number % 250).unwrap_or(1);
            let from = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
            socket.set_reuse_address(true)?;
            socket.bind(&from.into())?;
        }
        socket.connect(&server.into())?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, replies: Vec::new() })
    }

    /// Waits for `wanted` replies, all of which must be positive.
    fn read_replies(&mut self, wanted: usize) -> io::Result<()> {
        let mut buffer = [0; 4096];
        let mut got = 0;
        loop {
            let mut rest = &self.replies[..];
            while let Some(end) = rest.iter().position(|&octet| octet == b'\n') {
                let (line, behind) = rest.split_at(end + 1);
                rest = behind;
                if !matches!(line.first(), Some(b'2' | b'3')) {
                    let line = String::from_utf8_lossy(line);
                    return Err(io::Error::other(format!("the server said {line}")));
                }
                got += usize::from(line.get(3) != Some(&b'-'));
            }
            self.replies.drain(..self.replies.len() - rest.len());
            if got >= wanted {
                return Ok(());
            }
            match self.stream.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => self.replies.extend_from_slice(&buffer[..n]),
            }
        }
    }

    /// Waits for the server to close, so that it closes first and in peace.
    fn read_end(mut self) -> io::Result<()> {
        match self.stream.read(&mut [0; 64])? {
            0 => Ok(()),
            _ => Err(io::Error::other("the server goes on after QUIT")),
        }
    }
}

/// Writes `octets` on all connections, then waits for the replies to them.
fn step(connections: &mut [Connection], octets: &[u8], replies: usize) -> io::Result<()> {
    for connection in &mut *connections {
        connection.stream.write_all(octets)?;
    }
    connections.iter_mut().try_for_each(|connection| connection.read_replies(replies))
}

/// Connects and greets.
fn open(server: SocketAddr, many: usize) -> io::Result<Vec<Connection>> {
    let open = |number| Connection::open(server, number);
    let mut connections = (0..many).map(open).collect::<io::Result<Vec<_>>>()?;
    step(&mut connections, b"", 1)?;
    step(&mut connections, EHLO, 1)?;
    Ok(connections)
}

fn quit(mut connections: Vec<Connection>) -> io::Result<()> {
    step(&mut connections, QUIT, 1)?;
    connections.into_iter().try_for_each(Connection::read_end)
}

/// A message of `octets` octets in lines of 76, and the dot behind it.
fn message(octets: usize) -> Vec<u8> {
    let mut message = b"Subject: load\r\n\r\n".to_vec();
    while message.len() < octets {
        let line = (octets - message.len()).clamp(2, 78);
        message.resize(message.len() + line - 2, b'x');
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b".\r\n");
    message
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [server, octets, many, seconds, most, mode] = &words[..] else {
        return Err(
            "usage: session-load ADDRESS:PORT OCTETS CONNECTIONS SECONDS MESSAGES MODE".into()
        );
    };
    let (server, many, most): (_, usize, usize) = (server.parse()?, many.parse()?, most.parse()?);
    let message = message(octets.parse()?);
    let (began, patience) = (Instant::now(), Duration::from_secs_f64(seconds.parse()?));
    let mut sent = 0;
    let goes_on = |sent: &mut usize| {
        *sent += many;
        *sent < most && began.elapsed() < patience
    };
    match mode.as_str() {
        "kept" => {
            let mut all = open(server, many)?;
            loop {
                for (command, replies) in [(MAIL, 1), (RCPT, 1), (DATA, 1), (&message[..], 1)] {
                    step(&mut all, command, replies)?;
                }
                if !goes_on(&mut sent) {
                    break quit(all)?;
                }
            }
        }
        "pipelined" => {
            let mut all = open(server, many)?;
            let envelope = [MAIL, RCPT, DATA].concat();
            let next = [&message[..], &envelope].concat();
            step(&mut all, &envelope, 3)?;
            while goes_on(&mut sent) {
                step(&mut all, &next, 4)?;
            }
            step(&mut all, &message, 1)?;
            quit(all)?;
        }
        "new" => loop {
            let mut all = open(server, many)?;
            for command in [MAIL, RCPT, DATA, &message[..]] {
                step(&mut all, command, 1)?;
            }
            quit(all)?;
            if !goes_on(&mut sent) {
                break;
            }
        },
        _ => return Err("the mode is kept, pipelined or new".into()),
    }
    println!("{sent} {:.6}", began.elapsed().as_secs_f64());
    Ok(())
}
