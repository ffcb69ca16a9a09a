//! RFC 5321 §4.1.1.4, §4.5.2, §3.3 and §3.7.2: DATA, transparency, and what no message is refused
//! for.

use crate::{
    case::Case,
    outcome::{Outcome, Verdict, fail},
    session::Answer,
    stored::Stored,
    tester::Tester,
};
use std::time::Duration;

pub(super) const CASES: &[Case] = &[
    Case { id: "DATA-01", run: data_01 },
    Case { id: "DATA-02", run: data_02 },
    Case { id: "DATA-03", run: data_03 },
    Case { id: "DATA-04", run: data_04 },
    Case { id: "DATA-05", run: data_05 },
    Case { id: "DATA-06", run: data_06 },
    Case { id: "DATA-13", run: data_13 },
    Case { id: "DATA-14", run: data_14 },
    Case { id: "DATA-15", run: data_15 },
    Case { id: "DATA-16", run: data_16 },
    Case { id: "DATA-17", run: data_17 },
    Case { id: "DATA-18", run: data_18 },
    Case { id: "DATA-19", run: data_19 },
    Case { id: "DATA-20", run: data_20 },
];

/// Delivers a message with these lines as its body; they must arrive as they are.
pub(super) fn arrives<L: AsRef<[u8]>>(t: &Tester<'_>, lines: &[L]) -> Outcome {
    let mut message = t.message(&[]);
    for line in lines {
        message.octets.extend_from_slice(line.as_ref());
        message.octets.extend_from_slice(b"\r\n");
    }
    match t.deliver(&message.token, &message.stuffed())? {
        Some(stored) => body_must_be(t, &stored, lines),
        None => Err(fail("the message is refused").at(t.here())),
    }
}

/// The stored body must be these lines.
pub(super) fn body_must_be<L: AsRef<[u8]>>(
    t: &Tester<'_>,
    stored: &Stored,
    lines: &[L],
) -> Outcome {
    if stored.body_is(lines) {
        return Ok(());
    }
    let wrong = stored.body.iter().zip(lines).position(|(a, b)| a != b.as_ref());
    let shown = |line: Option<&[u8]>| {
        line.map_or("nothing".into(), |l| format!("\"{}\"", crate::transcript::visible(l)))
    };
    let n = wrong.unwrap_or(stored.body.len().min(lines.len()));
    let got = shown(stored.body.get(n).map(Vec::as_slice));
    let sent = shown(lines.get(n).map(AsRef::as_ref));
    Err(fail(format!("line {} of the body was {sent} and is stored as {got}", n + 1)).at(t.here()))
}

/// Sends octets behind 354, the end included; the answer.
fn after_data(t: &Tester<'_>, octets: &[u8]) -> Result<Answer, Verdict> {
    let mut s = t.hello()?;
    t.envelope(&mut s)?;
    s.ask("DATA").given("354")?;
    s.send(octets);
    Ok(s.hear())
}

/// A message with these lines on top of its header section.
fn with_fields(t: &Tester<'_>, fields: &str) -> Vec<u8> {
    let mut octets = fields.as_bytes().to_vec();
    octets.extend_from_slice(&t.message(&["text"]).stuffed());
    octets
}

/// DATA-01. DATA is answered with 354, and then the server listens until the end.
fn data_01(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    t.envelope(&mut s)?;
    s.ask("DATA").must("354")?;
    s.hear_nothing(t.pause()).must("silent")?;
    s.send(t.message(&["text"]).stuffed());
    s.hear().must("25z")
}

/// DATA-02. Of the dots in front of a line one is taken off, and no other.
fn data_02(t: &Tester<'_>) -> Outcome {
    arrives(t, &[".", "..", "...", "..x", ".x", "x.", " ."])
}

/// DATA-03. The dot in front of a line is taken off also where the client did not double it.
fn data_03(t: &Tester<'_>) -> Outcome {
    let message = t.message(&[]);
    let octets = [&message.octets[..], b".x\r\nend\r\n.\r\n"].concat();
    match t.deliver(&message.token, &octets)? {
        Some(stored) => body_must_be(t, &stored, &["x", "end"]),
        None => Err(fail("the message is refused").at(t.here())),
    }
}

/// DATA-04. A message without a line ends at its dot: the CRLF of DATA itself stands before it.
fn data_04(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    t.envelope(&mut s)?;
    s.ask("DATA").given("354")?;
    s.send(b".\r\n");
    s.hear().must("25z|4yz|5yz")?;
    s.ask("NOOP").must("250")
}

