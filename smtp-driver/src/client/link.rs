//! The machine of a client and all that it is connected to: the stream, TLS, the clock.

use crate::{
    clock::Clock,
    pump::{Closing, Pump},
    recv_buffer::{Pool, RecvBuffer},
    runtime::Runtime,
    service::ConfigError,
    stream::Stream,
    tls::{ChannelBinding, ClientTlsInfo, Connector},
};
use smtp_proto::{
    CloseReason, Misuse, Need, Start, Step, Timer,
    client::{Capabilities, ClientConfig, ClientConnection, ClientEvent},
};
use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// What a link is torn by whose future was dropped in the middle.
pub(super) const HALF_DONE: io::ErrorKind = io::ErrorKind::BrokenPipe;

/// A connection to a server: give commands to its [`machine`](Self::machine), and learn by
/// [`next`](Self::next) what came of them.
///
/// Each method says what becomes of the link when its future is dropped. What cannot be taken up
/// again leaves a link that says so: [`is_reusable`](Self::is_reusable) is false then.
///
/// It holds a receive buffer only while something is unread, so a link that waits in a pool of
/// connections has none.
pub struct ClientLink<S, R: Runtime> {
    pub(super) machine: ClientConnection,
    pub(super) pump: Pump<S>,
    clock: Clock<R>,
    buffers: Pool,
    recv: Option<RecvBuffer>,
    /// What the server said while a message was being written.
    pub(super) early: VecDeque<ClientEvent<'static>>,
    /// The server has closed its side.
    ended: bool,
    /// The machine wants a handshake.
    upgrade: bool,
    /// The stream broke, or is in the middle of something: whoever goes on from here writes
    /// nonsense.
    pub(super) torn: Option<io::ErrorKind>,
}

/// What [`ClientLink::next`] tells.
#[derive(Debug)]
pub enum Next {
    /// Something happened.
    Event(ClientEvent<'static>),
    /// Nothing is awaited: the next move is yours. All output has left.
    Idle,
    /// Over: [`close`](ClientLink::close) the link. Commands without a reply have none.
    Closed(CloseReason),
}

/// Why a call of a link came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The stream broke.
    #[error(transparent)]
    Io(io::Error),
    /// TLS broke, or was not to be had: a certificate is not right, versions do not meet, an
    /// octet is not TLS.
    #[error("TLS: {0}")]
    Tls(rustls::Error),
    /// The connection is over. What the server said last, if anything, is still to be had by
    /// [`next`](ClientLink::next).
    #[error("the connection is over: {0:?}")]
    Closed(CloseReason),
    /// The call makes no sense now, or the octets may not be sent; nothing was.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// The receive buffers are too small for the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl From<io::Error> for LinkError {
    /// An error of TLS may come as one of the stream.
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => Self::Tls(tls.clone()),
            None => Self::Io(error),
        }
    }
}

impl<S: Stream, R: Runtime> ClientLink<S, R> {
    /// A connection in clear text over `stream`, which has just been connected. The first event is
    /// the greeting.
    ///
    /// # Errors
    /// [`ConfigError::BufferTooSmall`] if a buffer cannot hold the longest reply that the limits
    /// allow.
    pub fn new(
        stream: S,
        runtime: R,
        config: Arc<ClientConfig>,
        buffers: Pool,
    ) -> Result<Self, ConfigError> {
        Self::start(stream, runtime, config, buffers, Start::Plain)
    }

    /// The same with TLS from the first octet (RFC 8314 §3.3), under the timer of a handshake.
    /// If the future is dropped the stream is, too.
    ///
    /// # Errors
    /// [`LinkError::Tls`], [`LinkError::Io`]; [`LinkError::Closed`] when it takes too long.
    pub async fn over_tls(
        stream: S,
        runtime: R,
        config: Arc<ClientConfig>,
        buffers: Pool,
        connector: &Connector,
    ) -> Result<(Self, ClientTlsInfo), LinkError> {
        let patience = config.timeouts().handshake;
        let mut link = Self::start(stream, runtime, config, buffers, Start::Tls)?;
        let (session, handshake) = connector.begin().map_err(LinkError::Tls)?;
        link.pump.start_tls(session);
        let until = link.clock.now() + patience;
        let done = poll_fn(|cx| {
            if let Poll::Ready(done) = link.pump.poll_handshake(cx) {
                return Poll::Ready(done.map(|tls| handshake.info(tls)).map_err(LinkError::from));
            }
            let late = LinkError::Closed(CloseReason::Timeout(Timer::Handshake));
            link.clock.poll_until(cx, until).map(|_| Err(late))
        });
        match done.await {
            Ok(info) => Ok((link, info)),
            Err(e) => {
                link.last_words().await;
                Err(e)
            }
        }
    }

