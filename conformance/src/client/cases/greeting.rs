//! How a session begins and ends: RFC 5321 §3.1, §3.2, §4.1.1.10.

use crate::{
    client::{
        Case,
        script::{Answer, Point, Script},
        seen::{Class, at},
        trial::Trial,
    },
    outcome::{Outcome, Verdict, fail},
};
use std::time::Duration;

pub(super) const CASES: &[Case] = &[
    Case { id: "C-02", run: c_02 },
    Case { id: "C-03", run: c_03 },
    Case { id: "C-04", run: c_04 },
    Case { id: "C-05", run: c_05 },
    Case { id: "C-06", run: c_06 },
    Case { id: "C-17", run: c_17 },
];

/// C-02. To a server that does not know EHLO a client says HELO.
fn c_02(t: &Trial<'_>) -> Outcome {
    let seen = t.send(Script::new().at(Point::Ehlo, "500 5.5.1 what is EHLO?"))?;
    if seen.at(Point::Helo).next().is_none() {
        return Err(fail("EHLO was refused, and HELO was not tried").at(seen.last_place()));
    }
    seen.sent()
}

/// C-03. After HELO there are no extensions, and so no parameters.
fn c_03(t: &Trial<'_>) -> Outcome {
    let seen = t.send(Script::new().at(Point::Ehlo, "502 5.5.1 not here"))?;
    seen.reached(Point::Helo)?;
    seen.reached(Point::Mail)?;
    for point in [Point::Mail, Point::Rcpt] {
        for (record, command) in seen.at(point) {
            if command.has_parameters() {
                return Err(at(record, command, "a parameter that nobody offered"));
            }
        }
    }
    Ok(())
}

/// C-04. A server that greets with 421 is tried again later.
fn c_04(t: &Trial<'_>) -> Outcome {
    let gone = Answer::from("421 4.3.2 shutting down").then(Answer::close());
    let queues = t.sender().manners().queues;
    let seen = t.send(Script::new().at(Point::Greeting, gone).once(queues))?;
    if !queues {
        seen.never(Point::Mail, "MAIL behind a greeting with 421")?;
    }
    seen.not_sent(Class::Temporary)
}

/// C-05. To a server that greets with 554 or 521 no mail is said.
fn c_05(t: &Trial<'_>) -> Outcome {
    for greeting in ["554 no SMTP service here", "521 example.test accepts no mail"] {
        let script = Script::new()
            .at(Point::Greeting, greeting)
            .at(Point::Ehlo, "503 5.5.1 I said no")
            .at(Point::Helo, "503 5.5.1 I said no")
            .at(Point::Mail, "503 5.5.1 I said no");
        let seen = t.send(script)?;
        seen.never(Point::Mail, "MAIL behind a greeting that refuses")?;
        seen.not_sent(Class::Any)?;
    }
    Ok(())
}

/// C-06. A greeting is over with its last line.
fn c_06(t: &Trial<'_>) -> Outcome {
    let pause = Duration::from_millis(300);
    let greeting = Answer::from("220-mx.example.test ESMTP")
        .then(Answer::from("220-has more to say").after(pause))
        .then(Answer::from("220 and is done").after(pause));
    let seen = t.send(Script::new().at(Point::Greeting, greeting))?;
    for (record, command) in seen.at(Point::Ehlo).chain(seen.at(Point::Helo)) {
        if command.early {
            return Err(at(record, command, "said before the last line of the greeting"));
        }
    }
    seen.sent()
}

/// C-17. A client says QUIT and waits for the answer.
fn c_17(t: &Trial<'_>) -> Outcome {
    let late = Answer::from("221 2.0.0 bye").after(Duration::from_millis(400));
    let seen = t.send(Script::new().at(Point::Quit, late))?;
    seen.sent()?;
    let record = seen.first()?;
    let Some(quit) = record.at(Point::Quit).next() else {
        return Err(fail("the client closed without QUIT").at(seen.last_place()));
    };
    if record.left_early {
        let Verdict::Fail(finding) = at(record, quit, "the client did not wait for the 221") else {
            return Ok(());
        };
        return Err(Verdict::Warn(finding));
    }
    Ok(())
}
