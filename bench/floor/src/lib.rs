//! The least that a server of SMTP must do, to measure others by. No server of mail: it knows a
//! command by its first octet, looks for the end of a message as a string, takes everything, and
//! its replies are constants.

use memchr::{memchr, memmem};
use socket2::{Domain, Protocol, Socket, Type};
use std::{env, error::Error, io, net::SocketAddr};

/// What a connection is greeted with.
pub const GREETING: &[u8] = b"220 floor ESMTP\r\n";
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// A message ends here.
const END: &[u8] = b"\r\n.\r\n";

/// What the command line says: `ADDRESS:PORT [OCTETS]`, the size of each connection's buffer.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Where to listen.
    pub address: SocketAddr,
    /// Octets of a receive buffer. Each connection keeps one.
    pub buffer: usize,
}

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of_command_line() -> Result<Self, Box<dyn Error>> {
        let mut words = env::args().skip(1);
        let address = words.next().ok_or("usage: floor-RUNTIME ADDRESS:PORT [OCTETS]")?.parse()?;
        let buffer = words.next().map_or(Ok(16 << 10), |word| word.parse())?;
        Ok(Self { address, buffer })
    }
}

/// A socket that listens on `address` and does not block.
///
/// # Errors
/// Those of the system.
pub fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// One connection's place in the dialogue.
#[derive(Debug, Default)]
pub struct Responder {
    in_message: bool,
    /// QUIT was said.
    pub closed: bool,
}

impl Responder {
    /// Puts the replies to what stands in `input` into `output`, and says how many octets of it
    /// were consumed; the rest must lead the next input.
    pub fn respond(&mut self, input: &[u8], output: &mut Vec<u8>) -> usize {
        let mut at = 0;
        while !self.closed {
            let rest = &input[at..];
            if self.in_message {
                let Some(end) = memmem::find(rest, END) else {
                    return at + rest.len().saturating_sub(END.len() - 1);
                };
                at += end + END.len();
                self.in_message = false;
                output.extend_from_slice(b"250 2.0.0 Ok\r\n");
                continue;
            }
            let Some(end) = memchr(b'\n', rest) else { break };
            at += end + 1;
            output.extend_from_slice(match rest[0] {
                b'E' => b"250-floor\r\n250 PIPELINING\r\n",
                b'D' => {
                    self.in_message = true;
                    b"354 Go on\r\n"
                }
                b'Q' => {
                    self.closed = true;
                    b"221 2.0.0 Bye\r\n"
                }
                _ => b"250 2.0.0 Ok\r\n",
            });
        }
        at
    }
}
