//! The socket, and clients that do not behave.

use crate::{far::Far, site::eventually, world::World};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    thread,
};

const MESSAGE: &[u8] = b"Subject: Tea\r\n\r\nAt four.\r\n";

fn connect(world: &World) -> UnixStream {
    UnixStream::connect(world.data().join("control")).unwrap()
}

/// A connection that was let in: those of commands that have ended may take its place for a moment.
fn admitted(world: &World) -> UnixStream {
    loop {
        let mut stream = connect(world);
        // It fails where the server has closed before.
        let _ = stream.write_all(b"{\"version\":1,\"ask\":{\"totals\":{}}}\n");
        let mut begin = [0; 8];
        stream.read_exact(&mut begin).unwrap();
        if !begin.starts_with(b"{\"error\"") {
            return stream;
        }
    }
}

/// Says a line, and hears the first of the answers.
fn ask(world: &World, line: &str) -> Value {
    let mut stream = connect(world);
    stream.write_all(format!("{line}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}

#[test]
fn the_socket_is_for_the_owner_only_and_goes_with_the_server() {
    let mut world = World::new();
    let socket = world.data().join("control");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    world.stop();
    assert!(!socket.exists());
    world.start();
    // Killed, it leaves the socket: the command and the next server do not mind.
    let mut server = world.server.take().unwrap();
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    assert!(socket.exists());
    assert_eq!(world.queue(&["list"]).out, "the queue is empty\n");
    world.start();
    assert_eq!(world.queue(&["list"]).out, "the queue is empty\n");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn many_commands_at_once_wait_for_each_other() {
    let mut world = World::new();
    world.send("<me@a.example>", &["<you@b.example>"], MESSAGE);
    world.until_attempts(&[1]);
    for _ in 0..2 {
        thread::scope(|scope| {
            for number in 0..8 {
                let world = &world;
                scope.spawn(move || {
                    let action: &[&str] = match number % 4 {
                        0 => &["hold", "--all"],
                        1 => &["release", "--all"],
                        _ => &["list"],
                    };
                    let said = world.queue(action);
                    assert!([0, 3].contains(&said.code) && said.error.is_empty(), "{said:?}");
                });
            }
        });
        assert_eq!(world.list().len(), 1);
        if world.server.is_some() {
            world.stop();
        }
    }
}

#[test]
fn clients_that_stall_hold_up_neither_mail_nor_the_end() {
    let mut world = World::new();
    let long = "x".repeat(60_000);
    world.send(
        "<me@a.example>",
        &["<you@b.example>"],
        long.as_bytes()
            .chunks(900)
            .fold(Vec::new(), |lines, line| [lines, line.to_vec(), b"\r\n".to_vec()].concat())
            .as_slice(),
    );
    world.until_attempts(&[1]);
    let id = world.list()[0]["id"].as_str().unwrap().to_owned();
    let mut stalled = Vec::new();
    for number in 0..16 {
        let mut stream = admitted(&world);
        match number % 2 {
            0 => stream.write_all(b"{\"version\":1,").unwrap(),
            // Never reads what it asked for.
            _ => {
                let body = format!("{{\"version\":1,\"ask\":{{\"body\":{{\"id\":\"{id}\"}}}}}}\n");
                stream.write_all(body.repeat(10).as_bytes()).unwrap();
            }
        }
        stalled.push(stream);
    }
    let said = world.queue(&["list"]);
    assert_eq!(said.code, 1);
    assert_eq!(said.error, "smtp-mta: too many commands at the same time: try again\n");

    Far::start(world.far, |_, _| None);
    world.send("<me@a.example>", &["<me@a.example>"], MESSAGE);
    let new = world.data().join("mail/me/new");
    eventually("mail flows", || crate::site::files(&new).len() == 1);

    drop(stalled.split_off(8));
    eventually("there is room again", || world.queue(&["list"]).code == 0);
    world.stop();
}

#[test]
fn a_request_that_is_none_is_answered_with_a_sentence() {
    let world = World::new();
    let line = |line: &str| ask(&world, line)["error"].as_str().unwrap().to_owned();
    assert!(line("EHLO client.example").starts_with("not a request: "));
    assert!(line("{\"version\":1,\"ask\":{\"dance\":{}}}").contains("unknown variant `dance`"));
    assert!(
        line("{\"version\":1,\"ask\":{\"list\":{\"filter\":{\"form\":\"x\"}}}}").contains("`form`")
    );
    assert!(line("{\"version\":2,\"ask\":\"x\"}").contains("speaks version 1, not 2"));
    assert!(line(&"x".repeat(70_000)).contains("a line of 65536 octets at most"));
    let totals = ask(&world, "{\"version\":1,\"ask\":{\"totals\":{}}}");
    assert_eq!(totals["totals"]["messages"], 0);
}
