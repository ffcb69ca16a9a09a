//! The octets of a message of 1 MiB, on their way in and out.

use super::{Case, Work, counted};
use memchr::memmem::Finder;
use smtp_proto::{
    body::{DotReader, Encoder, Framing, LineEndings, Piece},
    server::BareLineEnding,
};
use stalwart::request::receiver::DataReceiver;
use std::hint::black_box;

/// How many lines begin with a dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dots {
    None,
    OneInHundred,
    All,
}

const SIZE: usize = 1 << 20;

const fn case(task: &'static str, subject: &'static str, prepare: fn() -> Work) -> Case {
    Case { task, subject, octets: Some(SIZE), prepare }
}

const READ_PLAIN: &str = "read 1 MiB, no dots";
const READ_SOME: &str = "read 1 MiB, 1 % stuffed";
const READ_ALL: &str = "read 1 MiB, all stuffed";
const SEND_PLAIN: &str = "send 1 MiB, no dots";
const SEND_SOME: &str = "send 1 MiB, 1 % dots";
const SEND_ALL: &str = "send 1 MiB, all dots";

pub(super) const CASES: &[Case] = &[
    case(READ_PLAIN, "smtp-proto", || read(Dots::None)),
    case(READ_PLAIN, "memmem", || search(wire(Dots::None), b"\r\n.")),
    case(READ_PLAIN, "memcpy", || copy(wire(Dots::None))),
    case(READ_PLAIN, "Stalwart", || stalwart_read(Dots::None)),
    case(READ_SOME, "smtp-proto", || read(Dots::OneInHundred)),
    case(READ_SOME, "memmem", || search(wire(Dots::OneInHundred), b"\r\n.")),
    case(READ_SOME, "memcpy", || copy(wire(Dots::OneInHundred))),
    case(READ_SOME, "Stalwart", || stalwart_read(Dots::OneInHundred)),
    case(READ_ALL, "smtp-proto", || read(Dots::All)),
    case(READ_ALL, "memmem", || search(wire(Dots::All), b"\r\n.")),
    case(READ_ALL, "memcpy", || copy(wire(Dots::All))),
    case(READ_ALL, "Stalwart", || stalwart_read(Dots::All)),
    case(SEND_PLAIN, "smtp-proto", || send(Dots::None)),
    case(SEND_PLAIN, "memmem", || search(message(Dots::None), b"\n.")),
    case(SEND_PLAIN, "memcpy", || copy(message(Dots::None))),
    case(SEND_SOME, "smtp-proto", || send(Dots::OneInHundred)),
    case(SEND_SOME, "memmem", || search(message(Dots::OneInHundred), b"\n.")),
    case(SEND_SOME, "memcpy", || copy(message(Dots::OneInHundred))),
    case(SEND_ALL, "smtp-proto", || send(Dots::All)),
    case(SEND_ALL, "memmem", || search(message(Dots::All), b"\n.")),
    case(SEND_ALL, "memcpy", || copy(message(Dots::All))),
];

/// Lines of 76 octets, CRLF not counted.
fn lines(dots: Dots, dot: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(SIZE + 128);
    for number in 0.. {
        if octets.len() + 78 > SIZE {
            break;
        }
        let start = octets.len();
        if dots == Dots::All || dots == Dots::OneInHundred && number % 100 == 50 {
            octets.extend_from_slice(dot);
        }
        octets.resize(start + 76, b'x');
        octets.extend_from_slice(b"\r\n");
    }
    octets
}

/// A message as it is.
fn message(dots: Dots) -> Vec<u8> {
    lines(dots, b".")
}

/// A message as it travels behind DATA.
pub(super) fn wire(dots: Dots) -> Vec<u8> {
    let mut wire = lines(dots, b"..");
    wire.extend_from_slice(b".\r\n");
    wire
}

fn read(dots: Dots) -> Work {
    let wire = wire(dots);
    Box::new(move || {
        let mut input = black_box(&wire[..]);
        let end = counted(|| {
            let mut reader = DotReader::new(BareLineEnding::Refuse);
            loop {
                match reader.next(&mut input) {
                    Piece::Data(octets) => _ = black_box(octets),
                    end => break end,
                }
            }
        });
        assert_eq!(end, Piece::End);
    })
}

fn stalwart_read(dots: Dots) -> Work {
    let wire = wire(dots);
    let mut message = Vec::with_capacity(SIZE + 128);
    Box::new(move || {
        message.clear();
        let mut input = black_box(&wire[..]).iter();
        assert!(counted(|| DataReceiver::new().ingest(&mut input, &mut message)));
        black_box(&message);
    })
}

fn send(dots: Dots) -> Work {
    let message = message(dots);
    Box::new(move || {
        let mut input = black_box(&message[..]);
        let sent = counted(|| {
            let mut encoder = Encoder::new(Framing::Dot, LineEndings::Check, true);
            while !input.is_empty() {
                let mut pieces = [&b""[..]; 64];
                let filled = encoder.encode(&mut input, &mut pieces)?;
                black_box(&pieces[..filled]);
            }
            encoder.finish()
        });
        assert_eq!(sent, Ok(&b".\r\n"[..]));
    })
}

/// Looks for all places of `needle`.
fn search(octets: Vec<u8>, needle: &'static [u8]) -> Work {
    let finder = Finder::new(needle);
    Box::new(move || {
        let octets = black_box(&octets[..]);
        black_box(counted(|| finder.find_iter(octets).count()));
    })
}

fn copy(octets: Vec<u8>) -> Work {
    let mut other = vec![0; octets.len()];
    Box::new(move || {
        let octets = black_box(&octets[..]);
        counted(|| other.copy_from_slice(octets));
        black_box(&other);
    })
}
