//! The server: listeners, certificate, drain.

use crate::{
    config::{Certificate, Config, Listener, Role, TlsStart},
    data_dir::DataDir,
    deliver::{Dispatcher, Intake, Local, Names, Remote, Ways},
    dsn::Reporter,
    maildir::{Maildirs, remove_abandoned},
    message_id::{MessageId, MessageIds},
    policy::{DomainName, Recipients},
    queue::{SqliteQueue, Timestamp},
    route::Router,
    schedule::{self, Schedule},
    session::{Receiver, Reception},
    tls,
    users::Users,
};
use smtp_driver::{Acceptor, Limiter, Notice, Pool, Service, Stop};
use smtp_proto::{
    Limits,
    ext::Extensions,
    server::{Mode, ServerConfig},
    wire::{Domain, HelloName, Host, Mechanism},
};
use smtp_server_tokio::{Server, TcpListener, Tokio};
use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{task::JoinSet, time::sleep};

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

/// What the services of all listeners are made of.
#[derive(Debug)]
struct Parts {
    machine: Machine,
    reception: Arc<Reception<Intake>>,
    users: Users,
    acceptor: Acceptor,
    limiter: Limiter,
    pool: Pool,
    /// Unlocks the data folder when the server is gone.
    _data: DataDir,
}

/// What the machines of all listeners have in common.
#[derive(Debug)]
struct Machine {
    host: Host<'static>,
    limits: Limits,
    /// For submission: one that does not show the password comes first.
    mechanisms: Vec<Mechanism<'static>>,
}

/// Controls a server that runs.
#[derive(Clone, Debug)]
pub struct Control {
    stop: Stop,
    acceptor: Acceptor,
    users: Users,
    certificate: Certificate,
    hostname: DomainName,
    own: PathBuf,
    queue: SqliteQueue,
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

/// How long attempts under way may take when the server stops.
const DRAIN: Duration = Duration::from_secs(20);

/// Delivers until it is told to stop, and what is under way has ended.
async fn deliver(dispatcher: Dispatcher, stop: Stop) {
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
fn dispatcher(
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

/// The addresses at which other servers reach us, as far as this machine knows them.
fn own_addresses(listeners: &[Listener]) -> io::Result<Vec<IpAddr>> {
    let mut own = Vec::new();
    for listener in listeners.iter().filter(|listener| listener.role == Role::Mx) {
        let at = listener.address.ip();
        if !at.is_unspecified() {
            own.push(at);
            continue;
        }
        // A socket for all addresses of IPv6 takes those of IPv4 as well.
        let interfaces = if_addrs::get_if_addrs()?.into_iter().map(|interface| interface.ip());
        own.extend(interfaces.filter(|ip| ip.is_ipv4() || at.is_ipv6()));
    }
    own.sort_unstable();
    own.dedup();
    Ok(own)
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

impl Machine {
    fn new(config: &Config) -> Result<Self, Refusal> {
        let host = Domain::parse(config.hostname.as_str())
            .map_err(|error| Refusal(format!("{}: {error}", config.hostname)))?;
        let mut limits = Limits::default();
        limits.message = config.message_size_limit;
        let mechanisms = Mechanism::parse("SCRAM-SHA-256").into_iter();
        let mechanisms = mechanisms.chain([Mechanism::PLAIN, Mechanism::LOGIN]).collect();
        Ok(Self { host: Host::Domain(host.into_static()), limits, mechanisms })
    }

    fn config(&self, listener: &Listener) -> Arc<ServerConfig> {
        let mut extensions = Extensions::new().smtputf8().chunking().dsn();
        if listener.tls == TlsStart::Starttls {
            extensions = extensions.starttls();
        }
        if listener.role.is_submission() {
            extensions = extensions.auth(self.mechanisms.iter().cloned());
        }
        let mode = match listener.role {
            Role::Mx => Mode::Smtp,
            Role::Submission | Role::Submissions => Mode::Submission,
            Role::Lmtp => Mode::Lmtp,
        };
        let builder = ServerConfig::builder(self.host.clone());
        builder.mode(mode).limits(self.limits).extensions(extensions).build()
    }
}

impl Parts {
    fn service(&self, listener: &Listener) -> Result<Service, Refusal> {
        let service = Service::new(self.machine.config(listener))
            .and_then(|service| service.pool(self.pool.clone()))
            .map_err(|error| Refusal(error.to_string()))?;
        let service = match listener.tls {
            TlsStart::Starttls => service.starttls(self.acceptor.clone()),
            TlsStart::Implicit => service.implicit_tls(self.acceptor.clone()),
            TlsStart::Off => service,
        };
        Ok(match listener.role.is_submission() {
            true => service.credentials(self.users.clone()),
            false => service,
        })
    }
}

type Sockets = (Vec<(Listener, TcpListener)>, Vec<Listener>);

fn listen(listeners: &[Listener]) -> Result<Sockets, Refusal> {
    let (mut open, mut listening) = (Vec::new(), Vec::new());
    for listener in listeners {
        let address = listener.address;
        let socket = match TcpListener::bind(address) {
            Ok(socket) => socket,
            Err(error) if is_missing_loopback(address, &error) => {
                tracing::info!(address = address.to_string(), "no IPv6 here: listener left out");
                continue;
            }
            Err(error) => return Err(cannot_listen(address, &error)),
        };
        let address = socket.local_addr().map_err(|error| cannot_listen(address, &error))?;
        listening.push(Listener { address, ..listener.clone() });
        open.push((listener.clone(), socket));
    }
    if open.is_empty() {
        return Err(Refusal("there is no address to listen on".into()));
    }
    Ok((open, listening))
}

/// A machine without IPv6 is no reason not to run on loopback.
fn is_missing_loopback(address: SocketAddr, error: &io::Error) -> bool {
    // EAFNOSUPPORT on Linux, for which the standard library has no stable kind.
    let no_family = error.raw_os_error() == Some(97);
    let no_address = error.kind() == io::ErrorKind::AddrNotAvailable;
    address.ip() == IpAddr::from(Ipv6Addr::LOCALHOST) && (no_family || no_address)
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Refusal {
    Refusal(match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("cannot listen on {address}: another program uses this port")
        }
        _ => format!("cannot listen on {address}: {error}"),
    })
}

/// What happens beside the sessions, whose handlers log for themselves.
fn observe(notice: Notice<'_>) {
    match notice {
        Notice::AcceptFailed(error) => {
            tracing::error!(reason = error.to_string(), "cannot accept connections");
        }
        Notice::TurnedAway { peer, full } => {
            let peer = peer.remote.map(|remote| remote.to_string());
            tracing::warn!(peer, reason = full.to_string(), "connection turned away");
        }
        Notice::Ended { peer, result } => {
            let peer = peer.remote.map(|remote| remote.to_string());
            tracing::debug!(peer, reason = format!("{result:?}"), "connection ended");
        }
        Notice::Cut { peer } => {
            let peer = peer.remote.map(|remote| remote.to_string());
            tracing::warn!(peer, "connection cut: it had not ended in time");
        }
        _ => {}
    }
}

impl From<String> for Refusal {
    fn from(sentence: String) -> Self {
        Self(sentence)
    }
}
