//! Who delivers what is in the queue, and for how long when the server stops.

use super::{Refusal, listen::own_addresses};
use crate::{
    config::Config,
    data_dir::DataDir,
    deliver::{Directions, Dispatcher, Local, Names, Remote, Settings, Ways},
    dsn::Reporter,
    maildir::Maildirs,
    message_id::MessageIds,
    queue::{SqliteQueue, Timestamp},
    route::Router,
    schedule::{self, Schedule},
    tls,
};
use arc_swap::ArcSwap;
use smtp_driver::Stop;
use smtp_proto::wire::HelloName;
use std::{fmt, sync::Arc, time::Duration};
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

fn cannot_send(error: impl fmt::Display) -> Refusal {
    Refusal(format!("cannot send mail: {error}"))
}

/// What `config` says of deliveries.
pub(super) fn settings(config: &Config) -> Result<Settings, Refusal> {
    let domains = config.domains.iter().map(|domain| domain.name.get_ref().clone());
    Ok(Settings {
        recipients: config.recipients().map_err(|error| Refusal(error.to_string()))?,
        directions: Directions {
            names: Names::new(&config.name_servers).map_err(cannot_send)?,
            own_addresses: own_addresses(&config.listeners).map_err(cannot_send)?,
        },
        router: Arc::new(Router::new(domains, config.routes.clone())),
        retry: Arc::new(config.queue.retry.clone()),
    })
}

/// Who delivers what is in the queue.
pub(super) fn dispatcher(
    config: &Config,
    settings: Settings,
    data: &DataDir,
    maildirs: Maildirs,
    queue: &SqliteQueue,
    ids: &Arc<MessageIds>,
) -> Result<Dispatcher, Refusal> {
    let hostname = config.hostname.clone();
    let Settings { recipients, directions, router, retry } = settings;
    let hello = HelloName::parse(hostname.as_str()).map_err(cannot_send)?.into_static();
    let tls = tls::client(config.ca_file.as_deref()).map_err(cannot_send)?;
    let remote = Remote::new(directions, hello, tls);
    let local = Local {
        recipients: ArcSwap::from_pointee(recipients.clone()),
        maildirs,
        tmp: data.tmp(),
        ids: Arc::clone(ids),
        host: hostname.to_string(),
    };
    let reporter = Reporter {
        hostname,
        ids: Arc::clone(ids),
        tmp: data.tmp(),
        retry: ArcSwap::new(Arc::clone(&retry)),
        recipients: ArcSwap::from_pointee(recipients),
    };
    let schedule = Schedule::new(schedule::Options::default(), router, retry, Timestamp::now());
    Ok(Dispatcher::new(schedule, queue.clone(), Ways { local, remote }, reporter))
}
