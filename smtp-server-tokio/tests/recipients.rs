//! A hundred pipelined recipients whose look-ups take 50 ms each, in tokio's virtual time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use smtp_driver::Service;
use smtp_server_tokio::{Server, TcpListener, Tokio, TokioStream};
use std::{net::Ipv4Addr, time::Duration};
use testkit::{line::StreamLine, policy::Policy, suite};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

const LOOK_UP: Duration = Duration::from_millis(50);

#[tokio::test(start_paused = true)]
async fn a_hundred_recipients_take_the_time_of_four_and_are_answered_in_order() {
    let policy = Policy::new().before_rcpt(|| sleep(LOOK_UP));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new(Tokio::new(), Service::new(suite::config()).unwrap(), policy);
    tokio::spawn(server.run(listener));

    let start = Instant::now();
    let socket = TcpStream::connect(address).await.unwrap();
    let mut line = StreamLine::new(TokioStream::from(socket), Tokio::new());
    suite::hundred_recipients().run(&mut line).await.unwrap();
    // tokio's timers are as fine as a millisecond, and never early.
    let most = 4 * (LOOK_UP + Duration::from_millis(1));
    let taken = start.elapsed();
    assert!((4 * LOOK_UP..=most).contains(&taken), "{taken:?}");
}
