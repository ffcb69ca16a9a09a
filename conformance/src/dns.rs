//! A name server: what it does not know does not exist.

use hickory_proto::{
    op::{Message, OpCode, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{
            A, MX, SOA, TLSA,
            tlsa::{Matching, Selector},
        },
    },
};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Between two looks at whether the case is over.
const SLICE: Duration = Duration::from_millis(20);
/// Seconds for which answers hold: none outlives its case.
const TTL: u32 = 1;

/// A domain with a null MX, RFC 7505: it takes no mail, and says so.
pub const NULL_MX: &str = "null-mx.test";

/// What the name server knows.
#[derive(Clone, Debug, Default)]
pub struct Zone {
    records: Vec<(String, RData)>,
    failing: Vec<String>,
    signed: bool,
}

impl Zone {
    /// `domain` has its mail at `exchange`.
    #[must_use]
    pub fn mx(mut self, domain: &str, preference: u16, exchange: &str) -> Self {
        if let Ok(exchange) = Name::from_ascii(format!("{}.", exchange.trim_end_matches('.'))) {
            self.records.push((domain.to_owned(), RData::MX(MX::new(preference, exchange))));
        }
        self
    }

    /// What a server that is judged may ask about: [`NULL_MX`], and the domain of our senders.
    pub fn for_servers() -> Self {
        Self::default().mx(NULL_MX, 0, ".").a("client.example", 1)
    }

    /// `name` is 127.0.0.`host`.
    #[must_use]
    pub fn a(mut self, name: &str, host: u8) -> Self {
        let address = A(Ipv4Addr::new(127, 0, 0, host));
        self.records.push((name.to_owned(), RData::A(address)));
        self
    }

    /// A server at `name`, whatever its port, has the certificate with this SHA-256: a record TLSA,
    /// RFC 6698, for usage `usage` (3: this certificate and no other).
    #[must_use]
    pub fn tlsa(mut self, name: &str, usage: u8, sha256: [u8; 32]) -> Self {
        let data = TLSA::new(usage.into(), Selector::Full, Matching::Sha256, sha256.to_vec());
        self.records.push((format!("_tcp.{name}"), RData::TLSA(data)));
        self
    }

    /// All answers are marked as authentic: a resolver that is trusted has found them signed.
    #[must_use]
    pub fn signed(mut self) -> Self {
        self.signed = true;
        self
    }

    /// SERVFAIL for whatever is asked about `name`.
    #[must_use]
    pub fn failing(mut self, name: &str) -> Self {
        self.failing.push(name.to_owned());
        self
    }

    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let query = Message::from_vec(query).ok()?;
        let question = query.queries.first()?.clone();
        let mut answer = Message::response(query.metadata.id, OpCode::Query);
        answer.metadata.recursion_desired = query.metadata.recursion_desired;
        answer.metadata.recursion_available = true;
        answer.metadata.authoritative = true;
        answer.metadata.authentic_data = self.signed;
        let name = question.name().to_lowercase().to_ascii();
        let name = name.trim_end_matches('.');
        let name = without_port(name);
        let own = || self.records.iter().filter(|(owner, _)| owner.eq_ignore_ascii_case(name));
        if self.failing.iter().any(|failing| failing.eq_ignore_ascii_case(name)) {
            answer.metadata.response_code = ResponseCode::ServFail;
        } else {
            let asked = question.query_type();
            let fits = |data: &RData| asked == RecordType::ANY || data.record_type() == asked;
            for (_, data) in own().filter(|(_, data)| fits(data)) {
                let owner = question.name().clone();
                answer.add_answer(Record::from_rdata(owner, TTL, data.clone()));
            }
            // An empty name in between exists, RFC 8020 §2.
            let below = format!(".{name}");
            let exists = self.records.iter().any(|(owner, _)| owner.ends_with(&below));
            if own().next().is_none() && !exists {
                answer.metadata.response_code = ResponseCode::NXDomain;
            }
            if answer.answers.is_empty() {
                let root = Name::root();
                let soa = SOA::new(root.clone(), root.clone(), 1, 3600, 600, 86_400, TTL);
                answer.add_authority(Record::from_rdata(root, TTL, RData::SOA(soa)));
            }
        }
        answer.add_query(question);
        answer.to_vec().ok()
    }
}

/// `_tcp.name` of `_25._tcp.name`: a zone does not know the ports of its servers.
fn without_port(name: &str) -> &str {
    match name.strip_prefix('_').and_then(|rest| rest.split_once('.')) {
        Some((port, rest)) if port.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => name,
    }
}

/// A name server over UDP, until it is dropped.
pub struct NameServer {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// At `fixed`, or on a port of its own.
    ///
    /// # Errors
    /// Those of the system: the address is in use, or not ours.
    pub fn start(zone: Zone, fixed: Option<SocketAddr>) -> io::Result<Self> {
        let address = fixed.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        let socket = UdpSocket::bind(address)?;
        socket.set_read_timeout(Some(SLICE))?;
        let address = socket.local_addr()?;
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((n, from)) = socket.recv_from(&mut buffer) else { continue };
                let answer = buffer.get(..n).and_then(|query| zone.answer(query));
                // Who asks again is answered again.
                drop(answer.map(|answer| socket.send_to(&answer, from)));
            }
        });
        Ok(Self { address, stop, thread: Some(thread) })
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(JoinHandle::join));
    }
}
