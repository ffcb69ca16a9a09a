//! Delivery to other servers: the hosts of a domain, a smarthost, an LMTP server.

use super::{
    Delivered, Names,
    body::QueuedBody,
    sources::Sources,
    terms::{Terms, Wanted},
};
use crate::{
    lane::Feedback,
    policy::DomainName,
    queue::{Attempt, Entry, SqliteQueue, Timestamp},
    route::{HostName, LmtpServer, Login, Route, Smarthost, Tls, Way},
    schedule::{Outcome, Verdict, Work},
};
use arc_swap::ArcSwap;
use smtp_client::{
    Cause, Delivery, Endpoint, Envelope, Hop, Mailer, Pool, PoolConfig, Stage, Status, Transcript,
    Watch,
    driver::{sasl, tls::ClientTls},
    mx::{Reach, Routing},
    proto::{
        Class,
        client::Mode,
        wire::{Domain, HelloName, Mail, Rcpt},
    },
    resolve::Resolver,
};
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How often connections are looked through for those that have waited too long.
const REAP: Duration = Duration::from_secs(10);

/// The port of hosts that take mail for a domain.
const SMTP: u16 = 25;

/// Octets of the dialogue of an attempt that are kept with its message.
const DIALOGUE: usize = 16 << 10;

/// The same of all attempts for a message, whose recipients may all have one of their own.
const DIALOGUES: usize = 256 << 10;

/// Where mail for other servers goes out.
#[derive(Debug)]
pub struct Remote {
    directions: ArcSwap<Directions>,
    hello: HelloName<'static>,
    terms: Terms,
    /// One for each set of source addresses.
    pools: Mutex<HashMap<Vec<IpAddr>, Pool<Sources>>>,
}

/// How hosts are found that the configuration does not name by their address.
#[derive(Debug)]
pub struct Directions {
    /// Who asks the DNS.
    pub names: Names,
    /// Where we take mail ourselves: what comes back there would go round in circles.
    pub own_addresses: Vec<IpAddr>,
}

/// One way of several that a message can go.
enum Next<'r> {
    Mx(&'r Way),
    Smarthost(&'r Smarthost),
    Lmtp(&'r LmtpServer),
}

/// A message on its way to some recipients.
struct Mailing<'m> {
    envelope: &'m Envelope,
    body: &'m mut QueuedBody,
    /// Is shown what is said.
    watch: &'m Watch,
}

impl Mailing<'_> {
    async fn by<V: Resolver>(self, mailer: &Mailer<Sources, Wanted<'_>, V>) -> Vec<Delivery> {
        mailer.send_watched(self.envelope, self.body, self.watch).await
    }
}

impl Remote {
    /// Mail goes out from the server called `hello`, inside `tls`.
    pub fn new(directions: Directions, hello: HelloName<'static>, tls: ClientTls) -> Self {
        let (directions, terms) = (ArcSwap::from_pointee(directions), Terms::new(tls));
        Self { directions, hello, terms, pools: Mutex::default() }
    }

    /// Finds hosts by these from now on.
    pub(super) fn direct(&self, directions: Directions) {
        self.directions.store(Arc::new(directions));
    }

    fn routing(&self, way: &Way) -> Routing {
        let mut routing = Routing::default();
        if let smtp_client::proto::wire::Host::Domain(name) = self.hello.host() {
            routing.own_names.push(name.clone());
        }
        routing.own_addresses.clone_from(&self.directions.load().own_addresses);
        if way.loopback {
            routing.reach = Reach::Loopback;
        }
        routing
    }

