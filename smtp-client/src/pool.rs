//! Connections that are kept for the next message.

mod destination;
mod farewell;
mod place;
mod turns;

use crate::{
    body::{Body, IntoBody},
    connect::Connect,
    connection::{Connection, show},
    envelope::Envelope,
    opening,
    outcome::{Cause, Failure, Outcome, Report, Stage},
    policy::{Policy, Said, Tls, Watch},
};
pub use destination::Destination;
use farewell::Farewell;
use place::Place;
use smtp_driver::Timer;
use smtp_proto::{EnhancedCode, Instant};
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    future::poll_fn,
    io, mem,
    ops::{Deref, DerefMut},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    time::Duration,
};
use turns::Turns;

/// How many connections to make and how long to keep them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// How long a connection may wait for its next message. Servers wait five minutes at least
    /// (RFC 5321 §4.5.3.2.7), and have better things to do.
    pub idle_time: Duration,
    /// Connections that wait, to all destinations together.
    pub idle: usize,
    /// Connections to one destination at a time, the waiting ones among them.
    pub connections: usize,
    /// Transactions of one connection; many servers refuse more.
    pub transactions: u32,
    /// How long it may take to be connected, before the first octet; the greeting has a timer of
    /// its own.
    pub connect_time: Duration,
}

impl Default for PoolConfig {
    /// 30 seconds, 1,000 in all, 20 to each destination, 100 transactions; 30 seconds to connect.
    fn default() -> Self {
        Self {
            idle_time: Duration::from_secs(30),
            idle: 1_000,
            connections: 20,
            transactions: 100,
            connect_time: Duration::from_secs(30),
        }
    }
}

/// Lends connections, and keeps those that are given back. Clones are the same pool.
///
/// It starts no task. A connection that has waited too long is closed, with QUIT, when the pool is
/// used next; where that may take long, call [`reap`](Self::reap) from time to time. A pool that is
/// dropped hangs up: [`close`](Self::close) it before.
pub struct Pool<R: Connect> {
    shared: Arc<Shared<R>>,
}

/// A connection on loan: [give it back](Self::give_back). Dropped instead, it is closed without a
/// word, as it must be when the future that was using it is dropped.
#[must_use = "dropped, the connection is closed"]
pub struct Lent<R: Connect> {
    connection: Connection<R::Stream, R>,
    /// It has waited, so that the server may have closed it without our knowing.
    waited: bool,
    place: Place<R>,
}

struct Shared<R: Connect> {
    runtime: R,
    config: PoolConfig,
    /// Never locked while anything is awaited.
    state: Mutex<State<R>>,
}

struct State<R: Connect> {
    /// Those with a connection, or somebody who wants one.
    sites: HashMap<Destination, Site<R>>,
    /// Connections that wait, in all.
    idle: usize,
    /// None of them has waited too long before.
    next_expiry: Option<Instant>,
    /// QUITs that are under way.
    farewells: Vec<Farewell>,
    closed: bool,
    /// Who waits for the last connection to come back.
    closers: Vec<Waker>,
}

struct Site<R: Connect> {
    turns: Turns,
    /// The one that has waited longest is the first.
    idle: VecDeque<Idle<R>>,
}

struct Idle<R: Connect> {
    connection: Connection<R::Stream, R>,
    until: Instant,
}

impl<R: Connect> Pool<R> {
    /// A pool without connections.
    #[must_use]
    pub fn new(runtime: R, config: PoolConfig) -> Self {
        let state = State {
            sites: HashMap::new(),
            idle: 0,
            next_expiry: None,
            farewells: Vec::new(),
            closed: false,
            closers: Vec::new(),
        };
        Self { shared: Arc::new(Shared { runtime, config, state: Mutex::new(state) }) }
    }

    /// Lends a connection to `to`: one that waits and is still there, or else a new one. While
    /// [`PoolConfig::connections`] are on loan it waits until one is given back; who has asked
    /// first comes first.
    ///
    /// Where the policy is [`Tls::Opportunistic`] and the handshake fails, it connects again, in
    /// clear (RFC 7435).
    ///
    /// # Errors
    /// [`Failure`], if there was none and none could be opened.
    pub async fn lend(&self, to: &Destination) -> Result<Lent<R>, Failure> {
        self.lend_watched(to, None).await
    }

