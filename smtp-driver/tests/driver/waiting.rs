//! Connections that wait: what they hold, and what wakes them.

use crate::harness::{Connection, PEER, Plan, Script, begin, extensions, plain_service, service};
use smtp_driver::{Stop, serve};
use smtp_proto::{CloseReason, Limits, Timeouts, Timer};
use std::{future::Future, time::Duration};
use testkit::{clock::VirtualRuntime, memory::pair};

#[test]
fn idle_connections_hold_no_buffer() {
    let runtime = VirtualRuntime::new();
    let service = plain_service();
    let stop = Stop::new();
    let connections: Vec<_> = (0..50)
        .map(|_| {
            let (peer, stream) = pair(4096);
            let script = Script {
                plan: Plan::default(),
                runtime: runtime.clone(),
                log: Default::default(),
                octets: 0,
            };
            let served =
                serve(stream, PEER, runtime.clone(), service.clone(), script, stop.given());
            (peer, runtime.spawn(served))
        })
        .collect();
    runtime.run_ready();
    assert_eq!(service.buffers().lent(), 0);
    for (peer, _) in &connections {
        assert!(peer.take().starts_with(b"220 "));
        peer.put(b"NOO");
    }
    runtime.run_ready();
    assert_eq!(service.buffers().lent(), 50, "half a line has to lie somewhere");
    for (peer, _) in &connections {
        peer.put(b"P\r\n");
    }
    runtime.run_ready();
    assert_eq!(service.buffers().lent(), 0);
    assert!(connections.iter().all(|(peer, _)| peer.take().starts_with(b"250 ")));
}

#[test]
fn a_body_that_comes_slowly_holds_no_buffer_between_its_blocks() {
    let connection = Connection::open(Plan::default());
    begin(&connection);
    connection.send("RCPT TO:<b@example.test>\r\nDATA\r\n");
    connection.send("a line\r\nand half");
    assert_eq!(connection.pool.lent(), 0);
    assert_eq!(connection.send("\r\n.\r\n"), "250 2.6.0 kept\r\n");
}

/// CONN-12
#[test]
fn the_stop_signal_ends_an_idle_connection_with_421() {
    let connection = Connection::open(Plan::default());
    connection.receive();
    connection.stop.stop();
    connection.runtime.run_ready();
    assert!(connection.receive().starts_with("421 "));
    assert_eq!(connection.end().unwrap(), CloseReason::Shutdown);
}

#[test]
fn the_stop_signal_lets_a_body_and_its_commit_finish() {
    let second = Duration::from_secs(1);
    let connection = Connection::open(Plan { end: second, ..Plan::default() });
    begin(&connection);
    connection.send("RCPT TO:<b@example.test>\r\nDATA\r\n");
    connection.stop.stop();
    assert_eq!(connection.send("text\r\n.\r\n"), "");
    let replies = connection.pass(second);
    assert!(replies.starts_with("250 2.6.0 kept\r\n421 "), "{replies}");
    assert_eq!(connection.end().unwrap(), CloseReason::Shutdown);
}

#[test]
fn a_silent_peer_is_told_421_and_the_stream_closes_though_it_never_does() {
    let timeouts = Timeouts::default();
    let connection = Connection::open(Plan::default());
    connection.receive();
    assert_eq!(connection.pass(timeouts.command - Duration::from_millis(1)), "");
    let reply = connection.pass(Duration::from_millis(1));
    assert!(reply.starts_with("421 "), "{reply}");
    assert!(!connection.task.is_finished());
    connection.pass(timeouts.linger);
    assert!(connection.task.is_finished());
    assert_eq!(connection.end().unwrap(), CloseReason::Timeout(Timer::Command));
}

/// SEC-DOS-06
#[test]
fn a_peer_that_never_reads_is_given_up() {
    let timeouts = Timeouts::default();
    let service = service(extensions(), Limits::default(), timeouts);
    let connection = Connection::with(Plan::default(), service, 4096, |stream| stream);
    // Replies that nobody takes, until the server stops reading, too.
    let mut sent = 0;
    loop {
        let n = connection.peer.put("NOOP\r\n".repeat(64).as_bytes());
        connection.runtime.run_ready();
        sent += n;
        if n == 0 {
            break;
        }
        assert!(sent < 1 << 20, "the server takes commands without end");
    }
    connection.runtime.run_for(timeouts.flush + timeouts.linger);
    assert!(connection.task.is_finished());
    assert_eq!(connection.end().unwrap(), CloseReason::Timeout(Timer::Flush));
}

#[test]
fn closing_takes_no_longer_than_linger_when_the_peer_goes_on_sending() {
    let timeouts = Timeouts::default();
    let connection = Connection::open(Plan::default());
    connection.send("QUIT\r\n");
    for _ in 0..timeouts.linger.as_secs() {
        assert!(!connection.task.is_finished());
        connection.send("more\r\n".repeat(1000));
        connection.pass(Duration::from_secs(1));
    }
    assert!(connection.task.is_finished());
    assert_eq!(connection.end().unwrap(), CloseReason::Quit);
}

#[test]
fn a_busy_peer_does_not_keep_others_from_running() {
    let runtime = VirtualRuntime::new();
    let service = plain_service();
    let stop = Stop::new();
    let (busy, stream) = pair(1 << 20);
    let log = crate::harness::Log::default();
    let script =
        Script { plan: Plan::default(), runtime: runtime.clone(), log: log.clone(), octets: 0 };
    busy.put("EHLO client.example\r\n".repeat(1000).as_bytes());
    let served = runtime.spawn(serve(stream, PEER, runtime.clone(), service, script, stop.given()));
    let seen = runtime.spawn({
        let log = log.clone();
        async move { log.lock().unwrap().len() }
    });
    let seen = runtime.run_until(seen);
    assert!(seen < 200, "{seen} events before another task ran");
    runtime.run_ready();
    assert!(!served.is_finished());
    assert!(log.lock().unwrap().len() > 2000);
}

#[test]
fn the_future_of_a_connection_is_small_and_can_be_sent() {
    fn is_send<F: Future + Send>(future: F) -> F {
        future
    }
    let runtime = VirtualRuntime::new();
    let (_peer, stream) = pair(1);
    let policy = testkit::policy::Policy::new();
    let handler = smtp_driver::NewHandler::new_handler(&policy, &PEER);
    let stop = Stop::new();
    let served =
        is_send(serve(stream, PEER, runtime.clone(), plain_service(), handler, stop.given()));
    let size = std::mem::size_of_val(&served);
    println!("the future of serve has {size} octets");
    assert!(size < 4096, "{size} octets");
}