    /// Sends the message of `work` to its recipients.
    pub(super) async fn deliver(&self, queue: &SqliteQueue, work: &Work) -> Delivered {
        let Some(way) = work.route.way() else { return Delivered::untried(Feedback::Good) };
        let Some(envelope) = envelope(&work.entry, &work.recipients) else {
            return Delivered::untried(Feedback::Good);
        };
        let mut body = QueuedBody::new(queue.clone(), work.entry.id);
        let transcript =
            Transcript::new(DIALOGUE.min(DIALOGUES / work.entry.recipients.len().max(1)));
        let watch = transcript.watch();
        let mut ways = Vec::with_capacity(1 + way.fallback.len());
        ways.extend(match &*work.route {
            Route::Local => None,
            Route::Mx { .. } => Some(Next::Mx(way)),
            Route::Smarthost { host, .. } => Some(Next::Smarthost(host)),
            Route::Lmtp { server, .. } => Some(Next::Lmtp(server)),
        });
        ways.extend(way.fallback.iter().map(Next::Smarthost));

        let mut deliveries: Vec<Option<Delivery>> = vec![None; work.recipients.len()];
        let mut left: Vec<usize> = (0..work.recipients.len()).collect();
        for next in &ways {
            let Some(envelope) = envelope.for_recipients(left.iter().copied()) else { break };
            let mailing = Mailing { envelope: &envelope, body: &mut body, watch: &watch };
            let sent = self.send(next, way, mailing).await;
            for (place, delivery) in left.iter().zip(sent) {
                deliveries[*place] = Some(delivery);
            }
            left.retain(|place| deliveries[*place].as_ref().is_some_and(may_go_elsewhere));
        }
        let is_lmtp = matches!(*work.route, Route::Lmtp { .. });
        let deliveries: Vec<_> = deliveries.into_iter().flatten().collect();
        let feedback = deliveries.iter().map(|it| feedback(&it.outcome)).min_by_key(|it| *it as u8);
        let mut outcomes: Vec<_> =
            deliveries.iter().map(|delivery| outcome(delivery, is_lmtp)).collect();
        let is_bad = |it: &&mut Outcome| matches!(it.verdict, Verdict::Delayed | Verdict::Failed);
        if let Some(first) = outcomes.iter_mut().find(is_bad) {
            first.attempt.dialogue = Some(transcript.to_string().into());
        }
        Delivered { outcomes, feedback: feedback.unwrap_or(Feedback::Good) }
    }

    async fn send(&self, next: &Next<'_>, way: &Way, mailing: Mailing<'_>) -> Vec<Delivery> {
        let pool = self.pool(&way.source);
        let hello = way.hello.as_ref().and_then(hello_name).unwrap_or_else(|| self.hello.clone());
        let (login, roots) = (Ok(None), Ok(None));
        let plain = |tls, mode| Wanted { terms: &self.terms, hello, tls, mode, login, roots };
        let deliveries = match next {
            Next::Mx(way) => {
                let names = self.directions.load().names.clone();
                let wanted = plain(way.tls, Mode::Smtp);
                let mailer = Mailer::by_mx(pool, wanted, names, self.routing(way));
                return mailing.by(&mailer.port(way.port.unwrap_or(SMTP))).await;
            }
            Next::Smarthost(host) => {
                let login = match &host.login {
                    None => Ok(None),
                    Some(login) => read_login(login).await.map(Some),
                };
                let roots = match &host.ca_file {
                    None => Ok(None),
                    Some(file) => read(file).await.map(|pem| Some(pem.into())),
                };
                let wanted = Wanted { login, roots, ..plain(host.tls, Mode::Smtp) };
                self.through(pool, wanted, &host.host, host.port, mailing).await
            }
            Next::Lmtp(LmtpServer::Tcp(host, port)) => {
                let wanted = plain(Tls::Off, Mode::Lmtp);
                self.through(pool, wanted, host, *port, mailing).await
            }
            Next::Lmtp(LmtpServer::Unix(path)) => {
                let endpoints = vec![Endpoint::Unix(path.clone())];
                let hop = Hop { host: path.display().to_string().into(), endpoints };
                mailing.by(&Mailer::through(pool, plain(Tls::Off, Mode::Lmtp), hop)).await
            }
        };
        deliveries.into_iter().map(not_the_messages_fault).collect()
    }

    /// Sends to a host that the configuration names.
    async fn through(
        &self,
        pool: Pool<Sources>,
        wanted: Wanted<'_>,
        host: &HostName,
        port: u16,
        mailing: Mailing<'_>,
    ) -> Vec<Delivery> {
        match host {
            HostName::Address(address) => {
                let endpoints = vec![SocketAddr::new(*address, port).into()];
                let hop = Hop { host: address.to_string().into(), endpoints };
                mailing.by(&Mailer::through(pool, wanted, hop)).await
            }
            HostName::Name(name) => {
                // A name of the configuration is one that can be parsed.
                let Ok(name) = Domain::parse(name.as_str()) else { return Vec::new() };
                let names = self.directions.load().names.clone();
                mailing.by(&Mailer::through_host(pool, wanted, names, name, port)).await
            }
        }
    }

