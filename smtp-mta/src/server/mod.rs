//! The server: its start, its run, its end.

mod control;
mod deliver;
mod listen;
mod open;
mod passed;
mod reload;
mod service;

pub use control::Control;
pub use passed::Passed;
pub use reload::Changes;

use crate::{
    config::{Config, Listener},
    control::{Handler, Service as ControlService},
    data_dir::DataDir,
    deliver::{Dispatch, Dispatcher, Intake},
    maildir::{Maildirs, remove_abandoned},
    message_id::{MessageId, MessageIds},
    queue::SqliteQueue,
    session::Reception,
    tls::{Stamp, Watch},
    users::Users,
};
use arc_swap::ArcSwap;
use control::Reload;
use deliver::{deliver, dispatcher};
use open::Listeners;
use reload::{Kept, Plan};
use service::Services;
use smtp_driver::{Pool, Stop};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::{
    sync::mpsc,
    task::{JoinSet, spawn_blocking},
    time::{MissedTickBehavior, interval, timeout},
};

/// How often the files of the certificates are looked at.
const CERTIFICATE: Duration = Duration::from_secs(30);

/// How long the queue may take to close, once nobody uses it any more.
const CLOSE: Duration = Duration::from_secs(4);

/// Why the server cannot start, or not go on as it is told: a plain sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// A mail server whose listeners are open.
#[derive(Debug)]
pub struct Mta {
    /// Where each listener listens, in the order of the configuration.
    listening: Vec<Listener>,
    dispatcher: Dispatcher,
    control: Control,
    current: Current,
    socket: ControlService,
}

/// What a server goes on by, and what can change it.
#[derive(Debug)]
struct Current {
    config: Config,
    kept: Arc<Kept>,
    listeners: Listeners,
    /// One for each listener that has TLS.
    watches: Arc<Mutex<Vec<Watch>>>,
    dispatch: Dispatch,
    queue: SqliteQueue,
    reloads: mpsc::Receiver<Reload>,
}

impl Mta {
    /// Opens the data folder and the listeners. Blocks for a moment; must be called within a
    /// runtime of tokio.
    ///
    /// # Errors
    /// A sentence that names the folder, file or address that cannot be used.
    pub fn start(config: &Config) -> Result<Self, Refusal> {
        Self::start_with(config, Passed::default())
    }

    /// The same, with sockets that were `passed`; listeners that have none open their own.
    ///
    /// # Errors
    /// As [`start`](Self::start), and if a socket is for no listener.
    pub fn start_with(config: &Config, passed: Passed) -> Result<Self, Refusal> {
        let data = DataDir::open(&config.data_dir)?;
        let failed = |error: io::Error| {
            Refusal(format!("cannot use the data folder {}: {error}", config.data_dir.display()))
        };
        let users = Users::open(&config.data_dir).map_err(failed)?;
        remove_abandoned(&data.tmp(), MessageId::is_one, SystemTime::now()).map_err(failed)?;
        let queue = SqliteQueue::open(data.queue(), config.queue.options())
            .map_err(|error| Refusal(format!("cannot use the queue: {error}")))?;
        let ids = Arc::new(MessageIds::new().map_err(failed)?);
        let policy = config.policy().map_err(|error| Refusal(error.to_string()))?;
        let settings = deliver::settings(config)?;
        let mailboxes = settings.recipients.mailboxes();
        let maildirs = Maildirs::open(data.mail(), config.hostname.clone(), &mailboxes);
        let maildirs = maildirs.map_err(failed)?;
        let dispatcher = dispatcher(config, settings, &data, maildirs.clone(), &queue, &ids)?;
        let dispatch = dispatcher.dispatch();
        let reception = Reception {
            hostname: config.hostname.clone(),
            policy: ArcSwap::from_pointee(policy),
            tmp: data.tmp(),
            store: Intake { queue: queue.clone(), dispatch: dispatch.clone() },
            ids,
        };
        let services = Services { users, pool: Pool::default() };
        let kept = Kept { data, maildirs, services };
        let mut listeners = Listeners::new(reception);
        let (planned, watches) = kept.planned(config, &[], passed, Vec::new())?;
        listeners.replace(planned);
        let (sender, reloads) = mpsc::channel(1);
        let control = Control { stop: Stop::new(), reloads: sender, queue: queue.clone() };
        let listening = listeners.listening();
        let handler = Handler { queue: queue.clone(), dispatch: Some(dispatch.clone()) };
        let socket = ControlService::start(&kept.data, handler)?;
        let current = Current {
            config: config.clone(),
            kept: Arc::new(kept),
            listeners,
            watches: Arc::new(Mutex::new(watches)),
            dispatch,
            queue,
            reloads,
        };
        Ok(Self { listening, dispatcher, control, current, socket })
    }

