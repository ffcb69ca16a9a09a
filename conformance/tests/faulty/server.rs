//! The server: what its sessions share, and how the suite connects to it.

use super::{
    fault::Fault,
    habit::Habit,
    pipe::{ClientEnd, connection},
    session::Session,
    stream::Stream,
};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::PrivatePkcs8KeyDer,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use smtp_conformance::{
    capture,
    cooperation::{Cooperation, Credentials, Mailbox},
    wire::{Port, Target, Wire},
};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// The server's name.
pub(crate) const NAME: &str = "mx.example.test";
/// The domain whose mailboxes it has.
pub(crate) const DOMAIN: &str = "example.test";
/// Octets of the largest message.
pub(crate) const SIZE: usize = 100_000;
/// Recipients of one transaction.
pub(crate) const RCPTMAX: usize = 100;
/// Transactions of one session.
pub(crate) const MAILMAX: u32 = 20;
/// Mailboxes `user1` to `userN`.
const USERS: usize = 105;
/// Who may log in.
pub(crate) const USER: &str = "user1@example.test";
/// And how.
pub(crate) const PASSWORD: &str = "open-sesame";
/// Its log, beside its mailboxes.
const LOG: &str = "log";

/// Where a server stands, which one case may want otherwise than the others.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    /// How long a minute is to it.
    pub minute: Duration,
    /// The next hop of all its mail, without TLS; mail stays here if there is none.
    pub next_hop: Option<SocketAddr>,
    /// The client may say XCLIENT.
    pub trusted: bool,
    /// It writes a log.
    pub logs: bool,
    /// What it does that few others do.
    pub habit: Option<Habit>,
}

impl Setting {
    /// What the case `id` wants.
    pub(crate) fn of(id: &str) -> Self {
        static NEXT_HOP: OnceLock<Option<SocketAddr>> = OnceLock::new();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            // Eight of them are how long the server waits for anything.
            minute: match id {
                "CONN-11" | "SEC-DOS-07" => Duration::from_millis(100),
                _ => Duration::from_secs(4),
            },
            next_hop: match id {
                "RTLS-03" => *NEXT_HOP.get_or_init(|| capture::listen(any).ok()),
                _ => None,
            },
            trusted: id == "XCL-02",
            logs: id == "SEC-INJ-05",
            habit: None,
        }
    }
}

/// A server with at most one fault.
pub(crate) struct Server {
    fault: Option<Fault>,
    root: PathBuf,
    /// Where it stands.
    pub setting: Setting,
    /// How often it was stopped and started again.
    restarts: AtomicU64,
    /// How many sessions there are.
    sessions: AtomicU64,
    /// How it does TLS.
    pub tls: Arc<ServerConfig>,
    /// For the server that serves one at a time.
    serial: Mutex<()>,
    ids: AtomicU64,
    dead: AtomicBool,
}

