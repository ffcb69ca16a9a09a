//! What stands in a message: RFC 6152, RFC 6531, RFC 3030, and ends of data that are none.

use crate::{
    client::{
        Case,
        message::Message,
        record::Record,
        script::{Point, Script},
        seen::{Class, Seen, at},
        sender::Need,
        trial::Trial,
    },
    outcome::{Outcome, Place, Verdict, fail},
};

pub(super) const CASES: &[Case] = &[
    Case { id: "C-46", run: c_46 },
    Case { id: "C-47", run: c_47 },
    Case { id: "C-48", run: c_48 },
    Case { id: "C-49", run: c_49 },
    Case { id: "C-51", run: c_51 },
];

/// C-46. Without 8BITMIME no 8-bit content is sent.
fn c_46(t: &Trial<'_>) -> Outcome {
    let message = Message::octets(&t.token(), "Grüße aus Köln\r\n".as_bytes());
    let seen = t.attempt(Script::offering(&[])).message(message).run()?;
    for record in &seen.records {
        if let Some(body) = record.bodies.iter().find(|body| !body.octets.is_ascii()) {
            return Err(here(record, body.place, "8-bit content was sent without 8BITMIME"));
        }
    }
    if seen.is_delivered() { Ok(()) } else { seen.not_sent(Class::Any) }
}

/// C-47. Without SMTPUTF8 no address outside ASCII is said.
fn c_47(t: &Trial<'_>) -> Outcome {
    let need = if t.sender().serves(Need::Utf8) { Need::Utf8 } else { Need::Plain };
    let seen = t.attempt(Script::new()).need(need).to("用户@example.test").run_any()?;
    for (record, command) in seen.at(Point::Mail).chain(seen.at(Point::Rcpt)) {
        if !command.line.is_ascii() {
            return Err(at(record, command, "an address outside ASCII without SMTPUTF8"));
        }
    }
    if seen.at(Point::Rcpt).next().is_some() {
        return Ok(());
    }
    seen.not_sent(Class::Permanent)
}

/// Only for a client that sends BDAT.
fn chunks(seen: &Seen) -> Outcome {
    if seen.at(Point::Bdat).next().is_none() {
        return Err(Verdict::NotApplicable("the client does not send BDAT".into()));
    }
    Ok(())
}

/// C-48. Behind a chunk that was refused there is no other.
fn c_48(t: &Trial<'_>) -> Outcome {
    let message = t.message(&["A line of a message that has many chunks."; 20_000]);
    let script = Script::offering(&["CHUNKING", "8BITMIME"]).at(Point::Bdat, "552 5.3.4 full");
    let seen = t.attempt(script).message(message).run()?;
    chunks(&seen)?;
    for record in &seen.records {
        let mut refused = false;
        for command in &record.commands {
            match command.point {
                Point::Bdat | Point::Mail if refused => {
                    let what = "said behind a chunk that was refused, without RSET";
                    return Err(at(record, command, what));
                }
                Point::Bdat => refused = true,
                Point::Rset | Point::Ehlo | Point::Helo => refused = false,
                _ => {}
            }
        }
    }
    seen.not_sent(Class::Any)
}

/// C-49. Without BINARYMIME a chunk holds lines with CRLF.
fn c_49(t: &Trial<'_>) -> Outcome {
    let message = Message::octets(&t.token(), b"one\ntwo\r\nthree\0\r\n");
    let script = Script::offering(&["CHUNKING", "8BITMIME"]);
    let seen = t.attempt(script).message(message).run()?;
    if seen.at(Point::Mail).next().is_some() && !seen.records.iter().any(|r| !r.bodies.is_empty()) {
        return seen.not_sent(Class::Any);
    }
    chunks(&seen)?;
    for record in &seen.records {
        for body in &record.bodies {
            let bare = body.octets.iter().enumerate().any(|(at, octet)| {
                *octet == b'\n' && (at == 0 || body.octets.get(at - 1) != Some(&b'\r'))
            });
            if bare || body.octets.contains(&0) {
                let what = "a bare LF or a NUL was sent without BINARYMIME";
                return Err(here(record, body.place, what));
            }
        }
    }
    Ok(())
}

/// What servers of the field have taken for an end of data, and is none.
const LOOK_ALIKES: [&[u8]; 13] = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\r.\n",
    b"\n.\r",
    b"\r\n.\0\r\n",
    b"\r\n\0.\r\n",
    b"\n\0.\n",
    b"\r\r\n.\r\r\n",
    b"\r\n.\r\r\n",
];

/// C-51. Nothing inside a message looks like its end.
fn c_51(t: &Trial<'_>) -> Outcome {
    for look_alike in LOOK_ALIKES {
        let smuggled = b"MAIL FROM:<smuggled@client.example>\r\nRCPT TO:<rcpt2@example.test>\r\n\
            DATA\r\nSubject: smuggled\r\n\r\nsmuggled\r\n";
        let content = [b"before\r\nthe end", look_alike, &smuggled[..]].concat();
        let message = Message::octets(&t.token(), &content);
        let shown = crate::transcript::visible(&[look_alike, b" "].concat());
        let seen = t.attempt(Script::new()).message(message).run()?;
        for record in &seen.records {
            let mut commands = record.commands.iter();
            if let Some(command) = commands.find(|one| one.text().contains("smuggled@")) {
                return Err(at(record, command, &format!("{shown} ended the message")));
            }
            let mut bodies = record.bodies.iter();
            if let Some(body) = bodies.find(|body| !body.chunked && has_look_alike(&body.octets)) {
                let what = format!("{shown} was sent as something that looks like an end");
                return Err(here(record, body.place, &what));
            }
        }
    }
    Ok(())
}

/// Whether a dot stands alone between line ends of any kind, NULs not counted.
fn has_look_alike(octets: &[u8]) -> bool {
    let octets: Vec<u8> = octets.iter().copied().filter(|octet| *octet != 0).collect();
    let is_end = |octet: u8| matches!(octet, b'\r' | b'\n');
    let mut threes = octets.windows(3);
    threes.any(|three| matches!(three, [a, b'.', b] if is_end(*a) && is_end(*b)))
}

fn here(record: &Record, line: usize, what: &str) -> Verdict {
    fail(what).at(Some(Place { session: record.number, line }))
}
