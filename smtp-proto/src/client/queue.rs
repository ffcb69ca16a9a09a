//! Commands on their way, grouped or spaced (RFC 2920), and the order of their replies.
//!
//! The stream to the server is commands and, between them, octets of a message that the embedder
//! writes from its own memory. Positions count the octets of commands only.

use super::event::CommandId;
use alloc::{collections::VecDeque, vec::Vec};
use core::fmt;

/// What a command is, as far as its reply is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Hello,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// The dot line at the end of a message.
    End,
    /// The dot line of a message that nobody wanted; its reply concerns nobody.
    LoneDot,
    Chunk {
        last: bool,
    },
    Rset,
    Noop,
    Etrn,
    Command,
    Xclient,
    Quit,
}

impl Kind {
    /// Its reply says all there is to say of a transaction, so that the next MAIL may follow.
    pub(super) fn ends_transaction(self) -> bool {
        matches!(self, Self::End | Self::LoneDot | Self::Rset)
    }

    /// RFC 2920 §3.1: nothing may follow it in a group. STARTTLS, AUTH and XCLIENT change what follows.
    fn ends_group(self) -> bool {
        matches!(
            self,
            Self::Hello
                | Self::StartTls
                | Self::Auth
                | Self::Data
                | Self::Noop
                | Self::Etrn
                | Self::Command
                | Self::Xclient
                | Self::Quit
        )
    }
}

/// A command without its reply.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) id: CommandId,
    pub(super) kind: Kind,
    /// The position behind its last octet.
    end: u64,
}

/// A run of message octets that the embedder writes.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    /// The position of the commands' octets before which it must be written.
    at: u64,
    /// Octets not yet written.
    left: u64,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    octets: Vec<u8>,
    /// How many of `octets` were written.
    written: usize,
    /// The position of the first of `octets`.
    base: u64,
    /// The position up to which commands may leave now.
    gate: u64,
    /// The end of the last command that was let leave and ends a group. While it is open nothing
    /// may leave behind it.
    barrier: u64,
    open: VecDeque<Open>,
    run: Run,
    /// Octets written in all: commands, and runs.
    progress: u64,
    next_id: u32,
    pub(super) pipelining: bool,
}

impl Queue {
    /// Appends a command; `None`, and no change, if it has more than `most` octets with its CRLF.
    pub(super) fn command(
        &mut self,
        kind: Kind,
        text: fmt::Arguments<'_>,
        most: usize,
    ) -> Option<CommandId> {
        self.write_line(text, most).then(|| self.open(kind))
    }

    /// Appends octets that end a message.
    pub(super) fn end_message(&mut self, kind: Kind, octets: &[u8]) -> CommandId {
        self.octets.extend_from_slice(octets);
        self.open(kind)
    }

    /// Appends a line to the exchange that the first open command has begun; false, and no change,
    /// if it has more than `most` octets with its CRLF.
    pub(super) fn go_on(&mut self, text: fmt::Arguments<'_>, most: usize) -> bool {
        if !self.write_line(text, most) {
            return false;
        }
        self.gate = self.end();
        self.barrier = self.gate;
        if let Some(first) = self.open.front_mut() {
            first.end = self.gate;
        }
        true
    }

