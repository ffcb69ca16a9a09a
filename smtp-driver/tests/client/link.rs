//! Commands and replies, time, and what becomes of a connection.

use crate::world::{World, ask_for_body, greet, mail, quit, rcpt, scripted, service, tell, words};
use smtp_driver::{
    ConfigError, Pool, Runtime,
    client::LinkError,
    middleware::{Chop, Fault, Outcome},
};
use smtp_proto::{
    CloseReason, Misuse,
    client::{ClientConfig, Timeouts},
    wire::HelloName,
};
use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};
use testkit::memory::pair;

/// Polls `future` once, and drops it: whether it was ready.
pub(crate) fn begin_and_drop(future: impl Future) -> bool {
    let future = pin!(future);
    future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn a_session_goes_from_the_greeting_to_the_end() {
    let (world, client) = World::new(service(), 4096);
    let mut link = world.link(client);
    world.runtime.run_until(async {
        greet(&mut link).await;
        assert!(link.machine().capabilities().pipelining);
        assert!(link.is_reusable());
        link.machine().mail(&mail()).unwrap();
        link.machine().rcpt(&rcpt("<user1@example.test>")).unwrap();
        link.machine().rcpt(&rcpt("<nobody@example.test>")).unwrap();
        link.machine().data().unwrap();
        assert!(!link.is_reusable());
        for expected in ["reply 250", "reply 250", "reply 550", "reply 354", "idle"] {
            assert_eq!(tell(&mut link).await, expected);
        }
        link.end_body(b"Subject: x\r\n\r\n.dot\r\n").await.unwrap();
        assert!(!link.is_reusable());
        assert_eq!(tell(&mut link).await, "reply 250");
        assert!(link.is_reusable());
        quit(link).await;
    });
    let delivered = world.policy.delivered();
    assert_eq!(delivered[0].recipients, ["<user1@example.test>"]);
    assert_eq!(delivered[0].octets, b"Subject: x\r\n\r\n.dot\r\n");
    assert_eq!(world.runtime.run_until(world.task).unwrap(), CloseReason::Quit);
}

#[test]
fn replies_and_commands_cut_into_single_octets_are_the_same() {
    for seed in 0..8 {
        let (world, client) = World::new(service(), 3);
        let mut link = world.link(Chop::new(client, 1, seed));
        world.runtime.run_until(async {
            greet(&mut link).await;
            ask_for_body(&mut link).await;
            link.end_body(b"x\r\n").await.unwrap();
            assert_eq!(tell(&mut link).await, "reply 250");
            quit(link).await;
        });
        assert_eq!(world.policy.delivered()[0].octets, b"x\r\n");
    }
}

#[test]
fn a_wait_that_is_dropped_loses_nothing() {
    let (runtime, mut link, server) = scripted(64);
    assert!(!begin_and_drop(link.next()));
    server.put(b"220-mx.example.te");
    assert!(!begin_and_drop(link.next()));
    server.put(b"st\r\n220 ESMTP\r\n");
    runtime.run_until(async { assert_eq!(tell(&mut link).await, "greeting 220") });
    link.machine().hello(&HelloName::parse("client.example.test").unwrap()).unwrap();
    assert!(!begin_and_drop(link.next()));
    assert_eq!(server.take(), b"EHLO client.example.test\r\n");
    server.put(b"250 mx.example.test\r\n");
    runtime.run_until(async { assert_eq!(tell(&mut link).await, "reply 250") });
    assert!(link.is_reusable());
}

#[test]
fn a_silent_server_is_left_when_its_time_is_up() {
    let (runtime, mut link, server) = scripted(64);
    runtime.run_until(async {
        assert_eq!(tell(&mut link).await, "closed Timeout(Reply)");
        assert_eq!(runtime.now().as_micros(), 300_000_000);
        assert_eq!(tell(&mut link).await, "closed Timeout(Reply)");
    });
    drop((link, server));

    let (runtime, mut link, server) = scripted(256);
    server.put(b"220 mx.example.test\r\n250 mx.example.test\r\n");
    runtime.run_until(async {
        assert_eq!(tell(&mut link).await, "greeting 220");
        link.machine().hello(&HelloName::parse("client.example.test").unwrap()).unwrap();
        // An answer before the question.
        assert_eq!(tell(&mut link).await, "unsolicited 250");
        assert_eq!(tell(&mut link).await, "closed Unintelligible");
    });
}

#[test]
fn a_server_that_does_not_read_is_left_when_its_time_is_up() {
    let (runtime, mut link, server) = scripted(30);
    server.put(b"220 mx.example.test\r\n");
    runtime.run_until(async {
        assert_eq!(tell(&mut link).await, "greeting 220");
        let name = "a-name-that-does-not-fit.client.example.test";
        link.machine().hello(&HelloName::parse(name).unwrap()).unwrap();
        assert_eq!(tell(&mut link).await, "closed Timeout(Flush)");
        assert_eq!(runtime.now().as_micros(), 180_000_000);
    });
    assert_eq!(server.take().len(), 30);
}

#[test]
fn an_idle_connection_costs_no_buffer_and_is_found_dead() {
    for (last, expected) in [
        (&b"421 4.3.2 bye\r\n"[..], ["unsolicited 421", "closed Unavailable"]),
        (b"", ["closed Eof", "closed Eof"]),
    ] {
        let (runtime, pool) = (testkit::clock::VirtualRuntime::new(), Pool::default());
        let (client, server) = pair(256);
        let config = ClientConfig::builder().build();
        let mut link =
            crate::world::Link::new(client, runtime.clone(), config, pool.clone()).unwrap();
        server.put(b"220 mx.example.test\r\n");
        runtime.run_until(async {
            assert_eq!(tell(&mut link).await, "greeting 220");
            link.machine().hello(&HelloName::parse("client.example.test").unwrap()).unwrap();
            server.put(b"");
            assert!(poll_fn(|cx| Poll::Ready(link.poll_parked(cx).is_pending())).await);
            server.put(b"250 mx.example.test\r\n");
            assert_eq!(tell(&mut link).await, "reply 250");
            assert_eq!(tell(&mut link).await, "idle");
        });
        assert!(link.is_alive());
        assert_eq!(pool.lent(), 0);
        runtime.run_for(Duration::from_secs(3_600));
        assert!(link.is_alive());
        server.put(last);
        if last.is_empty() {
            server.close();
        }
        runtime.run_until(async {
            assert_eq!(words(poll_fn(|cx| link.poll_parked(cx)).await), expected[0]);
            assert_eq!(tell(&mut link).await, expected[1]);
        });
        assert!(!link.is_alive());
        assert_eq!(pool.lent(), 0);
    }
}

#[test]
fn an_error_of_the_stream_is_told_as_such() {
    let (world, client) = World::new(service(), 4096);
    let mut link =
        world.link(Fault::new(client, 5, Outcome::Fail(std::io::ErrorKind::ConnectionReset)));
    world.runtime.run_until(async {
        match link.next().await {
            Err(LinkError::Io(e)) => assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset),
            other => panic!("{other:?}"),
        }
        assert!(!link.is_reusable());
        assert!(matches!(link.next().await, Err(LinkError::Io(_))));
        link.close().await;
    });
}

