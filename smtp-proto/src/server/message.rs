//! The octets of a message: delivered, or swallowed to their true end.

use super::{
    commands::SUCCESS,
    config::{BareLineEnding, Mode},
    connection::ServerConnection,
    event::{Aborted, Event, ResetCause},
    phase::{Phase, Trigger},
    questions::Kind,
};
use crate::{
    CloseReason, Need, Step,
    body::{DotReader, Framing, Piece, TextLines},
    ext::BodyType,
    violation::Violation,
    wire::Refused,
};

/// The message that is coming.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    dot: DotReader,
    lines: TextLines,
    pub(super) framing: Framing,
    /// The embedder takes the octets, and has not been told of their end.
    open: bool,
    /// The message is refused: its octets are swallowed.
    refused: bool,
    /// The refusal leaves no way to go on.
    fatal: bool,
    /// Octets of the running BDAT still to come.
    chunk: u64,
    /// It is the last one.
    last: bool,
    /// The running BDAT belongs to no message.
    stray: bool,
    swallowed: u64,
    /// LMTP: the recipient to ask about next.
    next_delivery: u32,
}

impl Message {
    pub(super) fn new(bare: BareLineEnding) -> Self {
        Self {
            dot: DotReader::new(bare),
            lines: TextLines::default(),
            framing: Framing::Dot,
            open: false,
            refused: false,
            fatal: false,
            chunk: 0,
            last: false,
            stray: false,
            swallowed: 0,
            next_delivery: 0,
        }
    }

    /// The octets of a refused BDAT are being swallowed between commands.
    pub(super) fn is_swallowing(&self) -> bool {
        self.stray
    }

    /// The embedder no longer takes octets; true if it did.
    pub(super) fn take_open(&mut self) -> bool {
        core::mem::take(&mut self.open)
    }

    /// The size of the BDAT in hand.
    pub(super) fn set_chunk(&mut self, size: u64, last: bool) {
        (self.chunk, self.last) = (size, last);
    }
}

impl ServerConnection {
    /// The embedder wants the message.
    pub(super) fn begin_message(&mut self) {
        let Message { framing, chunk, last, .. } = self.message;
        self.message =
            Message { framing, chunk, last, open: true, ..Message::new(self.config.bare) };
        self.session.size = 0;
        self.deadlines.start_data(&self.config.timeouts);
    }

    /// The octets of the BDAT in hand are swallowed; then `reply` leaves. If it is the last of a
    /// failed message, the transaction ends with it.
    pub(super) fn swallow_chunk(&mut self, reply: &Refused<'_>) {
        self.hold(reply);
        self.message.stray = true;
        self.deadlines.start_data(&self.config.timeouts);
    }

    fn hold(&mut self, reply: &Refused<'_>) {
        self.replies.hold(reply.code, Some(reply.enhanced), reply.text.as_str());
    }

    /// Refuses the message whose octets are coming: they are swallowed, and `reply` leaves at their
    /// end, in LMTP once for every recipient. False if none are coming, or they are refused
    /// already.
    ///
    /// [`Event::Reset`] follows at the end; no [`Event::BodyAborted`] does.
    pub fn discard_body(&mut self, reply: &Refused<'_>) -> bool {
        if !self.message.take_open() {
            return false;
        }
        self.message.refused = true;
        if self.phase == Phase::Chunks {
            // No octets are coming: the next BDAT will hear that the message has failed.
            self.go(Trigger::ChunkFails);
        } else {
            self.hold(reply);
        }
        true
    }

    /// The machine refuses the message whose octets are coming.
    fn refuse_message(&mut self, violation: Violation, why: Aborted, reply: &Refused<'_>) {
        self.session.violations = self.session.violations.saturating_add(1);
        self.notices.violation = Some(violation);
        if self.discard_body(reply) {
            self.notices.body_aborted = Some(why);
        }
    }