    fn start(
        stream: S,
        runtime: R,
        config: Arc<ClientConfig>,
        buffers: Pool,
        start: Start,
    ) -> Result<Self, ConfigError> {
        let (size, unread) = (buffers.buffer_size(), config.limits().reply);
        if size < unread {
            return Err(ConfigError::BufferTooSmall { size, unread });
        }
        Ok(Self {
            machine: ClientConnection::new(config, start),
            pump: Pump::new(stream),
            clock: Clock::new(runtime),
            buffers,
            recv: None,
            early: VecDeque::new(),
            ended: false,
            upgrade: false,
            torn: None,
        })
    }

    /// The machine, to be given commands and asked questions. What the network did, and the octets
    /// of a message, are the link's to tell it.
    pub fn machine(&mut self) -> &mut ClientConnection {
        &mut self.machine
    }

    /// What the server offers. Empty before the answer to EHLO, and again when TLS begins.
    pub fn capabilities(&self) -> &Capabilities {
        self.machine.capabilities()
    }

    /// What a login can be bound to (RFC 9266); `None` in clear, and where TLS 1.2 does not give it
    /// safely.
    pub fn channel_binding(&self) -> Option<ChannelBinding> {
        self.pump.channel_binding()
    }

    /// Whether the connection can be kept for another message: nothing is on its way in either
    /// direction, no transaction is open, and nothing was left half done.
    pub fn is_reusable(&self) -> bool {
        self.torn.is_none() && self.early.is_empty() && self.machine.is_idle()
    }

    /// What happened next. Writes what there is to write, reads, and lets timers fire.
    ///
    /// May be dropped at any time and called again: nothing is lost.
    ///
    /// # Errors
    /// [`LinkError::Io`] and [`LinkError::Tls`], which end the connection; what the server said before
    /// that is told first.
    pub async fn next(&mut self) -> Result<Next, LinkError> {
        poll_fn(|cx| self.poll_next(cx, false)).await
    }