#[test]
fn the_last_word_of_a_server_is_heard_before_the_error() {
    for (last, told) in [(&b"421 bye\r\n"[..], Some("unsolicited 421")), (b"421 b", None)] {
        let (runtime, mut link, server) = scripted(256);
        server.put(b"220 mx.example.test\r\n");
        runtime.run_until(async {
            assert_eq!(tell(&mut link).await, "greeting 220");
            server.put(last);
            drop(server);
            link.machine().hello(&HelloName::parse("client.example.test").unwrap()).unwrap();
            match told {
                Some(told) => assert_eq!(tell(&mut link).await, told),
                None => assert!(matches!(link.next().await, Err(LinkError::Io(_)))),
            }
        });
    }
}

#[test]
fn a_server_that_leaves_early_is_the_end_and_no_error() {
    for after in 0..40 {
        let (world, client) = World::new(service(), 4096);
        let mut link = world.link(Fault::new(client, after, Outcome::End));
        world.runtime.run_until(async {
            let mut told = tell(&mut link).await;
            if told == "greeting 220" {
                let name = HelloName::parse("client.example.test").unwrap();
                link.machine().hello(&name).unwrap();
                told = tell(&mut link).await;
            }
            assert_eq!(told, "closed Eof", "after {after}");
        });
        assert!(!link.is_reusable());
    }
}

#[test]
fn closing_waits_for_the_server_but_not_for_ever() {
    let (runtime, mut link, server) = scripted(256);
    server.put(b"554 go away\r\n");
    runtime.run_until(async {
        assert_eq!(tell(&mut link).await, "greeting 554");
        link.machine().abort();
        assert_eq!(tell(&mut link).await, "closed Aborted");
        let linger = Timeouts::default().linger;
        let before = runtime.now();
        link.close().await;
        assert_eq!(runtime.now().saturating_since(before), linger);
    });
    assert!(server.is_finished());
}

#[test]
fn a_buffer_that_cannot_hold_the_longest_reply_is_refused() {
    let (client, _server) = pair(64);
    let runtime = testkit::clock::VirtualRuntime::new();
    let config = ClientConfig::builder().build();
    let refused = crate::world::Link::new(client, runtime, config, Pool::new(1024, 1));
    assert_eq!(refused.err(), Some(ConfigError::BufferTooSmall { size: 1024, unread: 16 << 10 }));
}

/// C-28
#[test]
fn a_reply_as_long_as_the_buffer_is_read_and_a_longer_one_ends_the_connection() {
    for (over, expected) in [(0, "greeting 220"), (1, "closed Unintelligible")] {
        let (runtime, mut link, server) = scripted(32 << 10);
        let line = [b"220-".as_slice(), &[b'x'; 58], b"\r\n"].concat();
        let mut reply = line.repeat((16 << 10) / line.len() - 1);
        reply.extend_from_slice(b"220 ");
        reply.resize((16 << 10) - 2 + over, b'x');
        reply.extend_from_slice(b"\r\n");
        server.put(&reply);
        runtime.run_until(async { assert_eq!(tell(&mut link).await, expected) });
    }
}

#[test]
fn a_handshake_that_nobody_asked_for_is_misuse() {
    let (_runtime, mut link, _server) = scripted(64);
    let tls = smtp_driver::tls::ClientTls::builder().build().unwrap();
    let connector = tls.connector("mx.example.test", smtp_driver::tls::Verify::Required).unwrap();
    let mut handshake = pin!(link.handshake(&connector));
    match handshake.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(LinkError::Misuse(Misuse::NotNow))) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_link_its_futures_and_an_exchange_can_move_between_threads() {
    fn movable<T: Send>(_: &T) {}
    let (_runtime, mut link, _server) = scripted(64);
    let tls = smtp_driver::tls::ClientTls::builder().build().unwrap();
    let connector = tls.connector("mx.example.test", smtp_driver::tls::Verify::Required).unwrap();
    movable(&link);
    movable(&link.next());
    movable(&link.write_body(b""));
    movable(&link.end_body(b""));
    movable(&link.write_chunk(&[b""], true));
    movable(&link.handshake(&connector));
    movable(&link.close());
    movable(&crate::sasl::begin(&smtp_driver::sasl::Login::password("user", "x"), "PLAIN"));
}
