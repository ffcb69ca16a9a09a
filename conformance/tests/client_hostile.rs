//! Clients that are made to bring the judge down: it ends, soon, with a verdict that is not a pass.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use smtp_conformance::{
    client::{
        self, cases,
        identity::Identity,
        sender::{Ended, Manners, Need, Order, Running, Sender},
        trial::Run,
    },
    outcome::Verdict,
};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// What a client does to the judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Malice {
    /// Connects and says nothing.
    Mute,
    /// A line without end.
    Line,
    /// Commands without end, and never reads.
    Commands,
    /// A message without end.
    Message,
    /// A chunk that is larger than what follows.
    Chunk,
    /// STARTTLS, and then no TLS.
    NoTls,
    /// Connections without end.
    Crowd,
}

const ALL: [Malice; 7] = [
    Malice::Mute,
    Malice::Line,
    Malice::Commands,
    Malice::Message,
    Malice::Chunk,
    Malice::NoTls,
    Malice::Crowd,
];

struct Hostile {
    malice: Malice,
    manners: Manners,
}

impl Sender for Hostile {
    fn serves(&self, _: Need) -> bool {
        true
    }

    fn uses(&self, _: Need, _: &str) -> bool {
        true
    }

    fn manners(&self) -> &Manners {
        &self.manners
    }

    fn start(&self, order: &Order<'_>) -> io::Result<Box<dyn Running>> {
        let (server, malice) = (order.server, self.malice);
        thread::spawn(move || attack(server, malice));
        Ok(Box::new(Attacking))
    }
}

/// It never ends by itself.
struct Attacking;

impl Running for Attacking {
    fn ended(&mut self) -> Option<Ended> {
        None
    }

    fn stop(&mut self) {}
}

/// Goes on until the judge closes.
fn attack(server: SocketAddr, malice: Malice) -> Option<()> {
    if malice == Malice::Crowd {
        let mut crowd = Vec::new();
        for _ in 0..300 {
            crowd.push(TcpStream::connect(server).ok()?);
        }
        return crowd.pop()?.read(&mut [0]).ok().map(drop);
    }
    let mut stream = TcpStream::connect(server).ok()?;
    let begin: &[u8] = match malice {
        Malice::Message => b"EHLO a\r\nMAIL FROM:<a@a>\r\nRCPT TO:<b@b>\r\nDATA\r\n",
        Malice::Chunk => b"EHLO a\r\nMAIL FROM:<a@a>\r\nRCPT TO:<b@b>\r\nBDAT 16000000 LAST\r\n",
        Malice::NoTls => b"EHLO a\r\nSTARTTLS\r\n",
        _ => b"",
    };
    stream.write_all(begin).ok()?;
    let again: &[u8] = match malice {
        Malice::Mute | Malice::Chunk => return stream.read_to_end(&mut Vec::new()).ok().map(drop),
        Malice::Commands => &b"NOOP and so on\r\n".repeat(1000),
        _ => &[b'x'; 16 << 10],
    };
    loop {
        stream.write_all(again).ok()?;
    }
}

#[test]
fn no_client_brings_the_judge_down_or_passes_by_trying() {
    let identity = Arc::new(Identity::new().unwrap());
    let chosen = ["C-01", "C-06", "C-09", "C-13", "C-17", "C-23", "C-48", "C-50"];
    let cases: Vec<_> = cases::all().into_iter().filter(|one| chosen.contains(&one.id)).collect();
    assert_eq!(cases.len(), chosen.len());
    for malice in ALL {
        let began = Instant::now();
        thread::scope(|scope| {
            for case in &cases {
                let identity = Arc::clone(&identity);
                scope.spawn(move || {
                    let patience = Duration::from_millis(700);
                    let manners = Manners { patience, ..Manners::default() };
                    let run = Run::new(Box::new(Hostile { malice, manners }), identity, 1);
                    let report = client::run(*case, &run);
                    let verdict = &report.verdict;
                    let fine = !matches!(verdict, Verdict::Pass | Verdict::Error(_));
                    assert!(fine, "{malice:?} {}: {verdict:?}", case.id);
                    let shown: usize = report.sessions.iter().map(Vec::len).sum();
                    assert!(shown < 250 * 450, "{malice:?} {}: {shown} lines", case.id);
                });
            }
        });
        assert!(began.elapsed() < Duration::from_secs(20), "{malice:?}: {:?}", began.elapsed());
    }
}
