//! RFC 3030 §2: what BDAT carries arrives as it was sent.

use super::{MAIL, bdat};
use crate::{
    case::Case,
    mailbox::{contains, holds},
    outcome::{Outcome, fail},
    tester::{Message, Tester},
};
use std::time::Duration;

pub(super) const CASES: &[Case] = &[
    Case { id: "BDAT-01", run: bdat_01 },
    Case { id: "BDAT-02", run: bdat_02 },
    Case { id: "BDAT-03", run: bdat_03 },
    Case { id: "BDAT-09", run: bdat_09 },
    Case { id: "BDAT-10", run: bdat_10 },
    Case { id: "BDAT-11", run: bdat_11 },
    Case { id: "BDAT-13", run: bdat_13 },
    Case { id: "BDAT-14", run: bdat_14 },
    Case { id: "BDAT-15", run: bdat_15 },
    Case { id: "BDAT-17", run: bdat_17 },
    Case { id: "BDAT-18", run: bdat_18 },
    Case { id: "BDAT-19", run: bdat_19 },
];

/// What stands behind the header of the message.
fn body(message: &Message) -> &[u8] {
    let end = message.octets.windows(4).position(|window| window == b"\r\n\r\n");
    end.map_or(&[], |end| &message.octets[end + 4..])
}

/// Where a mailbox can be read, the message is there once and whole.
fn arrived(t: &Tester<'_>, recipient: &str, message: &Message) -> Outcome {
    if t.mailbox().is_err() {
        return Ok(());
    }
    match t.stored(recipient, &message.token, 1)?.as_slice() {
        [] => Err(fail("accepted, and not stored")),
        [stored] if holds(stored, &[b"\r\n\r\n", body(message)].concat()) => Ok(()),
        [_] => Err(fail("not stored as it was sent")),
        more => Err(fail(format!("stored {} times", more.len()))),
    }
}

/// Sends the message in chunks that end at `cuts`, each answered by 250.
fn chunks(t: &Tester<'_>, message: &Message, cuts: &[usize]) -> Outcome {
    let (mut s, _) = t.offers("CHUNKING")?;
    let recipient = t.envelope(&mut s)?;
    let mut from = 0;
    for &cut in cuts {
        s.send(bdat(&message.octets[from..cut], false));
        s.hear().must("250")?;
        from = cut;
    }
    s.send(bdat(&message.octets[from..], true));
    s.hear().must("250")?;
    arrived(t, recipient, message)
}

/// BDAT-01. A message in two chunks is one message; each chunk is answered by 250.
fn bdat_01(t: &Tester<'_>) -> Outcome {
    let message = t.message(&["in two chunks", "of one message"]);
    chunks(t, &message, &[message.octets.len() - 20])
}

/// BDAT-02. The last chunk may be empty.
fn bdat_02(t: &Tester<'_>) -> Outcome {
    let message = t.message(&["ends with a chunk of no octets"]);
    chunks(t, &message, &[message.octets.len()])
}

/// BDAT-03. Dots mean nothing in a chunk: neither do they end it nor are they taken away.
fn bdat_03(t: &Tester<'_>) -> Outcome {
    let message = t.message(&["dots", ".", "..", ".x", "", "..y", ".", "end"]);
    chunks(t, &message, &[])?;
    t.mailbox().map(drop)
}

/// BDAT-09. A line end may be cut in two by the end of a chunk.
fn bdat_09(t: &Tester<'_>) -> Outcome {
    let message = t.message(&["first", "second"]);
    chunks(t, &message, &[message.octets.len() - b"\nsecond\r\n".len()])?;
    t.mailbox().map(drop)
}

/// BDAT-10. The last line needs no line end, and the next command is read as one.
fn bdat_10(t: &Tester<'_>) -> Outcome {
    let mut message = t.message(&["no line end"]);
    message.octets.truncate(message.octets.len() - 2);
    let (mut s, _) = t.offers("CHUNKING")?;
    let recipient = t.envelope(&mut s)?;
    s.send(bdat(&message.octets, true));
    s.hear().must("250")?;
    s.ask("NOOP").must("250")?;
    arrived(t, recipient, &message)
}

