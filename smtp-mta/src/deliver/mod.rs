//! What becomes of a message behind the queue.
//!
//! ```text
//! session -> Intake: queue.enqueue -> 250
//!                |
//!                v
//!           Dispatcher: schedule -> route -> Local | Remote -> queue.settle -> gone | later | report
//! ```

mod body;
mod dispatch;
mod intake;
mod local;
mod names;
mod remote;
mod sources;
mod terms;

pub use dispatch::{Dispatch, Dispatcher};
pub use intake::Intake;
pub use local::Local;
pub use names::Names;
pub use remote::{Directions, Remote};

use crate::{
    lane::Feedback,
    policy::Recipients,
    queue::SqliteQueue,
    retry::RetryPolicy,
    route::{Route, Router},
    schedule::{Outcome, Work},
};
use std::sync::Arc;

/// What the configuration says of deliveries, as far as it can change while they go on.
#[derive(Debug)]
pub struct Settings {
    /// Who has a mailbox here.
    pub recipients: Recipients,
    /// How other servers are found.
    pub directions: Directions,
    /// Which way mail goes.
    pub router: Arc<Router>,
    /// When it is tried again.
    pub retry: Arc<RetryPolicy>,
}

/// Where mail goes from here.
#[derive(Debug)]
pub struct Ways {
    /// To the mailboxes of this server.
    pub local: Local,
    /// To other servers.
    pub remote: Remote,
}

/// How an attempt went.
#[derive(Debug)]
struct Delivered {
    /// One for each recipient of the work, or none.
    outcomes: Vec<Outcome>,
    /// What it says of the destination.
    feedback: Feedback,
}

impl Delivered {
    /// Nothing was tried.
    fn untried(feedback: Feedback) -> Self {
        Self { outcomes: Vec::new(), feedback }
    }

    /// The same for all recipients.
    fn all(outcome: Outcome, work: &Work, feedback: Feedback) -> Self {
        Self { outcomes: vec![outcome; work.recipients.len()], feedback }
    }
}

impl Ways {
    async fn deliver(&self, queue: &SqliteQueue, work: &Work) -> Delivered {
        match &*work.route {
            Route::Local => self.local.deliver(queue, work).await,
            _ => self.remote.deliver(queue, work).await,
        }
    }
}
