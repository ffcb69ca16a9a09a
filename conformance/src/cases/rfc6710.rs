//! RFC 6710: MT-PRIORITY.

use crate::{
    case::Case,
    outcome::{Outcome, Verdict},
    session::Answer,
    tester::Tester,
};

pub(super) const CASES: &[&[Case]] =
    &[&[Case { id: "MTP-01", run: mtp_01 }, Case { id: "MTP-02", run: mtp_02 }]];

/// The answer to MAIL with `parameters`, on a connection of its own, where MT-PRIORITY is offered.
fn mail(t: &Tester<'_>, parameters: &str) -> Result<Answer, Verdict> {
    let (mut s, _) = t.offers("MT-PRIORITY")?;
    Ok(s.ask(format!("MAIL FROM:<sender@client.example> {parameters}")))
}

/// MTP-01. Priorities from -9 to 9 are known, if not always granted; others are refused.
fn mtp_01(t: &Tester<'_>) -> Outcome {
    for priority in ["0", "-9", "9"] {
        mail(t, &format!("MT-PRIORITY={priority}"))?.must("250|450|550")?;
    }
    for priority in ["10", "-10", "abc"] {
        mail(t, &format!("MT-PRIORITY={priority}"))?.must("50z|55z")?;
    }
    Ok(())
}

/// MTP-02. Two priorities for one message are refused.
fn mtp_02(t: &Tester<'_>) -> Outcome {
    mail(t, "MT-PRIORITY=0 MT-PRIORITY=-1")?.must("50z|55z")
}
