//! How long a connection is kept, and what happens to it meanwhile.

use crate::world::{
    BYE, DEAF, MESSAGE, REFUSES, WELCOME, World, destination, destination_by, envelope, policy,
    send,
};
use smtp_client::{
    Body, Chunk, Pool, PoolConfig, Status, Tls,
    driver::{
        Pool as Buffers, Runtime,
        tls::{ClientTls, Verify},
    },
    proto::{Instant, body::Framing},
};
use std::{
    io,
    task::{Context, Poll},
    time::Duration,
};

const SENT: &str = "sent end of message: 250 taken";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Sends a message, `pause` seconds later another, and closes the pool.
#[track_caller]
fn twice(scripts: &[String], pause: u64) -> [String; 2] {
    let world = World::new(scripts);
    let pool = world.pool(PoolConfig::default());
    let to = destination();
    let sent = world.runtime.run_until(async {
        let first = send(&pool, &to).await;
        world.runtime.sleep(seconds(pause)).await;
        let second = send(&pool, &to).await;
        pool.close().await;
        [first, second]
    });
    world.check();
    sent
}

#[test]
fn one_connection_serves_one_message_after_the_other() {
    assert_eq!(twice(&[format!("{WELCOME}{MESSAGE}{MESSAGE}{BYE}")], 29), [SENT; 2]);
}

#[test]
fn a_connection_that_has_waited_too_long_is_told_so_when_the_pool_is_used() {
    let session = format!("{WELCOME}{MESSAGE}{BYE}");
    assert_eq!(twice(&[session.clone(), session], 30), [SENT; 2]);
}

#[test]
fn a_connection_that_the_server_has_left_is_not_used() {
    for end in ["", "S: 421 4.4.2 too long\n", "S: 421 bye\nC: <CLOSED>\n"] {
        let left = format!("{WELCOME}{MESSAGE}T: 5s\n{end}");
        let fresh = format!("{WELCOME}{MESSAGE}{BYE}");
        assert_eq!(twice(&[left, fresh], 10), [SENT; 2], "{end:?}");
    }
}

#[test]
fn a_server_that_leaves_at_the_first_command_is_asked_again_once() {
    let fresh = format!("{WELCOME}{MESSAGE}{BYE}");
    for end in ["", "S: 421 4.4.2 too long\n"] {
        let left = format!("{WELCOME}{MESSAGE}C: MAIL FROM:<a@example.test>\n{end}");
        assert_eq!(twice(&[left.clone(), fresh.clone()], 1), [SENT; 2], "{end:?}");
        // The second is new: nothing excuses it.
        let leaves = format!("{WELCOME}C: MAIL FROM:<a@example.test>\n{end}");
        let [_, second] = twice(&[left.clone(), leaves], 1);
        assert!(second.starts_with("delayed MAIL: 4"), "{second}");
        let [_, second] = twice(&[left, REFUSES.into()], 1);
        assert!(second.starts_with("delayed connecting: 4"), "{second}");
    }
}

#[test]
fn a_server_that_has_answered_and_leaves_is_not_asked_again() {
    let answered = format!("{WELCOME}{MESSAGE}C: MAIL FROM:<a@example.test>\nS: 250 ok\n");
    let [_, second] = twice(&[answered], 1);
    assert!(second.starts_with("delayed RCPT: 4"), "{second}");
    let refused = format!(
        "{WELCOME}{MESSAGE}C: MAIL FROM:<a@example.test>\nC: RCPT TO:<b@example.test>\nC: DATA\n\
         S: 451 later\nS: 503 no\nS: 503 no\nC: RSET\nS: 250 ok\n{BYE}"
    );
    let [_, second] = twice(&[refused], 1);
    assert_eq!(second, "delayed MAIL: 451 later");
}

