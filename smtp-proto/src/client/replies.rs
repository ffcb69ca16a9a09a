//! What each reply does.

use super::{
    capabilities::Capabilities,
    commands::COMMAND_LINE,
    config::Mode,
    connection::{ClientConnection, Transaction},
    event::ClientEvent,
    phase::{Phase, Trigger},
    queue::{Kind, Open},
};
use crate::{
    CloseReason, Secret,
    body::{Encoder, Framing},
    ext::BodyType,
    wire::{Base64, Reply},
};

impl ClientConnection {
    /// Takes a reply; `None` if it is not the embedder's business.
    pub(super) fn reply<'b>(&mut self, reply: Reply<'b>) -> Option<ClientEvent<'b>> {
        if self.config.strict && reply.deviation().is_some() {
            self.close(CloseReason::Unintelligible);
            return None;
        }
        if self.phase == Phase::Start {
            return Some(self.greeting(reply));
        }
        // Behind a 334 the next word is ours (RFC 4954 §4).
        let asked = self.queue.first().filter(|&first| self.queue.has_left(first));
        let Some(first) = asked.filter(|_| !self.challenged) else {
            // Nobody had asked; in the middle of a message there is no other way to stop.
            self.close(match reply.code() {
                421 => CloseReason::Unavailable,
                _ => CloseReason::Unintelligible,
            });
            return Some(ClientEvent::Unsolicited(reply));
        };
        self.replied(first, reply)
    }

    fn greeting<'b>(&mut self, reply: Reply<'b>) -> ClientEvent<'b> {
        match reply.code() {
            200..300 => self.go(Trigger::Greeted),
            421 => self.close(CloseReason::Unavailable),
            300..400 => self.close(CloseReason::Unintelligible),
            _ => self.go(Trigger::Refused),
        }
        ClientEvent::Greeting(reply)
    }

    fn replied<'b>(&mut self, first: Open, reply: Reply<'b>) -> Option<ClientEvent<'b>> {
        let yes = matches!(reply.code(), 200..300);
        let go_on = matches!(reply.code(), 300..400);
        match first.kind {
            Kind::Auth if go_on => return self.challenge(first, reply),
            Kind::Data if go_on => return self.body_wanted(first, reply),
            _ if go_on => self.close(CloseReason::Unintelligible),
            // It cannot have what was not sent.
            Kind::Chunk { .. } if yes && self.queue.is_unwritten(first) => {
                self.close(CloseReason::Unintelligible);
            }
            // Of DATA, 2yz says nothing: what the server waits for now is not known.
            Kind::Data if yes => self.close(CloseReason::Unintelligible),
            Kind::Hello if !yes && self.falls_back(reply.code()) => return None,
            Kind::End | Kind::Chunk { last: true } if self.config.mode == Mode::Lmtp => {
                return Some(self.delivery(first, reply));
            }
            _ => {}
        }
        self.queue.answered();
        if self.phase != Phase::Closed {
            self.settled(first.kind, yes, &reply);
        }
        if reply.code() == 421 {
            self.close(CloseReason::Unavailable);
        }
        let Open { id, kind, .. } = first;
        (kind != Kind::LoneDot).then_some(ClientEvent::Reply { id, reply })
    }

    /// A command is answered for good.
    fn settled(&mut self, kind: Kind, yes: bool, reply: &Reply<'_>) {
        match (kind, yes) {
            (Kind::Hello, true) => self.welcomed(reply),
            (Kind::Hello, false) => self.go(Trigger::HelloRefused),
            (Kind::StartTls, true) => self.go(Trigger::StartTlsAccepted),
            (Kind::StartTls, false) => self.go(Trigger::StartTlsRefused),
            (Kind::Auth, _) => {
                self.authenticated |= yes && !self.cancelled;
                self.cancelled = false;
                self.go(Trigger::AuthEnded);
            }
            (Kind::Xclient, true) => self.begin_again(),
            (Kind::Xclient, false) => self.go(Trigger::XclientRefused),
            (Kind::Mail, _) => {
                self.transaction.open = yes;
                self.transaction.accepted = 0;
                if !yes {
                    self.go(Trigger::MailRefused);
                }
            }
            (Kind::Rcpt, true) => self.transaction.accepted += 1,
            (Kind::Data, _) => self.go(Trigger::DataRefused),
            (Kind::Chunk { .. }, false) => self.go(Trigger::ChunkRefused),
            (Kind::Chunk { last: true }, true) => self.message_taken(),
            (Kind::End | Kind::Rset, _) => self.transaction.open = false,
            (Kind::Quit, _) => self.close(CloseReason::Quit),
            _ => {}
        }
    }

    /// XCLIENT was accepted: what the server offers the client behind us is not known yet.
    fn begin_again(&mut self) {
        self.esmtp = false;
        self.authenticated = false;
        self.capabilities = Capabilities::default();
        self.queue.pipelining = false;
        self.go(Trigger::XclientAccepted);
    }

    /// The last BDAT was accepted.
    fn message_taken(&mut self) {
        self.transaction.open = false;
        self.go(Trigger::MessageTaken);
    }

    /// RFC 5321 §3.2: a server that does not know EHLO is told HELO. Whether it was.
    fn falls_back(&mut self, code: u16) -> bool {
        let unknown = matches!(code, 500 | 501 | 502 | 504);
        if !unknown || self.config.no_helo || self.config.mode == Mode::Lmtp {
            return false;
        }
        let Some(name) = self.name.take() else { return false };
        self.queue.go_on(format_args!("HELO {name}"), COMMAND_LINE)
    }

    fn welcomed(&mut self, reply: &Reply<'_>) {
        // After HELO the name is gone.
        self.esmtp = self.name.take().is_some();
        self.capabilities = match self.esmtp {
            true => Capabilities::parse_with(reply, &self.config.custom),
            false => Capabilities::default(),
        };
        self.queue.pipelining = self.capabilities.pipelining && !self.config.no_pipelining;
        self.transaction = Transaction::default();
        self.go(Trigger::HelloAccepted);
    }

    fn challenge<'b>(&mut self, first: Open, reply: Reply<'b>) -> Option<ClientEvent<'b>> {
        // RFC 4954 §4: `*` is answered 501; anything else to say has a server that does not listen.
        if self.cancelled {
            self.close(CloseReason::Unintelligible);
            return Some(ClientEvent::Reply { id: first.id, reply });
        }
        self.challenged = true;
        let data = reply.into_argument().and_then(|text| Base64::parse(text).ok()).map(Secret::new);
        Some(ClientEvent::Challenge { id: first.id, data })
    }

    fn body_wanted<'b>(&mut self, first: Open, reply: Reply<'b>) -> Option<ClientEvent<'b>> {
        let Open { id, .. } = first;
        self.queue.answered();
        if self.transaction.accepted > 0 {
            self.go(Trigger::BodyWanted);
            self.encoder = Some(Encoder::new(
                Framing::Dot,
                self.config.line_endings,
                self.transaction.body != BodyType::SevenBit,
            ));
            return Some(ClientEvent::Reply { id, reply });
        }
        // LMTP would have no reply to the end of such a message.
        if self.config.mode == Mode::Lmtp {
            self.close(CloseReason::Unintelligible);
            return Some(ClientEvent::Reply { id, reply });
        }
        // RFC 2920 §3.1: an empty message is the way back to commands.
        self.queue.end_message(Kind::LoneDot, b".\r\n");
        self.go(Trigger::NobodyWanted);
        self.transaction.open = false;
        Some(ClientEvent::Skipped(id))
    }

    /// LMTP: one reply for each accepted recipient (RFC 2033 §4.2).
    fn delivery<'b>(&mut self, first: Open, reply: Reply<'b>) -> ClientEvent<'b> {
        let (id, index) = (first.id, self.delivered);
        self.delivered += 1;
        if self.delivered >= self.transaction.accepted {
            let nobody = self.transaction.accepted == 0;
            self.delivered = 0;
            self.queue.answered();
            match first.kind {
                Kind::Chunk { .. } if nobody => self.go(Trigger::ChunkRefused),
                Kind::Chunk { .. } => self.message_taken(),
                _ => self.transaction.open = false,
            }
        }
        if reply.code() == 421 {
            self.close(CloseReason::Unavailable);
        }
        ClientEvent::Delivery { id, index, reply }
    }
}
