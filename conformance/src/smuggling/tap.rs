//! A wire tap between a server that relays and the one that it relays to: carries the octets of both,
//! and keeps them.
//!
//! One thing is changed: the keyword STARTTLS in a reply is made unreadable, because inside TLS
//! nothing could be seen.

use crate::{
    reply::{Reply, take_reply},
    transcript::{Line, visible},
};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    num::NonZeroUsize,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Octets that are kept in all; what is more is carried and not kept.
const MOST_OCTETS: usize = 64 << 20;
/// Sessions that are carried; further ones are closed at once.
const MOST_SESSIONS: usize = 2_000;
/// The most octets of a line that is waited for.
const MOST_LINE: usize = 64 << 10;
/// Lines of a dialogue that are shown from its beginning, and from its end.
const SHOWN: usize = 100;
/// Between two looks at whether the session is over.
const SLICE: Duration = Duration::from_millis(50);

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The server that relays.
    Sender,
    /// The server that it relays to.
    Receiver,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// This side closed first; FIN and RST are the same.
    Closed(Side),
    /// Nothing was said for too long, or the tap was taken away.
    Silent,
    /// The receiver took no connection.
    NoReceiver,
}

/// A session between the two.
#[derive(Debug)]
pub struct Tapped {
    /// What was said, in its order.
    said: Vec<(Side, Vec<u8>)>,
    /// When something was said last.
    last: Instant,
    /// How it ended, once it has.
    pub end: Option<End>,
}

/// The tap. It is gone when this is dropped.
#[derive(Debug)]
pub struct Tap {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    receiver: SocketAddr,
    patience: Duration,
    state: Mutex<State>,
    /// A session has ended.
    free: Condvar,
    stop: AtomicBool,
}

#[derive(Debug)]
struct State {
    sessions: Vec<Tapped>,
    open: usize,
    kept: usize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Tap {
    /// Listens on `address` and carries what comes to `receiver`, in at most `most` sessions at once:
    /// others wait for their greeting. A session in which nobody says anything for `patience` is
    /// closed.
    ///
    /// # Errors
    /// Those of the system: the address is in use, or not ours.
    pub fn listen(
        address: SocketAddr,
        receiver: SocketAddr,
        most: NonZeroUsize,
        patience: Duration,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let state = State { sessions: Vec::new(), open: 0, kept: 0 };
        let shared = Arc::new(Shared {
            receiver,
            patience,
            state: Mutex::new(state),
            free: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        let tap = Self { address, shared: Arc::clone(&shared) };
        thread::spawn(move || accept(&listener, &shared, most.get()));
        Ok(tap)
    }

    /// Looks at all sessions, in the order in which they began.
    pub fn look<R>(&self, look: impl FnOnce(&[Tapped]) -> R) -> R {
        look(&self.shared.lock().sessions)
    }

    /// When something was said last, if ever.
    pub fn last_said(&self) -> Option<Instant> {
        self.shared.lock().sessions.iter().map(|session| session.last).max()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.free.notify_all();
        // One more connection, so that the one who accepts them looks up.
        drop(TcpStream::connect_timeout(&self.address, SLICE));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, most: usize) {
    for sender in listener.incoming().flatten() {
        let mut state = shared.lock();
        while state.open >= most && !shared.stopped() {
            state = shared.free.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if shared.stopped() {
            return;
        }
        let number = state.sessions.len();
        if number >= MOST_SESSIONS {
            continue;
        }
        state.sessions.push(Tapped { said: Vec::new(), last: Instant::now(), end: None });
        state.open += 1;
        drop(state);
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            let ended = Carrier { shared: &shared, number }.session(&sender);
            let mut state = shared.lock();
            if let (Err(_), Some(session)) = (ended, state.sessions.get_mut(number)) {
                session.end.get_or_insert(End::NoReceiver);
            }
            state.open -= 1;
            shared.free.notify_one();
        });
    }
}

/// Carries one session.
#[derive(Clone, Copy)]
struct Carrier<'s> {
    shared: &'s Shared,
    number: usize,
}

impl Carrier<'_> {
    fn session(self, sender: &TcpStream) -> io::Result<()> {
        let receiver =
            TcpStream::connect_timeout(&self.shared.receiver, self.shared.patience.max(SLICE))?;
        for stream in [sender, &receiver] {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(SLICE))?;
            stream.set_write_timeout(Some(self.shared.patience.max(SLICE)))?;
        }
        thread::scope(|scope| {
            scope.spawn(|| self.carry(sender, &receiver, Side::Sender));
            self.carry(&receiver, sender, Side::Receiver);
        });
        Ok(())
    }