#[test]
fn a_message_that_may_have_been_taken_is_not_sent_again() {
    let welcome = "S: 220 mx\nC: EHLO client.example.test\nS: 250-mx\nS: 250-PIPELINING\n\
                   S: 250 CHUNKING\n";
    let envelope_and_chunk = "C: MAIL FROM:<a@example.test>\nC: RCPT TO:<b@example.test>\n\
                              C: BDAT 17 LAST\nC: <OCTETS 17>\n";
    let taken = "S: 250 ok\nS: 250 ok\nS: 250 taken\n";
    let world = World::new([format!("{welcome}{envelope_and_chunk}{taken}{envelope_and_chunk}")]);
    let pool = world.pool(PoolConfig::default());
    let mut by_chunks = policy();
    by_chunks.framing = Framing::Chunked;
    let to = destination_by(by_chunks);
    let outcome = world.runtime.run_until(async {
        assert_eq!(send(&pool, &to).await, SENT);
        let report = pool.send(&to, &envelope(), "Subject: x\r\n\r\nx\r\n").await;
        report.outcomes[0].clone()
    });
    assert_eq!((outcome.status, outcome.in_doubt), (Status::Delayed, true), "{outcome:?}");
    world.check();
}

/// A body that is there once.
struct Once(&'static [u8], bool);

impl Body for Once {
    fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.1 = true;
        Poll::Ready(Ok(()))
    }

    fn chunk(&self) -> Chunk<'_> {
        Chunk { octets: if self.1 { self.0 } else { b"" }, last: self.1 }
    }

    fn poll_rewind(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(if self.1 { Err(io::ErrorKind::Unsupported.into()) } else { Ok(()) })
    }

    fn can_rewind(&self) -> bool {
        false
    }
}

#[test]
fn what_can_be_read_once_is_sent_once() {
    let left = format!("{WELCOME}{MESSAGE}C: MAIL FROM:<a@example.test>\n");
    let world = World::new([left]);
    let pool = world.pool(PoolConfig::default());
    let to = destination();
    let outcome = world.runtime.run_until(async {
        send(&pool, &to).await;
        pool.send(&to, &envelope(), Once(b"x\r\n", false)).await.outcomes[0].to_owned()
    });
    assert_eq!(outcome.status, Status::Delayed);
    assert_eq!(outcome.stage.to_string(), "MAIL");
    world.check();
}

#[test]
fn reaping_closes_what_has_waited_too_long_and_says_when_to_come_again() {
    let session = format!("{WELCOME}{MESSAGE}{BYE}");
    let gone = format!("{WELCOME}{MESSAGE}T: 2s\n");
    let world = World::new([session.clone(), gone, session]);
    let pool = world.pool(PoolConfig::default());
    let [first, second, third] = [destination(), destination(), destination()];
    world.runtime.run_until(async {
        assert_eq!(pool.reap().await, None);
        send(&pool, &first).await;
        world.runtime.sleep(seconds(10)).await;
        send(&pool, &second).await;
        send(&pool, &third).await;
        assert_eq!((pool.idle(), pool.reap().await), (3, Some(Instant::from_secs(30))));
        world.runtime.sleep(seconds(20)).await;
        assert_eq!((pool.idle(), pool.reap().await), (3, Some(Instant::from_secs(40))));
        assert_eq!(pool.idle(), 1, "one has left");
        world.runtime.sleep(seconds(10)).await;
        assert_eq!((pool.reap().await, pool.idle()), (None, 0));
    });
    world.check();
}

#[test]
fn a_connection_has_a_bound_of_messages() {
    let two = format!("{WELCOME}{MESSAGE}{MESSAGE}{BYE}");
    let one = format!("{WELCOME}{MESSAGE}{BYE}");
    let world = World::new([two, one]);
    let pool = world.pool(PoolConfig { transactions: 2, ..PoolConfig::default() });
    let to = destination();
    world.runtime.run_until(async {
        for _ in 0..3 {
            assert_eq!(send(&pool, &to).await, SENT);
        }
        pool.close().await;
    });
    world.check();
}

