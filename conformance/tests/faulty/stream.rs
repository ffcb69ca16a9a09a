//! The server's side of a connection: lines, octets and replies, in clear or in TLS.

use super::pipe::End;
use rustls::{HandshakeKind, ServerConfig, ServerConnection};
use std::{
    io::{Read, Write},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Behind so many octets without a line end the server hangs up.
const MOST_LINE: usize = 1 << 20;

/// The stream.
pub(crate) struct Stream {
    end: End,
    tls: Option<ServerConnection>,
    /// Received and not yet taken.
    pub unread: Vec<u8>,
    /// To be sent before anything is waited for.
    pub unsent: Vec<u8>,
    /// Goes on in clear when TLS ends.
    pub clear_after_tls: bool,
    /// How TLS ends: with an alert, as it should.
    pub says_goodbye: bool,
    /// The client fell silent.
    pub timed_out: bool,
    /// A line went on for too long to wait for its end.
    pub flooded: bool,
    /// How long the server waits for a whole of anything.
    pub idle: Duration,
    /// Whether any octet is enough to make it wait as long again.
    pub trickles: bool,
    deadline: Instant,
    /// How late it says what it says.
    pub late: Duration,
    /// Leaves `renegotiation_info` out of its ServerHello.
    pub no_renegotiation_info: bool,
    /// Says no alert where a handshake fails.
    pub no_alert: bool,
    /// Agrees on versions below TLS 1.2.
    pub old_tls: bool,
}

impl Stream {
    /// Over one end of a connection.
    pub(crate) fn new(end: End, idle: Duration) -> Self {
        Self {
            end,
            tls: None,
            unread: Vec::new(),
            unsent: Vec::new(),
            clear_after_tls: false,
            says_goodbye: true,
            timed_out: false,
            flooded: false,
            idle,
            trickles: false,
            deadline: Instant::now() + idle,
            late: Duration::ZERO,
            no_renegotiation_info: false,
            no_alert: false,
            old_tls: false,
        }
    }

    /// A command, a message or a handshake begins.
    pub(crate) fn begin(&mut self) {
        self.deadline = Instant::now() + self.idle;
    }

    /// How long it waits for more of it.
    fn patience(&self) -> Duration {
        if self.trickles {
            return self.idle;
        }
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Whether it goes on with a TLS session of another connection.
    pub(crate) fn is_resumed(&self) -> bool {
        let kind = self.tls.as_ref().and_then(|tls| tls.handshake_kind());
        kind == Some(HandshakeKind::Resumed)
    }

    /// Whether octets are protected.
    pub(crate) fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Sends what is to be sent.
    pub(crate) fn flush(&mut self) {
        let octets = std::mem::take(&mut self.unsent);
        if octets.is_empty() {
            return;
        }
        thread::sleep(self.late);
        self.deadline += self.late;
        match &mut self.tls {
            None => drop(self.end.write(&octets)),
            Some(tls) => {
                for piece in octets.chunks(16 << 10) {
                    drop(tls.writer().write_all(piece));
                    push(tls, &mut self.end);
                }
            }
        }
    }

    /// Waits for more octets; false when there will be none.
    pub(crate) fn fill(&mut self) -> bool {
        let had = self.unsent.len();
        self.flush();
        // Who says much and hears nothing is not served to the end.
        if had > 0 && !self.end.drain(self.idle) && self.end.is_behind() {
            return false;
        }
        self.fill_within(self.patience())
    }

    /// The same, with a limit and without sending first.
    pub(crate) fn fill_within(&mut self, patience: Duration) -> bool {
        let had = self.unread.len();
        while self.unread.len() == had {
            let Some(octets) = self.end.read(patience) else {
                self.timed_out = true;
                return false;
            };
            if octets.is_empty() {
                return false;
            }
            let Some(tls) = &mut self.tls else {
                self.unread.extend(octets);
                continue;
            };
            if decrypt(tls, &octets, &mut self.unread).is_err() {
                push(tls, &mut self.end);
                if self.clear_after_tls {
                    self.tls = None;
                    continue;
                }
                return false;
            }
            push(tls, &mut self.end);
            if tls_ended(tls) {
                if self.clear_after_tls {
                    self.tls = None;
                    continue;
                }
                return self.unread.len() > had;
            }
        }
        true
    }

    /// Takes `n` octets.
    pub(crate) fn take(&mut self, n: usize) -> Option<Vec<u8>> {
        while self.unread.len() < n {
            if !self.fill() {
                return None;
            }
        }
        Some(self.unread.drain(..n).collect())
    }

    /// Takes all up to and with `end`, at most `most` octets of it; whether it was more.
    pub(crate) fn take_line(&mut self, end: &[u8], most: usize) -> Option<(Vec<u8>, bool)> {
        let mut long = false;
        let mut from = 0;
        let mut dropped = 0;
        loop {
            if let Some(at) = find(&self.unread[from..], end) {
                let mut line: Vec<u8> = self.unread.drain(..from + at + end.len()).collect();
                long |= line.len() > most;
                line.truncate(line.len() - end.len());
                return Some((line, long));
            }
            from = (self.unread.len() + 1).saturating_sub(end.len());
            if self.unread.len() > most {
                long = true;
                dropped += self.unread.drain(..from).count();
                from = 0;
                if dropped > MOST_LINE {
                    self.flooded = true;
                    return None;
                }
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// Does a handshake; `early` is what the client sent already. False if it failed.
    pub(crate) fn start_tls(&mut self, config: &Arc<ServerConfig>, early: &[u8]) -> bool {
        self.flush();
        self.begin();
        let Ok(mut tls) = ServerConnection::new(Arc::clone(config)) else { return false };
        if decrypt(&mut tls, early, &mut self.unread).is_err() {
            push(&mut tls, &mut self.end);
            return false;
        }
        while tls.is_handshaking() {
            if self.no_renegotiation_info {
                hide_renegotiation_info(&mut tls, &mut self.end);
            }
            push(&mut tls, &mut self.end);
            let Some(mut octets) = self.end.read(self.patience()) else { return false };
            if octets.is_empty() {
                return false;
            }
            while self.old_tls && octets.len() < 11 {
                match self.end.read(self.patience()) {
                    Some(more) if !more.is_empty() => octets.extend(more),
                    _ => return false,
                }
            }
            // The version in a ClientHello, behind the headers of the record and the message.
            if self.old_tls && octets.get(9..11).is_some_and(|version| version[1] < 3) {
                let server_hello = [22, 3, 1, 0, 42, 2, 0, 0, 38, 3, octets[10]];
                self.end.write(&[&server_hello[..], &[0; 36]].concat());
                return false;
            }
            if decrypt(&mut tls, &octets, &mut self.unread).is_err() {
                if !self.no_alert {
                    push(&mut tls, &mut self.end);
                }
                return false;
            }
        }
        push(&mut tls, &mut self.end);
        self.tls = Some(tls);
        true
    }

    /// Says the last words.
    pub(crate) fn close(&mut self) {
        self.flush();
        if let Some(tls) = self.tls.as_mut().filter(|_| self.says_goodbye) {
            tls.send_close_notify();
            push(tls, &mut self.end);
        }
    }
}

fn decrypt(tls: &mut ServerConnection, mut octets: &[u8], to: &mut Vec<u8>) -> Result<(), ()> {
    while !octets.is_empty() {
        if tls.read_tls(&mut octets).map_err(drop)? == 0 {
            break;
        }
        tls.process_new_packets().map_err(drop)?;
        // Ends with an error when there is nothing for now.
        drop(tls.reader().read_to_end(to));
    }
    Ok(())
}

fn tls_ended(tls: &mut ServerConnection) -> bool {
    matches!(tls.reader().read(&mut [0; 1]), Ok(0))
}

fn push(tls: &mut ServerConnection, end: &mut End) {
    let mut octets = Vec::new();
    while tls.wants_write() {
        if tls.write_tls(&mut octets).is_err() {
            return;
        }
    }
    if !octets.is_empty() {
        end.write(&octets);
    }
}

/// Sends what is to be sent, with an extension that nobody knows in place of that of RFC 5746; no
/// handshake comes to an end so.
fn hide_renegotiation_info(tls: &mut ServerConnection, end: &mut End) {
    let mut octets = Vec::new();
    while tls.wants_write() && tls.write_tls(&mut octets).is_ok() {}
    if let Some(at) = find(&octets, &[0xff, 1, 0, 1, 0]) {
        octets[at + 1] = 2;
    }
    if !octets.is_empty() {
        end.write(&octets);
    }
}

/// Where `part` begins in `whole`.
pub(crate) fn find(whole: &[u8], part: &[u8]) -> Option<usize> {
    let first = *part.first()?;
    let mut from = 0;
    while let Some(at) = whole[from..].iter().position(|&b| b == first) {
        if whole[from + at..].starts_with(part) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}
