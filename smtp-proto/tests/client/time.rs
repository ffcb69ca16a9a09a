//! The timers (RFC 5321 §4.5.3.2).

use crate::desk::Desk;
use smtp_proto::{
    Misuse, Timer,
    client::{ClientConfig, ClientConnection, CommandId, Timeouts},
};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

type Given = Result<CommandId, Misuse>;

/// The machine gives up after exactly `bound`.
fn gives_up_after(desk: &mut Desk, bound: Duration, timer: Timer) {
    desk.tells();
    assert_eq!(desk.machine.timer(), Some(timer));
    assert_eq!(desk.machine.poll_timeout(), Some(desk.now + bound));
    desk.passes(bound - Duration::from_micros(1));
    assert!(!desk.tells().last().unwrap().starts_with("closed"));
    desk.passes(Duration::from_micros(1));
    assert_eq!(desk.tells(), [format!("closed Timeout({timer:?})")]);
}

/// C-32, C-33
#[test]
fn each_command_has_its_own_time() {
    gives_up_after(&mut Desk::new(), 5 * MINUTE, Timer::Reply);

    let mut desk = Desk::ready(&[]);
    desk.mail();
    desk.sends();
    gives_up_after(&mut desk, 5 * MINUTE, Timer::Reply);

    let mut desk = Desk::ready(&["PIPELINING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.data();
    desk.sends();
    desk.hears("250 ok\r\n");
    desk.passes(4 * MINUTE);
    desk.hears("250 ok\r\n");
    gives_up_after(&mut desk, 2 * MINUTE, Timer::Reply);

    let mut desk = Desk::ready(&["PIPELINING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.data();
    desk.sends();
    desk.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    desk.machine.end_body().unwrap();
    desk.sends();
    gives_up_after(&mut desk, 10 * MINUTE, Timer::Reply);

    let mut desk = Desk::ready(&[]);
    desk.machine.quit().unwrap();
    desk.sends();
    gives_up_after(&mut desk, MINUTE, Timer::Reply);
}

#[test]
fn a_server_that_takes_nothing_is_given_up_after_the_time_of_a_block() {
    let mut desk = Desk::ready(&["PIPELINING"]);
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.data();
    desk.sends();
    desk.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    let mut rest = &b"some text\r\n"[..];
    desk.machine.body(&mut rest, &mut [&[][..]; 3]).unwrap();
    desk.tells();
    assert_eq!(desk.machine.timer(), Some(Timer::Flush));
    // Whatever it takes begins the time anew.
    desk.passes(2 * MINUTE);
    desk.machine.handle_transmitted(1);
    gives_up_after(&mut desk, 3 * MINUTE, Timer::Flush);
}

#[test]
fn nothing_runs_while_the_next_move_is_ours() {
    let mut desk = Desk::ready(&["AUTH LOGIN"]);
    assert_eq!(desk.machine.poll_timeout(), None);
    let auth = desk.machine.auth(&smtp_proto::wire::Mechanism::LOGIN, None);
    desk.give(auth);
    desk.sends();
    desk.hears("334 \r\n");
    assert_eq!(desk.machine.poll_timeout(), None);
    desk.machine.respond(b"x").unwrap();
    desk.sends();
    gives_up_after(&mut desk, 5 * MINUTE, Timer::Reply);
}

#[test]
fn the_handshake_has_its_time() {
    let mut desk = Desk::ready(&["STARTTLS"]);
    desk.machine.start_tls().unwrap();
    desk.sends();
    desk.hears("220 go\r\n");
    gives_up_after(&mut desk, MINUTE, Timer::Handshake);
}

#[test]
fn the_times_can_be_set() {
    let seconds = Duration::from_secs;
    let mut timeouts = Timeouts::default();
    timeouts.greeting = seconds(1);
    timeouts.command = seconds(2);
    timeouts.mail = seconds(3);
    timeouts.rcpt = seconds(4);
    timeouts.data = seconds(5);
    timeouts.block = seconds(6);
    timeouts.message = seconds(7);
    timeouts.quit = seconds(8);
    timeouts.handshake = seconds(9);
    timeouts.linger = seconds(10);
    let config = ClientConfig::builder().timeouts(timeouts).build();
    gives_up_after(&mut Desk::with(config.clone()), seconds(1), Timer::Reply);
    // A command leaves, and there is no reply.
    let after = |hears: &str, give: fn(&mut ClientConnection) -> Given, bound| {
        let mut desk = Desk::ready_with(config.clone(), &["PIPELINING", "CHUNKING"]);
        desk.mail();
        desk.rcpt("<a@example.org>");
        desk.sends();
        desk.hears(hears);
        give(&mut desk.machine).unwrap();
        desk.sends();
        gives_up_after(&mut desk, bound, Timer::Reply);
    };
    let two = "250 ok\r\n250 ok\r\n";
    after(two, ClientConnection::rset, seconds(2));
    after("", ClientConnection::data, seconds(3));
    after("250 ok\r\n", ClientConnection::data, seconds(4));
    after(two, ClientConnection::data, seconds(5));
    after(two, |machine| machine.bdat(0, true), seconds(7));

    let mut desk = Desk::ready_with(config.clone(), &[]);
    desk.machine.noop().unwrap();
    gives_up_after(&mut desk, seconds(6), Timer::Flush);
    let mut desk = Desk::ready_with(config.clone(), &[]);
    desk.machine.quit().unwrap();
    desk.sends();
    gives_up_after(&mut desk, seconds(8), Timer::Reply);
    assert_eq!(desk.machine.poll_timeout(), Some(desk.now + seconds(10)));
    let mut desk = Desk::ready_with(config, &["STARTTLS"]);
    desk.machine.start_tls().unwrap();
    desk.sends();
    desk.hears("220 go\r\n");
    gives_up_after(&mut desk, seconds(9), Timer::Handshake);
}

#[test]
fn after_the_end_there_is_a_time_to_close() {
    let mut desk = Desk::ready(&[]);
    desk.hears("421 bye\r\n");
    assert_eq!(desk.machine.timer(), Some(Timer::Linger));
    desk.passes(10 * MINUTE);
    assert_eq!(desk.machine.poll_timeout(), None);
    assert_eq!(desk.tells(), ["closed Unavailable"]);
    assert_eq!(desk.machine.poll_timeout(), None);
}
