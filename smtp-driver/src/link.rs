//! The machine and all that it is connected to: the stream, the clock, the stop signal.

use crate::{
    clock::Clock,
    handler::TlsInfo,
    pump::{Closing, Pump},
    recv_buffer::Ahead,
    runtime::Runtime,
    stream::Stream,
    tls,
};
use smtp_proto::{
    Instant,
    server::{Pending, ServerConnection, op},
    wire::Refused,
};
use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// Events that one wake-up may handle before other tasks get their turn.
const BUDGET: u32 = 64;

pub(crate) struct Link<'s, S, R: Runtime> {
    pub(crate) conn: ServerConnection,
    pub(crate) pump: Pump<S>,
    clock: Clock<R>,
    /// The stop signal, until it has been heard.
    stop: Option<Pin<Box<dyn Future<Output = ()> + Send + 's>>>,
    budget: u32,
}

/// What ended a wait for input.
pub(crate) enum Woken {
    /// So many octets were read.
    Octets(usize),
    /// The stream has ended.
    End,
    /// A timer or the stop signal: ask the machine.
    Machine,
}

impl<'s, S: Stream, R: Runtime> Link<'s, S, R> {
    pub(crate) fn new(
        conn: ServerConnection,
        stream: S,
        runtime: R,
        stop: impl Future<Output = ()> + Send + 's,
    ) -> Self {
        Self {
            conn,
            pump: Pump::new(stream),
            clock: Clock::new(runtime),
            stop: Some(Box::pin(stop)),
            budget: BUDGET,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// How long ago `then` was.
    pub(crate) fn since(&self, then: Instant) -> Duration {
        self.clock.now().saturating_since(then)
    }

    /// Fires the machine's timers that are due; whether one was.
    fn poll_timers(&mut self, cx: &mut Context<'_>) -> bool {
        let mut fired = false;
        while let Some(at) = self.conn.poll_timeout() {
            let Poll::Ready(now) = self.clock.poll_until(cx, at) else { break };
            self.conn.handle_timeout(now);
            fired = true;
        }
        fired
    }

    /// Whether the stop signal came just now; the machine has been told.
    fn poll_stop(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(stop) = &mut self.stop else { return false };
        if stop.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.stop = None;
        self.conn.shutdown(&Refused::SHUTTING_DOWN);
        true
    }

    /// Timers and the stop signal; whether the machine may have something new to say.
    fn poll_machine(&mut self, cx: &mut Context<'_>) -> bool {
        let fired = self.poll_timers(cx);
        let stopped = self.poll_stop(cx);
        fired || stopped
    }

    /// What goes on while a verdict is awaited: earlier replies leave, timers run, the stop signal
    /// is heard, and the peer is read ahead, which finds early talkers and peers that left.
    ///
    /// Whether anything moved in the machine.
    pub(crate) fn poll_background(
        &mut self,
        cx: &mut Context<'_>,
        ahead: &mut Ahead<'_>,
    ) -> io::Result<bool> {
        let queued = |conn: &ServerConnection| conn.poll_transmit().map_or(0, <[u8]>::len);
        let mut moved = self.poll_machine(cx);
        let before = queued(&self.conn);
        if let Poll::Ready(flushed) = self.pump.poll_flush(cx, &mut self.conn) {
            flushed?;
        }
        moved |= queued(&self.conn) != before;
        while !ahead.room().is_empty() {
            match self.pump.poll_read(cx, ahead.room()) {
                Poll::Ready(n) => ahead.read(n?),
                Poll::Pending => break,
            }
        }
        Ok(moved)
    }

    /// Reads into `buf` unless it is empty, while output leaves and timers run.
    ///
    /// What has arrived comes before a timer: the time that we took counts against nobody.
    pub(crate) fn poll_input(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<Woken>> {
        if let Poll::Ready(flushed) = self.pump.poll_flush(cx, &mut self.conn) {
            flushed?;
        }
        if !buf.is_empty()
            && let Poll::Ready(n) = self.pump.poll_read(cx, buf)?
        {
            return Poll::Ready(Ok(if n == 0 { Woken::End } else { Woken::Octets(n) }));
        }
        if self.poll_machine(cx) { Poll::Ready(Ok(Woken::Machine)) } else { Poll::Pending }
    }

    /// Waits until there is something to read or to ask the machine, with no buffer at all.
    pub(crate) async fn idle(&mut self) -> io::Result<()> {
        poll_fn(|cx| {
            if self.pump.poll_flush(cx, &mut self.conn)?.is_ready() {
                self.conn.release();
            }
            if self.pump.poll_readable(cx)?.is_ready() || self.poll_machine(cx) {
                return Poll::Ready(Ok(()));
            }
            Poll::Pending
        })
        .await
    }

    /// Writes until all output has left, or a timer or the stop signal changed the matter.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| {
            if self.pump.poll_flush(cx, &mut self.conn)?.is_ready() || self.poll_machine(cx) {
                return Poll::Ready(Ok(()));
            }
            Poll::Pending
        })
        .await
    }

