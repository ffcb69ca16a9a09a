//! A client that pipelines, on a blocking socket and nothing else.

use smtp_proto::{
    Instant, Misuse, Need, Start, Step,
    client::{ClientConfig, ClientConnection, ClientEvent, CommandId},
    wire::{ForwardPath, HelloName, Mail, Rcpt, Reply, ReversePath},
};
use std::{
    collections::VecDeque,
    error::Error,
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// One connection to a server.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    machine: ClientConnection,
    origin: std::time::Instant,
    /// Received and not consumed.
    unread: Vec<u8>,
}

impl Client {
    /// Greets the server at the other end of `stream`.
    ///
    /// # Errors
    /// The server does not want us, or the connection fails.
    pub fn open(stream: TcpStream, name: &HelloName<'_>) -> Result<Self, Box<dyn Error>> {
        stream.set_nodelay(true)?;
        let machine = ClientConnection::new(ClientConfig::builder().build(), Start::Plain);
        let origin = std::time::Instant::now();
        let mut client = Self { stream, machine, origin, unread: Vec::new() };
        if let Some(ClientEvent::Greeting(greeting)) = client.next()? {
            accepted(&greeting)?;
        }
        client.machine.hello(name)?;
        if let Some(ClientEvent::Reply { reply, .. }) = client.next()? {
            accepted(&reply)?;
        }
        Ok(client)
    }

    /// Sends `message`, of lines that end in CRLF, and gives what was said of each recipient; the
    /// last reply is that to the message as a whole, if there was anybody to send it to.
    ///
    /// # Errors
    /// The connection failed: nothing is known of recipients without a reply.
    pub fn send(
        &mut self,
        from: ReversePath<'_>,
        to: &[ForwardPath<'_>],
        message: &[u8],
    ) -> Result<Vec<String>, Box<dyn Error>> {
        // With PIPELINING (RFC 2920) all of these leave in one write, at the first `next`.
        let mail = self.machine.mail(&Mail::new(from))?;
        // What comes before all is given.
        let mut early = VecDeque::new();
        for to in to {
            while let Err(misuse) = self.machine.rcpt(&Rcpt::new(to.clone())) {
                match misuse {
                    Misuse::Full => early.extend(self.next()?), // makes room
                    other => return Err(other.into()),
                }
            }
        }
        let mut last = loop {
            match self.machine.data() {
                Err(Misuse::Full) => early.extend(self.next()?),
                given => break given?,
            }
        };
        let mut said = Vec::new();
        loop {
            match early.pop_front().map_or_else(|| self.next(), |event| Ok(Some(event)))? {
                Some(ClientEvent::Reply { id, reply }) if id == last && reply.code() == 354 => {
                    last = self.body(message)?;
                }
                Some(ClientEvent::Reply { id, reply }) if id != mail || reply.code() >= 400 => {
                    said.push(reply.to_string());
                }
                // MAIL accepted; or never sent, since all before it was refused.
                Some(_) => {}
                None => break,
            }
        }
        if !self.machine.is_idle() {
            // Nobody was wanted, and a refused DATA leaves the transaction open.
            self.machine.rset()?;
            self.next()?;
        }
        Ok(said)
    }

    /// The octets of the message: slices of it, with dots between them where RFC 5321 §4.5.2 wants
    /// them.
    fn body(&mut self, mut message: &[u8]) -> Result<CommandId, Box<dyn Error>> {
        let mut pieces = [&[][..]; 16];
        while !message.is_empty() {
            let n = self.machine.body(&mut message, &mut pieces)?;
            for piece in &pieces[..n] {
                self.stream.write_all(piece)?;
                self.machine.handle_transmitted(piece.len());
            }
        }
        Ok(self.machine.end_body()?)
    }

    /// The next event; `None` when the next move is ours. This is the whole loop.
    fn next(&mut self) -> io::Result<Option<ClientEvent<'static>>> {
        loop {
            let mut input = self.unread.as_slice();
            let step = match self.machine.poll_event(&mut input, now(self.origin)) {
                Step::Event(event) => Step::Event(event.into_static()),
                Step::Need(need) => Step::Need(need),
                Step::Closed(why) => Step::Closed(why),
            };
            let consumed = self.unread.len() - input.len();
            self.unread.drain(..consumed);
            match step {
                Step::Event(event) => return Ok(Some(event)),
                Step::Need(Need::Decision) => return Ok(None),
                Step::Need(_) => self.write_or_read()?,
                Step::Closed(why) => return Err(io::Error::other(format!("closed: {why:?}"))),
            }
        }
    }

    fn write_or_read(&mut self) -> io::Result<()> {
        if let Some(output) = self.machine.poll_transmit() {
            let n = self.stream.write(output)?;
            self.machine.handle_transmitted(n);
            return Ok(());
        }
        let left = self.machine.poll_timeout().map(|at| at.saturating_since(now(self.origin)));
        // Zero would mean: no time-out.
        self.stream.set_read_timeout(left.map(|left| left.max(Duration::from_millis(1))))?;
        let mut buf = [0; 4096];
        match self.stream.read(&mut buf) {
            Ok(0) => self.machine.handle_eof(),
            Ok(n) => self.unread.extend_from_slice(&buf[..n]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.machine.handle_timeout(now(self.origin));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Says QUIT and waits for the answer.
    ///
    /// # Errors
    /// The connection failed; whatever was sent before is sent.
    pub fn quit(mut self) -> Result<(), Box<dyn Error>> {
        self.machine.quit()?;
        self.next()?;
        Ok(())
    }
}

fn now(origin: std::time::Instant) -> Instant {
    Instant::ZERO + origin.elapsed()
}

fn accepted(reply: &Reply<'_>) -> Result<(), String> {
    if reply.code() < 400 { Ok(()) } else { Err(reply.to_string()) }
}