    pub(super) fn poll_dot<'b>(&mut self, input: &mut &'b [u8]) -> Option<Step<Event<'b>>> {
        const BARE: Refused<'static> =
            Refused::known(521, 5, 2, "Bare CR or LF is not a line ending");
        let before = input.len();
        let piece = self.message.dot.next(input);
        self.count_data(before - input.len());
        match piece {
            Piece::Data(octets) => return self.deliver(octets),
            Piece::Bare if self.message.open => {
                self.message.fatal = true;
                self.refuse_message(Violation::BareLineEnding, Aborted::BareLineEnding, &BARE);
            }
            // The message is refused already, and is swallowed to its true end all the same.
            Piece::Bare => {}
            Piece::End if self.message.refused => self.end_refused(),
            Piece::End => return Some(self.end_message()),
            Piece::More => return self.starved(),
        }
        None
    }

    pub(super) fn poll_chunk<'b>(&mut self, input: &mut &'b [u8]) -> Option<Step<Event<'b>>> {
        if self.message.chunk > 0 {
            return match self.take_chunk(input) {
                [] => self.starved(),
                octets => self.deliver(octets),
            };
        }
        match (self.message.refused, self.message.last) {
            (false, true) => return Some(self.end_message()),
            (false, false) => {
                self.replies.say(250, SUCCESS, "Chunk received");
                self.go(Trigger::ChunkEnds);
            }
            (true, true) => self.end_refused(),
            (true, false) => {
                self.replies.release_held();
                self.go(Trigger::ChunkFails);
            }
        }
        None
    }

    /// Between commands: the octets of a BDAT that was refused.
    pub(super) fn poll_swallow<'b>(&mut self, input: &mut &'b [u8]) -> Option<Step<Event<'b>>> {
        if self.message.chunk > 0 {
            return match self.take_chunk(input) {
                [] => self.starved(),
                octets => {
                    self.swallow(octets.len());
                    None
                }
            };
        }
        self.message.stray = false;
        if self.phase == Phase::Failed && self.message.last {
            self.end_refused();
        } else {
            self.replies.release_held();
        }
        None
    }

    /// What there is of the octets of the running BDAT.
    fn take_chunk<'b>(&mut self, input: &mut &'b [u8]) -> &'b [u8] {
        let n = usize::try_from(self.message.chunk).unwrap_or(usize::MAX).min(input.len());
        let (octets, rest) = input.split_at(n);
        *input = rest;
        self.message.chunk -= n as u64;
        self.count_data(n);
        octets
    }

    /// The peer owes octets of a message.
    fn starved<'b>(&mut self) -> Option<Step<Event<'b>>> {
        if self.eof {
            self.close(CloseReason::Eof, Aborted::Eof);
            return None;
        }
        Some(self.need(Need::Input))
    }

    fn count_data(&mut self, n: usize) {
        if n > 0 {
            let rate = self.config.limits.data_rate;
            self.deadlines.data(n, self.now, &self.config.timeouts, rate);
        }
    }

    /// Hands octets out, up to the limits.
    fn deliver<'b>(&mut self, octets: &'b [u8]) -> Option<Step<Event<'b>>> {
        const LONG_LINE: Refused<'static> = Refused::known(554, 6, 0, "A text line is too long");
        if self.message.refused {
            self.swallow(octets.len());
            return None;
        }
        let limits = self.config.limits;
        let room = limits.message.saturating_sub(self.session.size);
        let fitting = usize::try_from(room).unwrap_or(usize::MAX).min(octets.len());
        // RFC 3030 §3: binary content has no lines.
        let text_line = limits.text_line.filter(|_| self.session.body != BodyType::BinaryMime);
        let taken = match text_line {
            Some(most) => self.message.lines.take(&octets[..fitting], most),
            None => fitting,
        };
        // Exactly the octets up to a limit are delivered, however the input was cut.
        let (octets, over) = octets.split_at(taken);
        self.session.size += taken as u64;
        if taken < fitting {
            let line = Violation::TextLineTooLong;
            self.refuse_message(line, Aborted::TextLineTooLong, &LONG_LINE);
        } else if !over.is_empty() {
            let large = Violation::MessageTooLarge;
            self.refuse_message(large, Aborted::TooLarge, &Refused::TOO_LARGE);
        }
        self.swallow(over.len());
        (!octets.is_empty()).then_some(Step::Event(Event::Body(octets)))
    }

    /// Octets of a refused message: a bounded number of them.
    fn swallow(&mut self, n: usize) {
        self.message.swallowed = self.message.swallowed.saturating_add(n as u64);
        if self.message.swallowed > self.config.limits.swallow {
            self.replies.release_held();
            self.notices.violation.get_or_insert(Violation::Flood);
            self.close(CloseReason::Violations, Aborted::Closed);
        }
    }

    /// The end of a message that was refused on its way. LMTP: the reply leaves once for every
    /// recipient (RFC 2033 §4.2, §4.3), unless it is the last word of the session.
    fn end_refused(&mut self) {
        if self.config.mode == Mode::Lmtp && self.closing.is_none() {
            self.message.refused = true;
            self.message.next_delivery = 0;
            self.go(Trigger::LmtpMessageEnds);
        } else {
            self.finish_refused();
        }
    }

    fn finish_refused(&mut self) {
        self.replies.release_held();
        self.end_transaction(ResetCause::Refused);
        if self.message.fatal {
            self.close(CloseReason::Violations, Aborted::Closed);
        }
    }

    /// The end of a message: whose is it now?
    fn end_message<'b>(&mut self) -> Step<Event<'b>> {
        self.message.open = false;
        self.message.next_delivery = 0;
        let size = self.session.size;
        if self.config.mode == Mode::Lmtp {
            self.go(Trigger::LmtpMessageEnds);
            return self.ask_delivery();
        }
        self.go(Trigger::MessageEnds);
        Step::Event(Event::BodyEnd { size, pending: self.ask(Kind::Message) })
    }

    /// LMTP: asks about the next recipient, or ends the transaction.
    pub(super) fn poll_delivery<'b>(&mut self) -> Option<Step<Event<'b>>> {
        if self.message.refused {
            // One reply a call, so that many of them stop at the output mark.
            self.message.next_delivery += 1;
            if self.message.next_delivery < self.session.recipients {
                self.replies.repeat_held();
            } else {
                self.finish_refused();
            }
            return None;
        }
        if self.message.next_delivery < self.session.recipients {
            return Some(self.ask_delivery());
        }
        self.end_transaction(ResetCause::Delivered);
        None
    }

    fn ask_delivery<'b>(&mut self) -> Step<Event<'b>> {
        let index = self.message.next_delivery;
        self.message.next_delivery += 1;
        let size = self.session.size;
        Step::Event(Event::Delivery { size, index, pending: self.ask(Kind::Delivery) })
    }
}
