//! What a connection costs, counted: size, allocations, and what it keeps while idle.

#![allow(clippy::expect_used, clippy::panic, reason = "this is how a test fails")]

use allocation_counter::measure;
use fuzz_properties::embedder::{self, Answer, Question};
use smtp_proto::{
    Instant, Limits, Need, Step,
    server::{BareLineEnding, Event, Mode, ServerConfig, ServerConnection, Start},
    wire::{Hello, MAX_REPLY},
};
use std::{hint::black_box, sync::Arc};

const NOW: Instant = Instant::from_secs(1);

fn config(tune: impl FnOnce(&mut Limits)) -> Arc<ServerConfig> {
    let mut limits = Limits::default();
    limits.decisions_in_flight = 32;
    tune(&mut limits);
    embedder::config(Mode::Smtp, embedder::extensions(), limits, BareLineEnding::Refuse)
}

/// Says yes to all that `input` asks, and throws away what it is given. Allocates nothing.
fn run(machine: &mut ServerConnection, input: &[u8]) {
    let mut input = input;
    loop {
        match machine.poll_event(&mut input, NOW) {
            Step::Event(event) => {
                if let Ok(question) = Question::of(event) {
                    question.answer(machine, Answer::Yes).expect("just asked");
                }
            }
            Step::Need(need) => {
                while let Some(output) = machine.poll_transmit() {
                    let n = black_box(output).len();
                    machine.handle_transmitted(n);
                }
                if need != Need::Flush {
                    assert!(input.is_empty(), "the script is whole");
                    return;
                }
            }
            Step::Closed(why) => panic!("{why:?}"),
        }
    }
}

const TRANSACTION: &[u8] = b"MAIL FROM:<\"a b\"@[IPv6:2001:db8::1]> SIZE=1000 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb \
    BY=120;RT MT-PRIORITY=-1\r\n\
    RCPT TO:<@r.example:c@d.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;c+40d.example\r\n\
    RCPT TO:<\xc3\xbc@d.example>\r\nRCPT TO:<Postmaster>\r\nRCPT TO:<>\r\nNOOP x\r\nVRFY c\r\n\
    MAIL FROM:<>\r\nRSET\r\nXYZZY\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n";

const BODY: &[u8] = b"Subject: x\r\n\r\n..stuffed\r\n.dot\r\nline\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n\
    BDAT 5\r\nabcdeBDAT 3 LAST\r\nxyz";

#[test]
fn a_connection_fits_in_512_octets() {
    let size = size_of::<ServerConnection>();
    assert!(size <= 512, "{size}");
}

#[test]
fn no_command_and_no_piece_of_a_body_allocates() {
    let mut machine =
        ServerConnection::new(config(|limits| limits.violations = 9_999), Start::Plain);
    run(&mut machine, b"EHLO client.example\r\n");
    // The first round makes the buffers as large as they get.
    run(&mut machine, TRANSACTION);
    run(&mut machine, BODY);
    let counted = measure(|| {
        for _ in 0..100 {
            run(&mut machine, TRANSACTION);
            run(&mut machine, BODY);
        }
    });
    assert_eq!(machine.session().transactions, 303);
    assert_eq!(counted.count_total, 0);
}

#[test]
fn an_idle_connection_has_no_memory_but_its_own() {
    let config = config(|_| {});
    let mut kept = None;
    let counted = measure(|| {
        let mut machine = ServerConnection::new(Arc::clone(&config), Start::Plain);
        run(&mut machine, b"EHLO client.example\r\nNOOP\r\n");
        machine.release();
        kept = Some(machine);
    });
    assert!(counted.count_total > 0, "the greeting was allocated");
    assert_eq!(counted.bytes_current, 0, "and given back");
    assert_eq!(kept.map(|machine| machine.session().hello), Some(Some(Hello::Ehlo)));
}

