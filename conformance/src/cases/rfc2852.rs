//! RFC 2852: DELIVERBY.

use crate::{
    case::Case,
    outcome::{Outcome, Verdict},
    session::Answer,
    tester::Tester,
};

pub(super) const CASES: &[&[Case]] = &[&[
    Case { id: "DBY-01", run: dby_01 },
    Case { id: "DBY-02", run: dby_02 },
    Case { id: "DBY-03", run: dby_03 },
    Case { id: "DBY-04", run: dby_04 },
]];

/// The answer to MAIL with `by`, on a connection of its own, where DELIVERBY is offered.
fn mail(t: &Tester<'_>, by: &str) -> Result<Answer, Verdict> {
    let (mut s, _) = t.offers("DELIVERBY")?;
    Ok(s.ask(format!("MAIL FROM:<sender@client.example> BY={by}")))
}

/// The shortest time for which the server takes mode R: the parameter of its offer.
fn shortest(t: &Tester<'_>) -> Result<u32, Verdict> {
    let (_, parameter) = t.offers("DELIVERBY")?;
    Ok(parameter.split(',').next().and_then(|digits| digits.parse().ok()).unwrap_or(0))
}

/// DBY-01. Valid times are accepted, also those that are past in mode N; a server may say 455 or
/// 555 where it cannot honour one.
fn dby_01(t: &Tester<'_>) -> Outcome {
    let enough = shortest(t)?.max(120);
    for by in [format!("{enough};R"), "120;NT".into(), "0;N".into(), "-10;N".into()] {
        mail(t, &by)?.must("250|455|555")?;
    }
    Ok(())
}

/// DBY-02. A time that is no number, has ten digits or no mode is refused.
fn dby_02(t: &Tester<'_>) -> Outcome {
    for by in ["abc;R", "1", "120;X", "9999999999;N"] {
        mail(t, by)?.must("50z|55z")?;
    }
    Ok(())
}

/// DBY-03. In mode R the time is more than zero.
fn dby_03(t: &Tester<'_>) -> Outcome {
    mail(t, "0;R")?.must("50z|55z")?;
    mail(t, "-1;R")?.must("50z|55z")
}

/// DBY-04. In mode R a time below the least that the server offers is refused.
fn dby_04(t: &Tester<'_>) -> Outcome {
    let least = shortest(t)?;
    if least < 2 {
        return Err(Verdict::NotApplicable("no least time is offered".into()));
    }
    mail(t, &format!("{};R", least - 1))?.must("55z")
}