/// DATA-05. The end of the message is found wherever TCP cuts it, and not before its last octet.
fn data_05(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    t.envelope(&mut s)?;
    s.ask("DATA").given("354")?;
    let mut octets = t.message(&["the end comes slowly"]).octets;
    octets.truncate(octets.len() - 2);
    s.send(&octets);
    s.drip(b"\r\n.\r", Duration::from_millis(50));
    s.hear_nothing(t.pause()).must("silent")?;
    s.drip(b"\n", Duration::ZERO);
    s.hear().must("25z")?;
    s.hear_nothing(t.pause()).must("silent")
}

/// DATA-06. The CRLF before the final dot ends the last line: no empty line is added.
fn data_06(t: &Tester<'_>) -> Outcome {
    arrives(t, &["x"])
}

/// DATA-13. A message is not refused for what its header section lacks.
fn data_13(t: &Tester<'_>) -> Outcome {
    after_data(t, b"\r\nno header section at all\r\n.\r\n")?.must("25z")?;
    after_data(t, b"only a line of text\r\n.\r\n")?.must("25z")
}

/// DATA-14. A message is not refused for Resent fields that do not match.
fn data_14(t: &Tester<'_>) -> Outcome {
    let fields = "Resent-To: <a@client.example>\r\nResent-To: <b@client.example>\r\n\
                  Resent-Message-ID: <1@client.example>\r\n";
    after_data(t, &with_fields(t, fields))?.must("25z")
}

/// DATA-15. A message is not refused for the format of its trace fields.
fn data_15(t: &Tester<'_>) -> Outcome {
    let fields = "Received: by magic\r\nReceived: ; yesterday, 99:99\r\n\
                  Received: from (((( by )\r\nReceived:\r\n";
    after_data(t, &with_fields(t, fields))?.must("25z")
}

/// DATA-16. Sixty hops are no loop yet.
fn data_16(t: &Tester<'_>) -> Outcome {
    let hop = "Received: from a.example by b.example; Mon, 02 Nov 2026 12:00:00 +0000\r\n";
    after_data(t, &with_fields(t, &hop.repeat(60)))?.must("25z")
}

/// DATA-17. Control characters in a message arrive as they are, or the message is refused.
fn data_17(t: &Tester<'_>) -> Outcome {
    let mut line: Vec<u8> = (1..0x20).filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    line.push(0x7f);
    let message = t.message(&[]);
    let octets = [&message.octets[..], b"[", &line, b"]\r\nend\r\n.\r\n"].concat();
    match t.deliver(&message.token, &octets)? {
        Some(stored) => body_must_be(t, &stored, &[&[b"[", &line[..], b"]"].concat()[..], b"end"]),
        None => Ok(()),
    }
}

/// DATA-18. What comes with eighth bits to a server without 8BITMIME is refused, cleared or
/// passed on: the session stays in order.
fn data_18(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    if s.extension("8BITMIME").is_some() {
        return Err(Verdict::NotApplicable("8BITMIME is offered".into()));
    }
    t.envelope(&mut s)?;
    s.ask("DATA").given("354")?;
    s.send(t.message(&["gr\u{fc}n"]).stuffed());
    s.hear().must("25z|4yz|5yz")?;
    s.ask("NOOP").must("250")
}

/// DATA-19. What comes behind the final dot in the same segment is the next command: neither lost
/// nor a part of the message.
fn data_19(t: &Tester<'_>) -> Outcome {
    let message = t.message(&["one segment"]);
    let mut s = t.hello()?;
    if s.extension("PIPELINING").is_none() {
        return Err(Verdict::NotApplicable("PIPELINING is not offered".into()));
    }
    let recipient = t.envelope(&mut s)?;
    s.ask("DATA").given("354")?;
    s.send([&message.stuffed()[..], b"RSET\r\nNOOP\r\n"].concat());
    s.hear().given("25z")?;
    s.hear().must("250")?;
    s.hear().must("250")?;
    if t.cooperation().mailbox.is_none() {
        return Ok(());
    }
    let stored = t.arrived(recipient, &message.token)?;
    if stored.has("RSET") {
        return Err(fail("what stands behind the dot is in the message").at(t.here()));
    }
    Ok(())
}

/// DATA-20. A NUL in a message arrives with what stands behind it, or the message is refused.
fn data_20(t: &Tester<'_>) -> Outcome {
    let message = t.message(&[]);
    let octets = [&message.octets[..], b"before\0behind\r\nend\r\n.\r\n"].concat();
    match t.deliver(&message.token, &octets)? {
        Some(stored) => body_must_be(t, &stored, &[&b"before\0behind"[..], b"end"]),
        None => Ok(()),
    }
}
