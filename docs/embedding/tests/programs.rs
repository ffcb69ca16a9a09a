//! The programs of the chapters do what the chapters say.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use embedding::{
    by_events, by_handler,
    greylisting::{DELAY, Greylisting, Memory},
    inbox::Store,
    pipelining::Client,
    sending::send,
};
use smtp_driver::{Peer, Runtime, Service};
use smtp_proto::{
    Instant,
    server::ServerConfig,
    wire::{ForwardPath, HelloName, Host, ReversePath},
};
use std::{
    collections::HashMap,
    io,
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};
use testkit::{
    clock::VirtualRuntime, dialogue::Dialogue, line::SocketLine, mail_catcher::MailCatcher,
    scripted_peer::ScriptedPeer, threads, virtual_server::VirtualServer,
};

const POLICY: &str = include_str!("../policy.smtp");
const TEA: &[u8] = b"Subject: Tea\r\n\r\n.. at four?\r\n";

fn config() -> Arc<ServerConfig> {
    ServerConfig::builder(Host::parse("mx.example.test").unwrap()).build()
}

#[test]
fn the_policy_by_handler_and_the_policy_by_events_say_the_same() {
    let store = Store::default();
    let handlers = store.clone();
    let server = VirtualServer::new(move |_: &Peer| by_handler::Inbox::new(handlers.clone()));
    let by_handler = server.speak(POLICY).unwrap();
    assert_eq!(store.messages(), [TEA]);

    let store = Store::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let inboxes = store.clone();
    thread::spawn(move || {
        threads::serve(listener.incoming().map_while(Result::ok), &config(), || {
            let mut inbox = by_events::Inbox::new(inboxes.clone());
            move |smtp, event| {
                let _ = inbox.answer(smtp, event);
            }
        });
    });
    let dialogue: Dialogue = POLICY.parse().unwrap();
    let by_events = dialogue.run_blocking(&mut SocketLine::connect(address).unwrap()).unwrap();
    assert_eq!(store.messages(), [TEA]);
    assert_eq!(by_handler, by_events);
}

/// A database that takes 50 ms for an answer.
struct Database {
    clock: VirtualRuntime,
    /// When each was here first.
    first: Mutex<HashMap<String, Instant>>,
    gone: bool,
}

