//! A runtime of one's own, and the adapter for it: an event loop on mio, in one thread.
//!
//! The first half is what such a runtime is anyway: tasks, timers, sockets that wake. The second
//! half is all that this library wants of it: [`Runtime`], [`Timer`] and [`Stream`], and for a
//! [`Server`](smtp_driver::Server) also [`Spawn`] and [`Listener`].

use mio::{Events, Interest, Poll as Poller, Registry, Token, event::Source, net};
use smtp_driver::{Listener, Peer, Runtime, Spawn, Stream, Timer};
use smtp_proto::Instant;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    future::Future,
    io::{self, IoSlice, Read, Write},
    net::{Shutdown, SocketAddr},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker, ready},
};

/// The event loop. Clones are the same loop.
#[derive(Clone)]
pub struct Mio(Arc<Shared>);

struct Shared {
    origin: std::time::Instant,
    poller: Mutex<Poller>,
    registry: Registry,
    /// Ends the loop's waiting, from any thread.
    alarm: mio::Waker,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last_id: usize,
    tasks: HashMap<usize, Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Tasks to run.
    ready: VecDeque<usize>,
    /// Deadlines, and whom to wake.
    timers: BTreeMap<(Instant, usize), Waker>,
    /// Who waits to read and who to write, by token.
    waiting: HashMap<Token, [Option<Waker>; 2]>,
}

/// The alarm's token, and the name of the future that is given to `block_on`.
const MAIN: usize = 0;
const READ: usize = 0;
const WRITE: usize = 1;

impl Mio {
    /// A new loop.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new() -> io::Result<Self> {
        let poller = Poller::new()?;
        let registry = poller.registry().try_clone()?;
        let alarm = mio::Waker::new(&registry, Token(MAIN))?;
        let (origin, poller) = (std::time::Instant::now(), Mutex::new(poller));
        Ok(Self(Arc::new(Shared { origin, poller, registry, alarm, state: Mutex::default() })))
    }

    /// Runs `future` to its end, and all tasks beside it.
    ///
    /// # Errors
    /// Those of the system.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> io::Result<T> {
        let mut future = pin!(future);
        let mut events = Events::with_capacity(256);
        self.state().ready.push_back(MAIN);
        loop {
            while let Some(id) = self.next_ready() {
                let waker = Waker::from(Arc::new(TaskWaker { id, runtime: self.clone() }));
                let cx = &mut Context::from_waker(&waker);
                if id == MAIN {
                    if let Poll::Ready(value) = future.as_mut().poll(cx) {
                        return Ok(value);
                    }
                    continue;
                }
                // Out of the table while it runs: it may start others.
                let Some(mut task) = self.take_task(id) else { continue };
                if task.as_mut().poll(cx).is_pending() {
                    self.state().tasks.insert(id, task);
                }
            }
            self.wait(&mut events)?;
        }
    }

    /// Waits for the sockets, the alarm or the next deadline, and wakes whom that concerns.
    fn wait(&self, events: &mut Events) -> io::Result<()> {
        let deadline = self.state().timers.first_key_value().map(|(&(at, _), _)| at);
        let timeout = deadline.map(|at| at.saturating_since(self.now()));
        let mut poller = self.0.poller.lock().unwrap_or_else(PoisonError::into_inner);
        match poller.poll(events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        let (now, mut woken) = (self.now(), Vec::new());
        let mut state = self.state();
        for event in &*events {
            if let Some([reader, writer]) = state.waiting.get_mut(&event.token()) {
                let reader = reader.take_if(|_| event.is_readable() || event.is_read_closed());
                let writer = writer.take_if(|_| event.is_writable() || event.is_write_closed());
                woken.extend(reader.into_iter().chain(writer));
            }
        }
        while let Some(entry) = state.timers.first_entry().filter(|entry| entry.key().0 <= now) {
            woken.push(entry.remove());
        }
        drop(state);
        // Waking takes the lock.
        woken.into_iter().for_each(Waker::wake);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_ready(&self) -> Option<usize> {
        self.state().ready.pop_front()
    }

    fn take_task(&self, id: usize) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        self.state().tasks.remove(&id)
    }

    fn new_id(&self) -> usize {
        let mut state = self.state();
        state.last_id += 1;
        state.last_id
    }
}

impl fmt::Debug for Mio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mio").field("now", &self.now()).finish_non_exhaustive()
    }
}

struct TaskWaker {
    id: usize,
    runtime: Mio,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.runtime.state().ready.push_back(self.id);
        // Without it the loop would run on at the next event.
        let _ = self.runtime.0.alarm.wake();
    }
}

