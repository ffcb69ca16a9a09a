//! Relaying for strangers, by the spellings that servers have fallen for (RFC 2505 §2.1, RFC 5321
//! §7.9 and appendix C), and asking who exists (§7.3).

use crate::{
    case::Case,
    outcome::{Outcome, Verdict},
    tester::Tester,
};

pub(super) const CASES: &[Case] = &[
    Case { id: "SEC-REL-01", run: rel_01 },
    Case { id: "SEC-REL-02", run: rel_02 },
    Case { id: "SEC-REL-03", run: rel_03 },
    Case { id: "SEC-REL-04", run: rel_04 },
    Case { id: "SEC-REL-05", run: rel_05 },
    Case { id: "SEC-ENUM-01", run: enum_01 },
];

/// A foreign domain.
fn elsewhere<'r>(t: &Tester<'r>) -> Result<&'r str, Verdict> {
    let foreign = t.foreign()?;
    foreign
        .rsplit_once('@')
        .map(|(_, domain)| domain)
        .ok_or_else(|| Verdict::NotTested("the foreign recipient has no domain".into()))
}

/// A stranger's RCPT to `path` is refused. A server that refuses nobody in its own domain could
/// accept it as a mailbox of that name, which says nothing.
pub(super) fn is_refused(t: &Tester<'_>, path: &str) -> Outcome {
    let unknown = t.unknown()?;
    let mut s = t.hello()?;
    s.ask("MAIL FROM:<sender@client.example>").given("250")?;
    s.ask(format!("RCPT TO:<{unknown}>")).given("4yz|5yz")?;
    s.ask(format!("RCPT TO:{path}")).must("4yz|5yz|closed")
}

/// SEC-REL-01. A percent sign in a local part routes nothing.
fn rel_01(t: &Tester<'_>) -> Outcome {
    let (elsewhere, domain) = (elsewhere(t)?, t.domain()?);
    is_refused(t, &format!("<relay%{elsewhere}@{domain}>"))
}

/// SEC-REL-02. An address in quotes is a local part, and routes nothing.
fn rel_02(t: &Tester<'_>) -> Outcome {
    let (elsewhere, domain) = (elsewhere(t)?, t.domain()?);
    is_refused(t, &format!("<\"relay@{elsewhere}\"@{domain}>"))
}

/// SEC-REL-03. A source route through this server gives no right to relay.
fn rel_03(t: &Tester<'_>) -> Outcome {
    let (elsewhere, domain) = (elsewhere(t)?, t.domain()?);
    is_refused(t, &format!("<@{domain}:relay@{elsewhere}>"))
}

/// SEC-REL-04. Nor does a bang path, a second at sign, a literal, a dot at the end, or the local
/// domain in front of the foreign one.
fn rel_04(t: &Tester<'_>) -> Outcome {
    let (elsewhere, domain) = (elsewhere(t)?, t.domain()?);
    for path in [
        format!("<{elsewhere}!relay@{domain}>"),
        format!("<relay@{elsewhere}@{domain}>"),
        format!("<{elsewhere}!relay>"),
        "<relay@[127.0.0.1]>".into(),
        format!("<relay@{elsewhere}.>"),
        format!("<relay@{domain}.{elsewhere}>"),
        format!("<relay%{elsewhere}>"),
    ] {
        is_refused(t, &path)?;
    }
    Ok(())
}

/// SEC-REL-05. Whom a stranger claims to be gives no right to relay.
fn rel_05(t: &Tester<'_>) -> Outcome {
    let (foreign, domain) = (t.foreign()?, t.domain()?);
    let known = t.recipient().unwrap_or("postmaster");
    for reverse_path in [String::new(), known.into(), format!("root@{domain}")] {
        let mut s = t.hello()?;
        s.ask(format!("MAIL FROM:<{reverse_path}>")).given("250|4yz|5yz")?;
        s.ask(format!("RCPT TO:<{foreign}>")).must("4yz|5yz|closed")?;
    }
    Ok(())
}

/// SEC-ENUM-01. VRFY and EXPN tell a stranger nothing about who exists.
fn enum_01(t: &Tester<'_>) -> Outcome {
    let (known, unknown) = (t.recipient()?, t.unknown()?);
    for verb in ["VRFY", "EXPN"] {
        let mut s = t.hello()?;
        let yes = s.ask(format!("{verb} {known}"));
        yes.given("2yz|4yz|5yz")?;
        let no = s.ask(format!("{verb} {unknown}"));
        if yes.code() != no.code() {
            return Err(no.fail(&format!("{verb} of one who exists was {}", yes.code())));
        }
    }
    Ok(())
}
