//! Whole transactions, in memory.

use super::{Case, Work, counted};
use crate::{
    cases::body::{Dots, wire},
    discard,
    script::{Accepting, envelope, serve_script},
};
use mailin::{Session, SessionBuilder};
use smtp_driver::Service;
use std::{hint::black_box, net::IpAddr, sync::Arc};

const ONE: &str = "a transaction, command by command";
const MANY: &str = "100 recipients, pipelined";
const LARGE: &str = "a session with 1 MiB";
const MESSAGE: &[u8] = b"Subject: x\r\n\r\nA line of text.\r\n.\r\n";

pub(super) const CASES: &[Case] = &[
    Case { task: ONE, subject: "smtp-proto", octets: None, prepare: || ours(&commands(1)) },
    Case { task: ONE, subject: "mailin", octets: None, prepare: || of_mailin(1) },
    Case { task: MANY, subject: "smtp-proto", octets: None, prepare: pipelined },
    Case { task: MANY, subject: "smtp-driver", octets: None, prepare: || driven(100, MESSAGE) },
    Case { task: MANY, subject: "mailin", octets: None, prepare: || of_mailin(100) },
    Case { task: LARGE, subject: "smtp-proto", octets: Some(1 << 20), prepare: large },
    Case {
        task: LARGE,
        subject: "smtp-driver",
        octets: Some(1 << 20),
        prepare: || driven(1, &wire(Dots::None)),
    },
];

/// The lines of a transaction, each by itself.
fn commands(recipients: usize) -> Vec<Vec<u8>> {
    let envelope = envelope(recipients);
    let lines = envelope.split_inclusive(|&octet| octet == b'\n');
    lines.chain(MESSAGE.split_inclusive(|&octet| octet == b'\n')).map(<[u8]>::to_vec).collect()
}

#[expect(clippy::expect_used, reason = "the configuration is a constant")]
fn machine() -> Accepting {
    Accepting::greeted(discard::config().expect("it is valid"))
}

/// The machine is fed these parts, and its replies are taken after each.
fn ours(parts: &[Vec<u8>]) -> Work {
    let (mut machine, parts) = (machine(), parts.to_vec());
    Box::new(move || {
        counted(|| parts.iter().map(|part| machine.feed(black_box(part))).sum::<usize>());
    })
}

fn pipelined() -> Work {
    ours(&[envelope(100), MESSAGE.to_vec()])
}

/// The message comes by 16 KiB, as it does from the driver's buffers.
fn large() -> Work {
    let mut parts = vec![envelope(1)];
    // Cut between lines, for nothing offers again here what was left unread.
    parts.extend(wire(Dots::None).chunks(78 * 210).map(<[u8]>::to_vec));
    ours(&parts)
}

#[expect(clippy::expect_used, reason = "the configuration is a constant")]
fn driven(recipients: usize, message: &[u8]) -> Work {
    let config = discard::config().expect("it is valid");
    let service = Service::new(config).expect("the buffers are large enough");
    let parts: Vec<Arc<[u8]>> = vec![
        b"EHLO client.example\r\n"[..].into(),
        envelope(recipients).into(),
        message.into(),
        b"QUIT\r\n"[..].into(),
    ];
    Box::new(move || counted(|| serve_script(black_box(&service), &parts)))
}

struct Discard;

impl mailin::Handler for Discard {}

fn of_mailin(recipients: usize) -> Work {
    let mut session: Session<Discard> =
        SessionBuilder::new("mx.example").build(IpAddr::from([127, 0, 0, 1]), Discard);
    let mut replies = Vec::with_capacity(16 << 10);
    session.process(b"EHLO client.example\r\n");
    let lines = commands(recipients);
    Box::new(move || {
        counted(|| {
            replies.clear();
            for line in &lines {
                let reply = session.process(black_box(line));
                debug_assert!(!reply.is_error);
                // Writing to memory does not fail.
                let _ = reply.write_to(&mut replies);
            }
        });
        black_box(&replies);
    })
}
