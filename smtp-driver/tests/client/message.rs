//! The octets of a message.

use crate::{
    link::begin_and_drop,
    world::{Link, World, ask_for_body, greet, mail, quit, rcpt, scripted, service, tell},
};
use smtp_driver::{
    Runtime,
    client::LinkError,
    middleware::{Chop, Direction, Trace},
};
use smtp_proto::{CloseReason, Misuse, Timer, body::ContentFault, wire::HelloName};
use std::sync::{Arc, Mutex};
use testkit::{clock::VirtualRuntime, memory::MemoryStream};

/// A message with long lines and short ones, some with dots, of about `size` octets.
pub(crate) fn message(size: usize) -> Vec<u8> {
    let mut octets = b"Subject: x\r\n\r\n".to_vec();
    let mut n = 0_usize;
    while octets.len() < size {
        n = n.wrapping_mul(31).wrapping_add(7);
        octets.extend(std::iter::repeat_n(b'.', n % 3));
        octets.extend(std::iter::repeat_n(b'a' + (n % 26) as u8, n % 77));
        octets.extend_from_slice(b"\r\n");
    }
    octets
}

/// A server of the test's own that has said 354.
fn in_body(capacity: usize) -> (VirtualRuntime, Link, MemoryStream) {
    let (runtime, mut link, server) = scripted(capacity);
    server.put(b"220 mx.example.test\r\n");
    runtime.run_until(async { assert_eq!(tell(&mut link).await, "greeting 220") });
    let name = HelloName::parse("client.example.test").unwrap();
    link.machine().hello(&name).unwrap();
    for reply in [&b"250 mx.example.test\r\n"[..], b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"] {
        // The command leaves, and only then comes its reply.
        assert!(!begin_and_drop(link.next()));
        assert!(!server.take().is_empty());
        server.put(reply);
        let told = runtime.run_until(tell(&mut link));
        assert_eq!(told.as_bytes()[6..], reply[..3]);
        if link.machine().is_idle() {
            link.machine().mail(&mail()).unwrap();
        } else if link.machine().rcpt(&rcpt("<user1@example.test>")).is_ok() {
            link.machine().data().unwrap();
        }
    }
    (runtime, link, server)
}

#[test]
fn a_large_message_in_odd_pieces_arrives_octet_for_octet() {
    for (size, capacity, most, chunk) in
        [(2 << 20, 64 << 10, 100_000, 70_001), (200_000, 4096, 500, 33_333)]
    {
        let octets = message(size);
        let (world, client) = World::new(service(), capacity);
        let mut link = world.link(Chop::new(client, most, 7));
        world.runtime.run_until(async {
            greet(&mut link).await;
            ask_for_body(&mut link).await;
            for chunk in octets.chunks(chunk) {
                link.write_body(chunk).await.unwrap();
            }
            link.end_body(b"").await.unwrap();
            assert_eq!(tell(&mut link).await, "reply 250");
            quit(link).await;
        });
        assert!(world.policy.delivered()[0].octets == octets);
    }
}

#[test]
fn chunks_are_pipelined_through_pipes_that_hold_less_than_a_reply() {
    let octets = message(100_000);
    for capacity in [5, 64, 4096] {
        let (world, client) = World::new(service(), capacity);
        let mut link = world.link(Chop::new(client, 4096, 3));
        world.runtime.run_until(async {
            greet(&mut link).await;
            link.machine().mail(&mail()).unwrap();
            link.machine().rcpt(&rcpt("<user1@example.test>")).unwrap();
            let mut given = 0;
            for chunk in octets.chunks(997) {
                let (front, back) = chunk.split_at(chunk.len() / 3);
                link.write_chunk(&[front, b"", back], false).await.unwrap();
                given += 1;
            }
            link.write_chunk(&[], true).await.unwrap();
            for _ in 0..given + 3 {
                assert_eq!(tell(&mut link).await, "reply 250");
            }
            assert!(link.is_reusable());
            quit(link).await;
        });
        assert!(world.policy.delivered()[0].octets == octets);
    }
}

