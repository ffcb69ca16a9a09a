//! A mail server for the test of a program that sends mail: it takes everything and shows it.

use crate::{line::PATIENCE, lock, policy::Delivered, threads, tls::Authority};
use smtp_proto::{
    ext::Extensions,
    server::{Event, ServerConfig, ServerConnection},
    wire::{Host, Refused},
};
use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// A mail server at a port of loopback, which keeps in memory what it is given. It runs in threads
/// of its own, so the program under test may have any runtime, or be another process. It ends when
/// it is dropped.
///
/// It offers PIPELINING, SIZE, 8BITMIME, SMTPUTF8, CHUNKING and DSN, and STARTTLS if it is
/// [started](Self::start_with_tls) so; no AUTH.
///
/// ```
/// use testkit::mail_catcher::MailCatcher;
///
/// fn welcome(server: std::net::SocketAddr) { // the program under test
/// #   use testkit::line::SocketLine;
/// #   let said = "S: 220\nC: HELO a.test\nS: 250\nC: MAIL FROM:<shop@example.test>\nS: 250\n\
/// #       C: RCPT TO:<ann@example.test>\nS: 250\nC: DATA\nS: 354\nC: Subject: Welcome\nC: .\nS: 250";
/// #   let said: testkit::dialogue::Dialogue = said.parse().unwrap();
/// #   said.run_blocking(&mut SocketLine::connect(server).unwrap()).unwrap();
/// }
///
/// let catcher = MailCatcher::start().unwrap();
/// welcome(catcher.address());
/// let mail = &catcher.wait_for(1).unwrap()[0];
/// assert_eq!(mail.recipients, ["<ann@example.test>"]);
/// assert!(mail.octets.starts_with(b"Subject: Welcome\r\n"));
/// ```
pub struct MailCatcher {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    caught: Mutex<Vec<Delivered>>,
    more: Condvar,
    /// Paths, as in `<a@example.test>`.
    refused: Mutex<Vec<String>>,
    stopped: AtomicBool,
}

impl MailCatcher {
    /// A catcher at a port that the system chooses.
    ///
    /// # Errors
    /// Those of the socket.
    ///
    /// # Panics
    /// Never: the name is valid.
    pub fn start() -> io::Result<Self> {
        Self::start_by(Extensions::new(), None)
    }

    /// One that offers STARTTLS, with a certificate of `authority` for `mx.example.test`, `localhost`
    /// and its address.
    ///
    /// # Errors
    /// Those of the socket.
    ///
    /// # Panics
    /// Never: the names are valid.
    pub fn start_with_tls(authority: &Authority) -> io::Result<Self> {
        let tls = authority.server_config(&["mx.example.test", "localhost", "127.0.0.1"]);
        Self::start_by(Extensions::new().starttls(), Some(tls))
    }

    fn start_by(
        extensions: Extensions,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let config = ServerConfig::builder(Host::parse("mx.example.test").expect("a valid name"))
            .extensions(extensions.smtputf8().chunking().dsn())
            .build();
        let shared = Arc::new(Shared::default());
        let served = shared.clone();
        thread::spawn(move || {
            let sockets = listener.incoming().map_while(Result::ok);
            let sockets = sockets.take_while(|_| !served.stopped.load(Ordering::Acquire));
            threads::serve_with(sockets, &config, tls.as_ref(), || {
                let mut catching = Catching { shared: served.clone(), mail: Delivered::default() };
                move |machine, event| catching.answer(machine, event)
            });
        });
        Ok(Self { address, shared })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on RCPT for `address`, such as `nobody@example.test`, is answered with 550 5.1.1.
    pub fn refuse(&self, address: &str) {
        lock(&self.shared.refused).push(format!("<{address}>"));
    }

    /// What has come so far. A message is here before its sender hears 250.
    #[must_use]
    pub fn caught(&self) -> Vec<Delivered> {
        lock(&self.shared.caught).clone()
    }

    /// Waits until `count` messages have come, and gives all that have.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] after ten seconds, with how many came.
    pub fn wait_for(&self, count: usize) -> io::Result<Vec<Delivered>> {
        let caught = lock(&self.shared.caught);
        let (caught, _) = self
            .shared
            .more
            .wait_timeout_while(caught, PATIENCE, |caught| caught.len() < count)
            .unwrap_or_else(PoisonError::into_inner);
        if caught.len() < count {
            let came = format!("{} of {count} messages came", caught.len());
            return Err(io::Error::new(io::ErrorKind::TimedOut, came));
        }
        Ok(caught.clone())
    }
}

impl Drop for MailCatcher {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        // The listener waits for a connection; here is one.
        let _ = TcpStream::connect_timeout(&self.address, PATIENCE);
    }
}