/// A socket that the loop watches.
#[derive(Debug)]
struct Watched<T: Source> {
    runtime: Mio,
    token: Token,
    socket: T,
}

impl<T: Source> Watched<T> {
    fn new(runtime: &Mio, mut socket: T) -> io::Result<Self> {
        let token = Token(runtime.new_id());
        let both = Interest::READABLE | Interest::WRITABLE;
        runtime.0.registry.register(&mut socket, token, both)?;
        Ok(Self { runtime: runtime.clone(), token, socket })
    }

    /// Tries `act`; where it would block, the loop wakes who waits for this `side`. mio tells only
    /// of changes, so it must be tried before it is waited for.
    fn poll_io<O>(
        &mut self,
        cx: &mut Context<'_>,
        side: usize,
        mut act: impl FnMut(&mut T) -> io::Result<O>,
    ) -> Poll<io::Result<O>> {
        loop {
            match act(&mut self.socket) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut state = self.runtime.state();
                    state.waiting.entry(self.token).or_default()[side] = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                result => return Poll::Ready(result),
            }
        }
    }
}

impl<T: Source> Drop for Watched<T> {
    fn drop(&mut self) {
        let _ = self.runtime.0.registry.deregister(&mut self.socket);
        self.runtime.state().waiting.remove(&self.token);
    }
}

// From here on: what the library wants.

impl Runtime for Mio {
    type Timer = MioTimer;

    fn now(&self) -> Instant {
        Instant::ZERO + self.0.origin.elapsed()
    }

    fn timer(&self) -> MioTimer {
        MioTimer { id: self.new_id(), runtime: self.clone(), at: None, waker: None }
    }
}

impl Spawn for Mio {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.new_id();
        let mut state = self.state();
        state.tasks.insert(id, Box::pin(task));
        state.ready.push_back(id);
    }
}

/// A deadline in the loop.
#[derive(Debug)]
pub struct MioTimer {
    runtime: Mio,
    id: usize,
    at: Option<Instant>,
    /// Who polled last; it moves with the deadline.
    waker: Option<Waker>,
}

impl MioTimer {
    fn unregister(&self) {
        if let Some(at) = self.at {
            self.runtime.state().timers.remove(&(at, self.id));
        }
    }

    fn register(&self) {
        if let (Some(at), Some(waker)) = (self.at, &self.waker) {
            self.runtime.state().timers.insert((at, self.id), waker.clone());
        }
    }
}

impl Timer for MioTimer {
    fn set(&mut self, at: Option<Instant>) {
        self.unregister();
        self.at = at;
        self.register();
    }

    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.at.is_some_and(|at| at <= self.runtime.now()) {
            self.unregister();
            return Poll::Ready(());
        }
        self.waker = Some(cx.waker().clone());
        self.register();
        Poll::Pending
    }
}

impl Drop for MioTimer {
    fn drop(&mut self) {
        self.unregister();
    }
}

/// A connection in the loop.
#[derive(Debug)]
pub struct MioStream(Watched<net::TcpStream>);

impl Stream for MioStream {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.poll_io(cx, READ, |socket| socket.peek(&mut [0])))?;
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_io(cx, READ, |socket| socket.read(buf))
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_io(cx, WRITE, |socket| socket.write_vectored(bufs))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0.socket.shutdown(Shutdown::Write) {
            // The peer was first.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}

/// A listening socket in the loop.
#[derive(Debug)]
pub struct MioListener(Watched<net::TcpListener>);

impl MioListener {
    /// Listens on `address`; port 0 lets the system choose one.
    ///
    /// # Errors
    /// Those of the system.
    pub fn bind(runtime: &Mio, address: SocketAddr) -> io::Result<Self> {
        let socket = smtp_driver::listen(address)?;
        socket.set_nonblocking(true)?;
        Watched::new(runtime, net::TcpListener::from_std(socket)).map(Self)
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.socket.local_addr()
    }
}

impl Listener for MioListener {
    type Stream = MioStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(MioStream, Peer)>> {
        let (socket, remote) = ready!(self.0.poll_io(cx, READ, |socket| socket.accept()))?;
        // Replies leave in groups already.
        let _ = socket.set_nodelay(true);
        let peer = Peer { remote: Some(remote), local: socket.local_addr().ok() };
        let stream = Watched::new(&self.0.runtime, socket).map(MioStream);
        Poll::Ready(stream.map(|stream| (stream, peer)))
    }
}