#[test]
fn a_server_with_a_bound_of_messages_is_told_quit_at_it() {
    let welcome = "S: 220 mx\nC: EHLO client.example.test\nS: 250-mx\nS: 250-PIPELINING\nS: 250 LIMITS MAILMAX=1\n";
    let session = format!("{welcome}{MESSAGE}{BYE}");
    assert_eq!(twice(&[session.clone(), session], 0), [SENT; 2]);
}

#[test]
fn no_more_wait_than_the_pool_may_keep() {
    let session = format!("{WELCOME}{MESSAGE}{BYE}");
    let world = World::new([session.clone(), session]);
    let pool = world.pool(PoolConfig { idle: 1, ..PoolConfig::default() });
    world.runtime.run_until(async {
        send(&pool, &destination()).await;
        send(&pool, &destination()).await;
        assert_eq!(pool.idle(), 1);
        pool.close().await;
    });
    world.check();
}

#[test]
fn a_connection_of_another_policy_is_not_lent() {
    let session = format!("{WELCOME}{MESSAGE}{BYE}");
    let world = World::new([session.clone(), session]);
    let pool = world.pool(PoolConfig::default());
    let (one, other) = (destination(), destination());
    world.runtime.run_until(async {
        send(&pool, &one).await;
        assert!(pool.lend_idle(&other).is_none());
        send(&pool, &other).await;
        pool.lend_idle(&one).unwrap().give_back();
        assert_eq!(pool.idle(), 2);
        pool.close().await;
    });
    world.check();
}

#[test]
fn connecting_has_a_bound_of_time() {
    let world = World::new([DEAF]);
    let pool = world.pool(PoolConfig::default());
    let sent = world.runtime.run_until(send(&pool, &destination()));
    assert!(sent.starts_with("delayed connecting: 4"), "{sent}");
    assert_eq!(world.runtime.now(), Instant::from_secs(30));
}

#[test]
fn a_failed_handshake_is_followed_by_one_connection_in_clear_where_the_policy_lets_it() {
    let broken = "S: 220 mx\nC: EHLO client.example.test\nS: 250-mx\nS: 250 STARTTLS\n\
                  C: STARTTLS\nS: 220 go\nS: this is no TLS\n";
    let tls = ClientTls::builder().build().unwrap();
    let by = |make: fn(_) -> Tls, verify| {
        let mut policy = policy();
        policy.tls = make(tls.connector("mx.example.test", verify).unwrap());
        destination_by(policy)
    };
    let in_clear = format!("{WELCOME}{MESSAGE}{MESSAGE}{BYE}");
    let world = World::new([broken, &in_clear]);
    let pool = world.pool(PoolConfig::default());
    let to = by(Tls::Opportunistic, Verify::Opportunistic);
    world.runtime.run_until(async {
        assert_eq!(send(&pool, &to).await, SENT);
        assert_eq!(send(&pool, &to).await, SENT);
        pool.close().await;
    });
    world.check();

    let world = World::new([broken]);
    let pool = world.pool(PoolConfig::default());
    let sent = world.runtime.run_until(send(&pool, &by(Tls::Required, Verify::Required)));
    assert!(sent.starts_with("delayed TLS: 4"), "{sent}");
    world.check();
}

#[test]
fn a_connection_that_waits_holds_no_buffer() {
    let buffers = Buffers::default();
    let mut policy = policy();
    policy.buffers = buffers.clone();
    let world = World::new([format!("{WELCOME}{MESSAGE}{BYE}")]);
    let pool: Pool<World> = world.pool(PoolConfig::default());
    world.runtime.run_until(async {
        send(&pool, &destination_by(policy)).await;
        assert_eq!(pool.idle(), 1);
        assert_eq!(buffers.lent(), 0);
        pool.close().await;
    });
    world.check();
}
