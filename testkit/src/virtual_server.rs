//! A server without a socket and without waiting, for the test of a policy.

use crate::{
    clock::VirtualRuntime,
    dialogue::{Deviation, Dialogue, Transcript},
    line::StreamLine,
    memory::{MemoryStream, pair},
};
use smtp_driver::{NewHandler, Peer, Service, serve};
use smtp_proto::{server::ServerConfig, wire::Host};
use std::{
    fmt,
    future::pending,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

/// Octets on their way in one direction of a connection.
const PIPE: usize = 64 << 10;

/// A server that runs your [`Handler`](smtp_driver::Handler) in memory and in virtual time: hours
/// pass at once, and each run is the same.
///
/// ```
/// use smtp_driver::{Envelope, Handler, Peer, Verdict};
/// use smtp_proto::{server::Session, wire::{Rcpt, Refused}};
/// use testkit::virtual_server::VirtualServer;
///
/// struct Nobody; // the policy under test
///
/// impl Handler for Nobody {
///     type Recipient = ();
///     async fn rcpt(&self, _: Session, _: &Rcpt<'_>) -> Verdict {
///         Verdict::Refuse(Refused::NO_SUCH_USER)
///     }
///     # async fn body(&mut self, _: &[&[u8]]) -> Result<(), Refused<'static>> { Ok(()) }
///     # async fn end(&mut self, _: Session, _: &Envelope<()>, _: u64) -> Verdict { Verdict::YES }
///     // body, end
/// }
///
/// let server = VirtualServer::new(|_: &Peer| Nobody);
/// server.speak("
///     S: 220 mx.example.test ESMTP
///     C: EHLO client.example.test
///     S: 250
///     C+ MAIL FROM:<a@client.example.test>
///     C: RCPT TO:<user1@example.test>
///     S: 250 2.1.0 ...
///     S: 550 5.1.1 ...
/// ").unwrap();
/// ```
///
/// A handler that looks at a clock should look at [`runtime`](Self::runtime)'s; one that waits for
/// tokio's or smol's timers or sockets needs a test in that runtime.
pub struct VirtualServer<N> {
    runtime: VirtualRuntime,
    service: Service,
    handlers: N,
}

impl<N: NewHandler> VirtualServer<N> {
    /// A server that calls itself `mx.example.test`, with the configuration that a
    /// [`ServerConfig`] has unless said otherwise, in a runtime of its own.
    ///
    /// # Panics
    /// Never: the name is valid, and the configuration is.
    #[must_use]
    pub fn new(handlers: N) -> Self {
        let host = Host::parse("mx.example.test").expect("a valid name");
        let service = Service::new(ServerConfig::builder(host).build()).expect("a valid service");
        Self::with(VirtualRuntime::new(), service, handlers)
    }

    /// A server in `runtime` that serves as `service` says.
    #[must_use]
    pub fn with(runtime: VirtualRuntime, service: Service, handlers: N) -> Self {
        Self { runtime, service, handlers }
    }

    /// The runtime: its clock, and where to run a client.
    #[must_use]
    pub fn runtime(&self) -> &VirtualRuntime {
        &self.runtime
    }

    /// Lets time pass between two dialogues. Within one, `T:` does.
    pub fn pass(&self, time: Duration) {
        self.runtime.run_for(time);
    }

    /// A new connection, in which the client says what `dialogue` says; its form is described in
    /// [`dialogue`](crate::dialogue). The client comes from 192.0.2.1.
    ///
    /// # Errors
    /// The first place where the server says something else, or the line that is no dialogue.
    pub fn speak(&self, dialogue: &str) -> Result<Transcript, Deviation> {
        self.speak_from(Ipv4Addr::new(192, 0, 2, 1).into(), dialogue)
    }

    /// The same for a client from `address`.
    ///
    /// # Errors
    /// Those of [`speak`](Self::speak).
    pub fn speak_from(&self, address: IpAddr, dialogue: &str) -> Result<Transcript, Deviation> {
        let dialogue: Dialogue = dialogue.parse()?;
        let mut line = StreamLine::new(self.connect(address), self.runtime.clone());
        let stuck = || Deviation::of("the handler waits for something that never happens here");
        self.runtime.try_run_until(dialogue.run(&mut line)).ok_or_else(stuck)?
    }

    /// A new connection: the client's end, for a client that runs in [`runtime`](Self::runtime).
    pub fn connect(&self, address: IpAddr) -> MemoryStream {
        let (client, server) = pair(PIPE);
        let peer = Peer {
            remote: Some(SocketAddr::new(address, 50_000)),
            local: Some((Ipv4Addr::new(192, 0, 2, 25), 25).into()),
        };
        let handler = self.handlers.new_handler(&peer);
        let (runtime, service) = (self.runtime.clone(), self.service.clone());
        drop(self.runtime.spawn(serve(server, peer, runtime, service, handler, pending())));
        client
    }
}

impl<N> fmt::Debug for VirtualServer<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualServer").field("runtime", &self.runtime).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::VirtualServer;
    use crate::policy::Policy;
    use smtp_driver::{Envelope, Handler, Peer, Runtime, Verdict};
    use smtp_proto::{
        server::Session,
        wire::{Rcpt, Refused},
    };
    use std::{future::pending, time::Duration};

    const RCPT: &str = "
        S: 220
        C: EHLO client.example.test
        S: 250
        C+ MAIL FROM:<>
        C: RCPT TO:<user1@example.test>
        S: 250
        S: 250";

    #[test]
    fn each_dialogue_is_a_connection_and_time_passes_between_them() {
        let server = VirtualServer::new(Policy::new());
        server.speak(RCPT).unwrap();
        server.pass(Duration::from_secs(3600));
        let said = server.speak(RCPT).unwrap();
        assert_eq!(said.lines.last().unwrap(), "S: 250 2.1.5 Recipient ok");
        assert_eq!(server.runtime().now(), smtp_proto::Instant::from_secs(3600));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let server = VirtualServer::new(Policy::new());
        let shown = format!("{:?}", server.speak("S: 220\nC: NOOP\nS: 550").unwrap_err());
        let readme = include_str!("../README.md");
        assert!(readme.contains(&format!("```text\n{shown}\n```")), "{shown}");
        assert_eq!(server.speak("S: 220\nX: NOOP").unwrap_err().line, 2);
    }

    /// Its body waits for ever, and no timer runs while it does.
    struct Stuck;

    impl Handler for Stuck {
        type Recipient = ();

        async fn rcpt(&self, _: Session, _: &Rcpt<'_>) -> Verdict {
            Verdict::YES
        }

        async fn body(&mut self, _: &[&[u8]]) -> Result<(), Refused<'static>> {
            pending().await
        }

        async fn end(&mut self, _: Session, _: &Envelope<()>, _: u64) -> Verdict {
            Verdict::YES
        }
    }

    #[test]
    fn a_body_that_waits_for_what_never_happens_is_an_error_and_no_panic() {
        let dialogue = RCPT.to_owned() + "\nC: DATA\nS: 354\nC: x\nS: 250";
        let why = VirtualServer::new(|_: &Peer| Stuck).speak(&dialogue).unwrap_err().why;
        assert!(why.contains("never happens"), "{why}");
    }

    #[test]
    fn a_policy_that_never_answers_is_the_machines_to_answer_for() {
        let server = VirtualServer::new(Policy::new().before_rcpt(pending));
        let said = server.speak(&RCPT.replace("S: 250\n        S: 250", "S: 250\n S: 451"));
        said.unwrap();
    }
}