/// SEC-DOS-06
#[test]
fn replies_to_a_peer_that_does_not_read_stay_within_the_output_mark() {
    let config = config(|_| {});
    let mark = config.limits().send_buffer as u64;
    let mut machine = ServerConnection::new(config, Start::Plain);
    run(&mut machine, b"EHLO client.example\r\nMAIL FROM:<>\r\n");
    machine.release();
    let commands =
        b"RCPT TO:<a@b.example>\r\nHELP\r\nEHLO x.example\r\nMAIL FROM:<>\r\n".repeat(2_000);
    let mut open = Vec::with_capacity(64);
    let counted = measure(|| {
        let mut input = &commands[..];
        loop {
            match machine.poll_event(&mut input, NOW) {
                Step::Event(event) => {
                    if let Ok(question) = Question::of(event) {
                        open.push(question);
                    }
                }
                Step::Need(Need::Decision) => {
                    // The last first: their replies wait in the buffer.
                    while let Some(question) = open.pop() {
                        question.answer(&mut machine, Answer::InWords).expect("just asked");
                    }
                }
                Step::Need(_) => break,
                Step::Closed(why) => panic!("{why:?}"),
            }
        }
    });
    assert!(counted.bytes_max >= mark / 2, "{}", counted.bytes_max);
    // The mark and two replies; while it grows a smaller buffer, and the slots of the questions.
    let most = mark + 2 * MAX_REPLY as u64;
    assert!(counted.bytes_max <= most + 2 * MAX_REPLY as u64, "{} of {most}", counted.bytes_max);
}

#[test]
fn a_peer_that_always_leaves_a_little_unread_does_not_make_the_buffer_grow() {
    let config = config(|_| {});
    let mark = config.limits().send_buffer as u64;
    let mut machine = ServerConnection::new(config, Start::Plain);
    run(&mut machine, b"EHLO client.example\r\n");
    machine.release();
    let (few, many) = (b"NOOP\r\n".repeat(3), b"NOOP\r\n".repeat(400));
    let counted = measure(|| {
        for commands in [&few, &many].into_iter().cycle().take(200) {
            let mut input = &commands[..];
            let step = machine.poll_event(&mut input, NOW);
            assert!(matches!(step, Step::Need(Need::Input)) && input.is_empty());
            let queued = machine.poll_transmit().map_or(0, <[u8]>::len);
            machine.handle_transmitted(queued - 1);
        }
    });
    let most = mark + 4 * MAX_REPLY as u64;
    assert!(counted.bytes_max <= most, "{} of {most}", counted.bytes_max);
}

/// Feeds `octets` of body by 16 KiB pieces, and counts those that come out.
fn stream(machine: &mut ServerConnection, piece: &[u8], octets: u64) -> u64 {
    let (mut fed, mut got) = (0, 0);
    while fed < octets {
        let n = (octets - fed).min(piece.len() as u64);
        let mut input = &piece[..n as usize];
        fed += n;
        loop {
            match machine.poll_event(&mut input, NOW) {
                Step::Event(Event::Body(piece)) => got += piece.len() as u64,
                Step::Need(Need::Input) => break,
                step => panic!("{step:?}"),
            }
        }
        assert!(input.is_empty(), "a line of text leaves nothing unread");
    }
    got
}

#[test]
fn ten_gibibytes_pass_in_chunks_and_a_quarter_in_data_without_an_allocation() {
    const GIB: u64 = 1 << 30;
    let mut machine =
        ServerConnection::new(config(|limits| limits.message = 16 * GIB), Start::Plain);
    run(&mut machine, b"EHLO client.example\r\n");
    let piece = [&[b'x'; 1022][..], b"\r\n"].concat().repeat(16);
    for (start, octets, end) in [
        (format!("BDAT {}\r\n", 10 * GIB), 10 * GIB, "BDAT 0 LAST\r\n"),
        ("DATA\r\n".into(), GIB / 4, ".\r\n"),
    ] {
        run(&mut machine, b"MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n");
        run(&mut machine, start.as_bytes());
        let counted = measure(|| assert_eq!(stream(&mut machine, &piece, octets), octets));
        assert_eq!(counted.count_total, 0, "{start}");
        assert_eq!(machine.session().size, octets);
        run(&mut machine, end.as_bytes());
    }
}
