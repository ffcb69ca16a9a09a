//! Where mail for a domain goes: RFC 5321 §5.1, RFC 7505.

use crate::{
    client::{
        Case,
        record::Record,
        script::{Answer, Point, Script},
        seen::{Class, Seen, at},
        sender::Need,
        trial::Trial,
    },
    dns::Zone,
    outcome::{Outcome, Place, Verdict, fail},
};
use std::collections::BTreeSet;

pub(super) const CASES: &[Case] = &[
    Case { id: "C-34", run: c_34 },
    Case { id: "C-35", run: c_35 },
    Case { id: "C-36", run: c_36 },
    Case { id: "C-37", run: c_37 },
    Case { id: "C-38", run: c_38 },
    Case { id: "C-39", run: c_39 },
    Case { id: "C-40", run: c_40 },
    Case { id: "C-41", run: c_41 },
    Case { id: "C-42", run: c_42 },
    Case { id: "C-56", run: c_56 },
];

/// The domain of all recipients.
const DOMAIN: &str = "example.test";

/// `mx2` at 127.0.0.2 with preference 10, `mx3` at 127.0.0.3 with 20.
fn two() -> Zone {
    Zone::default()
        .mx(DOMAIN, 10, "mx2.example.test")
        .mx(DOMAIN, 20, "mx3.example.test")
        .a("mx2.example.test", 2)
        .a("mx3.example.test", 3)
}

fn unavailable() -> Answer {
    Answer::from("421 4.3.2 not now").then(Answer::close())
}

/// No session at a host for which `wrong` holds.
fn stays_away(seen: &Seen, wrong: impl Fn(u8) -> bool, what: &str) -> Outcome {
    let mut records = seen.records.iter();
    let Some(record) = records.find(|record| wrong(record.host)) else { return Ok(()) };
    Err(fail(what).at(Some(Place { session: record.number, line: 0 })))
}

/// What was taken was taken at 127.0.0.`host`.
fn sent_at(seen: &Seen, host: u8, what: &str) -> Outcome {
    let taken = |record: &&Record| record.bodies.iter().any(|body| body.is_taken());
    if seen.records.iter().filter(taken).any(|record| record.host == host) {
        return Ok(());
    }
    Err(fail(format!("{what}; {}", seen.how_it_ended())).at(seen.last_place()))
}

/// C-34. A mail exchanger that refuses connections is not the last.
fn c_34(t: &Trial<'_>) -> Outcome {
    let seen = t.attempt(Script::new()).mx(two(), &[3]).run_any()?;
    sent_at(&seen, 3, "the second mail exchanger was not tried")
}

/// C-35. A mail exchanger that is not available now is not the last.
fn c_35(t: &Trial<'_>) -> Outcome {
    let script = Script::new().host(2, Point::Greeting, unavailable());
    let seen = t.attempt(script).mx(two(), &[2, 3]).run()?;
    sent_at(&seen, 3, "the second mail exchanger was not tried")
}

/// C-36. What one mail exchanger refuses for ever no other is asked for.
fn c_36(t: &Trial<'_>) -> Outcome {
    let script = Script::new().host(2, Point::Rcpt, "550 5.1.1 no such user");
    let seen = t.attempt(script).mx(two(), &[2, 3]).run()?;
    seen.reached(Point::Rcpt)?;
    stays_away(&seen, |host| host == 3, "a recipient refused for ever was tried at the next")?;
    seen.not_sent(Class::Permanent)
}

/// C-37. Mail exchangers of one preference share the load.
fn c_37(t: &Trial<'_>) -> Outcome {
    let zone = || {
        Zone::default()
            .mx(DOMAIN, 10, "mx2.example.test")
            .mx(DOMAIN, 10, "mx3.example.test")
            .a("mx2.example.test", 2)
            .a("mx3.example.test", 3)
    };
    let mut used = BTreeSet::new();
    // That chance alone takes the same each time is less likely than one in 500,000.
    for _ in 0..20 {
        let seen = t.attempt(Script::new()).mx(zone(), &[2, 3]).run()?;
        seen.sent()?;
        used.extend(seen.records.iter().map(|record| record.host));
        if used.len() == 2 {
            return Ok(());
        }
    }
    Err(fail("20 messages went to the same of two mail exchangers of one preference"))
}

/// C-38. The address of a domain with mail exchangers is not used.
fn c_38(t: &Trial<'_>) -> Outcome {
    let zone =
        Zone::default().mx(DOMAIN, 10, "mx2.example.test").a("mx2.example.test", 2).a(DOMAIN, 4);
    let seen = t.attempt(Script::new()).mx(zone, &[4]).run_any()?;
    stays_away(&seen, |_| true, "the address of a domain with mail exchangers was used")?;
    seen.not_sent(Class::Any)
}

