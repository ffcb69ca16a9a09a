//! The server: its start, its run, its end.

mod control;
mod deliver;
mod listen;
mod service;

pub use control::Control;

use crate::{
    config::{Config, Listener},
    data_dir::DataDir,
    deliver::{Dispatcher, Intake},
    maildir::remove_abandoned,
    message_id::{MessageId, MessageIds},
    queue::SqliteQueue,
    session::{Receiver, Reception},
    tls,
    users::Users,
};
use deliver::{deliver, dispatcher};
use listen::{listen, observe};
use service::{Machine, Parts};
use smtp_driver::{Acceptor, Limiter, Pool, Stop};
use smtp_server_tokio::{Server, TcpListener, Tokio};
use std::{io, sync::Arc, time::SystemTime};
use tokio::task::JoinSet;

/// Why the server cannot start, or not go on as it is told: a plain sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// A mail server whose listeners are open.
#[derive(Debug)]
pub struct Mta {
    open: Vec<(Listener, TcpListener)>,
    /// Where each listener listens, in the order of the configuration.
    listening: Vec<Listener>,
    parts: Parts,
    dispatcher: Dispatcher,
    control: Control,
}

impl Mta {
    /// Opens the data folder and the listeners. Blocks for a moment; must be called within a
    /// runtime of tokio.
    ///
    /// # Errors
    /// A sentence that names the folder, file or address that cannot be used.
    pub fn start(config: &Config) -> Result<Self, Refusal> {
        let data = DataDir::open(&config.data_dir)?;
        let acceptor = Acceptor::new(tls::load(&config.tls, &config.hostname, &data.tls())?);
        let policy = config.policy();
        let failed = |error: io::Error| {
            Refusal(format!("cannot use the data folder {}: {error}", config.data_dir.display()))
        };
        let users = Users::open(&config.data_dir).map_err(failed)?;
        remove_abandoned(&data.tmp(), MessageId::is_one, SystemTime::now()).map_err(failed)?;
        let queue = SqliteQueue::open(data.queue(), config.queue.options())
            .map_err(|error| Refusal(format!("cannot use the queue: {error}")))?;
        let ids = Arc::new(MessageIds::new().map_err(failed)?);
        let dispatcher = dispatcher(config, &data, policy.recipients(), &queue, &ids)?;
        let reception = Reception {
            hostname: config.hostname.clone(),
            policy,
            tmp: data.tmp(),
            store: Intake { queue: queue.clone(), dispatch: dispatcher.dispatch() },
            ids,
        };
        let (open, listening) = listen(&config.listeners)?;
        let control = Control {
            stop: Stop::new(),
            acceptor: acceptor.clone(),
            users: users.clone(),
            certificate: config.tls.clone(),
            hostname: config.hostname.clone(),
            own: data.tls(),
            queue,
        };
        let parts = Parts {
            machine: Machine::new(config)?,
            reception: Arc::new(reception),
            users,
            acceptor,
            limiter: Limiter::default(),
            pool: Pool::default(),
            _data: data,
        };
        Ok(Self { open, listening, parts, dispatcher, control })
    }

    /// Where it listens, with the ports that the kernel chose.
    pub fn listening(&self) -> &[Listener] {
        &self.listening
    }

    /// What stops it.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Serves until [`Control::stop`], and then until the connections have ended and the attempts
    /// under way, for which there are 20 seconds; what is cut is tried again at the next start.
    ///
    /// # Errors
    /// The configuration does not fit the receive buffers; nothing was served then.
    pub async fn run(self) -> Result<(), Refusal> {
        let (mut servers, mut deliveries) = (JoinSet::new(), JoinSet::new());
        deliveries.spawn(deliver(self.dispatcher, self.control.stop.clone()));
        let runtime = Tokio::new();
        let stop = self.control.stop.clone();
        for (listener, socket) in self.open {
            let service = self.parts.service(&listener)?;
            let reception = Arc::clone(&self.parts.reception);
            let receiver = Receiver { reception, role: listener.role };
            let server = Server::new(runtime, service, receiver)
                .limiter(self.parts.limiter.clone())
                .observer(observe);
            let (signal, stopped) = (server.stop(), stop.given());
            servers.spawn(server.run(socket));
            servers.spawn(async move {
                stopped.await;
                signal.stop();
            });
        }
        while servers.join_next().await.is_some() {}
        while deliveries.join_next().await.is_some() {}
        // It was open until now, and what it has answered is on the disk in any case.
        drop(self.control.queue.close().await);
        Ok(())
    }
}

impl From<String> for Refusal {
    fn from(sentence: String) -> Self {
        Self(sentence)
    }
}
