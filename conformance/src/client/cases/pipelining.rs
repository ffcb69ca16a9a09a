//! Commands in groups, and their replies in any segments: RFC 5321 §4.3.1, RFC 2920.

use crate::{
    client::{
        Case,
        script::{Point, Script, Split},
        seen::{Said, Seen, at},
        trial::Trial,
    },
    outcome::{Outcome, Place, fail},
};
use std::time::Duration;

pub(super) const CASES: &[Case] = &[Case { id: "C-09", run: c_09 }, Case { id: "C-50", run: c_50 }];

/// Nothing came before the answer to what went in front of it.
pub(super) fn one_by_one(seen: &Seen, tls_only: bool) -> Outcome {
    for record in &seen.records {
        let mut commands = record.commands.iter();
        if let Some(command) = commands.find(|one| one.early && (one.tls || !tls_only)) {
            return Err(at(record, command, "said before the answer to what was in front of it"));
        }
        if let Some(body) = record.bodies.iter().find(|body| body.early) {
            let place = Place { session: record.number, line: body.place };
            return Err(fail("the message began before the 354").at(Some(place)));
        }
    }
    Ok(())
}

/// C-09. Without PIPELINING each command waits for the answer to the last.
fn c_09(t: &Trial<'_>) -> Outcome {
    let script = Script::new().hold(Duration::from_millis(100));
    let seen = t.attempt(script).recipients(2).run()?;
    seen.reached(Point::Rcpt)?;
    one_by_one(&seen, false)
}

/// C-50. Replies belong to commands by their order, however they are cut.
fn c_50(t: &Trial<'_>) -> Outcome {
    for split in [Split::Octets, Split::Merged] {
        let script = Script::offering(&["PIPELINING", "8BITMIME"]).split(split);
        t.attempt(script.clone()).recipients(3).run()?.sent()?;
        let torn = script.to(Point::Rcpt, "rcpt2@", "550 5.1.1 no such user");
        let seen = t.attempt(torn).recipients(3).run()?;
        seen.reached(Point::Rcpt)?;
        matched(&seen).map_err(|verdict| verdict.at(seen.last_place()))?;
    }
    Ok(())
}

/// With one of three refused a client goes on with two or gives up: what it says must be true.
fn matched(seen: &Seen) -> Outcome {
    if !seen.is_delivered() {
        seen.content_stays("the message was sent where it was not asked for")?;
    }
    match seen.said() {
        Said::Sent if !seen.is_delivered() => {
            Err(fail("nothing was taken, and the client says that it was sent"))
        }
        Said::Crashed => Err(fail("the client crashed")),
        _ => Ok(()),
    }
}
