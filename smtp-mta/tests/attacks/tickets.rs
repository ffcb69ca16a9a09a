//! TLS sessions that are taken from one listener to another.

use crate::site::{
    Client, Site,
    login::plain,
    tls::{certificate, client, connected, dialogue},
};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, StreamOwned,
    version::{TLS12, TLS13},
};
use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
};

const NAME: &str = "mx.example";

type Inside = StreamOwned<ClientConnection, TcpStream>;

/// By STARTTLS.
fn by_starttls(config: &Arc<ClientConfig>, at: SocketAddr) -> Inside {
    let mut clear = Client::greeted(at);
    clear.ask("STARTTLS", "220 ");
    connected(config, NAME, clear.into_stream())
}

/// SEC-RES-01
#[test]
fn a_tls_session_of_another_listener_is_no_login() {
    // Nobody else is at this address.
    let users = TcpListener::bind(("127.0.0.5", 0)).unwrap().local_addr().unwrap();
    let site = Site::with(&format!(
        "hostname = '{NAME}'
         [[listener]]
         address = '127.0.0.1:0'
         [[listener]]
         address = '{users}'
         role = 'submissions'
         [[domain]]
         name = '{NAME}'
         mailboxes = ['you']"
    ));
    site.add_user("you", "pass");
    let hello = ("EHLO client.example\r\n", "250 ");
    let login = plain("you", "pass");
    let mail = |reply| ("MAIL FROM:<you@mx.example>\r\n", reply);
    let rcpt = ("RCPT TO:<x@elsewhere.example>\r\n", "550 5.7.1 ");
    // Who brings mail is sent no ticket of TLS 1.3.
    for (version, relay) in [(&TLS13, HandshakeKind::Full), (&TLS12, HandshakeKind::Resumed)] {
        let client = || client(&certificate(&site, NAME), &[version]);
        let config = client();
        let users = || connected(&config, NAME, Client::connect(users).into_stream());

        // A session of the one listener is none of the other, either way.
        dialogue(&mut by_starttls(&config, site.address), &[hello, ("QUIT\r\n", "221 ")]);
        let mut stream = users();
        dialogue(&mut stream, &[("", "220 "), hello, mail("530 "), (&login, "235 ")]);
        assert_eq!(stream.conn.handshake_kind(), Some(HandshakeKind::Full));

        // Its own goes on, and is no login.
        let mut stream = users();
        dialogue(&mut stream, &[("", "220 "), hello, mail("530 ")]);
        assert_eq!(stream.conn.handshake_kind(), Some(HandshakeKind::Resumed));

        let mut stream = by_starttls(&config, site.address);
        dialogue(&mut stream, &[hello, mail("250 "), rcpt]);
        assert_eq!(stream.conn.handshake_kind(), Some(HandshakeKind::Full));

        let config = client();
        for kind in [HandshakeKind::Full, relay] {
            let mut stream = by_starttls(&config, site.address);
            dialogue(&mut stream, &[hello, ("QUIT\r\n", "221 ")]);
            assert_eq!(stream.conn.handshake_kind(), Some(kind));
        }
    }
}
