//! STARTTLS where it is required: RFC 3207 §4.

use super::pipelining::one_by_one;
use crate::{
    client::{
        Case,
        script::{Answer, Point, Script},
        seen::{Class, Seen, at},
        sender::Need,
        trial::Trial,
    },
    outcome::{Outcome, Verdict, inconclusive},
};
use std::time::Duration;

pub(super) const CASES: &[Case] = &[
    Case { id: "C-20", run: c_20 },
    Case { id: "C-21", run: c_21 },
    Case { id: "C-22", run: c_22 },
    Case { id: "C-23", run: c_23 },
    Case { id: "C-24", run: c_24 },
    Case { id: "C-53", run: c_53 },
    Case { id: "C-58", run: c_58 },
];

/// Neither MAIL nor AUTH is said in clear.
fn nothing_in_clear(seen: &Seen) -> Outcome {
    for (record, command) in seen.at(Point::Auth).chain(seen.at(Point::Mail)) {
        if !command.tls {
            return Err(at(record, command, "said in clear, though TLS is required"));
        }
    }
    Ok(())
}

/// C-20. Where TLS is required and not offered, nothing is sent.
fn c_20(t: &Trial<'_>) -> Outcome {
    let seen = t.attempt(Script::new()).need(Need::StartTls).run()?;
    nothing_in_clear(&seen)?;
    seen.not_sent(Class::Any)
}

/// C-21. Where TLS is required and cannot be had now, nothing is sent.
fn c_21(t: &Trial<'_>) -> Outcome {
    let script = Script::offering(&["STARTTLS", "AUTH PLAIN LOGIN"])
        .at(Point::StartTls, "454 4.7.0 TLS not available for now");
    let seen = t.attempt(script).need(Need::StartTls).run()?;
    seen.reached(Point::StartTls)?;
    nothing_in_clear(&seen)?;
    seen.not_sent(Class::Any)
}

/// C-22. What stands in clear behind the 220 is not an answer inside TLS.
fn c_22(t: &Trial<'_>) -> Outcome {
    let forged = "220 2.0.0 go ahead\r\n250-evil.example\r\n250 XINJECTED\r\n";
    let late = Answer::lines(&["250-mx.example.test", "250 8BITMIME"]);
    let script = Script::offering(&["STARTTLS"]).at(Point::StartTls, Answer::octets(forged)).layer(
        Point::Ehlo,
        true,
        late.after(Duration::from_millis(300)),
    );
    let seen = t.attempt(script).need(Need::StartTls).run()?;
    seen.reached(Point::StartTls)?;
    nothing_in_clear(&seen)?;
    one_by_one(&seen, true)
}

/// A session inside TLS in which something was said.
fn inside(seen: &Seen) -> Outcome {
    seen.reached(Point::StartTls)?;
    if seen.records.iter().flat_map(|record| &record.commands).any(|command| command.tls) {
        return Ok(());
    }
    let why = seen.records.iter().find_map(|record| record.tls.clone()?.err());
    let why = why.unwrap_or_else(|| seen.how_it_ended());
    Err(inconclusive(format!("nothing was said inside TLS: {why}")).at(seen.last_place()))
}

/// C-23. Inside TLS a session begins anew with EHLO.
fn c_23(t: &Trial<'_>) -> Outcome {
    let seen = t.attempt(Script::offering(&["STARTTLS"])).need(Need::StartTls).run()?;
    inside(&seen)?;
    for record in &seen.records {
        let first = record.commands.iter().find(|command| command.tls);
        if let Some(first) = first.filter(|first| first.point != Point::Ehlo) {
            return Err(at(record, first, "EHLO was not said again inside TLS"));
        }
    }
    seen.sent()
}

/// C-24. What was offered outside TLS only is not used inside.
fn c_24(t: &Trial<'_>) -> Outcome {
    let script = Script::offering(&["STARTTLS", "PIPELINING", "SIZE 1000000", "8BITMIME"])
        .inside_tls(&["ENHANCEDSTATUSCODES"])
        .hold(Duration::from_millis(100));
    let seen = t.attempt(script).need(Need::StartTls).run()?;
    inside(&seen)?;
    seen.reached(Point::Mail)?;
    for (record, command) in seen.at(Point::Mail).filter(|(_, command)| command.tls) {
        if command.has_parameters() {
            let what = "a parameter that was offered before TLS and not inside";
            return Err(at(record, command, what));
        }
    }
    one_by_one(&seen, true)
}

/// C-53. Where TLS is required no password is said in clear.
fn c_53(t: &Trial<'_>) -> Outcome {
    let script = Script::offering(&["AUTH PLAIN LOGIN SCRAM-SHA-256"]);
    let seen = t.attempt(script).need(Need::StartTlsAuth).run()?;
    nothing_in_clear(&seen)?;
    match seen.not_sent(Class::Any) {
        // That nothing was said in clear is all that is asked here.
        Err(Verdict::Inconclusive(_)) => Ok(()),
        other => other,
    }
}

/// C-58. That a message must go through TLS all the way is said to a server that offers it; to
/// another the message is not sent.
fn c_58(t: &Trial<'_>) -> Outcome {
    let script = |inside| Script::offering(&["STARTTLS"]).inside_tls(inside);
    let seen = t.attempt(script(&["REQUIRETLS"])).need(Need::RequireTls).run()?;
    nothing_in_clear(&seen)?;
    seen.reached(Point::Mail)?;
    if let Some((record, mail)) =
        seen.at(Point::Mail).find(|(_, mail)| mail.parameter("REQUIRETLS").is_none())
    {
        return Err(at(record, mail, "the server is not told that TLS is required"));
    }
    seen.sent()?;
    for script in [script(&["8BITMIME"]), Script::new()] {
        let seen = t.attempt(script).need(Need::RequireTls).run()?;
        seen.content_stays("sent to a server that does not promise TLS")?;
        seen.not_sent(Class::Permanent)?;
    }
    Ok(())
}