impl Memory for Database {
    async fn attempt(&self, who: &str) -> io::Result<Duration> {
        self.clock.sleep(Duration::from_millis(50)).await;
        if self.gone {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let now = self.clock.now();
        let first = *self.first.lock().unwrap().entry(who.into()).or_insert(now);
        Ok(now.saturating_since(first))
    }
}

fn greylisting(gone: bool) -> VirtualServer<Greylisting<Database>> {
    let clock = VirtualRuntime::new();
    let database = Database { clock: clock.clone(), first: Mutex::default(), gone };
    let handlers = Greylisting::new(Arc::new(database), Store::default());
    VirtualServer::with(clock, Service::new(config()).unwrap(), handlers)
}

fn attempt(reply: &str) -> String {
    format!(
        "S: 220\nC: EHLO client.example.test\nS: 250\nC+ MAIL FROM:<a@client.example.test>\n\
         C+ RCPT TO:<ann@example.test>\nC: RCPT TO:<nobody@example.test>\nS: 250\n\
         S: {reply}\nS: 550 5.1.1 ...\nC: QUIT\nS: 221"
    )
}

#[test]
fn who_comes_again_after_five_minutes_is_let_in_and_nobody_else() {
    let server = greylisting(false);
    server.speak(&attempt("451 4.7.1 ...")).unwrap();
    server.pass(DELAY / 2);
    server.speak(&attempt("451 4.7.1 ...")).unwrap();
    server.pass(DELAY / 2);
    server.speak(&attempt("250 2.1.5 ...")).unwrap();
    // The same network is the same stranger, another network is another.
    server.speak_from([192, 0, 2, 77].into(), &attempt("250 2.1.5 ...")).unwrap();
    server.speak_from([198, 51, 100, 1].into(), &attempt("451 4.7.1 ...")).unwrap();
}

#[test]
fn a_memory_that_is_gone_keeps_no_mail_out() {
    greylisting(true).speak(&attempt("250 2.1.5 ...")).unwrap();
}

#[test]
fn look_ups_of_pipelined_recipients_run_at_once() {
    let server = greylisting(false);
    let mut dialogue = String::from("S: 220\nC: EHLO a.test\nS: 250\nC+ MAIL FROM:<>\n");
    let ann = "C+ RCPT TO:<ann@example.test>\n";
    dialogue += &ann.repeat(32);
    dialogue += "C: NOOP\nS: 250\n";
    dialogue += &"S: 451 4.7.1 ...\n".repeat(32);
    dialogue += "S: 250";
    server.speak(&dialogue).unwrap();
    assert_eq!(server.runtime().now(), Instant::ZERO + Duration::from_millis(50));
}

#[test]
fn the_client_sends_an_envelope_in_one_write_and_tells_of_each_recipient() {
    let peer: ScriptedPeer = "
        S: 220 mx.example.test
        C: EHLO client.example.test
        S: 250-mx.example.test
        S: 250 PIPELINING
        C: MAIL FROM:<a@client.example.test>
        C: RCPT TO:<ann@example.test>
        C: RCPT TO:<nobody@example.test>
        C: DATA
        S: 250 2.1.0 Ok
        S: 250 2.1.5 Ok
        S: 550 5.1.1 No such user
        S: 354 Go on
        C: <MESSAGE>
        S: 250 2.0.0 Taken
        C: QUIT
        S: 221 2.0.0 Bye
        C: <CLOSED>"
        .parse()
        .unwrap();
    let peer = peer.listen().unwrap();
    let name = HelloName::parse("client.example.test").unwrap();
    let mut client = Client::open(TcpStream::connect(peer.address()).unwrap(), &name).unwrap();
    let path = |text| ForwardPath::parse(text).unwrap().0;
    let to = [path("<ann@example.test>"), path("<nobody@example.test>")];
    let from = ReversePath::parse("<a@client.example.test>").unwrap().0;
    let said = client.send(from, &to, TEA).unwrap();
    assert_eq!(said, ["250 2.1.5 Ok", "550 5.1.1 No such user", "250 2.0.0 Taken"]);
    client.quit().unwrap();
    let heard = peer.heard().unwrap();
    assert_eq!(heard.messages, [b"Subject: Tea\r\n\r\n... at four?\r\n.\r\n"]);
}

#[test]
fn a_transaction_that_fails_does_not_stand_in_the_way_of_the_next() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    thread::spawn(move || {
        threads::serve(server.incoming().map_while(Result::ok), &config(), || {
            let mut inbox = by_events::Inbox::new(Store::default());
            move |smtp, event| {
                let _ = inbox.answer(smtp, event);
            }
        });
    });
    let name = HelloName::parse("client.example.test").unwrap();
    let mut client = Client::open(TcpStream::connect(address).unwrap(), &name).unwrap();
    for (to, last) in [("<nobody@example.test>", 503), ("<ann@example.test>", 250)].repeat(2) {
        let to = [ForwardPath::parse(to).unwrap().0];
        let said = client.send(ReversePath::Null, &to, TEA).unwrap();
        assert!(said[1].starts_with(&last.to_string()), "{said:?}");
    }
    client.quit().unwrap();
}

#[test]
fn more_recipients_than_the_machine_holds_are_given_as_there_is_room() {
    let catcher = MailCatcher::start().unwrap();
    let stream = TcpStream::connect(catcher.address()).unwrap();
    let mut client =
        Client::open(stream, &HelloName::parse("client.example.test").unwrap()).unwrap();
    let to: Vec<_> = (0..900).map(|n| format!("<user{n}@example.test>")).collect();
    let to: Vec<_> = to.iter().map(|to| ForwardPath::parse(to).unwrap().0).collect();
    let said = client.send(ReversePath::Null, &to, TEA).unwrap();
    assert_eq!(said.len(), 901);
    assert_eq!(catcher.caught()[0].recipients.len(), 900);
}

#[tokio::test]
async fn each_recipient_has_an_outcome_of_its_own() {
    let store = Store::default();
    let handlers = store.clone();
    let listener = smtp_server_tokio::TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let server = smtp_server_tokio::Server::new(
        smtp_server_tokio::Tokio::new(),
        Service::new(config()).unwrap(),
        move |_: &Peer| by_handler::Inbox::new(handlers.clone()),
    );
    let serving = tokio::spawn(server.run(listener));
    let became = send(address).await.unwrap();
    assert!(became[0].starts_with("<bob@example.test>: sent 250 2.0.0"), "{became:?}");
    assert_eq!(became[1], "<nobody@example.test>: failed 550 5.1.1 No such user here");
    assert_eq!(store.messages(), [b"Subject: Tea\r\n\r\n... at four?\r\n"]);
    serving.abort();
}
