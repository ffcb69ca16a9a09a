//! Who delivers what is in the queue, and for how long when the server stops.

use super::{Refusal, listen::own_addresses};
use crate::{
    config::Config,
    data_dir::DataDir,
    deliver::{Dispatcher, Local, Names, Remote, Ways},
    dsn::Reporter,
    maildir::Maildirs,
    message_id::MessageIds,
    policy::Recipients,
    queue::{SqliteQueue, Timestamp},
    route::Router,
    schedule::{self, Schedule},
};
use smtp_driver::Stop;
use smtp_proto::wire::HelloName;
use std::{io, sync::Arc, time::Duration};
use tokio::time::sleep;

/// How long attempts under way may take when the server stops.
const DRAIN: Duration = Duration::from_secs(20);

/// Delivers until it is told to stop, and what is under way has ended.
pub(super) async fn deliver(dispatcher: Dispatcher, stop: Stop) {
    let dispatch = dispatcher.dispatch();
    let cut = async {
        stop.given().await;
        dispatch.stop();
        sleep(DRAIN).await;
    };
    tokio::select! {
        () = dispatcher.run() => {}
        () = cut => tracing::warn!("attempts cut: they had not ended in time"),
    }
}

/// Who delivers what is in the queue.
pub(super) fn dispatcher(
    config: &Config,
    data: &DataDir,
    recipients: &Recipients,
    queue: &SqliteQueue,
    ids: &Arc<MessageIds>,
) -> Result<Dispatcher, Refusal> {
    let hostname = config.hostname.clone();
    let failed = |error: io::Error| {
        Refusal(format!("cannot use the data folder {}: {error}", config.data_dir.display()))
    };
    let maildirs = Maildirs::open(data.mail(), hostname.clone(), &recipients.mailboxes());
    let local = Local {
        recipients: recipients.clone(),
        maildirs: maildirs.map_err(failed)?,
        tmp: data.tmp(),
        ids: Arc::clone(ids),
        host: hostname.to_string(),
    };
    let cannot_send = |error: &dyn std::fmt::Display| Refusal(format!("cannot send mail: {error}"));
    let names = Names::new(&config.name_servers).map_err(|error| cannot_send(&error))?;
    let hello = HelloName::parse(hostname.as_str()).map_err(|error| cannot_send(&error))?;
    let own = own_addresses(&config.listeners).map_err(|error| cannot_send(&error))?;
    let remote = Remote::new(names, hello.into_static(), own);
    let remote = remote.map_err(|error| cannot_send(&error))?;
    let domains = config.domains.iter().map(|domain| domain.name.clone());
    let router = Arc::new(Router::new(domains, config.routes.clone()));
    let retry = Arc::new(config.queue.retry.clone());
    let reporter =
        Reporter { hostname, ids: Arc::clone(ids), tmp: data.tmp(), retry: Arc::clone(&retry) };
    let schedule = Schedule::new(schedule::Options::default(), router, retry, Timestamp::now());
    Ok(Dispatcher::new(schedule, queue.clone(), Ways { local, remote }, reporter))
}
