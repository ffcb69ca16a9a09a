//! Replies as a careful client reads them, and as a careless one does.

use super::{fault::Fault, habit::Habit};
use smtp_conformance::wire::{Received, Wire};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Octets of a line, and lines of a reply, that a careful client reads.
const MOST_LINE: usize = 4096;
const MOST_LINES: usize = 500;

/// A reply: the code, and the texts of its lines.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) lines: Vec<String>,
}

impl Reply {
    /// The first digit.
    pub(crate) fn class(&self) -> u16 {
        self.code / 100
    }
}

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The server closed, or said what is no reply.
    Closed,
    /// It said nothing in time.
    Silent,
}

/// A connection that is read by lines.
pub(crate) struct Connection {
    pub(crate) wire: Option<Box<dyn Wire>>,
    pub(crate) unread: Vec<u8>,
    pub(crate) fault: Option<Fault>,
    pub(crate) habit: Option<Habit>,
    pub(crate) timeout: Duration,
    /// The most octets that it has kept.
    pub(crate) memory: Arc<AtomicU64>,
    /// Where in `unread` a line end was looked for in vain.
    searched: usize,
}

impl Connection {
    pub(crate) fn new(
        wire: Box<dyn Wire>,
        (fault, habit): (Option<Fault>, Option<Habit>),
        timeout: Duration,
        memory: Arc<AtomicU64>,
    ) -> Self {
        Self { wire: Some(wire), unread: Vec::new(), fault, habit, timeout, memory, searched: 0 }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    pub(crate) fn send(&mut self, octets: &[u8]) -> Result<(), Lost> {
        if self.habit == Some(Habit::Octets) && octets.len() < 2000 {
            let mut octets = octets.iter();
            let wire = self.wire.as_mut().ok_or(Lost::Closed)?;
            return if octets.all(|&octet| wire.send(&[octet])) {
                Ok(())
            } else {
                Err(Lost::Closed)
            };
        }
        let sent = self.wire.as_mut().is_some_and(|wire| wire.send(octets));
        if sent { Ok(()) } else { Err(Lost::Closed) }
    }

    fn line(&mut self, timeout: Duration) -> Result<Vec<u8>, Lost> {
        let deadline = Instant::now() + timeout;
        loop {
            let rest = &self.unread[self.searched..];
            let end = if self.has(Fault::TakesLf) {
                rest.iter().position(|&b| b == b'\n').map(|at| at + 1)
            } else {
                let from = self.searched.saturating_sub(1);
                let rest = &self.unread[from..];
                let at = rest.windows(2).position(|two| two == b"\r\n");
                at.map(|at| from + at + 2 - self.searched)
            };
            if let Some(end) = end {
                let line = self.unread.drain(..self.searched + end).collect();
                self.searched = 0;
                return Ok(line);
            }
            self.searched = self.unread.len();
            self.keeps(self.unread.len());
            if self.unread.len() > MOST_LINE && !self.has(Fault::KeepsLongLines) {
                return Err(Lost::Closed);
            }
            let Some(wire) = &mut self.wire else { return Err(Lost::Closed) };
            let mut buffer = [0; 64 << 10];
            let left = deadline.saturating_duration_since(Instant::now());
            match wire.receive(&mut buffer, left) {
                Received::Octets(n) => self.unread.extend_from_slice(&buffer[..n]),
                Received::Closed => return Err(Lost::Closed),
                Received::Silent => return Err(Lost::Silent),
            }
        }
    }

    /// More octets, whatever they are.
    pub(crate) fn fill(&mut self) -> Result<(), Lost> {
        let Some(wire) = &mut self.wire else { return Err(Lost::Closed) };
        let mut buffer = [0; 1024];
        match wire.receive(&mut buffer, self.timeout) {
            Received::Octets(n) => self.unread.extend_from_slice(&buffer[..n]),
            Received::Closed => return Err(Lost::Closed),
            Received::Silent => return Err(Lost::Silent),
        }
        Ok(())
    }

    fn keeps(&self, octets: usize) {
        self.memory.fetch_max(octets as u64, Ordering::Relaxed);
    }

    pub(crate) fn reply(&mut self) -> Result<Reply, Lost> {
        self.reply_within(self.timeout)
    }

    pub(crate) fn reply_within(&mut self, timeout: Duration) -> Result<Reply, Lost> {
        let mut reply = Reply { code: 0, lines: Vec::new() };
        let mut kept = 0;
        loop {
            let line = self.line(timeout)?;
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
            if self.has(Fault::NeedsText) && text.len() < 4 {
                return Err(Lost::Closed);
            }
            let code = text.get(..3).and_then(|code| code.parse().ok()).ok_or(Lost::Closed)?;
            if reply.code == 0 || !self.has(Fault::BelievesFirstLine) {
                reply.code = code;
            }
            let more = text.as_bytes().get(3) == Some(&b'-');
            kept += text.len();
            if reply.lines.len() < MOST_LINES {
                reply.lines.push(text.get(4..).unwrap_or_default().to_owned());
            } else if self.has(Fault::KeepsAllLines) {
                self.keeps(2 * kept);
            } else {
                return Err(Lost::Closed);
            }
            if !more {
                return Ok(reply);
            }
        }
    }
}
