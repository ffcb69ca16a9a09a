//! A hundred pipelined recipients whose look-ups take 50 ms each.
//!
//! smol's timers cannot run in virtual time, so the look-ups and the driver's timers are testkit's;
//! the socket and the executor are smol's.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use smol::{Async, LocalExecutor, future::yield_now};
use smtp_driver::{NewHandler, Peer, Runtime, Service, proto::Instant, serve};
use smtp_server_smol::SmolStream;
use std::{
    future::pending,
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use testkit::{clock::VirtualRuntime, line::StreamLine, policy::Policy, suite};

const LOOK_UP: Duration = Duration::from_millis(50);

#[test]
fn a_hundred_recipients_take_the_time_of_four_and_are_answered_in_order() {
    let clock = VirtualRuntime::new();
    let begun = Arc::new(AtomicU32::new(0));
    let (sleeper, counter) = (clock.clone(), begun.clone());
    let policy = Policy::new().before_rcpt(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        sleeper.sleep(LOOK_UP)
    });
    let (client, server) = Async::<UnixStream>::pair().unwrap();
    let peer = Peer { remote: None, local: None };
    let handler = policy.new_handler(&peer);
    let service = Service::new(suite::config()).unwrap();
    let serving = serve(SmolStream::from(server), peer, clock.clone(), service, handler, pending());

    let executor = LocalExecutor::new();
    let served = executor.spawn(serving);
    let mut line = StreamLine::new(SmolStream::from(client), clock.clone());
    let dialogue = suite::hundred_recipients();
    let said = executor.spawn(async move { dialogue.run(&mut line).await });
    let start = std::time::Instant::now();
    smol::block_on(executor.run(async {
        // Time passes only when as many look-ups have begun as may be open at once.
        for round in [32, 64, 96, 100] {
            while begun.load(Ordering::Relaxed) < round {
                assert!(!served.is_finished() && !said.is_finished(), "ended before {round}");
                assert!(start.elapsed() < Duration::from_secs(10), "{round} never begin");
                yield_now().await;
            }
            assert_eq!(begun.load(Ordering::Relaxed), round);
            clock.run_for(LOOK_UP);
        }
        said.await.unwrap();
    }));
    assert_eq!(clock.now(), Instant::ZERO + 4 * LOOK_UP);
}
