//! Accepts connections and serves each: what a server is on every runtime.

use crate::{
    handler::{NewHandler, Peer},
    limiter::{Full, Limiter, Permit},
    proxy::read_header,
    runtime::{Runtime, Timer},
    serve::serve,
    service::Service,
    stop::{Given, Stop},
    stream::Stream,
};
use smtp_proto::{CloseReason, proxy::ProxyHeader};
use std::{
    fmt,
    future::{Future, poll_fn},
    io::{self, IoSlice},
    pin::pin,
    sync::{Arc, PoisonError, RwLock},
    task::{Context, Poll},
    time::Duration,
};

/// A runtime that can start a task.
pub trait Spawn: Runtime {
    /// Runs `task` to its end, beside everything else.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);
}

/// Where connections come from.
pub trait Listener: Send {
    /// What a connection is.
    type Stream: Stream + 'static;
    /// The next connection.
    ///
    /// # Errors
    /// Any: the server goes on after each of them.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Stream, Peer)>>;
}

/// Something that happened to a server, for logs and metrics.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'n> {
    /// A connection could not be accepted; the server goes on, after a pause if it must.
    AcceptFailed(&'n io::Error),
    /// A connection was over a bound and was closed, with 421 unless it begins inside TLS.
    TurnedAway {
        /// Whose connection.
        peer: &'n Peer,
        /// Which bound.
        full: Full,
    },
    /// A connection has ended.
    Ended {
        /// Whose connection.
        peer: &'n Peer,
        /// Why.
        result: &'n io::Result<CloseReason>,
    },
    /// A connection was dropped: it had not ended when the grace of a stopped server was over.
    Cut {
        /// Whose connection.
        peer: &'n Peer,
    },
}

type Observer = dyn Fn(Notice<'_>) + Send + Sync;

/// The first pause after a connection could not be accepted; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long turning a connection away may take.
const TURN_AWAY: Duration = Duration::from_secs(1);
/// Connections accepted before other tasks get their turn.
const ACCEPT_BUDGET: u32 = 32;

/// A server: accepts connections and serves each in a task of its own.
///
/// Clones share their bounds, their stop signal and what they serve with, so that one configuration
/// can [`run`](Self::run) over several listeners, and be [replaced](Self::replace) while they do.
///
/// ```
/// use smtp_driver::{Limiter, Listener, NewHandler, Server, Service, Spawn};
/// use std::time::Duration;
///
/// /// At most 1,000 connections, 20 from an address; ended by `stop`, within ten seconds.
/// async fn run<R: Spawn, N: NewHandler>(
///     runtime: R,
///     listener: impl Listener,
///     service: Service,
///     handlers: N,
///     stop: impl FnOnce(smtp_driver::Stop), // gives it to your signal handler, say
/// ) {
///     let server = Server::new(runtime, service, handlers)
///         .limiter(Limiter::new(1_000, 20))
///         .grace(Duration::from_secs(10))
///         .observer(|notice| eprintln!("{notice:?}"));
///     stop(server.stop());
///     server.run(listener).await;
/// }
/// ```
pub struct Server<R, N> {
    runtime: R,
    /// What the next connection is served with.
    next: Arc<RwLock<(Service, Arc<N>)>>,
    limiter: Limiter,
    stop: Stop,
    /// Drops what is left when the grace is over.
    cut: Stop,
    /// Counts the connections of this server and its clones; bounds nothing.
    running: Limiter,
    grace: Duration,
    observer: Option<Arc<Observer>>,
}

impl<R: Clone, N> Clone for Server<R, N> {
    fn clone(&self) -> Self {
        Self {
            runtime: self.runtime.clone(),
            next: self.next.clone(),
            limiter: self.limiter.clone(),
            stop: self.stop.clone(),
            cut: self.cut.clone(),
            running: self.running.clone(),
            grace: self.grace,
            observer: self.observer.clone(),
        }
    }
}

impl<R, N> fmt::Debug for Server<R, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("connections", &self.running.connections())
            .field("stopped", &self.stop.is_given())
            .finish_non_exhaustive()
    }
}

