//! RFC 1985: ETRN.

use crate::{case::Case, outcome::Outcome, tester::Tester};

pub(super) const CASES: &[&[Case]] = &[&[
    Case { id: "ETRN-01", run: etrn_01 },
    Case { id: "ETRN-02", run: etrn_02 },
    Case { id: "ETRN-03", run: etrn_03 },
]];

/// ETRN-01. ETRN that is offered is there: it starts a queue, or says why not.
fn etrn_01(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("ETRN")?;
    s.ask("ETRN example.test").must("25z|45z|53z|55z")
}

/// ETRN-02. ETRN without a node, or with two, is refused.
fn etrn_02(t: &Tester<'_>) -> Outcome {
    t.offers("ETRN")?.0.ask("ETRN").must("50z|53z|55z")?;
    // No sentence says that a server must see the second name.
    t.offers("ETRN")?.0.ask("ETRN example.test other.test").should("45z|50z|53z|55z")
}

/// ETRN-03. ETRN inside a transaction leaves it as it was.
fn etrn_03(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("ETRN")?;
    t.envelope(&mut s)?;
    s.ask("ETRN example.test").must("xyz")?;
    s.ask("DATA").must("354")
}
