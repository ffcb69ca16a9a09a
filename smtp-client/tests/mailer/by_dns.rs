//! Where mail for a domain goes (RFC 5321 §5.1, RFC 7505): a name server, sockets on 127.0.0.x, and
//! both runtimes.

use crate::world::{BYE, policy};
use smtp_client::{
    Connect, Delivery, Endpoint, Envelope, Hop, Mailer, Policies, Pool, PoolConfig, Status,
    mx::{Reach, Routing},
    proto::{
        client::{ClientConfig, Mode},
        wire::Domain,
    },
    resolve::{DnsConfig, Resolver},
    runtime::{smol::Smol, smol::SmolStream, tokio::Tokio},
};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixListener,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};
use testkit::{
    dns::{Fault, Zone},
    line::StreamLine,
    scripted_peer::ScriptedPeer,
};

const HELLO: &str = "S: 220 mx
    C: EHLO client.example.test
    S: 250-mx
    S: 250 PIPELINING\n";

/// A session that takes a message.
fn takes() -> String {
    let message = crate::world::MESSAGE;
    format!("{HELLO}{message}{BYE}")
}

/// Nobody is to come here.
const NEVER: &str = "S: 554 you should not be here\n";

/// Servers on one port of 127.0.0.x, each of which says the same to everybody.
struct Servers {
    port: u16,
    stop: Arc<AtomicBool>,
    running: Vec<(SocketAddr, Arc<AtomicUsize>, JoinHandle<()>)>,
}

impl Servers {
    fn start(hosts: &[(u8, String)]) -> Self {
        let (port, listeners) = listen(hosts);
        let stop = Arc::new(AtomicBool::new(false));
        let running = listeners.into_iter().zip(hosts).map(|(listener, (_, script))| {
            let address = listener.local_addr().unwrap();
            let (seen, stop) = (Arc::new(AtomicUsize::new(0)), stop.clone());
            let (count, script) = (seen.clone(), script.parse().unwrap());
            (address, seen, thread::spawn(move || serve(&listener, &script, &count, &stop)))
        });
        Self { port, running: running.collect(), stop }
    }

    /// Sessions of each.
    fn seen(&self) -> Vec<usize> {
        self.running.iter().map(|(_, seen, _)| seen.load(Ordering::SeqCst)).collect()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for (address, _, thread) in self.running.drain(..) {
            drop(TcpStream::connect(address));
            // What it has to say, it has said on stderr.
            drop(thread.join());
        }
    }
}

/// A port that is free on all of these hosts. What one has free another may have in use.
fn listen(hosts: &[(u8, String)]) -> (u16, Vec<TcpListener>) {
    loop {
        let free = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 99), 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        let bound = hosts.iter().map(|(n, _)| TcpListener::bind((at(*n).ip(), port)));
        if let Ok(listeners) = bound.collect() {
            return (port, listeners);
        }
    }
}

fn serve(listener: &TcpListener, script: &ScriptedPeer, seen: &AtomicUsize, stop: &AtomicBool) {
    for socket in listener.incoming() {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        seen.fetch_add(1, Ordering::SeqCst);
        let stream = SmolStream::from(smol::Async::new(socket.unwrap()).unwrap());
        let mut line = StreamLine::new(stream, Smol::new());
        if let Err(surprise) = smol::block_on(script.play(&mut line)) {
            eprintln!("{surprise:?}");
        }
    }
}

fn at(n: u8) -> SocketAddr {
    (Ipv4Addr::new(127, 0, 0, n), 0).into()
}

/// Sends a message to `b@example.test` as often as asked, each over a connection of its own.
async fn send<R: Connect, P: Policies, V: Resolver>(
    mailer: Mailer<R, P, V>,
    times: usize,
) -> Delivery {
    let envelope = Envelope::builder("a@example.test").to("b@example.test").build().unwrap();
    let mut last = None;
    for _ in 0..times {
        last = mailer.send(&envelope, "Subject: x\r\n\r\nx\r\n").await.pop();
    }
    mailer.pool().close().await;
    last.unwrap()
}

