//! Two servers that know each other by a name server.

use crate::site::{Client, Site};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use tempfile::TempDir;
use testkit::dns::{NameServer, Zone};

/// `a.example`, which relays for whoever connects, and where `b.example` would be.
pub(crate) struct World {
    pub(crate) a: Site,
    pub(crate) a_config: String,
    pub(crate) b_config: String,
    /// Where `b.example` takes mail.
    pub(crate) b: SocketAddr,
    _names: NameServer,
}

/// A port that is free at `host`, for now: nobody else is at these addresses.
pub(crate) fn free_port(host: Ipv4Addr) -> SocketAddr {
    TcpListener::bind((host, 0)).unwrap().local_addr().unwrap()
}

impl World {
    /// `more` is for the configuration of `a.example`.
    pub(crate) fn new(more: &str) -> Self {
        Self::with(Zone::new(ZONE), more)
    }

    pub(crate) fn with(zone: Zone, more: &str) -> Self {
        let names = zone.serve();
        let (a, b) = (free_port([127, 0, 0, 1].into()), free_port([127, 0, 0, 2].into()));
        let config = |name: &str, own: SocketAddr, other: SocketAddr, more: &str| {
            format!(
                "hostname = 'mx.{name}.example'
                 name_servers = ['{}']
                 relay_networks = ['127.0.0.0/8']
                 [[listener]]
                 address = '{own}'
                 [[domain]]
                 name = '{name}.example'
                 mailboxes = ['me', 'you']
                 [queue.retry]
                 after = '1s*'
                 delay_notice = 'never'
                 [[route]]
                 port = {}
                 loopback = true
                 {more}",
                names.address(),
                other.port()
            )
        };
        let a_config = config("a", a, b, more);
        let b_config = config("b", b, a, "");
        Self { a: Site::with(&a_config), a_config, b_config, b, _names: names }
    }

    /// Starts `b.example`.
    pub(crate) fn far(&self) -> Site {
        Site::with(&self.b_config)
    }

    /// Sends a message from `me@a.example`.
    pub(crate) fn send(&self, to: &[&str]) {
        Client::greeted(self.a.address).submit("me@a.example", to, MESSAGE);
    }

    /// Stops `a.example` with what it has, and starts it again.
    pub(crate) fn restart(mut self) -> Self {
        let folder: TempDir = self.a.into_folder();
        self.a = Site::in_folder(folder, &self.a_config);
        self
    }
}

pub(crate) const ZONE: &str = "a.example MX 10 mx.a.example
    mx.a.example A 127.0.0.1
    b.example MX 10 mx.b.example
    mx.b.example A 127.0.0.2
    null.example MX 0 .";

pub(crate) const MESSAGE: &str =
    "From: me@a.example\r\nSubject: Tea\r\nMessage-ID: <1@a.example>\r\n\r\n.At four.\r\n";

impl Client {
    /// Sends a message; `from` and each of `to` may have parameters behind a space.
    #[track_caller]
    pub(crate) fn submit(&mut self, from: &str, to: &[&str], message: &str) {
        let path = |path: &str| match path.split_once(' ') {
            Some((address, parameters)) => format!("<{address}> {parameters}"),
            None => format!("<{path}>"),
        };
        self.ask(&format!("MAIL FROM:{}", path(from)), "250 ");
        for to in to {
            self.ask(&format!("RCPT TO:{}", path(to)), "250 ");
        }
        self.ask("DATA", "354 ");
        let stuffed = message.replace("\r\n.", "\r\n..");
        self.send(format!("{stuffed}.\r\n").as_bytes());
        self.expect("250 2.0.0 Ok: ");
    }
}
