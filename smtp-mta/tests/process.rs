//! The program as it is started and stopped.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod site;

use rustix::process::Signal;
use site::{
    Client, eventually, files,
    program::{Server, output},
    without_trace,
};
use std::{
    collections::HashSet,
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    sync::mpsc::{self, Sender},
    thread,
};

#[test]
fn without_arguments_mail_for_you_at_localhost_is_received() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(&folder.path().join("data"));
    Client::greeted(server.address).deliver(&["you@localhost"], b"text\r\n.\r\n", "250 ");
    let new = folder.path().join("data/mail/you/new");
    eventually("it is in the mailbox", || files(&new).len() == 1);

    server.signal(Signal::TERM);
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    server.out.read_to_string(&mut said).unwrap();
    assert!(said.contains("swaks ") && said.contains("curl "), "{said}");
}

#[test]
fn a_log_that_cannot_be_written_costs_no_message() {
    let folder = tempfile::tempdir().unwrap();
    // A device on which there is no room, ever.
    let log = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let arguments = ["--port", "0", "--data", folder.path().to_str().unwrap()];
    let server = Server::logging_to(log.into(), &arguments);
    let mut client = Client::greeted(server.address);
    client.deliver(&["you@localhost"], b"text\r\n.\r\n", "250 ");
    client.deliver(&["you@localhost"], b"text\r\n.\r\n", "250 ");
    client.ask("QUIT", "221 ");
    let new = folder.path().join("mail/you/new");
    eventually("they are in the mailbox", || files(&new).len() == 2);
    server.stop();
}

#[test]
fn a_hangup_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let mut client = Client::greeted(server.address);
    server.signal(Signal::HUP);
    client.deliver(&["you@localhost"], b"text\r\n.\r\n", "250 ");
    drop(client);
    server.signal(Signal::INT);
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_port_in_use_is_one_line_and_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let data = folder.path().to_str().unwrap();
    let output = output(&["--port", &port, "--data", data]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let line = said.lines().last().unwrap();
    assert_eq!(
        line,
        format!("smtp-mta: cannot listen on 127.0.0.1:{port}: another program uses this port")
    );
}

#[test]
fn check_names_the_place_of_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mta.toml");
    let path = path.to_str().unwrap();
    fs::write(path, "[log]\nformt = 'json'\n").unwrap();
    let wrong = output(&["check", "--config", path]);
    assert_eq!(wrong.status.code(), Some(1));
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert!(said.starts_with(&format!("smtp-mta: {path}:2:1: unknown key `formt`")), "{said}");

    fs::write(path, "[log]\nformat = 'json'\n").unwrap();
    let right = output(&["check", "--config", path]);
    assert_eq!(right.status.code(), Some(0));
    assert_eq!(String::from_utf8(right.stdout).unwrap(), format!("{path} is right\n"));
}

/// Sends the same message again and again; tells the name of each that was acknowledged.
fn send_until_cut(address: SocketAddr, body: &[u8], told: &Sender<String>) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    let mut replies = BufReader::new(stream.try_clone()?).lines();
    let mut reply = || match replies.next() {
        Some(line) => line,
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    };
    reply()?;
    stream.write_all(b"HELO client.example\r\n")?;
    reply()?;
    loop {
        stream.write_all(b"MAIL FROM:<>\r\nRCPT TO:<you@localhost>\r\nDATA\r\n")?;
        for _ in 0..3 {
            reply()?;
        }
        stream.write_all(body)?;
        stream.write_all(b".\r\n")?;
        let line = reply()?;
        let id = line.strip_prefix("250 2.0.0 Ok: ").or(line.strip_prefix("250 Ok: "));
        drop(told.send(id.unwrap_or_else(|| panic!("{line}")).to_owned()));
    }
}

#[test]
fn a_killed_server_has_every_message_it_acknowledged_and_no_part_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let body = b"0123456789\r\n".repeat(8_000);
    let mut acknowledged = HashSet::new();
    for round in 1..=3 {
        let server = Server::start(folder.path());
        let (told, ids) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..4 {
                let (told, body, address) = (told.clone(), &body, server.address);
                scope.spawn(move || send_until_cut(address, body, &told));
            }
            drop(told);
            // After a few acknowledgements each client is somewhere in a message.
            acknowledged.extend(ids.iter().take(7 * round));
            server.signal(Signal::KILL);
            acknowledged.extend(ids);
        });
    }
    assert!(acknowledged.len() >= 42, "{}", acknowledged.len());

    // The next start removes what was left behind, and delivers what is in the queue.
    let mut server = Server::start(folder.path());
    let new = folder.path().join("mail/you/new");
    eventually("everything is in the mailbox", || {
        let id =
            |path: &PathBuf| path.to_str().unwrap().split('.').rev().nth(1).unwrap().to_owned();
        let stored: HashSet<_> = files(&new).iter().map(id).collect();
        acknowledged.is_subset(&stored)
    });
    server.signal(Signal::TERM);
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    assert!(files(&folder.path().join("tmp")).is_empty());
    for path in files(&new) {
        let message = fs::read(&path).unwrap();
        assert!(without_trace(&message) == body, "{} is a part", path.display());
    }
}