    /// The same, of which `watch` is shown what is said until the connection is given back.
    pub(crate) async fn lend_watched(
        &self,
        to: &Destination,
        watch: Option<&Watch>,
    ) -> Result<Lent<R>, Failure> {
        let lending = async {
            let place = Place::wait_for(&self.shared, to).await?;
            match self.shared.take_idle(to) {
                Some(connection) => Ok(Lent::kept(connection, place, watch)),
                None => {
                    let connection = self.shared.open(to, watch).await?;
                    Ok(Lent { connection, waited: false, place })
                }
            }
        };
        self.shared.with_farewells(lending).await
    }

    /// Lends a connection to `to` if one waits.
    #[must_use]
    pub fn lend_idle(&self, to: &Destination) -> Option<Lent<R>> {
        self.lend_idle_watched(to, None)
    }

    pub(crate) fn lend_idle_watched(
        &self,
        to: &Destination,
        watch: Option<&Watch>,
    ) -> Option<Lent<R>> {
        let place = Place::take_for_idle(&self.shared, to)?;
        let connection = self.shared.take_idle(to)?;
        Some(Lent::kept(connection, place, watch))
    }

    /// Sends a message over a connection to `to`, and keeps the connection: see [`lend`](Self::lend)
    /// and [`Lent::send`].
    #[must_use = "it tells of each recipient what became of it"]
    pub async fn send(&self, to: &Destination, envelope: &Envelope, body: impl IntoBody) -> Report {
        let mut lent = match self.lend(to).await {
            Ok(lent) => lent,
            Err(failure) => return Report::failed(envelope.recipients().len(), &failure),
        };
        let report = lent.send(envelope, body).await;
        lent.give_back();
        report
    }

    /// Connections that wait.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.shared.lock().idle
    }

    /// Closes what has waited too long or is gone, and waits until that is done; then says when the
    /// next will have waited too long, if nobody takes it before.
    pub async fn reap(&self) -> Option<Instant> {
        let now = self.shared.runtime.now();
        {
            let mut state = self.shared.lock();
            for site in state.sites.values_mut() {
                site.idle.retain_mut(|idle| idle.connection.is_alive());
            }
            state.tidy();
            state.expire(now);
        }
        self.shared.last_farewell(|_, _| Poll::Ready(())).await;
        self.shared.lock().next_expiry
    }

    /// Lends nothing more, says QUIT to all, and waits for those that are on loan, to say QUIT to
    /// them, too. If the future is dropped, what is left has only been told.
    pub async fn close(&self) {
        {
            let mut state = self.shared.lock();
            state.closed = true;
            state.expire_all();
            state.sites.values().for_each(|site| site.turns.wake_all());
        }
        self.shared
            .last_farewell(|state, waker| {
                if state.sites.is_empty() {
                    return Poll::Ready(());
                }
                if !state.closers.iter().any(|it| it.will_wake(waker)) {
                    state.closers.push(waker.clone());
                }
                Poll::Pending
            })
            .await;
    }
}

impl<R: Connect> Clone for Pool<R> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<R: Connect> fmt::Debug for Pool<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

impl<R: Connect> Lent<R> {
    /// A connection that has waited.
    fn kept(
        mut connection: Connection<R::Stream, R>,
        place: Place<R>,
        watch: Option<&Watch>,
    ) -> Self {
        connection.watch = watch.cloned();
        let (host, endpoint) = (&*place.to.host, &place.to.endpoint);
        connection.show(Said::Connection { host, endpoint, kept: true });
        Self { connection, waited: true, place }
    }