/// BDAT-11. RSET drops the chunks that came; the next message has nothing of them.
fn bdat_11(t: &Tester<'_>) -> Outcome {
    let (dropped, message) = (t.message(&["dropped"]), t.message(&["kept"]));
    let (mut s, _) = t.offers("CHUNKING")?;
    t.envelope(&mut s)?;
    s.send(bdat(&dropped.octets, false));
    s.hear().given("250")?;
    s.ask("RSET").must("250")?;
    let recipient = t.recipient()?;
    s.ask(MAIL).must("250")?;
    s.ask(format!("RCPT TO:<{recipient}>")).must("25z")?;
    s.send(bdat(&message.octets, true));
    s.hear().must("250")?;
    if t.mailbox().is_err() {
        return Ok(());
    }
    arrived(t, recipient, &message)?;
    let stored = t.stored_one(recipient, &message.token)?;
    if contains(&stored, dropped.token.as_bytes()) {
        return Err(fail("chunks from before RSET are part of the next message"));
    }
    Ok(())
}

/// BDAT-13. MAIL, RCPT, BDAT and its octets may come in one segment.
fn bdat_13(t: &Tester<'_>) -> Outcome {
    let message = t.message(&["in one segment"]);
    let recipient = t.recipient()?;
    let (mut s, _) = t.offers("CHUNKING")?;
    if s.extension("PIPELINING").is_none() {
        return Err(crate::outcome::Verdict::NotApplicable("PIPELINING is not offered".into()));
    }
    let envelope = format!("{MAIL}\r\nRCPT TO:<{recipient}>\r\n");
    s.send([envelope.as_bytes(), &bdat(&message.octets, true)].concat());
    s.hear().given("250")?;
    s.hear().must("25z")?;
    s.hear().must("250")?;
    arrived(t, recipient, &message)
}

/// BDAT-14. BDAT and LAST may be written in any case of letters.
fn bdat_14(t: &Tester<'_>) -> Outcome {
    let message = t.message(&["small letters"]);
    let (mut s, _) = t.offers("CHUNKING")?;
    t.envelope(&mut s)?;
    let size = message.octets.len();
    s.send([format!("bdat {size} last\r\n").as_bytes(), &message.octets].concat());
    s.hear().must("250")
}

/// BDAT-15. Who offers CHUNKING still takes DATA, in the same session, too.
fn bdat_15(t: &Tester<'_>) -> Outcome {
    let (first, second) = (t.message(&["by BDAT"]), t.message(&["by DATA"]));
    let (mut s, _) = t.offers("CHUNKING")?;
    t.envelope(&mut s)?;
    s.send(bdat(&first.octets, true));
    s.hear().given("250")?;
    t.envelope(&mut s)?;
    s.ask("DATA").must("354")?;
    s.send(second.stuffed());
    s.hear().must("250")
}

/// BDAT-17. The octets of a chunk may come later than its command, and piece by piece.
fn bdat_17(t: &Tester<'_>) -> Outcome {
    let message = t.message(&["piece by piece"]);
    let (mut s, _) = t.offers("CHUNKING")?;
    let recipient = t.envelope(&mut s)?;
    s.send(format!("BDAT {} LAST\r\n", message.octets.len()));
    std::thread::sleep(Duration::from_millis(50));
    for piece in message.octets.chunks(50) {
        s.send(piece);
        std::thread::sleep(Duration::from_millis(10));
    }
    s.hear().must("250")?;
    arrived(t, recipient, &message)
}

/// BDAT-18. QUIT aborts a message whose last chunk has not come: nothing of it is delivered, also
/// where what came ends with a line of the header and could be read as a message.
fn bdat_18(t: &Tester<'_>) -> Outcome {
    t.mailbox()?;
    let message = t.message(&[]);
    let header = message.octets.strip_suffix(b"\r\n").unwrap_or(&message.octets);
    let (mut s, _) = t.offers("CHUNKING")?;
    let recipient = t.envelope(&mut s)?;
    s.send(bdat(header, false));
    s.hear().given("250")?;
    let quit = s.ask("QUIT");
    s.closes_within(t.pause());
    t.let_settle();
    if t.stored(recipient, &message.token, 0)?.is_empty() {
        return Ok(());
    }
    Err(quit.fail("a message without its last chunk was delivered"))
}

/// BDAT-19. NOOP and VRFY between two chunks do nothing to the message.
fn bdat_19(t: &Tester<'_>) -> Outcome {
    let message = t.message(&["one chunk", "and another"]);
    let (mut s, _) = t.offers("CHUNKING")?;
    let recipient = t.envelope(&mut s)?;
    let (one, other) = message.octets.split_at(message.octets.len() / 2);
    s.send(bdat(one, false));
    s.hear().given("250")?;
    s.ask("NOOP").must("250")?;
    s.ask(format!("VRFY {recipient}")).ignore();
    s.send(bdat(other, true));
    s.hear().must("250")?;
    arrived(t, recipient, &message)
}
