//! DATA, the message and its end: RFC 5321 §3.3, §3.8, §4.2.1, §4.5.2.

use crate::{
    client::{
        Case,
        record::contains,
        script::{Answer, Point, Script},
        seen::Class,
        trial::Trial,
    },
    outcome::{Outcome, fail},
};

pub(super) const CASES: &[Case] = &[
    Case { id: "C-01", run: c_01 },
    Case { id: "C-10", run: c_10 },
    Case { id: "C-13", run: c_13 },
    Case { id: "C-14", run: c_14 },
    Case { id: "C-18", run: c_18 },
    Case { id: "C-19", run: c_19 },
    Case { id: "C-31", run: c_31 },
];

/// C-01. A dot in front of a line is doubled, and nothing is lost or added.
fn c_01(t: &Trial<'_>) -> Outcome {
    let lines = ["first", ".", ".leading", "..two", "...", "last"];
    let message = t.message(&lines);
    let seen = t.attempt(Script::new()).message(message).run()?;
    seen.reached_end()?;
    let Some(body) = seen.records.iter().flat_map(|record| &record.bodies).next() else {
        return Ok(());
    };
    let (wire, text) = (&body.octets, body.unstuffed());
    let whole = "first\r\n.\r\n.leading\r\n..two\r\n...\r\nlast\r\n";
    if !contains(&text, whole) {
        return Err(fail("the lines did not come through as they were").at(seen.last_place()));
    }
    let doubled = "first\r\n..\r\n..leading\r\n...two\r\n....\r\nlast\r\n";
    if !body.chunked && !contains(wire, doubled) {
        return Err(fail("dots were not doubled").at(seen.last_place()));
    }
    if !text.ends_with(b"last\r\n") {
        return Err(fail("something was added behind the last line").at(seen.last_place()));
    }
    seen.sent()
}

/// C-10. Without 354 there is no message.
fn c_10(t: &Trial<'_>) -> Outcome {
    let seen = t.send(Script::new().at(Point::Data, "554 5.7.1 not this one"))?;
    seen.reached(Point::Data)?;
    seen.content_stays("the message was sent although DATA was refused")?;
    seen.not_sent(Class::Permanent)
}

/// C-13. A message that is refused for now at its end was not sent.
fn c_13(t: &Trial<'_>) -> Outcome {
    let seen = t.send(Script::new().at(Point::End, "451 4.3.0 try again later"))?;
    seen.reached_end()?;
    seen.not_sent(Class::Temporary)
}

/// C-14. A message that is refused for ever at its end is not sent again.
fn c_14(t: &Trial<'_>) -> Outcome {
    let seen = t.send(Script::new().at(Point::End, "550 5.7.1 not wanted"))?;
    seen.reached_end()?;
    if seen.records.iter().flat_map(|record| &record.bodies).count() > 1 {
        return Err(fail("a message refused for ever was sent again").at(seen.last_place()));
    }
    seen.not_sent(Class::Permanent)
}

/// C-18. A connection that breaks inside the message: not sent.
fn c_18(t: &Trial<'_>) -> Outcome {
    let line = "A line of a message that is long enough to be still on its way.";
    let message = t.message(&[line; 8_000]);
    let script = Script::new().at(Point::Body, Answer::close());
    let seen = t.attempt(script).message(message).run()?;
    seen.reached(Point::Data)?;
    seen.not_sent(Class::Temporary)
}

/// C-19. A connection that breaks behind the message, in place of the answer: not known to be sent.
fn c_19(t: &Trial<'_>) -> Outcome {
    let seen = t.send(Script::new().at(Point::End, Answer::close()))?;
    seen.reached_end()?;
    seen.not_sent(Class::Temporary)
}

/// C-31. 250 is no answer to DATA.
fn c_31(t: &Trial<'_>) -> Outcome {
    let seen = t.send(Script::new().at(Point::Data, "250 2.0.0 Ok"))?;
    seen.reached(Point::Data)?;
    seen.content_stays("the message was sent behind a DATA that was answered by 250")?;
    seen.not_sent(Class::Any)
}
