//! What a connection costs, counted.

use allocation_counter::measure;
use smtp_proto::{
    Instant, Need, Start, Step,
    client::{ClientConfig, ClientConnection},
    wire::{HelloName, Mail, ReversePath},
};
use std::hint::black_box;

use crate::desk::rcpt;

const NOW: Instant = Instant::from_secs(1);

/// Hears `text`, and throws away what is told and what is to be written.
fn hear(machine: &mut ClientConnection, text: &[u8]) {
    let mut input = text;
    loop {
        while let Some(octets) = machine.poll_transmit() {
            let n = black_box(octets).len();
            machine.handle_transmitted(n);
        }
        match machine.poll_event(&mut input, NOW) {
            Step::Event(event) => drop(black_box(event)),
            Step::Need(need) => {
                assert_ne!(need, Need::Flush);
                return assert!(input.is_empty());
            }
            Step::Closed(why) => panic!("{why:?}"),
        }
    }
}

fn ready() -> ClientConnection {
    let mut machine = ClientConnection::new(ClientConfig::builder().build(), Start::Plain);
    hear(&mut machine, b"220 mx.example.test\r\n");
    machine.hello(&HelloName::parse("client.example").unwrap()).unwrap();
    hear(&mut machine, b"");
    hear(&mut machine, b"250-mx.example.test\r\n250-PIPELINING\r\n250 SIZE 1000\r\n");
    machine
}

/// A message by DATA, with its commands in one group.
fn message(machine: &mut ClientConnection, mail: &Mail<'_>, to: &smtp_proto::wire::Rcpt<'_>) {
    machine.mail(mail).unwrap();
    machine.rcpt(to).unwrap();
    machine.rcpt(to).unwrap();
    machine.data().unwrap();
    hear(machine, b"");
    hear(machine, b"250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n");
    let mut text = &b"Subject: x\r\n\r\n.dot\r\n"[..];
    let mut pieces: [&[u8]; 4] = [&[]; 4];
    while !text.is_empty() {
        let n = machine.body(&mut text, &mut pieces).unwrap();
        machine.handle_transmitted(pieces[..n].iter().map(|piece| piece.len()).sum());
    }
    machine.end_body().unwrap();
    hear(machine, b"");
    hear(machine, b"250 sent\r\n");
    assert!(machine.is_idle());
}

#[test]
fn a_connection_fits_in_768_octets() {
    let size = size_of::<ClientConnection>();
    assert!(size <= 768, "{size}");
}

#[test]
fn no_command_no_reply_and_no_piece_of_a_message_allocates() {
    let mut machine = ready();
    let (mail, to) = (Mail::new(ReversePath::Null), rcpt("<a@example.org>"));
    message(&mut machine, &mail, &to);
    let counted = measure(|| {
        for _ in 0..100 {
            message(&mut machine, &mail, &to);
        }
    });
    assert_eq!(counted.count_total, 0);
}

#[test]
fn an_idle_connection_has_no_memory_but_what_the_server_offers() {
    let mut machine = ready();
    let (mail, to) = (Mail::new(ReversePath::Null), rcpt("<a@example.org>"));
    message(&mut machine, &mail, &to);
    let counted = measure(|| {
        machine.release();
        message(&mut machine, &mail, &to);
        machine.release();
    });
    assert!(counted.count_total > 0, "buffers were made anew");
    // The first release gave back what had been allocated before.
    assert!(counted.bytes_current <= 0, "and given back: {}", counted.bytes_current);
}
