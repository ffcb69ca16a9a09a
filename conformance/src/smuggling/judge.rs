//! What became of a message, from the tap and the mailboxes.

use super::{
    Passed, Received,
    hand_over::{Attempt, SMUGGLED_MAIL},
    wire::{Relay, Stage, Text, find},
};
use crate::{
    mailbox::contains,
    reply::Reply,
    transcript::{Line, visible},
};

/// The messages of a run in the two mailboxes.
pub(super) struct Boxes {
    /// That of the recipient.
    pub(super) first: Vec<Vec<u8>>,
    /// That of the recipient of what is smuggled.
    pub(super) second: Vec<Vec<u8>>,
}

/// Whether more may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// It has not come where it can be judged.
    No,
    /// All that must come has; what should not is given a moment.
    Soon,
    /// It is clear.
    Yes,
}

/// What became of a message, as far as it is known.
pub(super) struct Seen {
    pub(super) passed: Passed,
    pub(super) received: Received,
    pub(super) settled: Settled,
    /// The sender's dialogue with the receiver.
    pub(super) session: Option<Vec<Line>>,
}

/// Judges one message.
pub(super) fn judge(attempt: &Attempt, relays: &[Relay<'_>], boxes: &Boxes) -> Seen {
    let own = |relay: &&Relay<'_>| relay.is_of(&attempt.outer);
    // A message that was refused for now may come again.
    let relay = relays.iter().filter(own).rfind(|relay| relay.text(attempt).is_some());
    let Some(relay) = relay.or_else(|| relays.iter().rfind(own)) else {
        let taken = attempt.refused.is_none();
        return Seen {
            passed: attempt.refused.clone().unwrap_or(Passed::NotRelayed),
            received: Received::NotReached,
            settled: if taken { Settled::No } else { Settled::Yes },
            session: None,
        };
    };
    let text = relay.text(attempt);
    let stage = relay.stage();
    let split = relays.iter().any(|relay| relay.is_of(&attempt.inner));
    let passed = passed(attempt, text.as_ref(), &stage, split);
    let (received, settled) = if passed == Passed::Split {
        (Received::NotReached, Settled::Yes)
    } else {
        received(attempt, relay, text.as_ref(), &stage, boxes)
    };
    Seen { passed, received, settled, session: Some(relay.dialogue()) }
}

/// What the sender made of it.
fn passed(attempt: &Attempt, text: Option<&Text>, stage: &Stage, split: bool) -> Passed {
    match text {
        _ if split => Passed::Split,
        Some(text) if text.octets == attempt.text => Passed::LetThrough,
        Some(text) if text.whole => Passed::Rewritten(difference(&attempt.text, &text.octets)),
        Some(_) if attempt.extra_replies => Passed::Split,
        Some(_) => Passed::Cut,
        None if matches!(stage, Stage::Content(_)) => Passed::Encoded,
        None => Passed::EnvelopeOnly,
    }
}

/// What the receiver made of it.
fn received(
    attempt: &Attempt,
    relay: &Relay<'_>,
    text: Option<&Text>,
    stage: &Stage,
    boxes: &Boxes,
) -> (Received, Settled) {
    let replies = match stage {
        Stage::Refused(reply) => return (refused(reply), Settled::Soon),
        Stage::Envelope => return unanswered(relay),
        Stage::Content(replies) => replies,
    };
    if text.is_some_and(|text| contains(&text.octets, SMUGGLED_MAIL.as_bytes()))
        && boxes.second.iter().any(|message| is_second(message, attempt))
    {
        return (Received::Smuggled, Settled::Yes);
    }
    let (received, settled) = first(attempt, relay, text, replies, boxes);
    // A second DATA was answered, or may yet be: its message may take as long as any.
    let second_begun = relay.end().is_none() || replies.iter().any(|reply| reply.code == 354);
    let settled = if settled == Settled::Soon && second_begun { Settled::No } else { settled };
    (received, settled)
}

/// What became of the message itself.
fn first(
    attempt: &Attempt,
    relay: &Relay<'_>,
    text: Option<&Text>,
    replies: &[Reply],
    boxes: &Boxes,
) -> (Received, Settled) {
    let mut stored = boxes.first.iter();
    if let Some(stored) = stored.find(|message| contains(message, attempt.outer.as_bytes())) {
        return kept(attempt, text, stored, replies);
    }
    let chunked = text.is_some_and(|text| text.chunked);
    // Each chunk is answered; to DATA there is one reply, and others are to what is behind it.
    let answer = match chunked {
        true => replies.iter().find(|reply| reply.code >= 400).or(replies.last()),
        false => replies.first(),
    };
    match answer {
        None => unanswered(relay),
        Some(reply) if reply.code >= 400 => (refused(reply), Settled::Soon),
        Some(_) => (Received::NotStored, Settled::No),
    }
}

/// Whether it has what is smuggled, and is not the message around it.
fn is_second(stored: &[u8], attempt: &Attempt) -> bool {
    contains(stored, attempt.inner.as_bytes()) && !contains(stored, attempt.begin().as_bytes())
}

/// A message was stored: is it all of what came?
fn kept(
    attempt: &Attempt,
    text: Option<&Text>,
    stored: &[u8],
    replies: &[Reply],
) -> (Received, Settled) {
    // What was encoded on the way is not looked into.
    let Some(text) = text else { return (Received::Whole, Settled::Yes) };
    let begin = attempt.begin();
    let from = find(stored, begin.as_bytes()).map_or(0, |at| at + begin.len());
    let Some(end) = find(&stored[from..], attempt.end().as_bytes()) else {
        let cut_before = !text.whole;
        let codes: Vec<_> = replies.iter().map(|reply| reply.code.to_string()).collect();
        let received = if cut_before { Received::Whole } else { Received::Cut(codes.join(" ")) };
        return (received, Settled::Soon);
    };
    let kept = &stored[from..from + end];
    let came = if text.chunked { text.octets.clone() } else { unstuffed(&text.octets) };
    // A mailbox may keep its lines with LF alone.
    if kept == came || kept == unix(&came) {
        (Received::Whole, Settled::Yes)
    } else {
        (Received::Altered(difference(&came, kept)), Settled::Yes)
    }
}

fn refused(reply: &Reply) -> Received {
    let text = reply.lines.first().map_or_else(String::new, |line| visible(line));
    if reply.code < 500 { Received::Deferred(text) } else { Received::Refused(text) }
}

fn unanswered(relay: &Relay<'_>) -> (Received, Settled) {
    let settled = if relay.end().is_some() { Settled::Soon } else { Settled::No };
    (if relay.receiver_closed() { Received::Closed } else { Received::Silent }, settled)
}

/// The text of DATA without the dots that were added (RFC 5321 §4.5.2).
fn unstuffed(octets: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(octets.len());
    for (place, &octet) in octets.iter().enumerate() {
        if octet != b'.' || !octets[..place].ends_with(b"\r\n") {
            text.push(octet);
        }
    }
    text
}

/// The same, its lines ending in LF.
fn unix(octets: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(octets.len());
    for &octet in octets {
        if octet == b'\n' && text.ends_with(b"\r") {
            text.pop();
        }
        text.push(octet);
    }
    text
}

/// Octets that are shown on either side of the first that differs.
const AROUND: usize = 12;

/// `got`, which is not `sent`: what it has in place of the false end or, in a long text, where it
/// differs first.
fn difference(sent: &[u8], got: &[u8]) -> String {
    let false_end = |text: &[u8]| find(text, SMUGGLED_MAIL.as_bytes()).unwrap_or(text.len());
    let (end, got_end) = (false_end(sent), false_end(got));
    let shown = if got_end <= 2 * AROUND && got[..got_end] != sent[..end] {
        &got[..got_end]
    } else {
        let same = sent.iter().zip(got).take_while(|(a, b)| a == b).count();
        &got[same.saturating_sub(AROUND)..got.len().min(same + AROUND)]
    };
    // The end of a line is shown as well.
    visible(&[shown, b"\r\n"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_the_false_end_or_the_place_of_a_long_text() {
        let sent = b"\n.\nmAiL fRoM:<x";
        assert_eq!(difference(sent, b"\r\n..\r\nmAiL fRoM:<x"), "<CR><LF>..<CR><LF>");
        let long = [&[b'x'; 500][..], b".\r\nmAiL fRoM:<x"].concat();
        let broken = [&[b'x'; 400][..], b"\r\n ", &long[400..]].concat();
        assert_eq!(difference(&long, &broken), "xxxxxxxxxxxx<CR><LF> xxxxxxxxx");
        assert_eq!(difference(b"\n.\nmAiL fRoM:<xy", b"\n.\nmAiL fRoM:<xz"), "mAiL fRoM:<xz");
    }

    #[test]
    fn added_dots_go_and_no_others() {
        assert_eq!(unstuffed(b"\r\n..\r\n.a\n.b."), b"\r\n.\r\na\n.b.");
        assert_eq!(unix(b"a\r\nb\n\r\r\nc\r"), b"a\nb\n\r\nc\r");
    }
}