    fn write_line(&mut self, text: fmt::Arguments<'_>, most: usize) -> bool {
        struct Octets<'o>(&'o mut Vec<u8>);
        impl fmt::Write for Octets<'_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                self.0.extend_from_slice(text.as_bytes());
                Ok(())
            }
        }
        let before = self.octets.len();
        let whole = fmt::write(&mut Octets(&mut self.octets), text).is_ok();
        self.octets.extend_from_slice(b"\r\n");
        let fits = whole && self.octets.len() - before <= most;
        if !fits {
            self.octets.truncate(before);
        }
        fits
    }

    fn open(&mut self, kind: Kind) -> CommandId {
        self.next_id = self.next_id.wrapping_add(1);
        let id = CommandId(self.next_id);
        self.open.push_back(Open { id, kind, end: self.end() });
        id
    }

    /// The position behind the last octet.
    fn end(&self) -> u64 {
        self.base + self.octets.len() as u64
    }

    fn position(&self) -> u64 {
        self.base + self.written as u64
    }

    /// Octets of commands that were not written.
    pub(super) fn unwritten(&self) -> usize {
        self.octets.len() - self.written
    }

    /// Commands without a reply.
    pub(super) fn unanswered(&self) -> &VecDeque<Open> {
        &self.open
    }

    /// The first open command.
    pub(super) fn first(&self) -> Option<Open> {
        self.open.front().copied()
    }

    /// Whether `open` may leave, or has left.
    pub(super) fn is_released(&self, open: Open) -> bool {
        open.end <= self.gate
    }

    /// Whether all of `open` was written, so that a reply to it may come.
    pub(super) fn has_left(&self, open: Open) -> bool {
        open.end <= self.position()
    }

    /// The first open command has its reply.
    pub(super) fn answered(&mut self) {
        self.open.pop_front();
    }

    /// Takes back the first open command, of which nothing has left.
    pub(super) fn take_back(&mut self) {
        let Some(first) = self.open.pop_front() else { return };
        let from = self.written;
        let length = usize::try_from(first.end - self.position()).unwrap_or(0);
        self.octets.drain(from..from + length);
        if self.barrier >= first.end {
            self.barrier -= length as u64;
        }
        for open in &mut self.open {
            open.end -= length as u64;
        }
    }

    /// Lets leave what may: with PIPELINING to the end of a group, else one command. What may leave
    /// already is not looked at again, however often replies come.
    pub(super) fn release(&mut self) {
        if self.awaits_group() {
            return;
        }
        let last = if self.pipelining {
            let held = self.open.partition_point(|open| open.end <= self.gate);
            self.open.range(held..).find(|open| open.kind.ends_group())
        } else {
            self.open.front()
        };
        if let Some(last) = last.filter(|last| last.kind.ends_group()) {
            self.barrier = last.end;
        }
        let end = last.map_or(self.end(), |open| open.end);
        self.gate = self.gate.max(end);
    }

    /// Whether a command that ends a group may leave, or has left, and has no reply.
    fn awaits_group(&self) -> bool {
        self.open.front().is_some_and(|first| first.end <= self.barrier)
    }

    /// Whether a command given now would leave at once.
    pub(super) fn may_leave_at_once(&self) -> bool {
        self.open.is_empty() || (self.pipelining && self.gate == self.end() && !self.awaits_group())
    }

    /// `n` octets of a message are the embedder's to write, behind all that was queued so far.
    pub(super) fn hand_out(&mut self, n: u64) {
        if self.run.left == 0 {
            self.run.at = self.end();
        }
        self.run.left = self.run.left.saturating_add(n);
    }

    /// Message octets that the embedder has not written.
    pub(super) fn handed_out(&self) -> u64 {
        self.run.left
    }

    /// Whether octets of this chunk are not written: those handed out are of the last one given.
    pub(super) fn is_unwritten(&self, chunk: Open) -> bool {
        let is_chunk = |open: &&Open| matches!(open.kind, Kind::Chunk { .. });
        let last = self.open.iter().rev().find(is_chunk);
        self.run.left > 0 && last.is_some_and(|last| last.id == chunk.id)
    }

    /// What to write, up to the run.
    pub(super) fn transmit(&self) -> Option<&[u8]> {
        let end = if self.run.left > 0 { self.gate.min(self.run.at) } else { self.gate };
        self.slice(self.position(), end)
    }

    /// What to write behind the run.
    pub(super) fn transmit_behind(&self) -> Option<&[u8]> {
        if self.run.left == 0 {
            return None;
        }
        self.slice(self.run.at, self.gate)
    }

    fn slice(&self, from: u64, to: u64) -> Option<&[u8]> {
        let index = |at: u64| usize::try_from(at.saturating_sub(self.base)).unwrap_or(0);
        self.octets.get(index(from)..index(to)).filter(|octets| !octets.is_empty())
    }

    /// `n` octets were written: of the commands before the run, of the run, of those behind it.
    pub(super) fn transmitted(&mut self, n: usize) {
        self.progress = self.progress.saturating_add(n as u64);
        let before = n.min(self.transmit().map_or(0, <[u8]>::len));
        self.written += before;
        let rest = n - before;
        let run = self.run.left.min(rest as u64);
        self.run.left -= run;
        let behind = rest - usize::try_from(run).unwrap_or(0);
        if self.run.left == 0 {
            self.written = (self.written + behind).min(self.octets.len());
        }
        if self.written == self.octets.len() {
            self.base += self.written as u64;
            self.octets.clear();
            self.written = 0;
        }
    }

    /// Octets written so far.
    pub(super) fn progress(&self) -> u64 {
        self.progress
    }

    /// Whether something may be written now.
    pub(super) fn has_output(&self) -> bool {
        self.run.left > 0 || self.transmit().is_some()
    }

    /// Forgets what has not left.
    pub(super) fn drop_output(&mut self) {
        self.octets.truncate(self.written);
        self.run.left = 0;
        self.open.clear();
        self.gate = self.position();
        self.barrier = 0;
    }

    /// Gives back what memory can be given back.
    pub(super) fn shrink(&mut self) {
        if self.octets.is_empty() {
            self.octets = Vec::new();
        }
        if self.open.is_empty() {
            self.open = VecDeque::new();
        }
    }
}