    /// Sends a message, as [`Connection::send`] does. Those of whom the server has heard nothing go
    /// over a new connection, with all that was said of the others left as it is:
    ///
    /// - once, if the server has closed a connection that waited, or closes it at MAIL, or has said
    ///   something there that nobody had asked for;
    /// - if it takes no more transactions on a connection that has had some, or no more domains
    ///   (LIMITS, RFC 9422 §4.1, §4.3): as often as it takes.
    #[must_use = "it tells of each recipient what became of it"]
    pub async fn send(&mut self, envelope: &Envelope, body: impl IntoBody) -> Report {
        let mut body = body.into_body();
        let mut report = self.connection.send(envelope, &mut body).await;
        let had_waited = mem::take(&mut self.waited);
        let mut missed: Vec<_> = (0..report.outcomes.len()).collect();
        missed.retain(|&at| {
            let outcome = &report.outcomes[at];
            (had_waited && is_gone(outcome)) || self.is_spent_for(outcome)
        });
        // Each new connection takes a recipient at least, or is no reason for another.
        while let Some(envelope) = envelope.for_recipients(missed.iter().copied()) {
            if poll_fn(|cx| body.poll_rewind(cx)).await.is_err() {
                break;
            }
            let next = match self.reopen().await {
                Ok(()) => self.connection.send(&envelope, &mut body).await,
                Err(failure) => Report::failed(missed.len(), &failure),
            };
            if missed.len() == report.outcomes.len() {
                report = next;
            } else {
                for (&at, outcome) in missed.iter().zip(next.outcomes) {
                    report.outcomes[at] = outcome;
                }
                // What is said of all is what holds for each.
                report.dsn_passed_on &= next.dsn_passed_on;
                report.tls = report.tls.and(next.tls);
            }
            let before = missed.len();
            missed.retain(|&at| self.is_spent_for(&report.outcomes[at]));
            if missed.len() == before {
                break;
            }
        }
        report
    }

    /// Whether the server would take this recipient, if not on this connection: it has said so to
    /// MAIL, or before.
    fn is_spent_for(&self, outcome: &Outcome) -> bool {
        match outcome.stage {
            Stage::Prepare => outcome.cause == Cause::Limit,
            Stage::Mail if self.connection.transactions() > 1 => {
                let code = outcome.enhanced();
                // RFC 3463 §3.6: X.5.3, too many recipients, is what servers say of messages, too.
                matches!(outcome.cause, Cause::Server | Cause::Limit)
                    && (code.subject(), code.detail()) == (5, 3)
            }
            _ => false,
        }
    }

    /// Another connection in place of this one.
    async fn reopen(&mut self) -> Result<(), Failure> {
        let shared = &self.place.shared;
        let connection = shared.open(&self.place.to, self.connection.watch.as_ref()).await?;
        let old = mem::replace(&mut self.connection, connection);
        if old.is_reusable() || !old.has_transactions_left() {
            // It is in order, and takes no more of this message.
            shared.lock().farewells.push(Box::pin(old.quit()));
        }
        Ok(())
    }

    /// Gives the connection back, to be kept if it is of more use.
    pub fn give_back(self) {
        let Self { mut connection, place, .. } = self;
        connection.watch = None;
        let shared = &place.shared;
        if connection.is_reusable() {
            let until = shared.runtime.now() + shared.config.idle_time;
            shared.lock().keep(&place.to, Idle { connection, until }, &shared.config);
        } else if !connection.has_transactions_left() {
            // It is in order, and takes no more.
            shared.lock().farewells.push(Box::pin(connection.quit()));
        }
    }
}

/// The connection was of no use any more before the server has answered anything.
fn is_gone(outcome: &Outcome) -> bool {
    let by_word = outcome.cause == Cause::Server && outcome.reply.code() == 421;
    // Before MAIL nothing was asked, and what came is no answer.
    let unasked =
        outcome.stage == Stage::Prepare && matches!(outcome.cause, Cause::Server | Cause::Protocol);
    outcome.stage <= Stage::Mail
        && !outcome.in_doubt
        && (by_word || unasked || outcome.cause == Cause::Connection)
}

impl<R: Connect> Deref for Lent<R> {
    type Target = Connection<R::Stream, R>;

    fn deref(&self) -> &Self::Target {
        &self.connection
    }
}

impl<R: Connect> DerefMut for Lent<R> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.connection
    }
}

impl<R: Connect> fmt::Debug for Lent<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").field("to", &self.place.to).finish_non_exhaustive()
    }
}