    fn pool(&self, source: &[IpAddr]) -> Pool<Sources> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(source) {
            return pool.clone();
        }
        // How many there may be to one destination is the lane's to say.
        let config = PoolConfig { connections: usize::MAX, ..PoolConfig::default() };
        let pool = Pool::new(Sources::new(source), config);
        pools.insert(source.to_vec(), pool.clone());
        pool
    }

    fn pools(&self) -> Vec<Pool<Sources>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Closes connections that have waited too long, for ever.
    pub(super) async fn reap(&self) {
        loop {
            tokio::time::sleep(REAP).await;
            for pool in self.pools() {
                pool.reap().await;
            }
        }
    }

    /// Says QUIT on all connections, and lends none any more.
    pub(super) async fn close(&self) {
        for pool in self.pools() {
            pool.close().await;
        }
    }
}

/// The envelope of `entry` for the recipients at `places`.
fn envelope(entry: &Entry, places: &[u32]) -> Option<Envelope> {
    let from = &entry.envelope;
    let mut mail = Mail::new(from.from.clone());
    mail.size = Some(entry.size);
    mail.body = from.body;
    mail.smtputf8 = from.smtputf8;
    mail.ret = from.ret;
    mail.envid = from.envid.clone();
    let recipients = places.iter().map(|place| entry.recipients.get(*place as usize));
    let mut builder = Envelope::from_mail(mail);
    for recipient in recipients {
        let recipient = recipient?;
        let mut rcpt = Rcpt::new(recipient.to.clone());
        rcpt.notify = recipient.notify;
        rcpt.orcpt = recipient.orcpt.clone();
        builder = builder.rcpt(rcpt);
    }
    builder.build().ok()
}

fn hello_name(name: &DomainName) -> Option<HelloName<'static>> {
    HelloName::parse(name.as_str()).ok().map(HelloName::into_static)
}

/// Files are read each time: who changes one need not tell us.
async fn read(file: &Path) -> Result<Vec<u8>, String> {
    tokio::fs::read(file).await.map_err(|error| format!("{}: {error}", file.display()))
}

async fn read_login(login: &Login) -> Result<sasl::Login, String> {
    let octets = read(&login.password_file).await?;
    let text = str::from_utf8(&octets);
    let text = text.map_err(|error| format!("{}: {error}", login.password_file.display()))?;
    let password = text.lines().next().unwrap_or_default();
    Ok(sasl::Login::password(&*login.user, password))
}

/// Whether a fallback may have the message: nobody had it, and nobody has decided about it.
fn may_go_elsewhere(delivery: &Delivery) -> bool {
    let outcome = &delivery.outcome;
    let undecided = outcome.status == Status::Delayed && !outcome.in_doubt;
    undecided && feedback(outcome) == Feedback::Down
}

/// What goes wrong before MAIL with a server that the configuration names is not the message's
/// fault, whatever the code: somebody will put it right.
fn not_the_messages_fault(mut delivery: Delivery) -> Delivery {
    let outcome = &mut delivery.outcome;
    if outcome.status == Status::Failed && outcome.stage < Stage::Prepare {
        outcome.status = Status::Delayed;
    }
    delivery
}

fn outcome(delivery: &Delivery, is_lmtp: bool) -> Outcome {
    let Delivery { outcome, dsn_passed_on, .. } = delivery;
    let verdict = match outcome.status {
        Status::Sent if is_lmtp => Verdict::Delivered,
        Status::Sent => Verdict::Relayed { dsn_passed_on: *dsn_passed_on },
        Status::Delayed => Verdict::Delayed,
        Status::Failed => Verdict::Failed,
    };
    let (at, host, reply) = (Timestamp::now(), outcome.host.to_string(), outcome.reply.to_string());
    Outcome { verdict, attempt: Attempt { at, host, reply, dialogue: None } }
}

/// What an outcome says of the destination.
fn feedback(outcome: &smtp_client::Outcome) -> Feedback {
    let is_transient = outcome.reply.class() == Some(Class::Transient);
    match outcome.cause {
        Cause::Route if outcome.status == Status::Delayed => Feedback::Down,
        Cause::Route | Cause::Message | Cause::NotOffered | Cause::Limit => Feedback::Good,
        Cause::Server => match outcome.stage {
            Stage::Tls | Stage::Auth => Feedback::Down,
            _ if outcome.reply.code() == 421 => Feedback::Busy,
            stage if stage <= Stage::Mail && is_transient => Feedback::Busy,
            stage if stage < Stage::Prepare => Feedback::Down,
            _ => Feedback::Good,
        },
        // It let us in, and was lost in the middle.
        _ if outcome.stage >= Stage::Prepare => Feedback::Busy,
        _ => Feedback::Down,
    }
}
