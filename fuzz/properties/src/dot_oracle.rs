//! The dot machine against a reference that is too simple to be wrong.

use crate::{
    embedder::{Answer, NOW, Question, config, drain, extensions, lead},
    replies,
};
use smtp_proto::{
    CloseReason, Limits, Need, Step, Violation,
    server::{Aborted, BareLineEnding, Event, Mode, ServerConnection, Start},
};

/// A message after DATA is exactly what RFC 5321 §4.5.2 says of its octets: it ends at the first
/// `CRLF . CRLF` (or a first line `. CRLF`) and at nothing else, one dot is gone from the front of
/// each line that had one, and a bare CR or LF is refused, turned into CRLF or kept, but is never a
/// part of the structure. The machine reads no octet behind the end.
///
/// The first octet of `data` chooses what becomes of bare CR and LF, and the size of the pieces in
/// which the octets are offered besides whole and one by one; the rest is what follows the 354.
///
/// # Panics
/// If it is not so.
pub fn dot_oracle(data: &[u8]) {
    let [flags, wire @ ..] = data else { return };
    let bare = match flags & 3 {
        0 | 3 => BareLineEnding::Refuse,
        1 => BareLineEnding::Normalise,
        _ => BareLineEnding::Pass,
    };
    let expected = reference(wire);
    for step in [usize::MAX, 1, usize::from(flags >> 2) + 2] {
        compare(expected.as_ref(), &run(wire, bare, step), bare);
    }
}

fn compare(expected: Option<&Expected>, found: &Found, bare: BareLineEnding) {
    let Some(expected) = expected else {
        assert_eq!(found.end, None, "the message has no end");
        return;
    };
    if bare == BareLineEnding::Refuse && expected.has_bare() {
        assert_eq!(found.end, None, "a message with a bare CR or LF is refused");
        assert_eq!(found.aborted, Some(Aborted::BareLineEnding));
        assert!(found.violations.contains(&Violation::BareLineEnding));
        assert_eq!(replies::codes(&found.output), [521]);
        assert!(found.output.starts_with(b"521 5.5.2 "), "the enhanced code is 5.5.2");
        assert!(matches!(found.closed, Some(CloseReason::Violations)), "{:?}", found.closed);
        return;
    }
    let message = expected.message(bare);
    assert_eq!(found.end, Some((message.len() as u64, expected.consumed)));
    assert_eq!(found.message.escape_ascii().to_string(), message.escape_ascii().to_string());
    assert_eq!(replies::codes(&found.output), [250]);
}

/// A message as the reference reads it.
struct Expected {
    /// Its lines, without CRLF and without the stuffed dot.
    lines: Vec<Vec<u8>>,
    /// Octets up to and with the end of data.
    consumed: usize,
}

/// Reads line by line, a line being what stands before a CRLF; `None` if the end does not come.
fn reference(wire: &[u8]) -> Option<Expected> {
    let mut lines = Vec::new();
    let mut at = 0;
    loop {
        let length = wire[at..].windows(2).position(|w| w == b"\r\n")?;
        let line = &wire[at..at + length];
        at += length + 2;
        if line == b"." {
            return Some(Expected { lines, consumed: at });
        }
        lines.push(line.strip_prefix(b".").unwrap_or(line).to_vec());
    }
}

impl Expected {
    /// No line of the reference holds CRLF, so each CR and each LF in one is bare.
    fn has_bare(&self) -> bool {
        self.lines.iter().flatten().any(|octet| matches!(octet, b'\r' | b'\n'))
    }

    fn message(&self, bare: BareLineEnding) -> Vec<u8> {
        let mut message = Vec::new();
        for line in &self.lines {
            for &octet in line {
                match octet {
                    b'\r' | b'\n' if bare == BareLineEnding::Normalise => {
                        message.extend_from_slice(b"\r\n");
                    }
                    _ => message.push(octet),
                }
            }
            message.extend_from_slice(b"\r\n");
        }
        message
    }
}

#[derive(Default)]
struct Found {
    message: Vec<u8>,
    /// Size as announced, and octets of the wire read until then.
    end: Option<(u64, usize)>,
    aborted: Option<Aborted>,
    violations: Vec<Violation>,
    /// What was said after the 354.
    output: Vec<u8>,
    closed: Option<CloseReason>,
}

fn run(wire: &[u8], bare: BareLineEnding, step: usize) -> Found {
    let config = config(Mode::Smtp, extensions(), Limits::default(), bare);
    let mut connection = ServerConnection::new(config, Start::Plain);
    let script = b"EHLO a.example\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n";
    let output = lead(&mut connection, script);
    assert_eq!(replies::codes(&output), [220, 250, 250, 250, 354]);

    let mut found = Found::default();
    let (mut at, mut offered) = (0, 0);
    let mut ended = false;
    loop {
        let mut window = &wire[at..offered];
        let next = connection.poll_event(&mut window, NOW);
        at = offered - window.len();
        match next {
            Step::Event(Event::Body(piece)) => {
                assert!(!piece.is_empty(), "a piece of no octets");
                found.message.extend_from_slice(piece);
            }
            Step::Event(Event::BodyEnd { size, pending }) => {
                found.end = Some((size, at));
                let question = Question::Message(pending);
                question.answer(&mut connection, Answer::Yes).expect("it was just asked");
                drain(&mut connection, &mut found.output);
                return found;
            }
            Step::Event(Event::BodyAborted(why)) => found.aborted = Some(why),
            Step::Event(Event::Violation(violation)) => found.violations.push(violation),
            Step::Event(Event::Reset(_)) => {}
            Step::Event(other) => panic!("{other:?} in the middle of a message"),
            Step::Need(Need::Input) if offered < wire.len() => {
                offered = wire.len().min(offered.saturating_add(step));
            }
            Step::Need(Need::Input) => {
                assert!(!ended, "input is wanted after its end");
                connection.handle_eof();
                ended = true;
            }
            Step::Need(Need::Flush) => drain(&mut connection, &mut found.output),
            Step::Need(Need::Decision) => panic!("no question is open"),
            Step::Closed(reason) => {
                drain(&mut connection, &mut found.output);
                found.closed = Some(reason);
                return found;
            }
        }
    }
}
