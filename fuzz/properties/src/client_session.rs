//! A whole session of a client, with a server that says anything.

use crate::embedder::NOW;
use smtp_proto::{
    CloseReason, Instant, Misuse, Need, Start, Step,
    body::LineEndings,
    client::{ClientConfig, ClientConnection, ClientEvent, CommandId, Limits, Mode},
    wire::{ForwardPath, HelloName, Mail, Mechanism, Rcpt, ReversePath},
};
use std::time::Duration;

/// Whatever the server says and whatever the embedder asks for, in whatever order and however late:
///
/// - nothing panics, and a call with the same input never goes on for ever;
/// - input is only ever consumed from its front, and no more than the longest reply is left;
/// - every command that was given has at most one end (a reply, or that it was skipped), in the
///   order in which they were given; what failed with `Misuse` has none;
/// - message octets are handed out only after a 354, and no line of them is a lone dot;
/// - once closed it stays closed for the same reason, writes nothing, and takes no command;
/// - a server that falls silent is given up after a bounded number of timers, and after
///   `handle_eof` the session ends at once.
///
/// `data` begins with an octet of configuration. In what follows the octets F0 to FF, which occur
/// in no ASCII, tell the embedder what to do; all others are the server's.
///
/// # Panics
/// If it is not so.
pub fn client_session(data: &[u8]) {
    let [flags, program @ ..] = data else { return };
    let mut session = Session::new(*flags);
    for &octet in program {
        match octet {
            0xFF => session.run(),
            0xFE => session.write(),
            0xFD => session.pass(Duration::from_secs(30)),
            0xF0..=0xFC => session.ask(octet),
            octet => session.arrived.push(octet),
        }
    }
    session.finish();
}

struct Session {
    connection: ClientConnection,
    now: Instant,
    arrived: Vec<u8>,
    /// Commands in the order they were given, without those that have ended.
    open: Vec<CommandId>,
    /// The message octets of this body, as the machine handed them out.
    body: Vec<u8>,
    challenged: bool,
    wanted: bool,
    closed: Option<CloseReason>,
}

const TEXT: &[u8] = b"Subject: x\r\n\r\n.\r\n..\r\nline\r\n.";

impl Session {
    fn new(flags: u8) -> Self {
        let mut limits = Limits::default();
        if flags & 1 != 0 {
            limits.reply = 0;
            limits.send_buffer = 0;
            limits.unanswered = 3;
        }
        let mut config = ClientConfig::builder()
            .mode(if flags & 2 != 0 { Mode::Lmtp } else { Mode::Smtp })
            .limits(limits);
        if flags & 4 != 0 {
            config = config.line_endings(LineEndings::Normalise);
        }
        if flags & 8 != 0 {
            config = config.without_pipelining();
        }
        if flags & 16 != 0 {
            config = config.strict();
        }
        Self {
            connection: ClientConnection::new(config.build(), Start::Plain),
            now: NOW,
            arrived: Vec::new(),
            open: Vec::new(),
            body: Vec::new(),
            challenged: false,
            wanted: false,
            closed: None,
        }
    }

    fn run(&mut self) {
        let arrived = std::mem::take(&mut self.arrived);
        let mut input = &arrived[..];
        let mut budget = 64 + 2 * arrived.len() + 2 * self.open.len();
        loop {
            budget = budget.checked_sub(1).expect("the machine goes on for ever");
            let before = input;
            let step = self.connection.poll_event(&mut input, self.now);
            assert!(before.ends_with(input), "input is consumed from its front");
            match step {
                Step::Event(event) => {
                    assert_eq!(self.closed, None, "an event after the end");
                    self.event(event);
                }
                Step::Need(need) => {
                    assert_ne!(need, Need::Flush);
                    let most = self.connection.config().limits().reply;
                    assert!(input.len() <= most, "{} octets left unread", input.len());
                    let awaited = self.connection.poll_timeout().is_some();
                    if need == Need::Input {
                        assert!(awaited, "the server is waited for, without a deadline");
                    }
                    break;
                }
                Step::Closed(why) => {
                    assert!(self.closed.is_none_or(|before| before == why), "two reasons");
                    assert_eq!(self.connection.poll_transmit(), None, "words after the end");
                    self.closed = Some(why);
                    break;
                }
            }
        }
        self.arrived = input.to_vec();
    }