impl<R: Connect> Shared<R> {
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection to `to` that has waited for the shortest time, if it is still there.
    fn take_idle(&self, to: &Destination) -> Option<Connection<R::Stream, R>> {
        loop {
            let mut idle = {
                let mut state = self.lock();
                state.expire(self.runtime.now());
                let idle = state.sites.get_mut(to)?.idle.pop_back()?;
                state.idle -= 1;
                idle
            };
            if idle.connection.is_alive() {
                return Some(idle.connection);
            }
        }
    }

    async fn open(
        &self,
        to: &Destination,
        watch: Option<&Watch>,
    ) -> Result<Connection<R::Stream, R>, Failure> {
        let opened = self.open_by(to, to.policy.clone(), watch).await;
        match (&opened, &to.policy.tls) {
            (Err(failure), Tls::Opportunistic(_)) if failure.stage == Stage::Tls => {
                let in_clear = Policy { tls: Tls::None, ..Policy::clone(&to.policy) };
                self.open_by(to, Arc::new(in_clear), watch).await
            }
            _ => opened,
        }
    }

    async fn open_by(
        &self,
        to: &Destination,
        policy: Arc<Policy>,
        watch: Option<&Watch>,
    ) -> Result<Connection<R::Stream, R>, Failure> {
        let (host, endpoint) = (&*to.host, &to.endpoint);
        show(&policy, watch, Said::Connection { host, endpoint, kept: false });
        let mut timer = self.runtime.timer();
        timer.set(Some(self.runtime.now() + self.config.connect_time));
        let mut connecting = pin!(self.runtime.connect(&to.endpoint));
        let connected = poll_fn(|cx| match connecting.as_mut().poll(cx) {
            Poll::Pending => timer.poll_fired(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
            connected => connected,
        });
        let stream = connected.await.map_err(|error| {
            let failure = Failure::unreachable(to.host.clone(), &error);
            show(&policy, watch, Said::Failure(&failure));
            failure
        })?;
        opening::open(stream, self.runtime.clone(), to.host.clone(), policy, watch.cloned()).await
    }
}

impl<R: Connect> State<R> {
    fn site(&mut self, to: &Destination) -> &mut Site<R> {
        let site = || Site { turns: Turns::default(), idle: VecDeque::new() };
        self.sites.entry(to.clone()).or_insert_with(site)
    }

    /// Keeps a connection that can be used again, or says QUIT to it.
    fn keep(&mut self, to: &Destination, idle: Idle<R>, config: &PoolConfig) {
        let enough = idle.connection.transactions() >= config.transactions;
        if self.closed || enough || self.idle >= config.idle {
            return self.farewells.push(Box::pin(idle.connection.quit()));
        }
        self.idle += 1;
        self.next_expiry = Some(self.next_expiry.map_or(idle.until, |next| next.min(idle.until)));
        self.site(to).idle.push_back(idle);
    }

    /// Says QUIT to what has waited too long.
    fn expire(&mut self, now: Instant) {
        if self.next_expiry.is_none_or(|next| next > now) {
            return;
        }
        for site in self.sites.values_mut() {
            while let Some(idle) = site.idle.pop_front_if(|idle| idle.until <= now) {
                self.farewells.push(Box::pin(idle.connection.quit()));
            }
        }
        self.tidy();
    }

    /// Says QUIT to all that wait.
    fn expire_all(&mut self) {
        for idle in self.sites.values_mut().flat_map(|site| site.idle.drain(..)) {
            self.farewells.push(Box::pin(idle.connection.quit()));
        }
        self.tidy();
    }

    /// Counts again, and forgets the sites that nobody uses.
    fn tidy(&mut self) {
        self.sites.retain(|_, site| site.is_used());
        self.idle = self.sites.values().map(|site| site.idle.len()).sum();
        let oldest = self.sites.values().filter_map(|site| site.idle.front());
        self.next_expiry = oldest.map(|idle| idle.until).min();
    }
}

impl<R: Connect> Site<R> {
    fn is_used(&self) -> bool {
        !self.turns.is_unused() || !self.idle.is_empty()
    }
}

/// The pool is closed (RFC 3463 §3.4: system not accepting messages, of our own).
fn closed(to: &Destination) -> Failure {
    let enhanced = EnhancedCode::transient(3, 2);
    Failure::local(Stage::Connect, Cause::Connection, enhanced, "we are closing", &to.host)
}
