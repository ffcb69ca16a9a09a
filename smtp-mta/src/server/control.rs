//! What tells a running server to stop, or to go on by another configuration.

use super::{Changes, Refusal};
use crate::{config::Config, queue::SqliteQueue};
use smtp_driver::Stop;
use tokio::sync::{mpsc, oneshot};

/// Controls a server that runs.
#[derive(Clone, Debug)]
pub struct Control {
    pub(super) stop: Stop,
    pub(super) reloads: mpsc::Sender<Reload>,
    pub(super) queue: SqliteQueue,
}

/// A configuration to go on by, and whom to tell what came of it.
#[derive(Debug)]
pub(super) struct Reload {
    pub(super) config: Box<Config>,
    pub(super) done: oneshot::Sender<Result<Changes, Refusal>>,
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

    /// Goes on by `config`, all of it or nothing. A transaction under way ends as it began; mail
    /// that waits goes where `config` says.
    ///
    /// # Errors
    /// A sentence that names what cannot be used, or what needs a restart; nothing has changed then.
    pub async fn reload(&self, config: Config) -> Result<Changes, Refusal> {
        let (done, told) = oneshot::channel();
        let stopped = |_| Refusal("the server is stopping".into());
        let reload = Reload { config: Box::new(config), done };
        self.reloads.send(reload).await.map_err(|_| stopped(()))?;
        told.await.map_err(|_| stopped(()))?
    }
}
