//! Recipients, some of which are refused: RFC 5321 §3.3, §3.6.1, §4.5.5; RFC 2920 §3.1.

use crate::{
    client::{
        Case,
        script::{Answer, Point, Script},
        seen::{Class, Said, at},
        trial::Trial,
    },
    outcome::{Outcome, Place, Verdict, fail},
};

pub(super) const CASES: &[Case] = &[
    Case { id: "C-11", run: c_11 },
    Case { id: "C-12", run: c_12 },
    Case { id: "C-29", run: c_29 },
    Case { id: "C-59", run: c_59 },
    Case { id: "C-60", run: c_60 },
];

/// C-11. One recipient that is refused does not sink the other, and is told of.
fn c_11(t: &Trial<'_>) -> Outcome {
    let script = Script::new().to(Point::Rcpt, "rcpt1@", "550 5.1.1 no such user");
    let seen = t.attempt(script).recipients(2).run()?;
    seen.reached(Point::Rcpt)?;
    let told = seen.said() != Said::Sent || seen.output.contains("rcpt1@");
    match (seen.is_delivered(), told) {
        (true, true) => Ok(()),
        (true, false) => Err(fail("nobody is told of the recipient that was refused")),
        (false, true) => Err(fail("the recipient that was accepted gets nothing either")),
        (false, false) => Err(fail("both recipients are lost, and nobody is told")),
    }
    .map_err(|verdict| verdict.at(seen.last_place()))
}

/// C-12. With DATA granted and no recipient there is nothing to send: the end and no more.
fn c_12(t: &Trial<'_>) -> Outcome {
    let script = Script::offering(&["PIPELINING", "8BITMIME"])
        .at(Point::Rcpt, "550 5.1.1 no such user")
        .at(Point::Data, "354 go ahead");
    let seen = t.attempt(script).recipients(2).run()?;
    seen.reached(Point::Rcpt)?;
    for record in &seen.records {
        if let Some(body) = record.bodies.iter().find(|body| !body.octets.is_empty()) {
            let place = Place { session: record.number, line: body.place };
            let what = "with no recipient left something else than the lone end was sent";
            let verdict = fail(what).at(Some(place));
            // Nobody gets what has no end: RFC 2920 §3.1 only says "should" of the dot.
            return match verdict {
                Verdict::Fail(finding) if !body.complete => Err(Verdict::Warn(finding)),
                verdict => Err(verdict),
            };
        }
    }
    seen.not_sent(Class::Permanent)
}

/// C-29. 421 to RCPT ends the session, and no recipient is given up.
fn c_29(t: &Trial<'_>) -> Outcome {
    let gone = Answer::from("421 4.3.2 shutting down").then(Answer::close());
    let seen = t.attempt(Script::new().at(Point::Rcpt, gone)).recipients(2).run()?;
    seen.reached(Point::Rcpt)?;
    seen.content_stays("the message was sent behind a 421")?;
    seen.not_sent(Class::Temporary)
}

/// C-59. Source routes are not passed on.
fn c_59(t: &Trial<'_>) -> Outcome {
    let route = "@relay.example,@other.example:rcpt1@example.test";
    let seen = t.attempt(Script::new()).to(route).run_any()?;
    for (record, command) in seen.at(Point::Rcpt) {
        if command.path().starts_with('@') {
            return Err(at(record, command, "a source route was passed on"));
        }
    }
    Ok(())
}

/// C-60. A notification comes from nobody: `<>`.
fn c_60(t: &Trial<'_>) -> Outcome {
    let seen = t.attempt(Script::new()).from("").run()?;
    seen.reached(Point::Mail)?;
    for (record, command) in seen.at(Point::Mail) {
        if !command.text().contains("<>") {
            return Err(at(record, command, "the null reverse-path was not said as <>"));
        }
    }
    Ok(())
}
