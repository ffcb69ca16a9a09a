//! The scripted server's listeners, and how long they listen.

use super::{
    record::Record,
    sender::{Running, Sender},
    serve::{Serving, serve},
};
use crate::{transcript::Transcript, wire::TcpWire};
use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Connections of one attempt that are taken.
const MOST_SESSIONS: usize = 250;
/// Between two looks at the listeners and at the client.
const SLICE: Duration = Duration::from_millis(3);
/// How long a session may last when its client has ended.
const AFTERWARDS: Duration = Duration::from_millis(500);
/// How long a send may block.
const SEND: Duration = Duration::from_secs(2);

/// Listeners on one port of 127.0.0.N for each of `hosts`; on `fixed`, or on its port, if that is
/// where the client looks.
pub(super) fn bind(hosts: &[u8], fixed: Option<SocketAddr>) -> io::Result<Vec<TcpListener>> {
    let mut tries = 0;
    loop {
        let mut port = fixed.map_or(0, |address| address.port());
        let mut all = Vec::new();
        let bound = hosts.iter().try_for_each(|host| {
            let own = SocketAddr::from(([127, 0, 0, *host], port));
            let listener = TcpListener::bind(fixed.filter(|_| *host == 1).unwrap_or(own))?;
            listener.set_nonblocking(true)?;
            port = listener.local_addr()?.port();
            all.push(listener);
            Ok(())
        });
        tries += 1;
        match bound {
            Ok(()) => return Ok(all),
            Err(error) if tries > 50 || fixed.is_some() => return Err(error),
            Err(_) => {}
        }
    }
}

/// The scripted server while a client sends.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    stop: Arc<AtomicBool>,
    /// Sessions that have begun, and that have ended.
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    acceptor: JoinHandle<Vec<JoinHandle<Record>>>,
}

impl Server {
    pub(super) fn start(
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
                        heard: Arc::clone(&serving.heard),
                        transcript,
                        number,
                        host: last_number(listener),
                        first: sessions.is_empty(),
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
    pub(super) fn wait(
        &self,
        running: &mut dyn Running,
        sender: &dyn Sender,
        patience: Duration,
    ) -> bool {
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

    pub(super) fn stop(self) -> Vec<Record> {
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