impl<R: Spawn, N: NewHandler> Server<R, N> {
    /// A server on `runtime` that is `service` and asks a handler of `handlers` about each
    /// connection.
    pub fn new(runtime: R, service: Service, handlers: N) -> Self {
        Self {
            runtime,
            next: Arc::new(RwLock::new((service, Arc::new(handlers)))),
            limiter: Limiter::default(),
            stop: Stop::new(),
            cut: Stop::new(),
            running: Limiter::new(usize::MAX, usize::MAX),
            grace: Duration::from_secs(30),
            observer: None,
        }
    }

    /// Serves the connections to come with these, and the open ones to their end with what they
    /// began with.
    pub fn replace(&self, service: Service, handlers: N) {
        *self.next.write().unwrap_or_else(PoisonError::into_inner) = (service, Arc::new(handlers));
    }

    /// The bounds on connections; those of [`Limiter::default`] unless said.
    #[must_use]
    pub fn limiter(mut self, limiter: Limiter) -> Self {
        self.limiter = limiter;
        self
    }

    /// How long a stopped server waits for its connections to end; 30 seconds unless said.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Tells `observer` what happens to the server.
    #[must_use]
    pub fn observer(mut self, observer: impl Fn(Notice<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// The signal that stops the server and its clones.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Serves what `listener` accepts, until the stop signal.
    ///
    /// Then it accepts no more, every connection answers its open questions and says 421 (RFC 5321
    /// §3.8), and this ends when the last of them has; those that are left after the grace are
    /// dropped. No error of accepting ends it.
    pub async fn run<L: Listener>(self, mut listener: L) {
        let mut pause = FIRST_PAUSE;
        let mut accepted = 0;
        while let Some(result) =
            unless(self.stop.given(), poll_fn(|cx| listener.poll_accept(cx))).await
        {
            match result {
                Ok((stream, peer)) => {
                    pause = FIRST_PAUSE;
                    self.start(stream, peer);
                }
                Err(error) => {
                    self.notice(Notice::AcceptFailed(&error));
                    if !concerns_one_connection(&error) {
                        // Out of descriptors or memory, most likely: connections must end first.
                        let _ = unless(self.stop.given(), sleep(&self.runtime, pause)).await;
                        pause = LONGEST_PAUSE.min(pause * 2);
                    }
                }
            }
            accepted += 1;
            if accepted % ACCEPT_BUDGET == 0 {
                let _ = unless(self.stop.given(), give_way()).await;
            }
        }
        drop(listener);
        if unless(sleep(&self.runtime, self.grace), self.running.empty()).await.is_none() {
            self.cut.stop();
            self.running.empty().await;
        }
    }

    fn start<S: Stream + 'static>(&self, stream: S, peer: Peer) {
        let (service, handlers) = self.next.read().unwrap_or_else(PoisonError::into_inner).clone();
        // Those behind a proxy are many, at one address.
        let bounded = peer.remote.filter(|_| !service.is_proxy(&peer));
        let permit = match self.limiter.admit(bounded.map(|address| address.ip())) {
            Ok(permit) => permit,
            Err(full) => {
                self.notice(Notice::TurnedAway { peer: &peer, full });
                return self.turn_away(stream, &service);
            }
        };
        // Only its total counts, and that is not bounded.
        let Ok(running) = self.running.admit(None) else { return };
        let server = self.clone();
        let permits = (permit, running);
        let accepted = Accepted { server, stream, peer, service, handlers, permits };
        self.runtime.spawn(Box::new(accepted).serve());
    }

    /// 421 in place of the greeting (RFC 5321 §3.8, §4.2.2), without the cost of a session. It has
    /// no enhanced code: a greeting never has one (RFC 2034 §4).
    fn turn_away<S: Stream + 'static>(&self, mut stream: S, service: &Service) {
        if service.implicit().is_some() {
            return;
        }
        let host = service.config().host();
        let reply = format!("421 {host} Too many connections, try again later\r\n");
        let runtime = self.runtime.clone();
        self.runtime.spawn(async move {
            let say = async {
                let bufs = [IoSlice::new(reply.as_bytes())];
                poll_fn(|cx| stream.poll_write_vectored(cx, &bufs)).await?;
                poll_fn(|cx| stream.poll_shutdown(cx)).await
            };
            // Whether the peer heard it or not, this is the end.
            let _ = unless(sleep(&runtime, TURN_AWAY), say).await;
        });
    }

