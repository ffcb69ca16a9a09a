//! The reader of replies against a reference that is too simple to be wrong.

use smtp_proto::{
    client::Capabilities,
    wire::{Received, Reply, ReplyReader},
};

/// Octets that a reply may have here; small, so that inputs reach it.
const LIMIT: usize = 600;

/// Whatever a server sends, it is read as RFC 5321 §4.2 says, to the first line that is no reply
/// line or the first reply that is too long, and the same however it is cut. Each reply is the
/// same parsed alone and owned. Its text and its `Display` form have no control character and are
/// bounded; its lines are all of its octets but codes, separators and line endings.
///
/// The first octet of `data` is the size of the pieces in which the octets are offered besides
/// whole and one by one; the rest is what the server sends.
///
/// # Panics
/// If it is not so.
pub fn reply(data: &[u8]) {
    let [flags, wire @ ..] = data else { return };
    let expected = reference(wire);
    for step in [usize::MAX, 1, usize::from(*flags) + 2] {
        assert_eq!(run(wire, step), expected, "by {step}");
    }
}

/// What is known of a reply: its code, its lines, whether it deviates.
type Read = (u16, Vec<Vec<u8>>, bool);

/// Why reading ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Partial,
    Malformed,
    TooLong,
}

/// Line by line, a line being what stands before an LF.
fn reference(wire: &[u8]) -> (Vec<Read>, End) {
    let mut replies = Vec::new();
    let mut rest = wire;
    loop {
        let mut within = &rest[..rest.len().min(LIMIT)];
        let mut lines = Vec::new();
        let mut codes = Vec::new();
        let mut deviates = false;
        loop {
            let code = &within[..within.len().min(4)];
            let four_digits = code.len() == 4 && code[3].is_ascii_digit();
            if code.iter().take(3).any(|octet| !octet.is_ascii_digit())
                || matches!(code.first(), Some(b'0' | b'1' | b'6'..=b'9'))
                || four_digits
            {
                return (replies, End::Malformed);
            }
            let Some(lf) = within.iter().position(|&octet| octet == b'\n') else {
                let end = if rest.len() < LIMIT { End::Partial } else { End::TooLong };
                return (replies, end);
            };
            let line = &within[..lf];
            within = &within[lf + 1..];
            deviates |= !line.ends_with(b"\r") || lf + 1 > 512;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            deviates |= !matches!(line.get(3), None | Some(b' ' | b'-'));
            codes.push(std::str::from_utf8(&line[..3]).expect("digits").parse().expect("digits"));
            lines.push(line.get(4..).unwrap_or_default().to_vec());
            if line.get(3) != Some(&b'-') {
                break;
            }
        }
        deviates |= codes.iter().any(|code| *code != codes[0]);
        replies.push((codes[codes.len() - 1], lines, deviates));
        rest = &rest[rest.len().min(LIMIT) - within.len()..];
    }
}

fn run(wire: &[u8], step: usize) -> (Vec<Read>, End) {
    let mut reader = ReplyReader::new();
    let mut replies = Vec::new();
    let (mut at, mut offered) = (0, 0);
    loop {
        let window = &wire[at..offered];
        let mut unread = window;
        let end = match reader.next(&mut unread, LIMIT) {
            Received::Whole(reply) => {
                let (octets, _) = window.split_at(window.len() - unread.len());
                check(&reply, octets);
                let lines = reply.lines().map(<[u8]>::to_vec).collect();
                replies.push((reply.code(), lines, reply.deviation().is_some()));
                at += octets.len();
                continue;
            }
            Received::Partial => End::Partial,
            Received::Malformed => End::Malformed,
            Received::TooLong => End::TooLong,
        };
        assert_eq!(unread, window, "octets of no reply were consumed");
        if end != End::Partial || offered == wire.len() {
            return (replies, end);
        }
        offered = wire.len().min(offered.saturating_add(step));
    }
}

fn check(reply: &Reply<'_>, octets: &[u8]) {
    assert_eq!(Reply::parse(octets).as_ref(), Ok(reply));
    assert_eq!(&reply.clone().into_static(), reply);
    assert!((200..600).contains(&reply.code()));
    if let Some(enhanced) = reply.enhanced() {
        assert_eq!(Some(enhanced.class()), reply.class());
    }
    for text in [reply.text(), reply.to_string()] {
        assert!(text.len() <= 2_048 + "250 2.999.999 ".len());
        assert!(!text.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')));
    }
    assert!(Capabilities::parse(reply).auth.len() <= 32);
}
