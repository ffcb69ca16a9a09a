//! The chapter about the queue.

use crate::{
    console,
    far::Far,
    site::{
        Client, eventually,
        program::{Server, output},
    },
};
use std::{fs, net::TcpListener, path::Path};
use testkit::dns::Zone;

const ZONE: &str = "b.example MX 10 mx.b.example
    mx.b.example A 127.0.0.4
    c.example MX 10 mx.c.example
    mx.c.example A 127.0.0.5";

fn send(server: &Server, from: &str, to: &[&str]) {
    let mut client = Client::greeted(server.address);
    client.ask(&format!("MAIL FROM:{from}"), "250 ");
    for to in to {
        client.ask(&format!("RCPT TO:{to}"), "250 ");
    }
    client.ask("DATA", "354 ");
    client.send(b"From: ada@example.org\r\nSubject: Tea\r\n\r\nAt four.\r\n.\r\n");
    client.expect("250 ");
}

fn attempts(data: &Path) -> usize {
    let said = output(&["queue", "list", "--json", "--data", data.to_str().unwrap()]);
    String::from_utf8(said.stdout).unwrap().matches("\"attempts\":1").count()
}

#[test]
fn the_queue_is_as_the_manual_shows_it() {
    let names = Zone::new(ZONE).serve();
    // Nobody else is at these addresses, and nobody listens at that of c.example.
    let b = TcpListener::bind("127.0.0.4:0").unwrap().local_addr().unwrap();
    Far::start(b, |verb, _| (verb == "RCPT").then_some("451 4.7.1 greylisted, come back later"));
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("smtp-mta-data");
    let config = folder.path().join("mta.toml");
    let text = format!(
        "hostname = 'mx.example.org'
         data_dir = '{}'
         name_servers = ['{}']
         relay_networks = ['127.0.0.0/8']
         [[listener]]
         address = '127.0.0.1:0'
         [[domain]]
         name = 'example.org'
         mailboxes = ['ada']
         [[route]]
         port = {}
         loopback = true",
        data.display(),
        names.address(),
        b.port()
    );
    fs::write(&config, text).unwrap();
    let server = Server::with(&["--config", config.to_str().unwrap()]);
    send(&server, "<ada@example.org>", &["<you@b.example>", "<she@c.example>"]);
    eventually("the first was tried", || attempts(&data) == 2);
    send(&server, "<>", &["<grace@b.example>"]);
    eventually("the second was tried", || attempts(&data) == 3);

    console::run("queue.md", folder.path());

    let db = rusqlite::Connection::open(data.join("queue/queue.db")).unwrap();
    for sql in console::blocks(&console::read("queue.md"), "sql") {
        let mut select = db.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let mut rows = select.query(()).unwrap();
        while rows.next().unwrap().is_some() {}
    }
    server.stop();
}