/// Sends it on both runtimes, to the same end: the outcome, and the sessions of each server.
#[track_caller]
fn sent(zone: Zone, hosts: &[(u8, String)], routing: &Routing, times: usize) -> Vec<String> {
    let dns = zone.serve();
    let config = DnsConfig::new(vec![dns.address()]);
    let bounds = || PoolConfig { transactions: 1, ..PoolConfig::default() };
    let mut lines = Vec::new();
    for on_tokio in [true, false] {
        let servers = Servers::start(hosts);
        let port = servers.port;
        let delivery = if on_tokio {
            use smtp_client::runtime::tokio::{Dns, DnsRuntime};
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(
                async {
                    let resolver = Dns::new(&config, DnsRuntime::new()).unwrap();
                    let pool = Pool::new(Tokio::new(), bounds());
                    let policies = Arc::new(policy());
                    let mailer = Mailer::by_mx(pool, policies, resolver, routing.clone());
                    send(mailer.port(port), times).await
                },
            )
        } else {
            use smtp_client::runtime::smol::{Dns, DnsRuntime};
            smol::block_on(async {
                let resolver = Dns::new(&config, DnsRuntime::new()).unwrap();
                let pool = Pool::new(Smol::new(), bounds());
                let mailer = Mailer::by_mx(pool, Arc::new(policy()), resolver, routing.clone());
                send(mailer.port(port), times).await
            })
        };
        let outcome = delivery.outcome;
        let (code, seen) = (outcome.enhanced(), servers.seen());
        if times > 1 {
            assert!(seen.iter().all(|&seen| seen > times / 4), "not by chance: {seen:?}");
            lines.push(format!("{} {}", outcome.status, outcome.stage));
        } else {
            lines.push(format!("{} {code} {} {seen:?}", outcome.status, outcome.host));
        }
    }
    assert_eq!(lines[0], lines[1], "tokio and smol");
    lines.truncate(1);
    lines
}

/// To 127.0.0.x, where the servers are.
fn local() -> Routing {
    Routing { reach: Reach::Loopback, ..Routing::default() }
}

#[track_caller]
fn once(records: &str, hosts: &[(u8, String)]) -> Vec<String> {
    sent(Zone::new(records), hosts, &local(), 1)
}

/// Preference 10 at 127.0.0.2, preference 20 at 127.0.0.3.
const TWO: &str = "example.test MX 10 a.test
    example.test MX 20 b.test
    a.test A 127.0.0.2
    b.test A 127.0.0.3";

/// C-34
#[test]
fn a_host_that_refuses_connections_is_not_the_last() {
    assert_eq!(once(TWO, &[(3, takes())]), ["sent 2.0.0 b.test [1]"]);
}

/// C-35
#[test]
fn a_host_that_is_not_available_is_not_the_last() {
    for greeting in ["S: 421 4.3.2 not now\n", "S: 451 4.3.2 not now\nC: QUIT\nS: 221 bye\n"] {
        let hosts = [(2, greeting.into()), (3, takes())];
        assert_eq!(once(TWO, &hosts), ["sent 2.0.0 b.test [1, 1]"]);
    }
}

/// C-36
#[test]
fn a_recipient_refused_for_ever_is_not_tried_elsewhere() {
    let refuses = format!(
        "{HELLO}C: MAIL FROM:<a@example.test>
         C: RCPT TO:<b@example.test>
         C: DATA
         S: 250 ok
         S: 550 5.1.1 no such user
         S: 503 no
         C: RSET
         S: 250 ok
         {BYE}"
    );
    let hosts = [(2, refuses), (3, NEVER.into())];
    assert_eq!(once(TWO, &hosts), ["failed 5.1.1 a.test [1, 0]"]);
}

/// C-37
#[test]
fn hosts_of_one_preference_share_200_messages() {
    let zone = Zone::new(&TWO.replace("20 b", "10 b"));
    let hosts = [(2, takes()), (3, takes())];
    assert_eq!(sent(zone, &hosts, &local(), 200), ["sent end of message"]);
}

