//! RFC 5321 §3.5, §7.3 and §4.1.1.6 to §4.1.1.8: VRFY, EXPN and HELP.

use crate::{
    case::Case,
    outcome::{Outcome, Verdict},
    tester::Tester,
};

pub(super) const CASES: &[Case] = &[
    Case { id: "VRFY-01", run: vrfy_01 },
    Case { id: "VRFY-02", run: vrfy_02 },
    Case { id: "VRFY-03", run: vrfy_03 },
    Case { id: "VRFY-04", run: vrfy_04 },
    Case { id: "VRFY-05", run: vrfy_05 },
    Case { id: "VRFY-06", run: vrfy_06 },
    Case { id: "VRFY-07", run: vrfy_07 },
    Case { id: "HELP-01", run: help_01 },
    Case { id: "HELP-02", run: help_02 },
];

/// VRFY-01. VRFY is there.
fn vrfy_01(t: &Tester<'_>) -> Outcome {
    let user = t.recipient()?;
    t.hello()?.ask(format!("VRFY {user}")).must("25z|45z|53z|55z")
}

/// VRFY-02. An address that does not exist is not verified.
fn vrfy_02(t: &Tester<'_>) -> Outcome {
    let nobody = t.unknown()?;
    let answer = t.hello()?.ask(format!("VRFY {nobody}"));
    answer.must("xyz")?;
    answer.must_not("250|251")
}

/// VRFY-03. Where VRFY does not verify, it says 252, and not that somebody does not exist.
fn vrfy_03(t: &Tester<'_>) -> Outcome {
    let user = t.recipient()?;
    t.envelope(&mut t.hello()?)?;
    let answer = t.hello()?.ask(format!("VRFY {user}"));
    if answer.is("252") {
        Ok(())
    } else if answer.is("550|551|554") {
        Err(answer.fail("252 expected: the address exists, RCPT accepts it"))
    } else {
        Err(Verdict::NotApplicable("VRFY verifies, or is not there (VRFY-01)".into()))
    }
}

/// VRFY-04. EXPN that is there is offered.
fn vrfy_04(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    let listed = s.extension("EXPN").is_some();
    let answer = s.ask("EXPN staff");
    answer.must("xyz")?;
    if listed {
        Ok(())
    } else if answer.is("250|251") {
        Err(answer.fail("EXPN is answered and not offered"))
    } else if answer.is("55z") {
        Err(answer.inconclusive("EXPN is not there, or has no such list"))
    } else {
        Err(Verdict::NotApplicable("there is no EXPN".into()))
    }
}

/// VRFY-05. VRFY without a user is refused.
fn vrfy_05(t: &Tester<'_>) -> Outcome {
    t.hello()?.ask("VRFY").must("50z|53z|55z")
}

/// VRFY-06. A verified user is named by a mailbox.
fn vrfy_06(t: &Tester<'_>) -> Outcome {
    let user = t.recipient()?;
    let answer = t.hello()?.ask(format!("VRFY {user}"));
    if !answer.is("250|251") {
        return Err(Verdict::NotApplicable("VRFY does not verify".into()));
    }
    if answer.reply().is_some_and(|reply| reply.texts().any(|text| text.contains('@'))) {
        Ok(())
    } else {
        Err(answer.fail("a mailbox expected, local-part@domain"))
    }
}

/// VRFY-07. VRFY, EXPN and HELP leave the transaction as it was.
fn vrfy_07(t: &Tester<'_>) -> Outcome {
    for command in ["VRFY postmaster", "EXPN staff", "HELP"] {
        let mut s = t.hello()?;
        t.envelope(&mut s)?;
        s.ask(command).must("xyz")?;
        s.ask("DATA").must("354")?;
    }
    Ok(())
}

/// HELP-01. HELP helps.
fn help_01(t: &Tester<'_>) -> Outcome {
    t.hello()?.ask("HELP").must("211|214")
}

/// HELP-02. HELP with a word has a reply.
fn help_02(t: &Tester<'_>) -> Outcome {
    t.hello()?.ask("HELP MAIL").must("211|214|50z|53z|55z")
}