    /// Where it listens, with the ports that the kernel chose.
    pub fn listening(&self) -> &[Listener] {
        &self.listening
    }

    /// What stops it.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Serves until [`Control::stop`], and then until the connections and the attempts under way
    /// have ended, for which there are 25 and 20 seconds, and the queue is closed: 30 seconds at
    /// most. What is cut is tried again, by the peer or at the next start.
    pub async fn run(self) {
        let Self { dispatcher, control: Control { stop, .. }, mut current, socket, .. } = self;
        let mut deliveries = JoinSet::new();
        deliveries.spawn(deliver(dispatcher, stop.clone()));
        current.listeners.serve();
        tokio::select! {
            () = stop.given() => {}
            () = current.attend() => {}
        }
        let Current { listeners, queue, kept, .. } = current;
        kept.services.users.stop();
        listeners.close().await;
        while deliveries.join_next().await.is_some() {}
        drop(socket);
        // It was open until now, and what it has answered is on the disk in any case.
        drop(timeout(CLOSE, queue.close()).await);
        drop(kept);
    }
}

impl Current {
    /// Does what it is told and looks at the certificates, for ever.
    async fn attend(&mut self) {
        let mut certificate = interval(CERTIFICATE);
        certificate.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(Reload { config, done }) = self.reloads.recv() => {
                    // Who has asked may not wait for it any more.
                    drop(done.send(self.reload(*config).await));
                }
                _ = certificate.tick() => self.look_at_certificates().await,
            }
        }
    }

    /// Goes on by `config`, or as before. There is no await once something has changed.
    async fn reload(&mut self, config: Config) -> Result<Changes, Refusal> {
        let (kept, before) = (Arc::clone(&self.kept), self.config.clone());
        let open = self.listeners.addresses();
        let tls = self.watches.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let plan = spawn_blocking(move || kept.plan(&before, &open, tls, config));
        let plan = plan.await.map_err(|error| Refusal(error.to_string()))??;
        let Plan { config, mut changes, policy, settings, listeners, watches } = plan;
        let mut before = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let (then, now) = (seen(&before), seen(&watches));
        if then.iter().any(|(path, then)| now.get(path).is_some_and(|now| now != then)) {
            changes.add("certificate");
        }
        *before = watches;
        drop(before);
        self.queue.limit(&config.queue.options());
        // First this: what is accepted by the new policy is delivered by the new settings.
        self.dispatch.reload(settings);
        self.listeners.reception().policy.store(Arc::new(policy));
        self.listeners.replace(listeners);
        self.listeners.serve();
        self.config = config;
        Ok(changes)
    }

    /// Loads the certificates whose files are others than before.
    async fn look_at_certificates(&self) {
        let watches = Arc::clone(&self.watches);
        let look = move || -> BTreeSet<_> {
            let mut watches = watches.lock().unwrap_or_else(PoisonError::into_inner);
            watches.iter_mut().filter_map(Watch::changed).collect()
        };
        // Listeners that have the same files find the same: it is told once.
        for found in spawn_blocking(look).await.unwrap_or_default() {
            match found {
                Ok(()) => tracing::info!("the certificate has changed and was read again"),
                Err(reason) => {
                    tracing::warn!(reason, "the certificate cannot be used: the one before stays");
                }
            }
        }
    }
}

/// All files of the listeners' TLS, as they were when they were read.
fn seen(watches: &[Watch]) -> BTreeMap<&Path, Option<Stamp>> {
    watches.iter().flat_map(Watch::seen).collect()
}

impl From<String> for Refusal {
    fn from(sentence: String) -> Self {
        Self(sentence)
    }
}
