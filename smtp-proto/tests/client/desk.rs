//! A machine, and what its server has said.

use smtp_proto::{
    Instant, Start, Step,
    client::{ClientConfig, ClientConnection, ClientEvent, CommandId},
    wire::{ForwardPath, HelloName, Mail, Rcpt, ReversePath},
};
use std::{sync::Arc, time::Duration};

pub(crate) struct Desk {
    pub(crate) machine: ClientConnection,
    unread: Vec<u8>,
    pub(crate) now: Instant,
    /// Commands in the order they were given: their place is their name in the tests.
    given: Vec<CommandId>,
}

impl Desk {
    /// A machine that has just connected.
    pub(crate) fn with(config: Arc<ClientConfig>) -> Self {
        Self {
            machine: ClientConnection::new(config, Start::Plain),
            unread: Vec::new(),
            now: Instant::from_secs(1),
            given: Vec::new(),
        }
    }

    pub(crate) fn new() -> Self {
        Self::with(ClientConfig::builder().build())
    }

    /// A machine to which EHLO was answered with these keywords.
    pub(crate) fn ready_with(config: Arc<ClientConfig>, keywords: &[&str]) -> Self {
        let mut desk = Self::with(config);
        assert_eq!(desk.hears("220 mx.example.test ESMTP\r\n"), ["greeting 220", "Decision"]);
        desk.greet(keywords);
        desk
    }

    pub(crate) fn ready(keywords: &[&str]) -> Self {
        Self::ready_with(ClientConfig::builder().build(), keywords)
    }

    /// Says EHLO, which is answered with these keywords.
    pub(crate) fn greet(&mut self, keywords: &[&str]) {
        self.given.clear();
        let name = HelloName::parse("client.example").unwrap();
        self.machine.hello(&name).unwrap();
        let hello = self.sends();
        assert!(hello.ends_with("HLO client.example\r\n"), "{hello}");
        let mut answer = String::from("250-mx.example.test\r\n");
        for keyword in keywords {
            answer += &format!("250-{keyword}\r\n");
        }
        answer += "250 HELP\r\n";
        assert_eq!(self.hears(&answer), ["reply ? 250", "Decision"]);
    }

    /// Notes a command that must have been taken.
    pub(crate) fn give(&mut self, id: Result<CommandId, smtp_proto::Misuse>) {
        self.given.push(id.unwrap());
    }

    pub(crate) fn mail(&mut self) {
        let id = self.machine.mail(&Mail::new(ReversePath::Null));
        self.give(id);
    }

    pub(crate) fn rcpt(&mut self, to: &str) {
        let id = self.machine.rcpt(&rcpt(to));
        self.give(id);
    }

    pub(crate) fn data(&mut self) {
        let id = self.machine.data();
        self.give(id);
    }

    /// Hands out `text`, and says what is to be written with all that stands around it.
    pub(crate) fn body(&mut self, text: &str) -> String {
        let mut rest = text.as_bytes();
        let mut pieces: [&[u8]; 4] = [&[]; 4];
        let mut written = self.sends();
        while !rest.is_empty() {
            let n = self.machine.body(&mut rest, &mut pieces).unwrap();
            for piece in &pieces[..n] {
                self.machine.handle_transmitted(piece.len());
                written += str::from_utf8(piece).unwrap();
            }
        }
        written
    }

    /// What the machine tells when the server says `text`, up to its next need or its end.
    pub(crate) fn hears(&mut self, text: impl AsRef<[u8]>) -> Vec<String> {
        self.unread.extend_from_slice(text.as_ref());
        self.tells()
    }

    /// What the machine tells now.
    pub(crate) fn tells(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            let mut input = &self.unread[..];
            let step = self.machine.poll_event(&mut input, self.now);
            let (line, over) = match step {
                Step::Event(event) => (self.line(event), false),
                Step::Need(need) => (format!("{need:?}"), true),
                Step::Closed(why) => (format!("closed {why:?}"), true),
            };
            let left = input.len();
            self.unread.drain(..self.unread.len() - left);
            told.push(line);
            if over {
                return told;
            }
        }
    }

    fn line(&self, event: ClientEvent<'_>) -> String {
        let place = |id: CommandId| {
            let place = self.given.iter().position(|&given| given == id);
            place.map_or("?".to_owned(), |place| place.to_string())
        };
        match event {
            ClientEvent::Greeting(reply) => format!("greeting {}", reply.code()),
            ClientEvent::Reply { id, reply } => format!("reply {} {}", place(id), reply.code()),
            ClientEvent::Challenge { data: Some(data), .. } => {
                format!("challenge {}", String::from_utf8_lossy(&data.into_inner().decode()))
            }
            ClientEvent::Challenge { data: None, .. } => "bad challenge".to_owned(),
            ClientEvent::Delivery { id, index, reply } => {
                format!("delivery {} {index} {}", place(id), reply.code())
            }
            ClientEvent::Skipped(id) => format!("skipped {}", place(id)),
            ClientEvent::Handshake => "handshake".to_owned(),
            ClientEvent::Unsolicited(reply) => format!("unsolicited {}", reply.code()),
            other => panic!("{other:?}"),
        }
    }

    /// What the machine wants written.
    pub(crate) fn sends(&mut self) -> String {
        let mut sent = Vec::new();
        while let Some(octets) = self.machine.poll_transmit() {
            let n = octets.len();
            sent.extend_from_slice(octets);
            self.machine.handle_transmitted(n);
        }
        String::from_utf8(sent).unwrap()
    }

    /// Lets time pass, and fires the timers.
    pub(crate) fn passes(&mut self, time: Duration) {
        self.now = self.now + time;
        self.machine.handle_timeout(self.now);
    }

    /// What is still to be read.
    pub(crate) fn unread(&self) -> usize {
        self.unread.len()
    }
}

pub(crate) fn rcpt(to: &str) -> Rcpt<'_> {
    Rcpt::new(ForwardPath::parse(to).unwrap().0)
}
