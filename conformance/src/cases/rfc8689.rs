//! RFC 8689: REQUIRETLS.

use crate::{
    case::Case,
    outcome::{Outcome, Verdict, fail},
    tester::Tester,
};

pub(super) const CASES: &[&[Case]] =
    &[&[Case { id: "RTLS-01", run: rtls_01 }, Case { id: "RTLS-02", run: rtls_02 }]];

const MAIL: &str = "MAIL FROM:<sender@client.example>";

/// RTLS-01. REQUIRETLS is offered inside TLS only, where it can be kept.
fn rtls_01(t: &Tester<'_>) -> Outcome {
    let clear = t.hello_as_stranger()?;
    let offered = clear.extension("REQUIRETLS").is_some();
    if !offered && t.secured()?.extension("REQUIRETLS").is_none() {
        return Err(Verdict::NotApplicable("REQUIRETLS is not offered".into()));
    }
    if offered { Err(fail("REQUIRETLS is offered in clear")) } else { Ok(()) }
}

/// RTLS-02. REQUIRETLS takes no value, and is refused in clear.
fn rtls_02(t: &Tester<'_>) -> Outcome {
    let mut s = t.secured()?;
    let Some(parameters) = s.extension("REQUIRETLS") else {
        return Err(Verdict::NotApplicable("REQUIRETLS is not offered".into()));
    };
    if !parameters.is_empty() {
        return Err(fail(format!("REQUIRETLS is offered with \"{parameters}\"")));
    }
    s.ask(format!("{MAIL} REQUIRETLS")).given("250")?;
    s.ask("RSET").given("250")?;
    s.ask(format!("{MAIL} REQUIRETLS=1")).must("5yz")?;
    t.hello_as_stranger()?.ask(format!("{MAIL} REQUIRETLS")).must("5yz")
}