    /// Counts an event; false when it is the others' turn.
    pub(crate) fn spend(&mut self) -> bool {
        match self.budget.checked_sub(1) {
            Some(left) => self.budget = left,
            None => self.budget = BUDGET,
        }
        self.budget != BUDGET
    }

    /// Lets other tasks run, once; looks at the clock and the stop signal, too, which a peer that
    /// never pauses would keep us from.
    pub(crate) async fn give_way(&mut self) {
        let mut gave_way = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut gave_way, true) {
                return Poll::Ready(());
            }
            self.poll_machine(cx);
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TlsInfo>> {
        self.pump.poll_handshake(cx).map_ok(tls::server_info)
    }

    /// Does the handshake that STARTTLS asked for.
    pub(crate) async fn handshake(
        &mut self,
        pending: &Pending<op::Handshake>,
    ) -> io::Result<TlsInfo> {
        poll_fn(|cx| {
            if let Poll::Ready(done) = self.poll_handshake(cx) {
                return Poll::Ready(done);
            }
            self.poll_machine(cx);
            if !self.conn.is_waiting(pending) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            Poll::Pending
        })
        .await
    }

    /// Does the handshake that comes before the greeting, in at most `patience`. `None` when the
    /// stop signal comes first.
    ///
    /// # Errors
    /// `TimedOut`, or why the handshake failed.
    pub(crate) async fn implicit_handshake(
        &mut self,
        patience: Duration,
    ) -> io::Result<Option<TlsInfo>> {
        let until = self.now() + patience;
        poll_fn(|cx| {
            if let Poll::Ready(done) = self.poll_handshake(cx) {
                return Poll::Ready(done.map(Some));
            }
            if self.clock.poll_until(cx, until).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            if self.poll_stop(cx) { Poll::Ready(Ok(None)) } else { Poll::Pending }
        })
        .await
    }

    /// Waits for `delay`, or until the peer speaks or leaves.
    pub(crate) async fn hold_greeting(
        &mut self,
        delay: Duration,
        ahead: &mut Ahead<'_>,
    ) -> io::Result<()> {
        let mut timer = self.clock.another(delay);
        poll_fn(|cx| {
            self.poll_background(cx, ahead)?;
            let spoken = ahead.has_ended() || !ahead.octets().is_empty();
            if spoken || self.stop.is_none() {
                return Poll::Ready(Ok(()));
            }
            crate::runtime::Timer::poll_fired(&mut timer, cx).map(Ok)
        })
        .await
    }

    /// Closes the stream: writes what is left, says `close_notify`, closes our side and waits for
    /// the peer to close its own, all of it in at most `patience`. An error ends it early.
    pub(crate) async fn close(&mut self, patience: Duration) {
        let until = self.now() + patience;
        let mut closing = Closing::default();
        poll_fn(|cx| {
            if self.clock.poll_until(cx, until).is_ready() {
                return Poll::Ready(());
            }
            self.pump.poll_close(cx, &mut self.conn, &mut closing).map(|_| ())
        })
        .await;
    }

    /// After an error: writes what can be written at once, such as a TLS alert.
    pub(crate) async fn last_words(&mut self) {
        poll_fn(|cx| {
            let _ = self.pump.poll_flush(cx, &mut self.conn);
            Poll::Ready(())
        })
        .await;
    }
}