/// C-39. A domain without mail exchangers is its own.
fn c_39(t: &Trial<'_>) -> Outcome {
    let seen = t.attempt(Script::new()).mx(Zone::default().a(DOMAIN, 4), &[4]).run_any()?;
    sent_at(&seen, 4, "the address of a domain without mail exchangers was not used")
}

/// C-40. A domain that does not exist is an error; one that cannot be looked up now is asked again.
fn c_40(t: &Trial<'_>) -> Outcome {
    let seen = t.attempt(Script::new()).mx(Zone::default(), &[4]).run_any()?;
    stays_away(&seen, |_| true, "a connection for a domain that does not exist")?;
    seen.not_sent(Class::Permanent)?;
    let seen = t.attempt(Script::new()).mx(Zone::default().failing(DOMAIN), &[4]).run_any()?;
    stays_away(&seen, |_| true, "a connection for a domain that could not be looked up")?;
    seen.not_sent(Class::Temporary)
}

/// C-41. A domain with a null MX takes no mail.
fn c_41(t: &Trial<'_>) -> Outcome {
    let zone = Zone::default().mx(DOMAIN, 0, ".").a(DOMAIN, 4);
    let seen = t.attempt(Script::new()).mx(zone, &[4]).run_any()?;
    stays_away(&seen, |_| true, "a connection for a domain that takes no mail")?;
    seen.not_sent(Class::Permanent)
}

/// C-42. Mail exchangers not better than the client itself are left out.
fn c_42(t: &Trial<'_>) -> Outcome {
    if t.sender().serves(Need::Mx) && !t.sender().uses(Need::Mx, "helo") {
        return Err(Verdict::NotTested("needs {helo} in the command for `mx`".into()));
    }
    let own = "relay.example.test";
    let zone = || Zone::default().mx(DOMAIN, 20, own).a(own, 3);
    let more = zone()
        .mx(DOMAIN, 10, "mx2.example.test")
        .mx(DOMAIN, 30, "mx4.example.test")
        .a("mx2.example.test", 2)
        .a("mx4.example.test", 4);
    let script = Script::new().host(2, Point::Greeting, unavailable());
    let what = "a mail exchanger not better than the client itself was tried";
    let seen = t.attempt(script).helo(own).mx(more, &[2, 3, 4]).run_any()?;
    stays_away(&seen, |host| host > 2, what)?;
    let seen = t.attempt(Script::new()).helo(own).mx(zone(), &[3]).run_any()?;
    stays_away(&seen, |_| true, what)?;
    seen.not_sent(Class::Permanent)
}

/// C-56. A server with a TLSA record is sent to inside TLS and with that certificate, or not at all:
/// RFC 7672 §2.2 and §3.1.
fn c_56(t: &Trial<'_>) -> Outcome {
    const HOST: &str = "mx2.example.test";
    let zone = || Zone::default().signed().mx(DOMAIN, 10, HOST).a(HOST, 2);
    let offers = || Script::offering(&["8BITMIME", "STARTTLS"]);
    let attempt = |script: Script, zone: Zone| t.attempt(script).mx(zone, &[2]).need(Need::Dane);
    let (right, wrong) = (t.certificate(), [0x5a; 32]);

    let seen = attempt(offers(), zone().tlsa(HOST, 3, right)).run()?;
    never_in_clear(&seen)?;
    seen.sent()?;

    let held_up = [
        (offers(), zone().tlsa(HOST, 3, wrong), "another certificate than that of the TLSA record"),
        (Script::new(), zone().tlsa(HOST, 3, right), "a TLSA record, and no STARTTLS"),
        (offers(), zone().failing(&format!("_tcp.{HOST}")), "a TLSA record that is bogus"),
    ];
    for (script, zone, what) in held_up {
        let seen = attempt(script, zone).run_any()?;
        seen.content_stays(what)?;
        seen.not_sent(Class::Temporary)?;
    }
    // A usage that a client cannot have asks for TLS, and for no certificate: RFC 7672 §3.1.3.
    let seen = attempt(offers(), zone().tlsa(HOST, 0, wrong)).run()?;
    never_in_clear(&seen)
}

fn never_in_clear(seen: &Seen) -> Outcome {
    match seen.at(Point::Mail).find(|(_, command)| !command.tls) {
        Some((record, mail)) => Err(at(record, mail, "in clear, though there is a TLSA record")),
        None => Ok(()),
    }
}