    /// What a server does to a connection that waits for its next message, as a rule nothing:
    /// ready once it has closed it or said 421 (RFC 5321 §3.8). Any [`Next`] means that the
    /// connection is of no more use.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    pub fn poll_parked(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, LinkError>> {
        self.poll_next(cx, true)
    }

    /// Looks, without waiting, whether a connection that was kept is still there; false, too, if it
    /// is not [reusable](Self::is_reusable).
    pub fn is_alive(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.is_reusable() && self.poll_parked(&mut cx).is_pending()
    }

    /// Does the handshake that [`ClientEvent::Handshake`] asked for, and tells the machine; say
    /// EHLO again then (RFC 3207 §4.2).
    ///
    /// If the future is dropped, the link is of no more use.
    ///
    /// # Errors
    /// [`LinkError::Tls`], [`LinkError::Io`]; [`LinkError::Closed`] when it takes too long.
    /// [`Misuse::NotNow`] if nobody asked for it. After all but the last the connection is over.
    pub async fn handshake(&mut self, connector: &Connector) -> Result<ClientTlsInfo, LinkError> {
        if !std::mem::take(&mut self.upgrade) {
            return Err(Misuse::NotNow.into());
        }
        self.torn = Some(HALF_DONE);
        let done = self.upgrade(connector).await;
        match done {
            Ok(_) => {
                self.machine.establish()?;
                self.torn = None;
            }
            Err(_) => {
                self.machine.abandon();
                self.last_words().await;
            }
        }
        done
    }

    async fn upgrade(&mut self, connector: &Connector) -> Result<ClientTlsInfo, LinkError> {
        // The machine sees to it that no plaintext is left; were there any, it could be a reply
        // that an attacker put in front of the handshake (RFC 3207 §6).
        if self.recv.is_some() {
            return Err(LinkError::Closed(CloseReason::Residue));
        }
        let (session, handshake) = connector.begin().map_err(LinkError::Tls)?;
        self.pump.start_tls(session);
        poll_fn(|cx| {
            if let Poll::Ready(done) = self.pump.poll_handshake(cx) {
                return Poll::Ready(done.map(|tls| handshake.info(tls)).map_err(LinkError::from));
            }
            loop {
                if let Step::Closed(why) = self.event() {
                    return Poll::Ready(Err(LinkError::Closed(why)));
                }
                if !self.poll_timer(cx) {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// Closes the stream in order: writes what is left, says `close_notify`, closes our side and
    /// waits for the server to close its own, all of it in at most
    /// [`Timeouts::linger`](smtp_proto::client::Timeouts::linger). QUIT is yours to say before.
    ///
    /// If the future is dropped, the stream is closed at once.
    pub async fn close(mut self) {
        if self.torn.is_some() {
            return self.last_words().await;
        }
        let until = self.clock.now() + self.machine.config().timeouts().linger;
        let mut closing = Closing::default();
        poll_fn(|cx| {
            if self.clock.poll_until(cx, until).is_ready() {
                return Poll::Ready(());
            }
            // An error ends it early.
            self.pump.poll_close(cx, &mut self.machine, &mut closing).map(|_| ())
        })
        .await;
    }

    /// With `parked`, [`Next::Idle`] is waited through.
    fn poll_next(&mut self, cx: &mut Context<'_>, parked: bool) -> Poll<Result<Next, LinkError>> {
        if let Some(event) = self.early.pop_front() {
            return Poll::Ready(Ok(Next::Event(event)));
        }
        loop {
            let need = match self.event() {
                Step::Event(event) => return Poll::Ready(Ok(Next::Event(event))),
                Step::Closed(why) => return Poll::Ready(Ok(Next::Closed(why))),
                Step::Need(need) => need,
            };
            if let Some(kind) = self.torn {
                return Poll::Ready(Err(LinkError::Io(kind.into())));
            }
            let before = self.queued();
            let flushed = self.pump.poll_flush(cx, &mut self.machine);
            if let Poll::Ready(Err(e)) = flushed {
                let error = self.write_failed(cx, e);
                if self.recv.is_some() {
                    continue;
                }
                return Poll::Ready(Err(error));
            }
            if flushed.is_ready() && need == Need::Decision && !parked {
                self.machine.release();
                return Poll::Ready(Ok(Next::Idle));
            }
            // The machine's timers follow what was written and read.
            if self.queued() != before
                || (need != Need::Flush && self.poll_read(cx)?.is_ready())
                || self.poll_timer(cx)
            {
                continue;
            }
            return Poll::Pending;
        }
    }

    /// What the machine makes of what is unread.
    pub(super) fn event(&mut self) -> Step<ClientEvent<'static>> {
        let now = self.clock.now();
        let step = match &mut self.recv {
            None => owned(self.machine.poll_event(&mut &[][..], now)),
            Some(recv) => {
                let (mut unread, _) = recv.split();
                let step = owned(self.machine.poll_event(&mut unread, now));
                let left = unread.len();
                recv.settle(left, 0, false);
                if left == 0 {
                    self.recv = None;
                }
                step
            }
        };
        self.upgrade |= matches!(step, Step::Event(ClientEvent::Handshake));
        step
    }

    /// Reads what has arrived: ready when something, or the end, has.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        if self.ended {
            return Poll::Pending;
        }
        let recv = self.recv.get_or_insert_with(|| self.buffers.lend());
        recv.compact();
        if recv.spare().is_empty() {
            return Poll::Pending;
        }
        let read = self.pump.poll_read(cx, recv.spare());
        if let Poll::Ready(Ok(n)) = read {
            recv.fill(n);
            self.ended = n == 0;
        }
        if recv.is_empty() {
            self.recv = None;
        }
        if self.ended {
            self.machine.handle_eof();
        }
        read.map(|read| match read {
            Ok(_) => Ok(()),
            Err(e) => {
                self.torn = Some(e.kind());
                // An alert of TLS says to the server what we tell our caller.
                let _ = self.pump.poll_flush(cx, &mut self.machine);
                Err(e.into())
            }
        })
    }

    /// Fires the machine's timer if it is due; whether it was.
    pub(super) fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(at) = self.machine.poll_timeout() else { return false };
        let Poll::Ready(now) = self.clock.poll_until(cx, at) else { return false };
        self.machine.handle_timeout(now);
        true
    }

    /// Octets of commands to write now.
    fn queued(&self) -> usize {
        self.machine.poll_transmit().map_or(0, <[u8]>::len)
    }

    /// The server may have said why before it left: that is kept for [`next`](Self::next).
    pub(super) fn write_failed(&mut self, cx: &mut Context<'_>, error: io::Error) -> LinkError {
        // What is read after this, or that nothing can be, changes nothing.
        let _ = self.poll_read(cx);
        self.torn = Some(error.kind());
        error.into()
    }

    /// After an error: writes what can be written at once, such as a TLS alert.
    async fn last_words(&mut self) {
        poll_fn(|cx| {
            let _ = self.pump.poll_flush(cx, &mut self.machine);
            Poll::Ready(())
        })
        .await;
    }
}

impl<S, R: Runtime> std::fmt::Debug for ClientLink<S, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientLink").field("torn", &self.torn).finish_non_exhaustive()
    }
}

fn owned(step: Step<ClientEvent<'_>>) -> Step<ClientEvent<'static>> {
    match step {
        Step::Event(event) => Step::Event(event.into_static()),
        Step::Need(need) => Step::Need(need),
        Step::Closed(why) => Step::Closed(why),
    }
}
