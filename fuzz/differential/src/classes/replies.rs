//! Every kind of difference about replies, in the order of `README.md`.

use super::{Class, Seen, Verdict};

const STALWART: &str = "smtp-proto";
const CODEC: &str = "smtp-codec";

/// All kinds, of replies.
pub const REPLY_CLASSES: &[Class] = &[
    Class {
        name: "REPLY-CODE",
        peers: &[STALWART, CODEC],
        verdict: Verdict::Ours,
        section: "RFC 5321 §4.2",
        example: b"199 x\r\n",
        explains: |seen| {
            seen.only_theirs() && lines(seen).any(|line| !matches!(line.first(), Some(b'2'..=b'5')))
        },
    },
    Class {
        name: "REPLY-SEPARATOR",
        peers: &[STALWART, CODEC],
        verdict: Verdict::Theirs,
        section: "RFC 5321 §4.2",
        example: b"250_x\r\n",
        explains: |seen| {
            let odd = |line: &[u8]| match line.get(3..) {
                Some([b' ' | b'-' | b'\n', ..] | b"\r\n") | None => false,
                Some(_) => true,
            };
            seen.difference.ours.is_taken() && lines(seen).any(odd)
        },
    },
    Class {
        name: "REPLY-LINE-END",
        peers: &[CODEC],
        verdict: Verdict::Theirs,
        section: "RFC 5321 §2.3.8",
        example: b"250 x\n",
        explains: |seen| seen.only_ours() && lines(seen).any(|line| !line.ends_with(b"\r\n")),
    },
    Class {
        name: "REPLY-TEXT",
        peers: &[CODEC],
        verdict: Verdict::Theirs,
        section: "RFC 5321 §4.2",
        example: b"250 \r\n",
        explains: |seen| {
            let odd = |line: &[u8]| {
                let text = line.strip_suffix(b"\r\n").unwrap_or(line);
                let text = text.get(3..).unwrap_or_default();
                let empty = line.get(3..) == Some(b" \r\n");
                empty || text.iter().any(|octet| !matches!(octet, b'\t' | b' '..=b'~'))
            };
            seen.only_ours() && lines(seen).any(odd)
        },
    },
    Class {
        name: "REPLY-CODES-DIFFER",
        peers: &[STALWART],
        verdict: Verdict::Both,
        section: "RFC 5321 §4.2.1",
        example: b"250-ok\r\n550 no\r\n",
        explains: |seen| seen.differs_in("code"),
    },
];

/// The lines of the first reply, as far as it comes.
fn lines<'s>(seen: &'s Seen<'_>) -> impl Iterator<Item = &'s [u8]> {
    let mut last = false;
    seen.line.split_inclusive(|octet| *octet == b'\n').take_while(move |line| {
        let goes_on = line.get(3) == Some(&b'-');
        !std::mem::replace(&mut last, !goes_on)
    })
}