    fn event(&mut self, event: ClientEvent<'_>) {
        match event {
            ClientEvent::Reply { id, reply } => {
                self.ended(id);
                self.wanted = reply.code() / 100 == 3;
                self.body.clear();
            }
            ClientEvent::Skipped(id) => self.ended(id),
            ClientEvent::Challenge { id, .. } => {
                assert_eq!(self.open.first(), Some(&id), "a challenge out of order");
                self.challenged = true;
            }
            ClientEvent::Delivery { id, .. } => {
                assert_eq!(self.open.first(), Some(&id), "a delivery out of order");
                if self.connection.is_idle() || self.connection.accepted_recipients() == 0 {
                    self.ended(id);
                }
            }
            ClientEvent::Handshake => {
                self.connection.establish().expect("it was asked for");
            }
            _ => {}
        }
    }

    fn ended(&mut self, id: CommandId) {
        // LMTP deliveries are more than one; the command before has ended when the next one does.
        let place = self.open.iter().position(|&open| open == id);
        let place = place.expect("the end of a command that was not given, or ended before");
        let lmtp = self.connection.config().mode() == Mode::Lmtp;
        assert!(place == 0 || lmtp, "an end out of order");
        self.open.drain(..=place);
    }

    fn write(&mut self) {
        while let Some(octets) = self.connection.poll_transmit() {
            let n = octets.len().min(7);
            self.connection.handle_transmitted(n);
        }
    }

    fn ask(&mut self, what: u8) {
        let connection = &mut self.connection;
        let given = match what {
            0xF0 => connection.hello(&HelloName::parse("c.example").expect("a name")),
            0xF1 => connection.mail(&Mail::new(ReversePath::Null)),
            0xF2 => {
                let (to, _) = ForwardPath::parse("<a@b.example>").expect("a path");
                connection.rcpt(&Rcpt::new(to))
            }
            0xF3 => connection.data(),
            0xF4 => return self.body(),
            0xF5 => connection.end_body(),
            0xF6 => return self.chunk(),
            0xF7 => connection.rset(),
            0xF8 => connection.noop(),
            0xF9 => connection.quit(),
            0xFA => connection.start_tls(),
            0xFB => connection.auth(&Mechanism::PLAIN, None),
            _ => {
                let result = match self.arrived.len() % 3 {
                    0 => connection.cancel(),
                    _ => connection.respond(b"\0u\0p"),
                };
                assert!(self.challenged || result.is_err(), "nothing was asked");
                self.challenged &= result.is_err();
                return;
            }
        };
        self.given(given);
    }

    fn given(&mut self, given: Result<CommandId, Misuse>) {
        match given {
            Ok(id) => {
                assert_eq!(self.closed, None, "a command after the end");
                self.open.push(id);
            }
            Err(misuse) => {
                // A timer may have ended it, of which `run` has yet to hear.
                assert!(misuse == Misuse::Closed || self.closed.is_none(), "{misuse}");
            }
        }
    }

    fn body(&mut self) {
        self.write();
        let mut rest = TEXT;
        let mut pieces: [&[u8]; 3] = [&[]; 3];
        while !rest.is_empty() {
            let Ok(n) = self.connection.body(&mut rest, &mut pieces) else { return };
            assert!(self.wanted, "a body that nobody wanted");
            for piece in &pieces[..n] {
                self.body.extend_from_slice(piece);
                self.connection.handle_transmitted(piece.len());
            }
        }
        let mut lines = self.body.split(|&octet| octet == b'\n');
        assert!(lines.all(|line| line != b".\r"), "a dot line inside of a message");
    }

    fn chunk(&mut self) {
        let given = self.connection.bdat(3, self.arrived.len().is_multiple_of(2));
        let taken = given.is_ok();
        self.given(given);
        if taken {
            self.write();
            self.connection.handle_transmitted(3);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.connection.handle_timeout(self.now);
    }

    /// The server falls silent, and sooner or later the session is over.
    fn finish(&mut self) {
        self.run();
        let mut budget = 64;
        while self.closed.is_none() {
            budget -= 1;
            assert!(budget > 0, "a silent server is never given up");
            match self.connection.poll_timeout() {
                Some(at) => {
                    self.now = self.now.max(at);
                    self.connection.handle_timeout(self.now);
                }
                None => self.connection.handle_eof(),
            }
            self.run();
        }
        assert_eq!(self.connection.quit(), Err(Misuse::Closed));
        assert_eq!(self.connection.poll_transmit(), None);
        assert_eq!(self.connection.poll_transmit_behind(), None);
        let closed = self.closed;
        self.arrived.extend_from_slice(b"250 ok\r\n");
        self.pass(Duration::from_secs(3600));
        self.run();
        assert_eq!(self.closed, closed);
    }
}
