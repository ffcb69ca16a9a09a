//! The dialogues over the driver, in memory and in virtual time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use smtp_driver::{NewHandler, Peer, Service, serve};
use smtp_proto::server::ServerConfig;
use std::{future::pending, sync::Arc, time::Duration};
use testkit::{
    bare::Bare,
    clock::VirtualRuntime,
    dialogue::{Deviation, Dialogue, Transcript},
    line::StreamLine,
    memory,
    policy::Policy,
    suite,
};

/// Runs `dialogue` over a driver behind pipes that hold `capacity` octets.
fn run(
    dialogue: &Dialogue,
    config: Arc<ServerConfig>,
    capacity: usize,
    policy: &Policy,
) -> Result<Transcript, Deviation> {
    let runtime = VirtualRuntime::new();
    let (client, server) = memory::pair(capacity);
    let peer = Peer { remote: None, local: None };
    let handler = policy.new_handler(&peer);
    let service = Service::new(config).unwrap().credentials(policy.clone());
    let serving = serve(server, peer, runtime.clone(), service, handler, pending());
    drop(runtime.spawn(serving));
    runtime.run_until(async {
        let mut line = StreamLine::new(client, runtime.clone());
        dialogue.run(&mut line).await
    })
}

#[test]
fn the_driver_says_what_the_bare_machine_says_however_narrow_the_pipe() {
    let bare = suite::run_over(|| Bare::new(suite::config(), Policy::new()));
    for capacity in [64 << 10, 600, 1] {
        let policy = Policy::new();
        for ((name, text), (_, expected)) in suite::DIALOGUES.into_iter().zip(&bare) {
            let dialogue = text.parse().unwrap();
            let said =
                run(&dialogue, suite::config(), capacity, &policy).unwrap_or_else(|deviation| {
                    panic!("{name}.smtp over pipes of {capacity}: {deviation:?}")
                });
            assert_eq!(said, *expected, "{name} over pipes of {capacity}");
        }
        assert_eq!(policy.delivered(), suite::delivered());
    }
}

#[test]
fn a_silent_client_is_told_421_after_five_minutes_of_virtual_time() {
    let dialogue = "S: 220\nT: 299s\nC: NOOP\nS: 250\nT: 301s\nS: 421\nS: <CLOSED>";
    run(&dialogue.parse().unwrap(), suite::config(), 4096, &Policy::new()).unwrap();
}

#[test]
fn a_policy_that_takes_too_long_is_answered_for_by_the_machine() {
    let clock = VirtualRuntime::new();
    let policy = Policy::new().before_rcpt(move || clock.sleep(Duration::from_secs(1)));
    // The policy sleeps on a clock that nobody runs: only the machine's own timer helps.
    let dialogue = "S: 220\nC: EHLO client.example.test\nS: 250\nC: MAIL FROM:<>\nS: 250\n\
                    C: RCPT TO:<user1@example.test>\nS: 451 4.3.0 ...\nC: QUIT\nS: 221\nS: <CLOSED>";
    run(&dialogue.parse().unwrap(), suite::config(), 4096, &policy).unwrap();
}

#[test]
fn the_driver_speaks_lmtp() {
    let policy = Policy::new();
    let (dialogue, delivered) = suite::lmtp();
    run(&dialogue, suite::lmtp_config(), 4096, &policy).unwrap();
    assert_eq!(policy.delivered(), delivered);
}