#[test]
fn commands_body_and_end_leave_in_one_write() {
    type Writes = Arc<Mutex<Vec<Vec<u8>>>>;
    struct OneWrite(MemoryStream, Writes);
    impl smtp_driver::Stream for OneWrite {
        fn poll_readable(
            &mut self,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            self.0.poll_readable(cx)
        }
        fn poll_read(
            &mut self,
            cx: &mut std::task::Context<'_>,
            buf: &mut [u8],
        ) -> std::task::Poll<std::io::Result<usize>> {
            self.0.poll_read(cx, buf)
        }
        fn poll_write_vectored(
            &mut self,
            cx: &mut std::task::Context<'_>,
            bufs: &[std::io::IoSlice<'_>],
        ) -> std::task::Poll<std::io::Result<usize>> {
            let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
            self.1.lock().unwrap().push(all);
            self.0.poll_write_vectored(cx, bufs)
        }
        fn poll_shutdown(
            &mut self,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            self.0.poll_shutdown(cx)
        }
    }
    let (world, client) = World::new(service(), 4096);
    let writes = Writes::default();
    let mut link = world.link(OneWrite(client, writes.clone()));
    world.runtime.run_until(async {
        greet(&mut link).await;
        ask_for_body(&mut link).await;
        writes.lock().unwrap().clear();
        link.end_body(b".a\r\n.b\r\n").await.unwrap();
        assert_eq!(tell(&mut link).await, "reply 250");
        assert_eq!(*writes.lock().unwrap(), [b"..a\r\n..b\r\n.\r\n"]);
        writes.lock().unwrap().clear();
        link.machine().mail(&mail()).unwrap();
        link.machine().rcpt(&rcpt("<user1@example.test>")).unwrap();
        link.write_chunk(&[b"x\r\n"], true).await.unwrap();
        let all = b"MAIL FROM:<a@client.example.test>\r\nRCPT TO:<user1@example.test>\r\n\
            BDAT 3 LAST\r\nx\r\n";
        assert_eq!(*writes.lock().unwrap(), [all]);
    });
}

#[test]
fn the_octets_of_a_message_are_written_from_where_they_are() {
    let octets = message(5_000);
    let (start, end) = (octets.as_ptr() as usize, octets.as_ptr() as usize + octets.len());
    let own = Arc::new(Mutex::new(0));
    let count = own.clone();
    let (world, client) = World::new(service(), 1 << 20);
    let mut link = world.link(Trace::new(client, move |direction, piece: &[u8]| {
        let at = piece.as_ptr() as usize;
        if direction == Direction::Written && (start..end).contains(&at) {
            *count.lock().unwrap() += piece.len();
        }
    }));
    world.runtime.run_until(async {
        greet(&mut link).await;
        ask_for_body(&mut link).await;
        link.write_body(&octets).await.unwrap();
        link.end_body(b"").await.unwrap();
        assert_eq!(tell(&mut link).await, "reply 250");
    });
    assert!(world.policy.delivered()[0].octets == octets);
    // But for the CR before which the encoder waits for what follows, if it waits at all.
    assert!(*own.lock().unwrap() >= octets.len() - 2);
}

#[test]
fn a_server_that_speaks_up_in_the_middle_is_heard() {
    for (reply, unsolicited, why) in [
        (&b"552 too large\r\n"[..], "unsolicited 552", CloseReason::Unintelligible),
        (b"421 bye\r\n", "unsolicited 421", CloseReason::Unavailable),
    ] {
        // It takes everything, or nothing.
        for capacity in [64 << 10, 64] {
            let (runtime, mut link, server) = in_body(capacity);
            server.put(reply);
            let chunk = message(1_000);
            runtime.run_until(async {
                match link.write_body(&chunk).await {
                    Err(LinkError::Closed(closed)) => assert_eq!(closed, why),
                    other => panic!("{other:?}"),
                }
                assert!(!link.is_reusable());
                assert_eq!(tell(&mut link).await, unsolicited);
                assert_eq!(tell(&mut link).await, format!("closed {why:?}"));
                assert!(matches!(link.write_body(&chunk).await, Err(LinkError::Closed(_))));
                assert!(matches!(link.end_body(b"").await, Err(LinkError::Closed(_))));
            });
        }
    }
}

#[test]
fn a_server_that_dies_in_the_middle_is_an_error_or_the_end() {
    // Closed in order: what it still reads is nothing.
    let (runtime, mut link, server) = in_body(64);
    server.close();
    runtime.run_until(async {
        let ended = link.write_body(&message(1_000)).await;
        assert!(matches!(ended, Err(LinkError::Closed(CloseReason::Eof))), "{ended:?}");
        assert_eq!(tell(&mut link).await, "closed Eof");
    });
    // Gone, with a last word.
    let (runtime, mut link, server) = in_body(64);
    server.put(b"421 bye\r\n");
    drop(server);
    runtime.run_until(async {
        let broken = link.write_body(&message(1_000)).await;
        assert!(matches!(broken, Err(LinkError::Io(_))), "{broken:?}");
        assert_eq!(tell(&mut link).await, "unsolicited 421");
        assert_eq!(tell(&mut link).await, "closed Unavailable");
    });
    // Gone.
    let (runtime, mut link, server) = in_body(64);
    drop(server);
    runtime.run_until(async {
        let broken = link.write_body(&message(1_000)).await;
        assert!(matches!(broken, Err(LinkError::Io(_))), "{broken:?}");
        assert_eq!(tell(&mut link).await, "closed Eof");
        assert!(!link.is_reusable());
        link.close().await;
    });
}

#[test]
fn a_server_that_stops_reading_is_left_when_its_time_is_up() {
    let (runtime, mut link, server) = in_body(64);
    runtime.run_until(async {
        let before = runtime.now();
        let late = link.write_body(&message(1_000)).await;
        let timeout = CloseReason::Timeout(Timer::Flush);
        assert!(matches!(late, Err(LinkError::Closed(why)) if why == timeout), "{late:?}");
        assert_eq!(runtime.now().saturating_since(before).as_secs(), 180);
    });
    drop(server);
}

#[test]
fn a_slow_server_that_takes_a_little_each_time_is_waited_for() {
    let (runtime, mut link, server) = in_body(64);
    let octets = message(640);
    let reader = runtime.spawn({
        let runtime = runtime.clone();
        async move {
            let mut taken = Vec::new();
            while !taken.ends_with(b"\r\n.\r\n") {
                runtime.sleep(std::time::Duration::from_secs(170)).await;
                taken.extend(server.take());
            }
            server.put(b"250 ok\r\n");
            (taken, server)
        }
    });
    runtime.run_until(async {
        link.write_body(&octets).await.unwrap();
        link.end_body(b"").await.unwrap();
        assert_eq!(tell(&mut link).await, "reply 250");
        assert!(link.is_reusable());
    });
    assert!(runtime.run_until(reader).0.len() > octets.len());
}

#[test]
fn a_write_that_is_dropped_half_way_leaves_a_link_that_says_so() {
    let (runtime, mut link, server) = in_body(64);
    assert!(!begin_and_drop(link.write_body(&message(1_000))));
    assert!(!link.is_reusable());
    assert!(!link.is_alive());
    assert_eq!(server.take().len(), 64);
    runtime.run_until(async {
        assert!(matches!(link.next().await, Err(LinkError::Io(_))));
        link.close().await;
    });
    assert_eq!(server.take(), b"", "nothing follows the torn octets");

    let (world, client) = World::new(service(), 64);
    let mut link = world.link(client);
    world.runtime.run_until(greet(&mut link));
    link.machine().mail(&mail()).unwrap();
    link.machine().rcpt(&rcpt("<user1@example.test>")).unwrap();
    assert!(!begin_and_drop(link.write_chunk(&[&message(1_000)], true)));
    assert!(!link.is_reusable());
    drop(link);
    // Whether the server could still answer is its own matter.
    let _ = world.runtime.run_until(world.task);
    assert!(world.policy.delivered().is_empty());
}

#[test]
fn octets_that_may_not_be_sent_end_the_message_and_not_more() {
    let (world, client) = World::new(service(), 4096);
    let mut link = world.link(client);
    world.runtime.run_until(async {
        greet(&mut link).await;
        ask_for_body(&mut link).await;
        link.write_body(b"good\r\n").await.unwrap();
        let bare = LinkError::Misuse(Misuse::Content(ContentFault::BareLineEnding)).to_string();
        assert_eq!(link.write_body(b"bare\nline").await.unwrap_err().to_string(), bare);
        assert!(!link.is_reusable());
        link.machine().abort();
        assert_eq!(tell(&mut link).await, "closed Aborted");
        link.close().await;
    });
    world.runtime.run_until(world.task).unwrap();
    assert!(world.policy.delivered().is_empty());
}

#[test]
fn a_body_that_nobody_asked_for_is_misuse() {
    let (world, client) = World::new(service(), 4096);
    let mut link = world.link(client);
    world.runtime.run_until(async {
        greet(&mut link).await;
        let early = link.write_body(b"x").await;
        assert!(matches!(early, Err(LinkError::Misuse(Misuse::NotNow))), "{early:?}");
        let early = link.write_chunk(&[b"x"], true).await;
        assert!(matches!(early, Err(LinkError::Misuse(Misuse::NotNow))), "{early:?}");
        assert!(link.is_reusable());
        quit(link).await;
    });
}