impl fmt::Debug for MailCatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailCatcher").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What answers one connection.
struct Catching {
    shared: Arc<Shared>,
    /// The transaction so far.
    mail: Delivered,
}

impl Catching {
    fn answer(&mut self, machine: &mut ServerConnection, event: Event<'_>) {
        // An answer can only be stale when its timer has fired meanwhile.
        let _ = match event {
            Event::Mail { mail, pending } => {
                self.mail.from = mail.from.to_string();
                machine.accept(pending)
            }
            Event::Rcpt { rcpt, pending } => {
                let to = rcpt.to.to_string();
                if lock(&self.shared.refused).contains(&to) {
                    machine.refuse(pending, &Refused::NO_SUCH_USER)
                } else {
                    self.mail.recipients.push(to);
                    machine.accept(pending)
                }
            }
            Event::Body(octets) => {
                self.mail.octets.extend_from_slice(octets);
                Ok(())
            }
            Event::BodyEnd { pending, .. } => {
                lock(&self.shared.caught).push(std::mem::take(&mut self.mail));
                self.shared.more.notify_all();
                machine.accept(pending)
            }
            Event::Reset(_) => {
                self.mail = Delivered::default();
                Ok(())
            }
            other => {
                machine.answer_default(other);
                Ok(())
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::MailCatcher;
    use crate::{
        dialogue::Dialogue,
        line::SocketLine,
        tls::{Authority, TlsLine},
    };

    const TWO: &str = "
        S: 220
        C: EHLO client.example.test
        S: 250
        C+ MAIL FROM:<a@example.test>
        C+ RCPT TO:<b@example.test>
        C+ RCPT TO:<nobody@example.test>
        C: BDAT 5 LAST
        C| one\\r\\n
        S: 250
        S: 250
        S: 550 5.1.1 ...
        S: 250
        C: MAIL FROM:<>
        S: 250
        C: RSET
        S: 250
        C+ MAIL FROM:<c@example.test>
        C+ RCPT TO:<d@example.test>
        C: DATA
        S: 250
        S: 250
        S: 354
        C+ two
        C: .
        S: 250
        C: QUIT
        S: 221
        S: <CLOSED>";

    #[test]
    fn messages_are_there_before_250_each_with_its_envelope() {
        let catcher = MailCatcher::start().unwrap();
        catcher.refuse("nobody@example.test");
        let dialogue: Dialogue = TWO.parse().unwrap();
        dialogue.run_blocking(&mut SocketLine::connect(catcher.address()).unwrap()).unwrap();
        let caught = catcher.caught();
        assert_eq!(caught.len(), 2);
        assert_eq!(
            (&*caught[0].from, &caught[0].octets[..]),
            ("<a@example.test>", &b"one\r\n"[..])
        );
        assert_eq!(caught[0].recipients, ["<b@example.test>"]);
        assert_eq!(
            (&*caught[1].from, &caught[1].octets[..]),
            ("<c@example.test>", &b"two\r\n"[..])
        );
        assert_eq!(caught[1].recipients, ["<d@example.test>"]);
    }

    #[test]
    fn a_message_that_comes_inside_tls_is_caught() {
        let dialogue = |text: &str| text.parse::<Dialogue>().unwrap();
        let authority = Authority::new();
        let catcher = MailCatcher::start_with_tls(&authority).unwrap();
        catcher.refuse("nobody@example.test");
        let before = "S: 220\nC: EHLO client.example.test\nS: 250\nC: STARTTLS\nS: 220";
        let in_tls = |client, name| {
            let mut line = SocketLine::connect(catcher.address()).unwrap();
            dialogue(before).run_blocking(&mut line).unwrap();
            TlsLine::handshake(line, client, name)
        };
        for name in ["mx.example.test", "localhost", "127.0.0.1"] {
            let mut line = in_tls(authority.client_config(), name).unwrap();
            let inside = dialogue(&TWO.replace("        S: 220\n", ""));
            inside.run_blocking(&mut line).unwrap();
        }
        assert_eq!(catcher.caught().len(), 6);
        // Who believes another authority does not go on.
        in_tls(Authority::new().client_config(), "localhost").unwrap_err();
    }
}
