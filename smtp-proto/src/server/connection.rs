//! One connection, seen from the server.

use super::{
    config::{ServerConfig, Start},
    decision::{Pending, Stale, op},
    event::Event,
    session::Session,
};
use crate::{Instant, Step, Timer, ext::Extensions, wire::{Accepted, Refused}};
use alloc::sync::Arc;

/// One SMTP (or LMTP) connection, seen from the server.
pub struct ServerConnection {}

#[allow(unused_variables, clippy::todo)]
impl ServerConnection {
    /// A connection that has just been accepted.
    pub fn new(config: Arc<ServerConfig>, start: Start) -> Self { todo!() }
    /// What happened in `input`, which is consumed from its front.
    pub fn poll_event<'b>(&mut self, input: &mut &'b [u8], now: Instant) -> Step<Event<'b>> { todo!() }
    /// Nothing will follow what is still offered.
    pub fn handle_eof(&mut self) { todo!() }
    /// Fires the timers that are due.
    pub fn handle_timeout(&mut self, now: Instant) { todo!() }
    /// What to write.
    pub fn poll_transmit(&self) -> Option<&[u8]> { todo!() }
    /// `n` octets of it were written.
    pub fn handle_transmitted(&mut self, n: usize) { todo!() }
    /// The next deadline.
    pub fn poll_timeout(&self) -> Option<Instant> { todo!() }
    /// Why that deadline.
    pub fn timer(&self) -> Option<Timer> { todo!() }
    /// Yes.
    pub fn accept<O: op::Accept>(&mut self, pending: Pending<O>) -> Result<(), Stale> { todo!() }
    /// Yes, in your words.
    pub fn accept_with<O: op::Worded>(&mut self, pending: Pending<O>, reply: &Accepted<'_>) -> Result<(), Stale> { todo!() }
    /// No.
    pub fn refuse<O: op::Refuse>(&mut self, pending: Pending<O>, reply: &Refused<'_>) -> Result<(), Stale> { todo!() }
    /// No, and close.
    pub fn disconnect<O: op::Refuse>(&mut self, pending: Pending<O>, reply: &Refused<'_>) -> Result<(), Stale> { todo!() }
    /// Accept EHLO with extensions of this peer's own.
    pub fn advertise(&mut self, pending: Pending<op::Hello>, extensions: Arc<Extensions>) -> Result<(), Stale> { todo!() }
    /// 334 with `data`, which is encoded here.
    pub fn challenge(&mut self, pending: Pending<op::Auth>, data: &[u8]) -> Result<(), Stale> { todo!() }
    /// TLS is up.
    pub fn establish(&mut self, pending: Pending<op::Handshake>) -> Result<(), Stale> { todo!() }
    /// TLS failed.
    pub fn abandon(&mut self, pending: Pending<op::Handshake>) -> Result<(), Stale> { todo!() }
    /// Answers a question by its default.
    pub fn answer_default(&mut self, event: Event<'_>) { todo!() }
    /// Refuses the body that is running.
    pub fn discard_body(&mut self, reply: &Refused<'_>) -> bool { todo!() }
    /// Ends the session.
    pub fn shutdown(&mut self, reply: &Refused<'_>) { todo!() }
    /// Gives back memory while idle.
    pub fn release(&mut self) { todo!() }
    /// The facts.
    pub fn session(&self) -> Session { todo!() }
    /// The configuration.
    pub fn config(&self) -> &ServerConfig { todo!() }
    /// Whether the question is still open.
    pub fn is_waiting<O: op::Op>(&self, pending: &Pending<O>) -> bool { todo!() }
}
