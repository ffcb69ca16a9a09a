//! The encoder of messages against a reference that is too simple to be wrong.

use smtp_proto::{
    body::{ContentFault, DotReader, Encoder, Framing, LineEndings, Piece},
    server::BareLineEnding,
};

/// What leaves of a message is what RFC 5321 §4.5.2 and §2.3.8 say of its octets, and the same
/// however it is cut and whatever room there is for pieces: up to the first octet that may not
/// leave, or whole and with its end. A message sent by DATA is read by the [`DotReader`] as the
/// message again, with a CRLF where its last line had none; so no message can end itself early.
///
/// The first octet of `data` chooses framing, line endings, whether 8-bit octets may leave, and the
/// size of the pieces in which the message is given besides whole and octet by octet; the rest is
/// the message.
///
/// # Panics
/// If it is not so.
pub fn encode(data: &[u8]) {
    let [flags, message @ ..] = data else { return };
    let framing = if flags & 1 == 0 { Framing::Dot } else { Framing::Chunked };
    let endings = if flags & 2 == 0 { LineEndings::Check } else { LineEndings::Normalise };
    let eight_bit = flags & 4 == 0;
    let expected = reference(message, framing, endings, eight_bit);
    let cut = usize::from(flags >> 3) + 2;
    for (step, room) in [(message.len().max(1), 16), (1, 1), (cut, 2)] {
        let encoder = Encoder::new(framing, endings, eight_bit);
        assert_eq!(run(encoder, message, step, room), expected, "by {step}");
    }
    if let (Framing::Dot, (sent, Ok(()))) = (framing, &expected) {
        let (read_back, end) = reference(message, Framing::Chunked, endings, eight_bit);
        assert_eq!(end, Ok(()));
        assert_eq!(read(sent), read_back);
    }
}

/// What left, and whether the message is whole.
type Sent = (Vec<u8>, Result<(), ContentFault>);

/// Finds the first fault, takes what is before it for lines, and puts these together again.
fn reference(message: &[u8], framing: Framing, endings: LineEndings, eight_bit: bool) -> Sent {
    let fault = (0..message.len()).find_map(|at| {
        let before = at.checked_sub(1).map(|at| message[at]);
        let fault = match message[at] {
            0 => ContentFault::Nul,
            128.. if !eight_bit => ContentFault::EightBit,
            b'\r' if message.get(at + 1) != Some(&b'\n') && endings == LineEndings::Check => {
                ContentFault::BareLineEnding
            }
            b'\n' if before != Some(b'\r') && endings == LineEndings::Check => {
                ContentFault::BareLineEnding
            }
            _ => return None,
        };
        Some((at, fault))
    });
    let good = &message[..fault.map_or(message.len(), |(at, _)| at)];

    let mut lines = vec![Vec::new()];
    let mut at = 0;
    while at < good.len() {
        let line_ending = match &good[at..] {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => 0,
        };
        match lines.last_mut() {
            Some(line) if line_ending == 0 => line.push(good[at]),
            _ => lines.push(Vec::new()),
        }
        at += line_ending.max(1);
    }
    if framing == Framing::Dot {
        for line in lines.iter_mut().filter(|line| line.starts_with(b".")) {
            line.insert(0, b'.');
        }
    }
    let mut sent = lines.join(&b"\r\n"[..]);
    if let Some((_, fault)) = fault {
        return (sent, Err(fault));
    }
    if lines.last().is_some_and(|line| !line.is_empty()) {
        sent.extend_from_slice(b"\r\n");
    }
    if framing == Framing::Dot {
        sent.extend_from_slice(b".\r\n");
    }
    (sent, Ok(()))
}

fn run(mut encoder: Encoder, message: &[u8], step: usize, room: usize) -> Sent {
    let mut sent = Vec::new();
    for mut unread in message.chunks(step) {
        while !unread.is_empty() {
            let mut pieces = vec![&b""[..]; room];
            match encoder.encode(&mut unread, &mut pieces) {
                Ok(filled) => {
                    assert!(pieces[..filled].iter().all(|piece| !piece.is_empty()));
                    assert!(unread.is_empty() || filled > 0, "a call that did nothing");
                    sent.extend(pieces[..filled].concat());
                }
                Err(fault) => {
                    let again = encoder.encode(&mut unread, &mut pieces);
                    assert_eq!(again, Err(fault), "a fault is passed over");
                    return (sent, Err(fault));
                }
            }
        }
    }
    let end = encoder.finish().map(|end| sent.extend_from_slice(end));
    (sent, end)
}

/// What a server makes of it.
fn read(sent: &[u8]) -> Vec<u8> {
    let mut reader = DotReader::new(BareLineEnding::Refuse);
    let mut unread = sent;
    let mut message = Vec::new();
    loop {
        match reader.next(&mut unread) {
            Piece::Data(data) => message.extend_from_slice(data),
            Piece::End => break,
            other => panic!("{other:?} in what was sent"),
        }
    }
    assert!(unread.is_empty(), "the message ended before its end");
    message
}
