//! What tells a running server to stop, or to read anew.

use super::Refusal;
use crate::{config::Certificate, policy::DomainName, queue::SqliteQueue, tls, users::Users};
use smtp_driver::{Acceptor, Stop};
use std::path::PathBuf;

/// Controls a server that runs.
#[derive(Clone, Debug)]
pub struct Control {
    pub(super) stop: Stop,
    pub(super) acceptor: Acceptor,
    pub(super) users: Users,
    pub(super) certificate: Certificate,
    pub(super) hostname: DomainName,
    pub(super) own: PathBuf,
    pub(super) queue: SqliteQueue,
}

impl Control {
    /// The queue.
    pub fn queue(&self) -> &SqliteQueue {
        &self.queue
    }

    /// Takes no new connections; the open ones finish what they are at and hear 421.
    pub fn stop(&self) {
        self.stop.stop();
    }

    /// Reads the certificate again, for the handshakes to come, and the users. Blocks.
    ///
    /// # Errors
    /// A sentence that names the file; what was read from it before stays.
    pub fn reload(&self) -> Result<(), Refusal> {
        self.users.reload().map_err(|error| Refusal(error.to_string()))?;
        self.acceptor.replace(tls::load(&self.certificate, &self.hostname, &self.own)?);
        Ok(())
    }
}
