//! What a case has in hand: a scripted server, a client that is told to send to it, and messages
//! that it can find again.

use super::{
    dns::{NameServer, Zone},
    identity::Identity,
    message::Message,
    record::Record,
    script::Script,
    seen::Seen,
    sender::{Need, Order, Running, Sender},
    serve::{Serving, serve},
};
use crate::{
    outcome::{Verdict, fail, inconclusive},
    transcript::{Line, Transcript},
    wire::TcpWire,
};
use std::{
    cell::RefCell,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Connections of one attempt that are taken.
const MOST_SESSIONS: usize = 500;
/// Between two looks at the listeners and at the client.
const SLICE: Duration = Duration::from_millis(3);
/// How long a session may last when its client has ended.
const AFTERWARDS: Duration = Duration::from_millis(500);
/// How long a send may block.
const SEND: Duration = Duration::from_secs(2);

/// What all cases of a run share.
pub struct Run {
    /// The client.
    pub sender: Box<dyn Sender>,
    /// Makes the messages of a run its own.
    pub seed: u64,
    /// Breaches are graded by the letter, also where careful operators do not follow it.
    pub strict: bool,
    /// How long a slow server is slow; who can be told when to give up is told a tenth of it.
    pub delay: Duration,
    /// Who the server is inside TLS.
    pub identity: Arc<Identity>,
}

impl Run {
    /// A run over `sender`, by custom and not by the letter.
    pub fn new(sender: Box<dyn Sender>, identity: Arc<Identity>, seed: u64) -> Self {
        Self { sender, seed, strict: false, delay: Duration::from_secs(10), identity }
    }
}

/// What one case has in hand.
pub struct Trial<'r> {
    run: &'r Run,
    id: &'static str,
    transcripts: Arc<Mutex<Vec<Transcript>>>,
    tokens: RefCell<u32>,
}

impl<'r> Trial<'r> {
    /// For the case of the requirement `id`.
    pub fn new(run: &'r Run, id: &'static str) -> Self {
        Self { run, id, transcripts: Arc::default(), tokens: RefCell::new(0) }
    }

    /// What was said, session by session.
    pub fn transcripts(&self) -> Vec<Vec<Line>> {
        let all = self.transcripts.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(Transcript::lines).collect()
    }

    /// The client.
    pub fn sender(&self) -> &'r dyn Sender {
        &*self.run.sender
    }

    /// How long a slow server is slow.
    pub fn delay(&self) -> Duration {
        self.run.delay
    }

    /// A word that no other message has.
    pub fn token(&self) -> String {
        let mut next = self.tokens.borrow_mut();
        *next += 1;
        format!("{}-{:x}-{next}", self.id, self.run.seed)
    }

    /// A message with these lines as its body.
    pub fn message(&self, lines: &[&str]) -> Message {
        Message::lines(&self.token(), lines)
    }

    /// One small message to one recipient, sent in clear to a server that follows `script`.
    ///
    /// # Errors
    /// As [`Attempt::run`].
    pub fn send(&self, script: Script) -> Result<Seen, Verdict> {
        self.attempt(script).run()
    }

    /// The same, with more to be said about it.
    pub fn attempt(&self, script: Script) -> Attempt<'_> {
        Attempt {
            trial: self,
            script,
            need: Need::Plain,
            from: "sender@client.example".into(),
            to: vec!["rcpt1@example.test".into()],
            helo: "client.example".into(),
            message: self.message(&["A message."]),
            hosts: vec![1],
            zone: None,
            timeout: Duration::from_secs(30),
            patience: self.sender().manners().patience,
        }
    }
}

/// A message that the client is told to send.
#[must_use = "it is `run`"]
pub struct Attempt<'t> {
    trial: &'t Trial<'t>,
    script: Script,
    need: Need,
    from: String,
    to: Vec<String>,
    helo: String,
    message: Message,
    hosts: Vec<u8>,
    zone: Option<Zone>,
    timeout: Duration,
    patience: Duration,
}

