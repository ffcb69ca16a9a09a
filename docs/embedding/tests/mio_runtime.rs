//! The adapter of `mio_runtime` says what every other says.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use embedding::mio_runtime::{Mio, MioListener};
use smtp_driver::{Acceptor, Runtime, Server, Service, Timer};
use std::{future::poll_fn, net::Ipv4Addr, time::Duration};
use testkit::{bare::Bare, policy::Policy, suite, tls::Authority};

#[test]
fn every_dialogue_is_spoken_as_the_bare_machine_speaks_it() {
    let runtime = Mio::new().unwrap();
    let policy = Policy::new();
    let listener = MioListener::bind(&runtime, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let service = Service::new(suite::config()).unwrap().credentials(policy.clone());
    let server = Server::new(runtime.clone(), service, policy.clone());
    let serving = suite::with_server(server, listener, move || suite::run(address));
    let said = runtime.block_on(serving).unwrap();
    assert_eq!(said, suite::run_over(|| Bare::new(suite::config(), Policy::new())));
    assert_eq!(policy.delivered(), suite::delivered());
}

#[test]
fn starttls_works() {
    let runtime = Mio::new().unwrap();
    let (policy, authority) = (Policy::new(), Authority::new());
    let listener = MioListener::bind(&runtime, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = Acceptor::new(authority.server_config(&["mx.example.test"]));
    let service = Service::new(suite::starttls_config()).unwrap();
    let service = service.starttls(acceptor).credentials(policy.clone());
    let server = Server::new(runtime.clone(), service, policy.clone());
    let client = move || drop(suite::run_starttls(address, &authority));
    runtime.block_on(suite::with_server(server, listener, client)).unwrap();
    assert_eq!(policy.delivered().len(), 1);
}

#[test]
fn a_deadline_that_is_moved_while_somebody_waits_fires_at_its_new_time() {
    let runtime = Mio::new().unwrap();
    let (start, mut timer) = (runtime.now(), runtime.timer());
    timer.set(Some(start + Duration::from_secs(3600)));
    let mut moved = false;
    let waiting = poll_fn(|cx| {
        let fired = timer.poll_fired(cx);
        if !moved {
            moved = true;
            timer.set(Some(start + Duration::from_millis(1)));
        }
        fired
    });
    runtime.block_on(waiting).unwrap();
    assert!(runtime.now() >= start + Duration::from_millis(1));
}