    fn notice(&self, notice: Notice<'_>) {
        tell(self.observer.as_deref(), notice);
    }
}

fn tell(observer: Option<&Observer>, notice: Notice<'_>) {
    if let Some(observer) = observer {
        observer(notice);
    }
}

/// A connection that was accepted, and what it is served with. Boxed, for a task keeps room to its
/// end for all that it is given.
struct Accepted<R, N, S> {
    server: Server<R, N>,
    stream: S,
    peer: Peer,
    service: Service,
    handlers: Arc<N>,
    /// Returned last, when the stream is closed.
    permits: (Permit, Permit),
}

impl<R: Spawn, N: NewHandler, S: Stream + 'static> Accepted<R, N, S> {
    async fn serve(mut self: Box<Self>) {
        if self.service.is_proxy(&self.peer)
            && let Err(error) = Box::pin(self.hear_proxy()).await
        {
            self.server.notice(Notice::Ended { peer: &self.peer, result: &Err(error) });
            return;
        }
        let (observer, peer) = (self.server.observer.clone(), self.peer.clone());
        let (cut, session, permits) = self.begin();
        // Pinned here: `unless` would keep room for each twice, as what it is given and as what it
        // polls.
        let result = unless(pin!(cut), pin!(session)).await;
        let notice = match &result {
            Some(result) => Notice::Ended { peer: &peer, result },
            None => Notice::Cut { peer: &peer },
        };
        tell(observer.as_deref(), notice);
        drop(permits);
    }

    /// What cuts the session off, the session, and its permits.
    #[expect(
        clippy::boxed_local,
        reason = "the box is given back here, when its content has left it"
    )]
    fn begin(
        self: Box<Self>,
    ) -> (Given, impl Future<Output = io::Result<CloseReason>>, (Permit, Permit)) {
        let Self { server, stream, peer, service, handlers, permits } = *self;
        let handler = handlers.new_handler(&peer);
        let stop = server.stop.given();
        let session = serve(stream, peer, server.runtime, service, handler, stop);
        (server.cut.given(), session, permits)
    }

    /// Learns from a proxy who its client is.
    async fn hear_proxy(&mut self) -> io::Result<()> {
        let Self { server, stream, peer, service, .. } = self;
        let patience = sleep(&server.runtime, service.config().timeouts().handshake);
        let header = unless(patience, read_header(stream));
        match unless(server.stop.given(), header).await.flatten() {
            Some(Ok(ProxyHeader::Client { source, destination })) => {
                *peer = Peer { remote: Some(source), local: Some(destination) };
                Ok(())
            }
            Some(header) => header.map(drop),
            None => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// Whether accepting failed because of the connection that was to be accepted, so that the next
/// one may succeed at once: accept(2) passes such errors on.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkDown,
        NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
    )
}

/// The output of `future`; `None` if `signal` is ready first.
async fn unless<T>(signal: impl Future<Output = ()>, future: impl Future<Output = T>) -> Option<T> {
    let (mut signal, mut future) = (pin!(signal), pin!(future));
    poll_fn(|cx| {
        if signal.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

async fn sleep<R: Runtime>(runtime: &R, duration: Duration) {
    let mut timer = runtime.timer();
    timer.set(Some(runtime.now() + duration));
    poll_fn(|cx| timer.poll_fired(cx)).await;
}

/// Lets the other tasks of the executor run.
async fn give_way() {
    let mut given = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut given, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