impl Attempt<'_> {
    /// By this command.
    pub fn need(mut self, need: Need) -> Self {
        self.need = need;
        self
    }

    /// From this address.
    pub fn from(mut self, from: &str) -> Self {
        self.from = from.to_owned();
        self
    }

    /// To this address.
    pub fn to(mut self, to: &str) -> Self {
        self.to = vec![to.to_owned()];
        self
    }

    /// To `rcpt1@example.test` and so on.
    pub fn recipients(mut self, count: usize) -> Self {
        self.to = (1..=count).map(|n| format!("rcpt{n}@example.test")).collect();
        self
    }

    /// Under this name.
    pub fn helo(mut self, helo: &str) -> Self {
        self.helo = helo.to_owned();
        self
    }

    /// This message.
    pub fn message(mut self, message: Message) -> Self {
        self.message = message;
        self
    }

    /// By MX, with this zone, to a server at 127.0.0.N for each of `hosts`.
    pub fn mx(mut self, zone: Zone, hosts: &[u8]) -> Self {
        self.need = Need::Mx;
        self.zone = Some(zone);
        self.hosts = hosts.to_vec();
        self
    }

    /// Within this time, which is at least what a message may take.
    pub fn within(mut self, patience: Duration) -> Self {
        self.patience = self.patience.max(patience);
        self
    }

    /// Stopped after this time: the client may wait for ever.
    pub fn stopped_after(mut self, patience: Duration) -> Self {
        self.patience = self.patience.min(patience);
        self
    }

    /// The client is told to wait so long for replies.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs it: a client that connects and ends.
    ///
    /// # Errors
    /// [`Verdict::NotTested`] if the client has no such command; [`Verdict::Fail`] if it does not
    /// end; [`Verdict::Inconclusive`] if it does not connect.
    pub fn run(self) -> Result<Seen, Verdict> {
        let seen = self.run_any()?;
        if seen.records.is_empty() {
            let how = seen.how_it_ended();
            return Err(inconclusive(format!("the client made no connection: {how}")));
        }
        if seen.is_stuck() {
            let what = format!("the client neither went on nor ended; {}", seen.how_it_ended());
            return Err(fail(what).at(seen.last_place()));
        }
        Ok(seen)
    }

    /// Runs it, whether the client connects and ends or not.
    ///
    /// # Errors
    /// [`Verdict::NotTested`] if the client has no such command; [`Verdict::Error`] if there is
    /// nothing to listen on.
    pub fn run_any(self) -> Result<Seen, Verdict> {
        let sender = self.trial.sender();
        if !sender.serves(self.need) {
            let need = self.need.as_str();
            return Err(Verdict::NotTested(format!("needs a command for `{need}`")));
        }
        let failed = |error: io::Error| Verdict::Error(format!("no listener: {error}"));
        let identity = &self.trial.run.identity;
        let listeners = match sender.listener() {
            Some(listener) => listener.map(|one| vec![one]),
            None => bind(&self.hosts),
        };
        let server = Server::start(
            listeners.map_err(failed)?,
            Serving {
                script: Arc::new(self.script),
                tls: Arc::clone(&identity.tls),
                stop: Arc::default(),
                transcript: Transcript::default(),
                number: 0,
                host: 0,
            },
            Arc::clone(&self.trial.transcripts),
        );
        let name_server = self.zone.map(NameServer::start).transpose().map_err(failed)?;
        let order = Order {
            need: self.need,
            server: server.address,
            helo: &self.helo,
            from: &self.from,
            to: &self.to,
            message: &self.message,
            ca: &identity.ca(),
            dns: name_server.as_ref().map(|server| server.address),
            timeout: self.timeout,
        };
        let mut running = sender
            .start(&order)
            .map_err(|error| Verdict::Error(format!("the client cannot be started: {error}")))?;
        let expired = server.wait(&mut *running, sender, self.patience);
        let ended = running.ended();
        if ended.is_none() {
            running.stop();
        }
        let mut records = server.stop();
        records.sort_by_key(|record| record.number);
        let is_own = |record: &Record| self.from.is_empty() || !record.is_notification();
        let (records, notifications) = records.into_iter().partition(is_own);
        let seen = Seen {
            records,
            notifications,
            ended,
            expired,
            manners: sender.manners().clone(),
            memory: running.memory(),
            output: running.output(),
            token: self.message.token,
        };
        self.trial.tell(&seen);
        Ok(seen)
    }
}

impl Trial<'_> {
    /// Writes how the client ended behind its last session.
    fn tell(&self, seen: &Seen) {
        let mut all = self.transcripts.lock().unwrap_or_else(PoisonError::into_inner);
        if all.is_empty() {
            all.push(Transcript::default());
        }
        let Some(last) = all.last() else { return };
        last.push(Line::Note(seen.how_it_ended()));
        for line in seen.output.lines().take(12) {
            last.push(Line::Note(format!("it said: {line}")));
        }
    }
}

