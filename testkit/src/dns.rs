//! A name server on loopback, with the zone that a test wrote.
//!
//! It is hickory's server, on a thread and a runtime of its own, so that answers have the shape
//! they have in the field: SOA beside what does not exist, CNAME chains, truncation over UDP.
//! Faults are put in front of it.

use crate::lock;
use async_trait::async_trait;
use hickory_server::{
    Server,
    net::{runtime::Time, xfer::Protocol},
    proto::{
        op::{Header, HeaderCounts, Metadata, ResponseCode},
        rr::Name,
        serialize::txt::Parser,
    },
    server::{Request, RequestHandler, ResponseHandler, ResponseInfo},
    store::in_memory::InMemoryZoneHandler,
    zone_handler::{AxfrPolicy, Catalog, MessageResponseBuilder, ZoneType},
};
use std::{
    collections::HashMap,
    fmt,
    net::{Ipv4Addr, SocketAddr},
    str::FromStr,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{
    net::{TcpListener, UdpSocket},
    runtime,
    sync::oneshot,
};

pub use hickory_server::proto::rr::RecordType;

/// The root and its SOA: every name that a test does not write down is NXDOMAIN.
const HEAD: &str = "\
$TTL 60
@ IN SOA ns.test. postmaster.test. 1 3600 600 86400 60
";

/// How long an idle TCP connection stays.
const IDLE: Duration = Duration::from_secs(10);

/// Octets of answers that wait for a TCP connection.
const BUFFER: usize = 65_535;

/// What is wrong with the answers to a question. What no server sends, a test sends from a socket
/// of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SERVFAIL.
    ServFail,
    /// REFUSED.
    Refused,
    /// There is none.
    Silent,
}

/// Records, and faults.
#[derive(Clone, Debug, Default)]
pub struct Zone {
    records: String,
    faults: HashMap<(Name, Option<RecordType>), Fault>,
}

impl Zone {
    /// The records of a master file (RFC 1035 §5.1), one on each line; names are from the root:
    ///
    /// ```text
    /// example.test      MX    10 mx.example.test
    /// mx.example.test   A     192.0.2.1
    /// alias.test        CNAME example.test
    /// ```
    ///
    /// A set of records that is too large for UDP is truncated there and whole over TCP.
    #[must_use]
    pub fn new(records: &str) -> Self {
        // A line that begins with a space would belong to the name before it.
        let lines = records.lines().map(|line| format!("{}\n", line.trim_start()));
        Self { records: lines.collect(), faults: HashMap::new() }
    }

    /// All questions about `name` meet `fault`.
    #[must_use]
    pub fn fault(mut self, name: &str, fault: Fault) -> Self {
        self.faults.insert((from_root(name), None), fault);
        self
    }

    /// Questions for `record_type` of `name` meet `fault`.
    #[must_use]
    pub fn fault_of(mut self, name: &str, record_type: RecordType, fault: Fault) -> Self {
        self.faults.insert((from_root(name), Some(record_type)), fault);
        self
    }

    /// Serves it until the result is dropped, on a port that the kernel chose.
    ///
    /// # Panics
    /// A record cannot be parsed, or nobody can listen on loopback.
    #[must_use]
    pub fn serve(self) -> NameServer {
        let asked = Arc::default();
        let policy = Policy {
            catalog: catalog(&self.records),
            faults: self.faults,
            asked: Arc::clone(&asked),
        };
        let (started, address) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let (tcp, udp) = bind().await;
                let address = udp.local_addr().expect("an address");
                let mut server = Server::new(policy);
                server.register_socket(udp);
                server.register_listener(tcp, IDLE, BUFFER);
                started.send(address).expect("the test waits for it");
                // Also when the test has panicked.
                drop(stopped.await);
            });
        });
        let address = address.recv().expect("the name server starts");
        NameServer { address, asked, stop: Some(stop), thread: Some(thread) }
    }
}

/// A question that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// In lower case, without a dot at its end.
    pub name: String,
    /// What of it.
    pub record_type: RecordType,
    /// Asked over TCP.
    pub tcp: bool,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = if self.tcp { " over TCP" } else { "" };
        write!(f, "{} {}{transport}", self.name, self.record_type)
    }
}

/// A running name server.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Question>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Where it listens, with UDP and TCP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The questions so far, in the order of their arrival. A retry counts again.
    #[must_use]
    pub fn asked(&self) -> Vec<Question> {
        lock(&self.asked).clone()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // What it has to say, it has said on stderr.
            drop(thread.join());
        }
    }
}

/// The faults in front of the zone.
struct Policy {
    catalog: Catalog,
    faults: HashMap<(Name, Option<RecordType>), Fault>,
    asked: Arc<Mutex<Vec<Question>>>,
}

#[async_trait]
impl RequestHandler for Policy {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut response: R,
    ) -> ResponseInfo {
        let fault = request.request_info().ok().and_then(|info| {
            let name = Name::from(info.query.name());
            let record_type = info.query.query_type();
            lock(&self.asked).push(Question {
                name: name.to_ascii().trim_end_matches('.').to_owned(),
                record_type,
                tcp: info.protocol == Protocol::Tcp,
            });
            let of_type = self.faults.get(&(name.clone(), Some(record_type)));
            of_type.or_else(|| self.faults.get(&(name, None))).copied()
        });
        let code = match fault {
            None => return self.catalog.handle_request::<R, T>(request, response).await,
            Some(Fault::Silent) => return nothing_sent(request),
            Some(Fault::ServFail) => ResponseCode::ServFail,
            Some(Fault::Refused) => ResponseCode::Refused,
        };
        let reply = MessageResponseBuilder::from_message_request(request)
            .error_msg(&request.metadata, code);
        response.send_response(reply).await.unwrap_or_else(|_| nothing_sent(request))
    }
}

fn nothing_sent(request: &Request) -> ResponseInfo {
    let metadata = Metadata::response_from_request(&request.metadata);
    Header { metadata, counts: HeaderCounts::default() }.into()
}

fn catalog(records: &str) -> Catalog {
    let zone = Parser::new(format!("{HEAD}{records}"), None, Some(Name::root()));
    let (origin, records) = zone.parse().expect("a zone");
    let zone = InMemoryZoneHandler::<hickory_server::net::runtime::TokioRuntimeProvider>::new(
        origin.clone(),
        records,
        ZoneType::Primary,
        AxfrPolicy::Deny,
    );
    let mut catalog = Catalog::new();
    catalog.upsert(origin.into(), vec![Arc::new(zone.expect("a zone"))]);
    catalog
}

/// Sockets of the same port. What the kernel has free for one, another process may have for the
/// other.
async fn bind() -> (TcpListener, UdpSocket) {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback");
        let address = tcp.local_addr().expect("an address");
        if let Ok(udp) = UdpSocket::bind(address).await {
            return (tcp, udp);
        }
    }
}

fn from_root(name: &str) -> Name {
    let mut name = Name::from_str(name).expect("a name");
    name.set_fqdn(true);
    name
}
