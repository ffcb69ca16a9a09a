//! RFC 3461 §4: the parameters of MAIL and RCPT.

use crate::{case::Case, outcome::Outcome, outcome::Verdict, session::Session, tester::Tester};

pub(super) const CASES: &[Case] = &[
    Case { id: "DSN-01", run: dsn_01 },
    Case { id: "DSN-02", run: dsn_02 },
    Case { id: "DSN-03", run: dsn_03 },
    Case { id: "DSN-04", run: dsn_04 },
    Case { id: "DSN-05", run: dsn_05 },
    Case { id: "DSN-06", run: dsn_06 },
    Case { id: "DSN-07", run: dsn_07 },
    Case { id: "DSN-08", run: dsn_08 },
    Case { id: "DSN-13", run: dsn_13 },
    Case { id: "DSN-14", run: dsn_14 },
    Case { id: "DSN-15", run: dsn_15 },
];

const MAIL: &str = "MAIL FROM:<sender@client.example>";

/// A session in which MAIL is known to be accepted.
fn ready(t: &Tester<'_>) -> Result<Session, Verdict> {
    let (mut s, _) = t.offers("DSN")?;
    s.ask(MAIL).given("250")?;
    s.ask("RSET").given("250")?;
    Ok(s)
}

/// Each of these parameters of MAIL is answered by `pattern`, each in a session of its own.
fn mail(t: &Tester<'_>, parameters: &[&str], pattern: &str) -> Outcome {
    for parameter in parameters {
        ready(t)?.ask(format!("{MAIL} {parameter}")).must(pattern)?;
    }
    Ok(())
}

/// The same with RCPT.
fn rcpt(t: &Tester<'_>, parameters: &[&str], pattern: &str) -> Outcome {
    let recipient = t.recipient()?;
    for parameter in parameters {
        let (mut s, _) = t.offers("DSN")?;
        s.ask(MAIL).given("250")?;
        s.ask(format!("RCPT TO:<{recipient}> {parameter}")).must(pattern)?;
    }
    Ok(())
}

/// The same where §5.1 says SHOULD.
fn mild(outcome: Outcome) -> Outcome {
    outcome.map_err(|verdict| match verdict {
        Verdict::Fail(finding) => Verdict::Warn(finding),
        other => other,
    })
}

/// DSN-01. RET and ENVID are accepted.
fn dsn_01(t: &Tester<'_>) -> Outcome {
    mail(t, &["RET=HDRS ENVID=QQ314159", "RET=FULL"], "250")
}

/// DSN-02. NOTIFY is accepted with all of its words, and with NEVER.
fn dsn_02(t: &Tester<'_>) -> Outcome {
    rcpt(t, &["NOTIFY=SUCCESS,FAILURE,DELAY", "NOTIFY=NEVER"], "25z")
}

/// DSN-03. NEVER stands alone.
fn dsn_03(t: &Tester<'_>) -> Outcome {
    rcpt(t, &["NOTIFY=NEVER,SUCCESS"], "5yz")
}

/// DSN-04. Values that there are not are refused: in MAIL they MUST be, in RCPT they SHOULD (§5.1).
/// Whether ENVID may be empty is open: an xtext may, a value of RFC 5321 §4.1.2 may not.
fn dsn_04(t: &Tester<'_>) -> Outcome {
    mail(t, &["RET=SOME"], "5yz")?;
    ready(t)?.ask(format!("{MAIL} ENVID=")).should("5yz")?;
    mild(rcpt(t, &["NOTIFY=FOO"], "5yz"))
}

/// DSN-05. ENVID is xtext.
fn dsn_05(t: &Tester<'_>) -> Outcome {
    mail(t, &["ENVID=a+ZZ", "ENVID=a=b", "ENVID=a b"], "5yz")
}

/// DSN-06. Each parameter is given once.
fn dsn_06(t: &Tester<'_>) -> Outcome {
    mail(t, &["RET=FULL RET=HDRS", "ENVID=a ENVID=b"], "5yz")?;
    let twice =
        ["NOTIFY=FAILURE NOTIFY=DELAY", "ORCPT=rfc822;a@b.example ORCPT=rfc822;c@d.example"];
    rcpt(t, &twice, "5yz")
}

/// DSN-07. ENVID may have a hundred characters.
fn dsn_07(t: &Tester<'_>) -> Outcome {
    mail(t, &[&format!("ENVID={}", "e".repeat(100))], "250")
}

/// DSN-08. ORCPT is a type of addresses, a semicolon and xtext.
fn dsn_08(t: &Tester<'_>) -> Outcome {
    rcpt(t, &["ORCPT=rfc822", "ORCPT=;x", "ORCPT=rfc822;a+2"], "5yz")
}

/// DSN-13. The words may be in any case of letters.
fn dsn_13(t: &Tester<'_>) -> Outcome {
    mail(t, &["ret=hdrs", "Ret=Full"], "250")?;
    rcpt(t, &["notify=success,Failure", "Notify=never"], "25z")
}

/// DSN-14. ORCPT may have five hundred characters.
fn dsn_14(t: &Tester<'_>) -> Outcome {
    let start = "ORCPT=rfc822;";
    let end = "@client.example";
    let middle = "o".repeat(500 - start.len() - end.len());
    rcpt(t, &[&format!("{start}{middle}{end}")], "25z")
}

/// DSN-15. None of the parameters goes without its value.
fn dsn_15(t: &Tester<'_>) -> Outcome {
    mail(t, &["RET", "ENVID"], "5yz")?;
    mild(rcpt(t, &["NOTIFY", "ORCPT"], "5yz"))
}
