//! Limits that a server has: RFC 1870, RFC 5321 §4.5.3.1.10, RFC 9422.

use crate::{
    client::{
        Case,
        script::{Point, Script},
        seen::{Class, Said, Seen, at},
        trial::Trial,
    },
    outcome::{Outcome, Verdict, fail},
};
use std::collections::BTreeSet;

pub(super) const CASES: &[Case] = &[
    Case { id: "C-15", run: c_15 },
    Case { id: "C-16", run: c_16 },
    Case { id: "C-44", run: c_44 },
    Case { id: "C-45", run: c_45 },
];

/// C-15. A message larger than the server's SIZE is not sent.
fn c_15(t: &Trial<'_>) -> Outcome {
    // Names of parameters are the same in small letters, RFC 5321 §2.4.
    let script = ["SIZE=", "size="].iter().fold(Script::offering(&["SIZE 50"]), |script, name| {
        script.to(Point::Mail, name, "552 5.3.4 too large")
    });
    let seen = t.send(script)?;
    seen.content_stays("a message larger than SIZE was sent")?;
    seen.not_sent(Class::Permanent)
}

/// C-16. SIZE= is the size of the message with CRLF, and without doubled dots.
fn c_16(t: &Trial<'_>) -> Outcome {
    let message = t.message(&["a line of many", ".", "."].repeat(60));
    let seen = t.attempt(Script::offering(&["SIZE 10000000"])).message(message).run()?;
    seen.reached_end()?;
    let record = seen.first()?;
    let (Some(mail), Some(body)) = (record.at(Point::Mail).next(), record.bodies.first()) else {
        return Ok(());
    };
    let Some(size) = mail.parameter("SIZE") else {
        return Err(at(record, mail, "SIZE is offered and not used"));
    };
    let Ok(size) = size.parse::<usize>() else {
        return Err(at(record, mail, "SIZE is no number"));
    };
    let real = body.unstuffed().len();
    // It is an estimate, RFC 1870 §6; a little more does no harm.
    if size < real || size > real + real / 10 + 1024 {
        return Err(at(record, mail, &format!("the message has {real} octets")));
    }
    Ok(())
}

/// Recipients that have got the message.
fn reached(seen: &Seen) -> BTreeSet<&str> {
    let bodies = seen.records.iter().flat_map(|record| &record.bodies);
    bodies.filter(|body| body.is_taken()).flat_map(|b| &b.recipients).map(String::as_str).collect()
}

/// C-44. Too many recipients at once: the first get the message now, the others in the next
/// transaction.
fn c_44(t: &Trial<'_>) -> Outcome {
    for refusal in ["452 4.5.3 too many recipients", "552 5.5.3 too many recipients"] {
        let script = Script::new().from(Point::Rcpt, 101, refusal);
        let seen = t.attempt(script).recipients(105).run()?;
        seen.reached(Point::Rcpt)?;
        let got = reached(&seen).len();
        let verdict = match got {
            105 => Ok(()),
            // Who has no queue leaves the rest to the caller, and says so.
            100.. if seen.said() != Said::Sent => Ok(()),
            100.. => Err(fail(format!("{got} of 105 got the message, and nobody is told"))),
            _ => Err(fail(format!("{got} of 105 got the message, though 100 were accepted"))),
        };
        verdict.map_err(|verdict: Verdict| verdict.at(seen.last_place()))?;
    }
    Ok(())
}

/// C-45. Limits that the server announces are kept.
fn c_45(t: &Trial<'_>) -> Outcome {
    let script = Script::offering(&["LIMITS RCPTMAX=10 MAILMAX=2"])
        .from(Point::Rcpt, 11, "452 4.5.3 too many recipients")
        .from(Point::Mail, 3, "421 4.7.0 too many messages");
    let seen = t.attempt(script).recipients(25).run()?;
    seen.reached(Point::Rcpt)?;
    for record in &seen.records {
        let (mut mails, mut recipients) = (0, 0);
        for command in &record.commands {
            match command.point {
                Point::Mail => (mails, recipients) = (mails + 1, 0),
                Point::Rcpt => recipients += 1,
                _ => {}
            }
            if recipients > 10 {
                return Err(at(record, command, "more than the 10 recipients of RCPTMAX"));
            }
            if mails > 2 {
                return Err(at(record, command, "more than the 2 transactions of MAILMAX"));
            }
        }
    }
    Ok(())
}