/// Listeners on one port of several addresses of this machine.
fn bind(hosts: &[u8]) -> io::Result<Vec<TcpListener>> {
    let mut tries = 0;
    loop {
        let mut port = 0;
        let mut all = Vec::new();
        let bound = hosts.iter().try_for_each(|host| {
            let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, *host)), port);
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            port = listener.local_addr()?.port();
            all.push(listener);
            Ok(())
        });
        tries += 1;
        match bound {
            Ok(()) => return Ok(all),
            Err(error) if tries > 50 => return Err(error),
            Err(_) => {}
        }
    }
}

/// The scripted server while a client sends.
struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    /// Sessions that have begun, and that have ended.
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    acceptor: JoinHandle<Vec<JoinHandle<Record>>>,
}

impl Server {
    fn start(
        listeners: Vec<TcpListener>,
        serving: Serving,
        transcripts: Arc<Mutex<Vec<Transcript>>>,
    ) -> Self {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let address = listeners.first().and_then(|one| one.local_addr().ok()).unwrap_or(nowhere);
        let stop = Arc::clone(&serving.stop);
        let (begun, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let counts = (Arc::clone(&begun), Arc::clone(&ended));
        let acceptor = thread::spawn(move || {
            let mut sessions = Vec::new();
            while !serving.stop.load(Ordering::Relaxed) {
                let mut idle = true;
                for listener in &listeners {
                    let Ok((stream, _)) = listener.accept() else { continue };
                    idle = false;
                    if sessions.len() >= MOST_SESSIONS {
                        continue;
                    }
                    let transcript = Transcript::default();
                    let number = {
                        let mut all = transcripts.lock().unwrap_or_else(PoisonError::into_inner);
                        all.push(transcript.clone());
                        all.len() - 1
                    };
                    counts.0.fetch_add(1, Ordering::SeqCst);
                    let serving = Serving {
                        script: Arc::clone(&serving.script),
                        tls: Arc::clone(&serving.tls),
                        stop: Arc::clone(&serving.stop),
                        transcript,
                        number,
                        host: last_number(listener),
                    };
                    let ended = Arc::clone(&counts.1);
                    sessions.push(thread::spawn(move || {
                        let record = session(stream, serving);
                        ended.fetch_add(1, Ordering::SeqCst);
                        record
                    }));
                }
                if idle {
                    thread::sleep(SLICE);
                }
            }
            sessions
        });
        Self { address, stop, begun, ended, acceptor }
    }

    fn is_idle(&self) -> bool {
        self.begun.load(Ordering::SeqCst) == self.ended.load(Ordering::SeqCst)
    }

    /// Waits for the client to end, and for what it leaves behind; whether it took too long.
    fn wait(&self, running: &mut dyn Running, sender: &dyn Sender, patience: Duration) -> bool {
        let manners = sender.manners();
        let deadline = Instant::now() + patience;
        let mut quiet_since = Instant::now();
        let mut ended_at = None;
        loop {
            let now = Instant::now();
            if now >= deadline {
                return !manners.queues || !self.is_idle();
            }
            if !self.is_idle() {
                quiet_since = now;
            }
            if ended_at.is_none() && running.ended().is_some() {
                ended_at = Some(now);
            }
            let begun = self.begun.load(Ordering::SeqCst) > 0;
            let over = match ended_at {
                _ if manners.queues && begun => {
                    self.is_idle() && now - quiet_since >= manners.again
                }
                None => false,
                Some(at) if manners.queues => now - at >= manners.again,
                Some(at) => self.is_idle() || now - at >= AFTERWARDS,
            };
            if over {
                return false;
            }
            thread::sleep(SLICE);
        }
    }

    fn stop(self) -> Vec<Record> {
        self.stop.store(true, Ordering::SeqCst);
        let sessions = self.acceptor.join().unwrap_or_default();
        sessions.into_iter().filter_map(|session| session.join().ok()).collect()
    }
}

fn last_number(listener: &TcpListener) -> u8 {
    match listener.local_addr() {
        Ok(SocketAddr::V4(address)) => address.ip().octets()[3],
        _ => 0,
    }
}

fn session(stream: TcpStream, serving: Serving) -> Record {
    let (number, host) = (serving.number, serving.host);
    let wire = stream.set_nonblocking(false).and_then(|()| TcpWire::new(stream, SEND));
    match wire {
        Ok(wire) => serve(Box::new(wire), serving),
        Err(_) => Record::new(number, host),
    }
}
