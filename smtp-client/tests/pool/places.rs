//! Who has a connection, and who waits for one.

use crate::world::{
    BYE, DEAF, MESSAGE, REFUSES, WELCOME, World, destination, envelope, in_words, send,
};
use smtp_client::{Destination, Lent, Pool, PoolConfig};
use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Waker},
};
use testkit::clock::Task;

fn one_at_a_time(world: &World) -> Pool<World> {
    world.pool(PoolConfig { connections: 1, ..PoolConfig::default() })
}

/// Lends a connection in a task of its own, and writes down who has one.
fn lend(
    (world, pool, to): (&World, &Pool<World>, &Destination),
    name: &'static str,
    seen: &Arc<Mutex<Vec<&'static str>>>,
) -> Task<Lent<World>> {
    let (pool, to, seen) = (pool.clone(), to.clone(), seen.clone());
    world.runtime.spawn(async move {
        let lent = pool.lend(&to).await.unwrap();
        seen.lock().unwrap().push(name);
        lent
    })
}

#[test]
fn who_asks_first_is_served_first() {
    let world = World::new([format!("{WELCOME}{BYE}")]);
    let pool = one_at_a_time(&world);
    let to = destination();
    let seen = Arc::default();
    let all = (&world, &pool, &to);
    let first = lend(all, "first", &seen);
    let second = lend(all, "second", &seen);
    let third = lend(all, "third", &seen);
    world.runtime.run_ready();
    assert_eq!(*seen.lock().unwrap(), ["first"]);
    world.runtime.run_until(async {
        first.await.give_back();
        // Comes too late, though the connection is back.
        let fourth = lend(all, "fourth", &seen);
        assert!(pool.lend_idle(&to).is_none(), "it is the second's");
        second.await.give_back();
        third.await.give_back();
        fourth.await.give_back();
        pool.close().await;
    });
    assert_eq!(*seen.lock().unwrap(), ["first", "second", "third", "fourth"]);
    world.check();
}

#[test]
fn who_stops_waiting_does_not_stop_the_queue() {
    let world = World::new([format!("{WELCOME}{BYE}")]);
    let pool = one_at_a_time(&world);
    let to = destination();
    let mut cx = Context::from_waker(Waker::noop());
    world.runtime.run_until(async {
        let first = pool.lend(&to).await.unwrap();
        let mut called = Box::pin(pool.lend(&to));
        assert!(called.as_mut().poll(&mut cx).is_pending());
        let mut waiting = Box::pin(pool.lend(&to));
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
        let mut last = pin!(pool.lend(&to));
        assert!(last.as_mut().poll(&mut cx).is_pending());
        drop(waiting);
        // The turn is given to one who never takes it up.
        first.give_back();
        drop(called);
        last.await.unwrap().give_back();
        pool.close().await;
    });
    world.check();
}

#[test]
fn other_destinations_do_not_wait() {
    let world = World::new([WELCOME, WELCOME]);
    let pool = one_at_a_time(&world);
    world.runtime.run_until(async {
        let _one = pool.lend(&destination()).await.unwrap();
        let _other = pool.lend(&destination()).await.unwrap();
    });
}

#[test]
fn a_connection_whose_future_was_dropped_is_not_lent_again() {
    let cut = format!("{WELCOME}C: MAIL FROM:<a@example.test>\nC: RCPT...\nC: DATA\nC: <CLOSED>\n");
    let world = World::new([cut, format!("{WELCOME}{MESSAGE}{BYE}")]);
    let pool = one_at_a_time(&world);
    let to = destination();
    let mut lent = world.runtime.run_until(pool.lend(&to)).unwrap();
    {
        let envelope = envelope();
        let mut sending = pin!(lent.send(&envelope, "x\r\n"));
        assert!(sending.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    // Not even if somebody tries.
    lent.give_back();
    assert_eq!(pool.idle(), 0);
    world.runtime.run_until(async {
        let sent = send(&pool, &to).await;
        assert_eq!(sent, "sent end of message: 250 taken");
        pool.close().await;
    });
    world.check();
}

#[test]
fn a_connection_that_is_dropped_leaves_its_place() {
    let world = World::new([format!("{WELCOME}C: <CLOSED>"), format!("{WELCOME}{BYE}")]);
    let pool = one_at_a_time(&world);
    let to = destination();
    world.runtime.run_until(async {
        drop(pool.lend(&to).await.unwrap());
        pool.lend(&to).await.unwrap().give_back();
        pool.close().await;
    });
    world.check();
}

#[test]
fn who_cannot_connect_leaves_the_place_to_the_next() {
    let world = World::new([REFUSES.into(), format!("{WELCOME}{BYE}")]);
    let pool = one_at_a_time(&world);
    let to = destination();
    world.runtime.run_until(async {
        assert!(pool.lend(&to).await.is_err());
        pool.lend(&to).await.unwrap().give_back();
        pool.close().await;
    });
    world.check();
}

#[test]
fn a_pool_that_is_closed_says_quit_to_all_and_waits_for_those_on_loan() {
    let world = World::new([format!("{WELCOME}{MESSAGE}{BYE}"), format!("{WELCOME}{BYE}")]);
    let pool = world.pool(PoolConfig { connections: 2, ..PoolConfig::default() });
    let to = destination();
    let (one, other) = world
        .runtime
        .run_until(async { (pool.lend(&to).await.unwrap(), pool.lend(&to).await.unwrap()) });
    let waiting = {
        let (pool, to) = (pool.clone(), to.clone());
        world.runtime.spawn(async move { pool.lend(&to).await.map(Lent::give_back).err() })
    };
    other.give_back();
    world.runtime.run_ready();
    let closing = {
        let pool = pool.clone();
        world.runtime.spawn(async move { pool.close().await })
    };
    world.runtime.run_ready();
    assert!(!closing.is_finished(), "one is on loan");
    world.runtime.run_until(async {
        let mut one = one;
        let report = one.send(&envelope(), "x\r\n").await;
        assert_eq!(in_words(&report), "sent end of message: 250 taken");
        one.give_back();
        closing.await;
        assert!(waiting.await.is_none(), "it came before the end");
        assert!(pool.lend(&to).await.is_err());
        assert!(send(&pool, &to).await.starts_with("delayed connecting: 4"));
    });
    world.check();
}

#[test]
fn who_waits_for_a_pool_that_is_closed_is_told_so() {
    let world = World::new([format!("{WELCOME}{BYE}")]);
    let pool = one_at_a_time(&world);
    let to = destination();
    let lent = world.runtime.run_until(pool.lend(&to)).unwrap();
    let waiting = {
        let (pool, to) = (pool.clone(), to.clone());
        world.runtime.spawn(async move { pool.lend(&to).await.map(Lent::give_back).err() })
    };
    world.runtime.run_ready();
    let closing = {
        let pool = pool.clone();
        world.runtime.spawn(async move { pool.close().await })
    };
    world.runtime.run_until(async {
        assert!(waiting.await.unwrap().to_string().contains("closing"));
        lent.give_back();
        closing.await;
    });
    world.check();
}

#[test]
fn a_connection_that_is_being_made_is_told_quit_by_a_pool_that_is_closed() {
    let world = World::new([DEAF]);
    let pool = one_at_a_time(&world);
    let to = destination();
    let opening = {
        let (pool, to) = (pool.clone(), to.clone());
        world.runtime.spawn(async move { pool.lend(&to).await.is_err() })
    };
    world.runtime.run_ready();
    world.runtime.run_until(pool.close());
    assert!(opening.is_finished(), "closing has waited for it");
}