impl Server {
    /// Whether it has this fault.
    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// A number that it has not given before.
    pub(crate) fn id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// It takes no connection any more.
    pub(crate) fn dies(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    /// How often it was stopped and started again.
    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Writes down what a client said.
    pub(crate) fn log(&self, line: &[u8]) {
        if !self.setting.logs {
            return;
        }
        let octets = self.has(Fault::LogsOctets);
        let line = if octets { line.to_vec() } else { line.escape_ascii().collect() };
        let log = OpenOptions::new().append(true).open(self.root.join(LOG));
        drop(log.and_then(|mut log| log.write_all(&[&line[..], b"\n"].concat())));
    }

    /// How many sessions there are.
    pub(crate) fn sessions(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Where its mailboxes are.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The mailbox of a local part, in lower case; `None` if there is none.
    pub(crate) fn mailbox(&self, local: &[u8]) -> Option<String> {
        let local = std::str::from_utf8(local).ok()?.to_lowercase();
        let number = local.strip_prefix("user").and_then(|n| n.parse::<usize>().ok());
        let exists = number.is_some_and(|n| (1..=USERS).contains(&n))
            || ["postmaster", "failing", "jürgen"].contains(&local.as_str());
        exists.then_some(local)
    }
}

/// The server as the suite connects to it.
pub(crate) struct Faulty(Arc<Server>);

impl Faulty {
    /// A server whose mailboxes are below `root`.
    pub(crate) fn new(fault: Option<Fault>, root: PathBuf, setting: Setting) -> Self {
        let tls = tls_config(fault);
        if setting.logs {
            drop(fs::create_dir_all(&root).and_then(|()| fs::write(root.join(LOG), b"")));
        }
        Self(Arc::new(Server {
            fault,
            root,
            setting,
            restarts: AtomicU64::new(0),
            sessions: AtomicU64::new(0),
            tls,
            serial: Mutex::default(),
            ids: AtomicU64::new(1),
            dead: AtomicBool::new(false),
        }))
    }

    /// What its operator tells the suite.
    pub(crate) fn cooperation(&self) -> Cooperation {
        let recipients: Vec<String> = (1..=USERS).map(|n| format!("user{n}@{DOMAIN}")).collect();
        let folder = |name: &String| {
            let local = name.split('@').next().unwrap_or_default();
            (name.clone(), self.0.root.join(local))
        };
        let mut folders: std::collections::BTreeMap<_, _> = recipients.iter().map(folder).collect();
        folders.extend([folder(&format!("postmaster@{DOMAIN}"))]);
        Cooperation {
            recipients,
            unknown: Some(format!("nosuchuser@{DOMAIN}")),
            foreign: Some("someone@elsewhere.example".into()),
            failing: Some(format!("failing@{DOMAIN}")),
            credentials: Some(Credentials { user: USER.into(), password: PASSWORD.into() }),
            tls_name: Some(NAME.into()),
            trusted: self.0.setting.trusted,
            log: self.0.setting.logs.then(|| self.0.root.join(LOG)),
            mailbox: Some(match self.0.setting.next_hop {
                Some(address) => Mailbox::Capture(address),
                None => Mailbox::Maildir(folders),
            }),
            // It knows the names that it is asked about.
            dns: Some(([127, 0, 0, 1], 53).into()),
            ..Cooperation::default()
        }
    }
}

impl Target for Faulty {
    fn connect(&self, port: Port) -> io::Result<Box<dyn Wire>> {
        if self.0.dead.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (client, own) = connection();
        let server = Arc::clone(&self.0);
        thread::Builder::new().stack_size(256 << 10).spawn(move || {
            let one_at_a_time = server.has(Fault::ServesOneAtATime);
            let _turn =
                one_at_a_time.then(|| server.serial.lock().unwrap_or_else(PoisonError::into_inner));
            server.sessions.fetch_add(1, Ordering::Relaxed);
            let idle = 8 * server.setting.minute;
            Session::new(&server, Stream::new(own, idle), port).run();
            server.sessions.fetch_sub(1, Ordering::Relaxed);
        })?;
        Ok(Box::new(ClientEnd::new(client)))
    }

    fn has(&self, port: Port) -> bool {
        port == Port::Main || self.0.setting.habit != Some(Habit::Bare)
    }

    fn restart(&self) -> Option<io::Result<()>> {
        self.0.restarts.fetch_add(1, Ordering::Relaxed);
        Some(Ok(()))
    }
}

/// Gives the certificate only to those who ask for the right name.
#[derive(Debug)]
struct OneName(Arc<CertifiedKey>, bool);

impl ResolvesServerCert for OneName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let known = hello.server_name() == Some(NAME) || !self.1;
        known.then(|| Arc::clone(&self.0))
    }
}

fn certificate() -> Option<CertifiedKey> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).ok()?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let key = aws_lc_rs::sign::any_supported_type(&key).ok()?;
    Some(CertifiedKey::new(vec![made.cert.into()], key))
}

#[expect(clippy::expect_used, reason = "nothing can be judged without a certificate")]
fn tls_config(fault: Option<Fault>) -> Arc<ServerConfig> {
    let one_name = fault == Some(Fault::SniRefused);
    static KEY: OnceLock<Arc<CertifiedKey>> = OnceLock::new();
    let key = KEY.get_or_init(|| Arc::new(certificate().expect("a certificate")));
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions that the provider has")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(OneName(Arc::clone(key), one_name)));
    // Each handshake is judged on its own.
    config.send_tls13_tickets = usize::from(fault == Some(Fault::ResumedIsLogin));
    Arc::new(config)
}
