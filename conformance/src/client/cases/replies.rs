//! What a client makes of replies that are not the usual ones: RFC 5321 §4.2, §4.3.2.

use crate::{
    client::{
        Case,
        script::{Answer, Point, Script},
        seen::{Class, Said, Seen},
        trial::Trial,
    },
    outcome::{Outcome, fail, inconclusive},
};
use std::time::Duration;

pub(super) const CASES: &[Case] = &[
    Case { id: "C-07", run: c_07 },
    Case { id: "C-08", run: c_08 },
    Case { id: "C-25", run: c_25 },
    Case { id: "C-26", run: c_26 },
    Case { id: "C-27", run: c_27 },
    Case { id: "C-28", run: c_28 },
    Case { id: "C-30", run: c_30 },
];

/// Octets that an endless reply goes on for.
const FLOOD: usize = 64 << 20;
/// Octets of memory that no client needs for a reply, not even one that reads on, throws away what
/// it reads, and collects its garbage later.
const MOST_MEMORY: u64 = 48 << 20;

/// C-07. A code alone, without even a space, is a reply.
fn c_07(t: &Trial<'_>) -> Outcome {
    let script = Script::new()
        .at(Point::Greeting, "220")
        .at(Point::Ehlo, "250")
        .at(Point::Helo, "250")
        .at(Point::Mail, "250")
        .at(Point::Rcpt, "250")
        .at(Point::Data, "354")
        .at(Point::End, "250")
        .at(Point::Quit, "221");
    t.send(script)?.sent()
}

/// C-08. The first digit of a code decides.
fn c_08(t: &Trial<'_>) -> Outcome {
    let script = Script::new()
        .at(Point::Mail, "259 fine in a way of its own")
        .at(Point::End, "299 taken in a way of its own");
    t.send(script)?.sent()
}

/// C-25. LF alone ends no line.
fn c_25(t: &Trial<'_>) -> Outcome {
    let script = Script::new().at(Point::Mail, Answer::octets(*b"250 2.1.0 Ok\n"));
    // Who waits for the CRLF may wait for minutes.
    let seen = t.attempt(script).stopped_after(t.delay() / 2).run_any()?;
    seen.reached(Point::Mail)?;
    seen.never(Point::Rcpt, "a reply that ends in LF alone was taken")
}

/// C-26. A reply whose last line refuses is no success.
fn c_26(t: &Trial<'_>) -> Outcome {
    let torn = Answer::lines(&["250-2.1.5 fine", "550 5.1.1 no such user"]);
    let seen = t.send(Script::new().at(Point::Rcpt, torn))?;
    seen.reached(Point::Rcpt)?;
    seen.never(Point::Data, "the first line was believed, and not the last")?;
    seen.not_sent(Class::Any)
}

/// C-27. A reply of lines without end does not fill memory.
fn c_27(t: &Trial<'_>) -> Outcome {
    let lines: String = (0..1000).map(|n| format!("250-X-EXTENSION-{n:04}\r\n")).collect();
    let answer = Answer::flood(lines, FLOOD).then("250 8BITMIME".into());
    let script = Script::new().at(Point::Ehlo, answer);
    let usual = t.send(Script::new())?.memory;
    let seen = t.attempt(script).within(Duration::from_secs(30)).run()?;
    bounded(&seen, usual)
}

/// C-28. A line without end does not fill memory.
fn c_28(t: &Trial<'_>) -> Outcome {
    let begin = Answer::octets(*b"250 ");
    let answer = begin.then(Answer::flood(vec![b'x'; 64 << 10], FLOOD)).then(Answer::close());
    let script = Script::new().at(Point::Mail, answer);
    let usual = t.send(Script::new())?.memory;
    let seen = t.attempt(script).within(Duration::from_secs(30)).run()?;
    seen.reached(Point::Mail)?;
    bounded(&seen, usual)
}

/// Not much more memory than the `usual` was taken for the reply.
fn bounded(seen: &Seen, usual: Option<u64>) -> Outcome {
    let flooded = seen.records.iter().map(|record| record.flooded).max().unwrap_or(0);
    if seen.said() == Said::Crashed {
        return Err(fail("the client crashed").at(seen.last_place()));
    }
    match seen.memory.zip(usual).map(|(most, usual)| most.saturating_sub(usual)) {
        Some(more) if more > MOST_MEMORY => {
            let (more, flooded) = (more >> 20, flooded >> 20);
            let what = format!("a reply of {flooded} MB took {more} MB of memory");
            Err(fail(what).at(seen.last_place()))
        }
        None if flooded >= FLOOD => {
            Err(inconclusive("it read on to the end, and its memory cannot be seen"))
        }
        _ => Ok(()),
    }
}

/// C-30. 354 is no answer to MAIL.
fn c_30(t: &Trial<'_>) -> Outcome {
    let seen = t.send(Script::new().at(Point::Mail, "354 go ahead"))?;
    seen.reached(Point::Mail)?;
    seen.content_stays("the message was sent behind a MAIL that was answered by 354")?;
    seen.never(Point::Rcpt, "354 was taken for a success of MAIL")?;
    seen.not_sent(Class::Any)
}
