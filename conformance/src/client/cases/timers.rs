//! How long a client waits, and when it comes again: RFC 5321 §4.3.1, §4.5.3.2, §4.5.4.1.

use crate::{
    client::{
        Case,
        script::{Answer, Point, Script},
        seen::{Class, Said, at},
        sender::Need,
        trial::Trial,
    },
    outcome::{Outcome, Verdict, fail, inconclusive},
};
use std::time::Duration;

pub(super) const CASES: &[Case] = &[
    Case { id: "C-32", run: c_32 },
    Case { id: "C-33", run: c_33 },
    Case { id: "C-43", run: c_43 },
];

/// A client that queues is told to try again soon, for the sake of other rows; sooner than this is
/// a loop.
const AT_ONCE: Duration = Duration::from_millis(500);

/// C-32. A greeting may take its time, and nothing is said before it.
fn c_32(t: &Trial<'_>) -> Outcome {
    let late = Answer::from("220 mx.example.test ESMTP").after(t.delay());
    let script = Script::new().at(Point::Greeting, late);
    let seen = t.attempt(script).within(3 * t.delay()).run()?;
    for (record, command) in seen.at(Point::Ehlo).chain(seen.at(Point::Helo)) {
        if command.early {
            return Err(at(record, command, "said before the greeting"));
        }
    }
    seen.sent()
}

/// C-33. A server that says nothing more is left, wherever it falls silent.
fn c_33(t: &Trial<'_>) -> Outcome {
    if t.sender().serves(Need::Plain) && !t.sender().uses(Need::Plain, "timeout") {
        let why = "needs {timeout} in the command: timers of minutes are not waited for";
        return Err(Verdict::NotTested(why.into()));
    }
    let timeout = (t.delay() / 10).max(Duration::from_millis(100));
    for point in [Point::Greeting, Point::Ehlo, Point::Mail, Point::Rcpt, Point::Data, Point::End] {
        let script = Script::new().at(point, Answer::silence());
        let attempt = t.attempt(script).timeout(timeout).stopped_after(8 * timeout);
        let seen = attempt.run_any()?;
        if seen.is_stuck() {
            let what = format!("told to wait {timeout:?}, it waits on at {point:?}");
            return Err(fail(what).at(seen.last_place()));
        }
        seen.not_sent(Class::Temporary)?;
    }
    Ok(())
}

/// C-43. A failure for now is not tried again at once.
fn c_43(t: &Trial<'_>) -> Outcome {
    let script = Script::new().at(Point::Mail, "451 4.3.0 try again later");
    let seen = t.send(script)?;
    seen.reached(Point::Mail)?;
    let mut mails = seen.at(Point::Mail);
    let (Some((_, first)), Some((again, command))) = (mails.next(), mails.next()) else {
        return Ok(());
    };
    let pause = command.came - first.came;
    if seen.said() == Said::Nothing && pause >= AT_ONCE {
        let what = format!("tried again after {pause:.1?}, as it may have been told to");
        return Err(inconclusive(what).at(seen.last_place()));
    }
    Err(at(again, command, "tried again at once"))
}