    /// Carries what one side says to the other, until either closes or the session is over.
    fn carry(self, mut from: &TcpStream, mut to: &TcpStream, side: Side) {
        let mut buffer = vec![0; 16 << 10];
        let mut unsent = Vec::new();
        loop {
            match from.read(&mut buffer) {
                Ok(0) => break self.ended(End::Closed(side)),
                Ok(n) => {
                    self.keep(side, &buffer[..n]);
                    unsent.extend_from_slice(&buffer[..n]);
                    if side == Side::Receiver {
                        hide_starttls(&mut unsent);
                    }
                    let ready = ready(side, &unsent);
                    if to.write_all(&unsent[..ready]).is_err() {
                        break self.ended(End::Closed(other(side)));
                    }
                    unsent.drain(..ready);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => {
                    if self.is_over() {
                        break self.ended(End::Silent);
                    }
                }
                Err(_) => break self.ended(End::Closed(side)),
            }
        }
        // What was said last still arrives; what the other says then goes nowhere.
        drop(to.write_all(&unsent));
        drop(to.shutdown(Shutdown::Write));
        if side == Side::Receiver {
            drop(from.shutdown(Shutdown::Both));
        }
    }

    fn keep(self, side: Side, octets: &[u8]) {
        let mut state = self.shared.lock();
        let kept = state.kept + octets.len();
        let Some(session) = state.sessions.get_mut(self.number) else { return };
        session.last = Instant::now();
        if kept <= MOST_OCTETS {
            session.said.push((side, octets.to_vec()));
            state.kept = kept;
        }
    }

    fn ended(self, end: End) {
        if let Some(session) = self.shared.lock().sessions.get_mut(self.number) {
            session.end.get_or_insert(end);
        }
    }

    /// Nobody wants to hear more of it.
    fn is_over(self) -> bool {
        let state = self.shared.lock();
        let silent = |session: &Tapped| session.last.elapsed() > self.shared.patience;
        self.shared.stopped() || state.sessions.get(self.number).is_none_or(silent)
    }
}

fn other(side: Side) -> Side {
    match side {
        Side::Sender => Side::Receiver,
        Side::Receiver => Side::Sender,
    }
}

/// How much of `octets` may be sent: from the receiver whole lines only, so that a keyword is seen
/// whole.
fn ready(side: Side, octets: &[u8]) -> usize {
    if side == Side::Sender || octets.len() > MOST_LINE {
        return octets.len();
    }
    octets.iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1)
}

/// Makes the keyword unreadable in an answer to EHLO (RFC 3207 §4), as long as it was.
fn hide_starttls(octets: &mut [u8]) {
    const KEYWORD: &[u8] = b"STARTTLS";
    for line in octets.split_mut(|&b| b == b'\n') {
        let Some((code, text)) = line.split_at_mut_checked(4) else { continue };
        if code != b"250-" && code != b"250 " {
            continue;
        }
        let word = text.get_mut(..KEYWORD.len());
        if let Some(word) = word.filter(|word| word.eq_ignore_ascii_case(KEYWORD)) {
            word.fill(b'X');
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

impl Tapped {
    /// All that the sender said.
    pub fn of_sender(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for (_, octets) in self.said.iter().filter(|(side, _)| *side == Side::Sender) {
            all.extend_from_slice(octets);
        }
        all
    }

    /// The replies that came when the sender had said more than `from` octets and at most `to`.
    pub fn replies(&self, from: usize, to: usize) -> Vec<Reply> {
        let mut said = 0;
        let mut octets = Vec::new();
        for (side, words) in &self.said {
            match side {
                Side::Sender => said += words.len(),
                Side::Receiver if said > from && said <= to => octets.extend_from_slice(words),
                Side::Receiver => {}
            }
        }
        let mut replies = Vec::new();
        let mut unread = &octets[..];
        while let Some((reply, n)) = take_reply(unread) {
            replies.push(reply);
            unread = &unread[n..];
        }
        replies
    }

    /// The dialogue, as it can be shown: its beginning and its end, if it is long.
    pub fn dialogue(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for (side, octets) in &self.said {
            lines.extend(octets.split_inclusive(|&b| b == b'\n').map(|line| match side {
                Side::Sender => Line::Client(visible(line)),
                Side::Receiver => Line::Server(visible(line)),
            }));
        }
        if lines.len() > 2 * SHOWN {
            let gap = Line::Note(format!("{} lines", lines.len() - 2 * SHOWN));
            lines.splice(SHOWN..lines.len() - SHOWN, [gap]);
        }
        let end = match self.end {
            None => "still open",
            Some(End::Closed(Side::Sender)) => "the sender closed",
            Some(End::Closed(Side::Receiver)) => "the receiver closed",
            Some(End::Silent) => "silent",
            Some(End::NoReceiver) => "the receiver takes no connection",
        };
        lines.push(Line::Note(end.into()));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starttls_is_hidden_in_an_answer_and_nowhere_else() {
        let mut said = b"250-mx\r\n250-StartTLS\r\n250 SIZE\r\n220 STARTTLS\r\n".to_vec();
        hide_starttls(&mut said);
        assert_eq!(said, b"250-mx\r\n250-XXXXXXXX\r\n250 SIZE\r\n220 STARTTLS\r\n");
    }

    #[test]
    fn replies_belong_to_what_was_said_before_them() {
        let say = |side, words: &str| (side, words.as_bytes().to_vec());
        let session = Tapped {
            said: vec![
                say(Side::Receiver, "220 mx\r\n"),
                say(Side::Sender, "MAIL\r\n"),
                say(Side::Receiver, "250 a\r\n2"),
                say(Side::Receiver, "50 b\r\n"),
                say(Side::Sender, "QUIT\r\n"),
                say(Side::Receiver, "221 c\r\n"),
            ],
            last: Instant::now(),
            end: None,
        };
        let codes = |from, to| -> Vec<_> {
            session.replies(from, to).iter().map(|reply| reply.text(0)).collect()
        };
        assert_eq!(codes(0, 6), ["a", "b"]);
        assert_eq!(codes(6, usize::MAX), ["c"]);
        assert_eq!(session.of_sender(), b"MAIL\r\nQUIT\r\n");
    }
}