/// C-38
#[test]
fn a_domain_whose_hosts_are_not_to_be_found_is_not_its_own() {
    let records = "example.test MX 10 nowhere.test\nexample.test A 127.0.0.2";
    let expected = ["failed 5.4.4 example.test [0]"];
    assert_eq!(once(records, &[(2, NEVER.into())]), expected);
}

/// C-39
#[test]
fn a_domain_without_hosts_is_its_own() {
    let expected = ["sent 2.0.0 example.test [1]"];
    assert_eq!(once("example.test A 127.0.0.2", &[(2, takes())]), expected);
}

/// C-40
#[test]
fn a_domain_that_does_not_exist_has_failed_and_one_that_is_not_known_now_is_delayed() {
    assert_eq!(once("", &[]), ["failed 5.1.2 example.test []"]);
    let zone = Zone::new("example.test A 127.0.0.2").fault("example.test", Fault::ServFail);
    let hosts = [(2, NEVER.into())];
    let expected = ["delayed 4.4.3 example.test [0]"];
    assert_eq!(sent(zone, &hosts, &local(), 1), expected);
}

/// C-41
#[test]
fn a_domain_with_a_null_mx_takes_no_mail() {
    let records = "example.test MX 0 .\nexample.test A 127.0.0.2";
    assert_eq!(once(records, &[(2, NEVER.into())]), ["failed 5.1.10 example.test [0]"]);
}

/// C-42
#[test]
fn hosts_not_better_than_ourselves_are_left_out() {
    let own_names = vec![Domain::parse("b.test").unwrap()];
    let routing = Routing { own_names, ..local() };
    let third = "example.test MX 30 c.test\nc.test A 127.0.0.4";
    let hosts = [(2, "S: 421 no\n".into()), (3, NEVER.into()), (4, NEVER.into())];
    let zone = Zone::new(&format!("{TWO}\n{third}"));
    let expected = ["delayed 4.0.0 a.test [1, 0, 0]"];
    assert_eq!(sent(zone, &hosts, &routing, 1), expected);

    let zone = Zone::new(&format!("example.test MX 20 b.test\nb.test A 127.0.0.3\n{third}"));
    let hosts = [(3, NEVER.into()), (4, NEVER.into())];
    assert_eq!(sent(zone, &hosts, &routing, 1), ["failed 5.4.6 example.test [0, 0]"]);
}

/// An empty folder.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// An LMTP server at a unix socket, for one session.
fn lmtp(name: &str) -> (Hop, JoinHandle<()>) {
    let path = folder(name).join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let message = crate::world::MESSAGE;
    let script = HELLO.replace("EHLO", "LHLO") + message + BYE;
    let script: ScriptedPeer = script.parse().unwrap();
    let server = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let stream = SmolStream::from(smol::Async::new(socket).unwrap());
        let mut line = StreamLine::new(stream, Smol::new());
        smol::block_on(script.play(&mut line)).unwrap();
    });
    (Hop { host: "mailboxes".into(), endpoints: vec![Endpoint::Unix(path)] }, server)
}

#[test]
fn a_fixed_host_may_speak_lmtp_at_a_unix_socket() {
    let mut policy = policy();
    policy.machine = ClientConfig::builder().mode(Mode::Lmtp).build();
    let policy = Arc::new(policy);

    let (hop, server) = lmtp("lmtp-tokio");
    let delivery =
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(
            async {
                let pool = Pool::new(Tokio::new(), PoolConfig::default());
                send(Mailer::through(pool, policy.clone(), hop), 1).await
            },
        );
    assert_eq!(delivery.outcome.status, Status::Sent, "{delivery:?}");
    server.join().unwrap();

    let (hop, server) = lmtp("lmtp-smol");
    let delivery = smol::block_on(async {
        let pool = Pool::new(Smol::new(), PoolConfig::default());
        send(Mailer::through(pool, policy, hop), 1).await
    });
    assert_eq!(delivery.outcome.status, Status::Sent, "{delivery:?}");
    server.join().unwrap();
}
