//! One connection: the calls of the network, and the loop that turns input into events.

use super::{
    capabilities::Capabilities,
    config::ClientConfig,
    event::{ClientEvent, CommandId},
};
use crate::{
    Instant, Misuse, Start, Step, Timer,
    wire::{HelloName, Mail, Mechanism, Rcpt},
};
use alloc::sync::Arc;

/// One SMTP or LMTP connection, seen from the client.
pub struct ClientConnection {
    config: Arc<ClientConfig>,
    capabilities: Capabilities,
}

#[allow(missing_docs, unused_variables, reason = "being written")]
impl ClientConnection {
    pub fn new(config: Arc<ClientConfig>, start: Start) -> Self {
        Self { config, capabilities: Capabilities::default() }
    }
    // the network and the clock
    pub fn poll_event<'b>(&mut self, input: &mut &'b [u8], now: Instant) -> Step<ClientEvent<'b>> {
        todo!()
    }
    pub fn handle_eof(&mut self) {}
    pub fn handle_timeout(&mut self, now: Instant) {}
    /// What to write, before the octets of a body that were handed out, if any.
    pub fn poll_transmit(&self) -> Option<&[u8]> {
        None
    }
    /// What to write behind the octets of the body that were handed out and have not been written.
    pub fn poll_transmit_behind(&self) -> Option<&[u8]> {
        None
    }
    /// `n` octets were written: of `poll_transmit`, then of the body, then of `poll_transmit_behind`.
    pub fn handle_transmitted(&mut self, n: usize) {}
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }
    pub fn timer(&self) -> Option<Timer> {
        None
    }
    pub fn release(&mut self) {}
    // commands
    pub fn hello(&mut self, name: &HelloName<'_>) -> Result<CommandId, Misuse> {
        todo!()
    }
    pub fn start_tls(&mut self) -> Result<CommandId, Misuse> {
        todo!()
    }
    pub fn establish(&mut self) -> Result<(), Misuse> {
        todo!()
    }
    pub fn abandon(&mut self) {}
    pub fn auth(
        &mut self,
        mechanism: &Mechanism<'_>,
        initial: Option<&[u8]>,
    ) -> Result<CommandId, Misuse> {
        todo!()
    }
    pub fn respond(&mut self, response: &[u8]) -> Result<(), Misuse> {
        todo!()
    }
    pub fn cancel(&mut self) -> Result<(), Misuse> {
        todo!()
    }
    pub fn mail(&mut self, mail: &Mail<'_>) -> Result<CommandId, Misuse> {
        todo!()
    }
    pub fn rcpt(&mut self, rcpt: &Rcpt<'_>) -> Result<CommandId, Misuse> {
        todo!()
    }
    pub fn data(&mut self) -> Result<CommandId, Misuse> {
        todo!()
    }
    /// After a 354: consumes from the front of `chunk` and fills `pieces` with what to write.
    pub fn body<'b>(
        &mut self,
        chunk: &mut &'b [u8],
        pieces: &mut [&'b [u8]],
    ) -> Result<usize, Misuse> {
        todo!()
    }
    pub fn end_body(&mut self) -> Result<CommandId, Misuse> {
        todo!()
    }
    /// BDAT: `size` octets follow, which you write behind `poll_transmit`; see `body::Encoder`.
    pub fn bdat(&mut self, size: u64, last: bool) -> Result<CommandId, Misuse> {
        todo!()
    }
    pub fn rset(&mut self) -> Result<CommandId, Misuse> {
        todo!()
    }
    pub fn noop(&mut self) -> Result<CommandId, Misuse> {
        todo!()
    }
    pub fn quit(&mut self) -> Result<CommandId, Misuse> {
        todo!()
    }
    pub fn abort(&mut self) {}
    // what you may ask
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
    pub fn is_closed(&self) -> bool {
        false
    }
    pub fn is_tls(&self) -> bool {
        false
    }
    /// Whether EHLO or LHLO was accepted, and not only HELO.
    pub fn is_esmtp(&self) -> bool {
        false
    }
    pub fn config(&self) -> &ClientConfig {
        &self.config
    }
}
