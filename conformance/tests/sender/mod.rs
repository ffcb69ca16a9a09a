//! A client built to be judged: without a fault it does all that the rows ask for.

mod auth;
pub(crate) mod fault;
pub(crate) mod habit;
mod names;
mod reader;
mod session;
mod tls;

use fault::Fault;
use habit::Habit;
use reader::Connection;
use session::{Failure, Job, Left, Session};
use smtp_conformance::{
    client::sender::{Ended, Manners, Need, Order, Running, Sender},
    wire::TcpWire,
};
use std::{
    io,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

const TEMPORARY: i32 = 75;
const PERMANENT: i32 = 69;

/// A client with a fault, or without.
pub(crate) struct Faulty {
    fault: Option<Fault>,
    manners: Manners,
    turn: AtomicUsize,
    habit: Option<Habit>,
}

impl Faulty {
    pub(crate) fn new(fault: Option<Fault>, patience: Duration) -> Self {
        let manners = Manners {
            temporary: vec![TEMPORARY],
            permanent: vec![PERMANENT],
            patience,
            ..Manners::default()
        };
        Self { fault, manners, turn: AtomicUsize::new(0), habit: None }
    }

    /// One without a fault that does what few others do.
    pub(crate) fn unusual(habit: Habit, patience: Duration) -> Self {
        Self { habit: Some(habit), ..Self::new(None, patience) }
    }

    /// One that takes a message and sends it later, or so it says.
    pub(crate) fn queueing(patience: Duration) -> Self {
        let mut queueing = Self::new(None, patience);
        queueing.manners.queues = true;
        queueing.manners.again = Duration::from_millis(400);
        queueing
    }
}

impl Sender for Faulty {
    fn serves(&self, _: Need) -> bool {
        true
    }

    fn uses(&self, _: Need, _: &str) -> bool {
        true
    }

    fn manners(&self) -> &Manners {
        &self.manners
    }

    fn start(&self, order: &Order<'_>) -> io::Result<Box<dyn Running>> {
        let job = Job {
            need: order.need,
            helo: order.helo.to_owned(),
            from: order.from.to_owned(),
            to: order.to.to_vec(),
            eml: order.message.eml(),
            ca: order.ca.to_owned(),
            pin: None,
        };
        let sending = Sending {
            fault: self.fault,
            habit: self.habit,
            job,
            server: order.server,
            dns: order.dns,
            timeout: order.timeout.min(self.manners.patience / 2),
            turn: self.turn.fetch_add(1, Ordering::Relaxed),
            memory: Arc::default(),
        };
        let queued = self.manners.queues.then_some(Ended::Exit(0));
        let running =
            Thread { ended: Arc::new(Mutex::new(queued)), memory: Arc::clone(&sending.memory) };
        let ended = Arc::clone(&running.ended);
        thread::spawn(move || {
            let status = match sending.run() {
                Ok(()) => 0,
                Err(Failure::Temporary) => TEMPORARY,
                Err(Failure::Permanent) => PERMANENT,
            };
            *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Ended::Exit(status));
        });
        Ok(Box::new(running))
    }
}

struct Thread {
    ended: Arc<Mutex<Option<Ended>>>,
    memory: Arc<AtomicU64>,
}

impl Running for Thread {
    fn ended(&mut self) -> Option<Ended> {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // It ends with its connection.
    fn stop(&mut self) {}

    fn memory(&mut self) -> Option<u64> {
        Some(self.memory.load(Ordering::Relaxed))
    }
}

struct Sending {
    fault: Option<Fault>,
    habit: Option<Habit>,
    job: Job,
    server: SocketAddr,
    dns: Option<SocketAddr>,
    timeout: Duration,
    turn: usize,
    memory: Arc<AtomicU64>,
}

impl Sending {
    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn run(mut self) -> Result<(), Failure> {
        let bad = |text: &String| text.contains(['\r', '\n', '\0']);
        let any_bad = self.job.to.iter().chain([&self.job.from, &self.job.helo]).any(bad);
        if any_bad && !self.has(Fault::ChecksNothing) {
            return Err(Failure::Permanent);
        }
        if !self.has(Fault::KeepsRoutes) {
            for address in &mut self.job.to {
                if let Some((_, last)) =
                    address.rsplit_once(':').filter(|_| address.starts_with('@'))
                {
                    *address = last.to_owned();
                }
            }
        }
        let hosts = match self.dns {
            None => vec![(String::new(), self.server.ip())],
            Some(dns) => {
                let domain = self.job.to[0].rsplit('@').next().unwrap_or_default();
                names::hosts(self.fault, dns, domain, &self.job.helo, self.turn)?
            }
        };
        let mut result = Err(Failure::Temporary);
        let port = self.server.port();
        for (name, ip) in hosts {
            let host = SocketAddr::new(ip, port);
            if let Some(dns) = self.dns.filter(|_| self.job.need == Need::Dane) {
                let Ok(pin) = names::pin(self.fault, dns, &name, port) else { continue };
                self.job.pin = pin;
            }
            let Some(connection) = self.connect(host) else {
                if self.has(Fault::OneHostOnRefusal) {
                    break;
                }
                continue;
            };
            match self.deliver(connection, host) {
                Err(Left::Next) => {}
                Err(Left::Over(failure)) => {
                    result = Err(failure);
                    if !(failure == Failure::Permanent && self.has(Fault::AsksAround)) {
                        break;
                    }
                }
                Ok(()) => return Ok(()),
            }
        }
        result
    }

    fn connect(&self, host: SocketAddr) -> Option<Connection> {
        let stream = TcpStream::connect_timeout(&host, Duration::from_secs(2)).ok()?;
        let wire = TcpWire::new(stream, Duration::from_secs(2)).ok()?;
        let memory = Arc::clone(&self.memory);
        Some(Connection::new(Box::new(wire), (self.fault, self.habit), self.timeout, memory))
    }

    /// All transactions that the recipients need, in sessions as long as the server likes them.
    fn deliver(&self, connection: Connection, host: SocketAddr) -> Result<(), Left> {
        let mut to = self.job.to.clone();
        let mut refused = None;
        let mut sent = 0;
        let mut connection = Some(connection);
        let mut again = self.has(Fault::TriesAgainAtOnce);
        while !to.is_empty() {
            let Some(next) = connection.take().or_else(|| self.connect(host)) else {
                return Err(Left::Next);
            };
            let mut session = Session::new(next, &self.job);
            session.begin()?;
            let apart = self.habit == Some(Habit::Apart);
            let most = if apart { 1 } else { session.transactions() };
            for _ in 0..most {
                let (now, rest) = to.split_at(if apart { 1 } else { to.len() });
                let fates = match session.transaction(now) {
                    Err(Left::Over(Failure::Temporary)) if again => {
                        again = false;
                        break;
                    }
                    other => other?,
                };
                sent += fates.sent;
                refused = fates.refused.into_iter().map(|(_, how)| how).max().max(refused);
                to = [fates.later, rest.to_vec()].concat();
                if to.is_empty() {
                    break;
                }
            }
            session.quit();
        }
        match refused {
            Some(_) if sent > 0 && self.has(Fault::KeepsRefusalsToItself) => Ok(()),
            Some(how) => Err(how.into()),
            None => Ok(()),
        }
    }
}
