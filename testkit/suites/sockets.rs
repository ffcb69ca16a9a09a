//! The server over real sockets: TLS, bounds, its end, IPv6, unix sockets. Each adapter's tests have
//! this file as a module, and in front of it what is theirs: the adapter's types, and how it runs a
//! future.

use super::{Adapter, Server, TcpListener, UnixListener, block_on};
use smtp_driver::{Acceptor, Limiter, Service};
use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    os::unix::net::{UnixListener as StdUnixListener, UnixStream},
};
use testkit::{policy::Policy, suite, tls::Authority};

fn listen(address: impl Into<IpAddr>) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((address.into(), 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn server(policy: Policy) -> Server<Policy> {
    Server::new(Adapter::new(), Service::new(suite::config()).unwrap(), policy)
}

/// The first line that `socket` brings.
fn line(socket: &mut impl Read) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let mut octet = [0];
        socket.read_exact(&mut octet).unwrap();
        line.extend(octet);
    }
    String::from_utf8(line).unwrap()
}

/// TLS-18, RFC 3207 §4
#[test]
fn starttls_works_and_a_new_certificate_is_shown_to_the_next_client() {
    let policy = Policy::new();
    let authority = Authority::new();
    let acceptor = Acceptor::new(authority.server_config(&["mx.example.test"]));
    let service = Service::new(suite::starttls_config())
        .unwrap()
        .starttls(acceptor.clone())
        .credentials(policy.clone());
    let server = Server::new(Adapter::new(), service, policy.clone());
    let (first, second) = block_on(async {
        let (listener, address) = listen(Ipv4Addr::LOCALHOST);
        let client = move || {
            let first = suite::run_starttls(address, &authority);
            acceptor.replace(authority.server_config(&["mx.example.test"]));
            (first, suite::run_starttls(address, &authority))
        };
        suite::with_server(server, listener, client).await
    });
    assert_eq!(first.0, second.0);
    assert_ne!(first.1, second.1);
    let [one, _] = &policy.delivered()[..] else { panic!("two messages") };
    assert_eq!(one.octets, b"inside TLS\r\n.dot\r\n");
    assert_eq!(one.identity.as_deref(), Some("user1"));
}

#[test]
fn the_third_connection_from_an_address_that_may_have_two_is_turned_away() {
    let server = server(Policy::new()).limiter(Limiter::new(10, 2));
    block_on(async {
        let (listener, address) = listen(Ipv4Addr::LOCALHOST);
        let client = move || {
            let mut sockets = [(); 2].map(|()| TcpStream::connect(address).unwrap());
            assert!(sockets.iter_mut().all(|socket| line(socket).starts_with("220 ")));
            let mut third = TcpStream::connect(address).unwrap();
            let mut told = String::new();
            third.read_to_string(&mut told).unwrap();
            assert_eq!(told, "421 mx.example.test Too many connections, try again later\r\n");
        };
        suite::with_server(server, listener, client).await;
    });
}

#[test]
fn what_replaces_a_service_is_for_the_next_connection() {
    let server = server(Policy::new());
    let running = server.clone();
    block_on(async {
        let (listener, address) = listen(Ipv4Addr::LOCALHOST);
        let ehlo = |socket: &mut TcpStream| {
            socket.write_all(b"EHLO client\r\nQUIT\r\n").unwrap();
            let mut told = String::new();
            socket.read_to_string(&mut told).unwrap();
            told
        };
        let client = move || {
            let mut before = TcpStream::connect(address).unwrap();
            line(&mut before);
            let service = Service::new(suite::starttls_config()).unwrap();
            server.replace(service, Policy::new());
            let after = TcpStream::connect(address).unwrap();
            [before, after].each_mut().map(ehlo)
        };
        let told = suite::with_server(running, listener, client).await;
        assert_eq!(told.map(|told| told.contains("STARTTLS")), [false, true]);
    });
}

#[test]
fn an_idle_client_is_told_when_the_server_stops() {
    let server = server(Policy::new());
    let stop = server.stop();
    block_on(async {
        let (listener, address) = listen(Ipv4Addr::LOCALHOST);
        let client = move || {
            let mut socket = TcpStream::connect(address).unwrap();
            assert!(line(&mut socket).starts_with("220 "));
            stop.stop();
            let mut told = String::new();
            socket.read_to_string(&mut told).unwrap();
            assert!(told.starts_with("421 "), "{told}");
        };
        suite::with_server(server, listener, client).await;
    });
}

#[test]
fn a_client_that_resets_the_connection_does_not_disturb_the_next() {
    block_on(async {
        let (listener, address) = listen(Ipv4Addr::LOCALHOST);
        let client = move || {
            for _ in 0..20 {
                // Closing with the greeting unread resets the connection.
                TcpStream::connect(address).unwrap().write_all(b"EHLO client\r\n").unwrap();
            }
            line(&mut TcpStream::connect(address).unwrap())
        };
        let greeting = suite::with_server(server(Policy::new()), listener, client).await;
        assert!(greeting.starts_with("220 "));
    });
}

#[test]
fn ipv6_is_served_beside_ipv4_on_the_same_port() {
    block_on(async {
        let (four, address) = listen(Ipv4Addr::LOCALHOST);
        let six = SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()));
        let listener = match TcpListener::bind(six) {
            Ok(listener) => listener,
            // A machine without IPv6, or somebody else has that port.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::AddrNotAvailable
                        | io::ErrorKind::AddrInUse
                        | io::ErrorKind::Unsupported
                ) || error.raw_os_error() == Some(97) =>
            {
                return;
            }
            Err(error) => panic!("{error}"),
        };
        let client = move || line(&mut TcpStream::connect(six).unwrap());
        assert!(
            suite::with_server(server(Policy::new()), listener, client).await.starts_with("220 ")
        );
        drop(four);
    });
}

#[test]
fn a_unix_socket_is_served() {
    let path =
        std::env::temp_dir().join(format!("{}-{}", env!("CARGO_PKG_NAME"), std::process::id()));
    block_on(async {
        let listener = UnixListener::try_from(StdUnixListener::bind(&path).unwrap()).unwrap();
        let connect = path.clone();
        let client = move || {
            let mut socket = UnixStream::connect(connect).unwrap();
            let greeting = line(&mut socket);
            socket.write_all(b"QUIT\r\n").unwrap();
            (greeting, line(&mut socket))
        };
        let told = suite::with_server(server(Policy::new()), listener, client).await;
        assert!(told.0.starts_with("220 ") && told.1.starts_with("221 "), "{told:?}");
    });
    std::fs::remove_file(path).unwrap();
}
