//! What a case has in hand: a scripted server, a client that is told to send to it, and messages
//! that it can find again.

use super::{
    identity::Identity,
    listen::{Server, bind},
    message::Message,
    record::Record,
    script::Script,
    seen::Seen,
    sender::{Need, Order, Sender},
    serve::Serving,
};
use crate::{
    dns::{NameServer, Zone},
    outcome::{Verdict, fail, inconclusive},
    transcript::{Line, Transcript},
};
use std::{
    cell::RefCell,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

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

    /// The SHA-256 of the server's certificate.
    pub fn certificate(&self) -> [u8; 32] {
        self.run.identity.sha256
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
        let fixed = sender.fixed();
        let listeners = bind(&self.hosts, fixed.server);
        let server = Server::start(
            listeners.map_err(failed)?,
            Serving {
                script: Arc::new(self.script),
                tls: Arc::clone(&identity.tls),
                stop: Arc::default(),
                heard: Arc::default(),
                transcript: Transcript::default(),
                number: 0,
                host: 0,
                first: true,
            },
            Arc::clone(&self.trial.transcripts),
        );
        let name_server =
            self.zone.map(|zone| NameServer::start(zone, fixed.dns)).transpose().map_err(failed)?;
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
        let (mut records, mut notifications): (Vec<_>, Vec<_>) =
            records.into_iter().partition(is_own);
        if !self.from.is_empty() {
            notifications.extend(records.iter_mut().filter_map(Record::take_notification));
        }
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
