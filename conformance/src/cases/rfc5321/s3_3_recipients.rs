//! RFC 5321 §3.3, §4.5.1 and §4.5.3.1: recipients.

use crate::{
    case::Case,
    outcome::{Outcome, Verdict, fail, warn},
    session::Session,
    tester::Tester,
};

pub(super) const CASES: &[Case] = &[
    Case { id: "RCPT-01", run: rcpt_01 },
    Case { id: "RCPT-02", run: rcpt_02 },
    Case { id: "RCPT-03", run: rcpt_03 },
    Case { id: "RCPT-04", run: rcpt_04 },
    Case { id: "RCPT-05", run: rcpt_05 },
    Case { id: "RCPT-06", run: rcpt_06 },
    Case { id: "RCPT-07", run: rcpt_07 },
    Case { id: "RCPT-08", run: rcpt_08 },
    Case { id: "RCPT-09", run: rcpt_09 },
    Case { id: "RCPT-10", run: rcpt_10 },
    Case { id: "RCPT-11", run: rcpt_11 },
    Case { id: "RCPT-12", run: rcpt_12 },
    Case { id: "RCPT-13", run: rcpt_13 },
];

/// A session in which MAIL was accepted.
fn started(t: &Tester<'_>) -> Result<Session, Verdict> {
    let mut s = t.hello()?;
    s.ask("MAIL FROM:<sender@client.example>").given("250")?;
    Ok(s)
}

/// A domain of exactly `octets` octets, in labels of at most 63.
fn long_domain(octets: usize) -> String {
    let mut domain = "x".repeat(octets);
    // A dot at every 40th place from the end.
    for at in (0..octets).rev().filter(|at| (octets - at).is_multiple_of(40)).filter(|&at| at > 0) {
        domain.replace_range(at..=at, ".");
    }
    domain
}

/// RCPT-01. A mailbox that exists is accepted.
fn rcpt_01(t: &Tester<'_>) -> Outcome {
    let recipient = t.recipient()?;
    started(t)?.ask(format!("RCPT TO:<{recipient}>")).must("25z")
}

/// RCPT-02. A mailbox that does not exist is refused, or its mail is returned: never lost.
fn rcpt_02(t: &Tester<'_>) -> Outcome {
    let unknown = t.unknown()?;
    let mut s = started(t)?;
    let rcpt = s.ask(format!("RCPT TO:<{unknown}>"));
    if !rcpt.is("2yz") {
        return rcpt.must("55z|5yz|4yz");
    }
    t.mailbox()?;
    let sender = t.recipient()?;
    let message = t.message(&["to nobody"]);
    let mut s = t.hello()?;
    s.ask(format!("MAIL FROM:<{sender}>")).given("250")?;
    s.ask(format!("RCPT TO:<{unknown}>")).given("25z")?;
    s.ask("DATA").given("354")?;
    s.send(message.stuffed());
    let end = s.hear();
    if end.is("4yz|5yz") {
        return Err(end.warn("refused after the message, which says of whom only by chance"));
    }
    end.given("25z")?;
    if t.stored(sender, &message.token, 1)?.is_empty() {
        return Err(rcpt.fail("accepted, and no notification came back"));
    }
    Err(rcpt.warn("accepted and returned: the notification may go to somebody who sent nothing"))
}

/// RCPT-03. A stranger's mail for a foreign domain is refused.
fn rcpt_03(t: &Tester<'_>) -> Outcome {
    let foreign = t.foreign()?;
    started(t)?.ask(format!("RCPT TO:<{foreign}>")).must("4yz|5yz")
}

/// RCPT-04. Every server has a Postmaster, also without a domain.
fn rcpt_04(t: &Tester<'_>) -> Outcome {
    let rcpt = started(t)?.ask("RCPT TO:<Postmaster>");
    if rcpt.is("4yz") { rcpt.given("25z") } else { rcpt.must("25z") }
}

/// RCPT-05. Every local domain has a postmaster, written in any case.
fn rcpt_05(t: &Tester<'_>) -> Outcome {
    let domain = t.domain()?;
    let rcpt = started(t)?.ask(format!("RCPT TO:<pOsTmAsTeR@{domain}>"));
    if rcpt.is("4yz") { rcpt.given("25z") } else { rcpt.must("25z") }
}

/// RCPT-06. A transaction takes 100 recipients.
fn rcpt_06(t: &Tester<'_>) -> Outcome {
    let known = t.recipients(1)?;
    let mut s = started(t)?;
    for (n, recipient) in known.iter().cycle().take(100).enumerate() {
        let rcpt = s.ask(format!("RCPT TO:<{recipient}>"));
        if n == 0 {
            rcpt.given("25z")?;
        }
        if n >= known.len() && rcpt.is("55z") && !rcpt.is("552") {
            return Err(rcpt.inconclusive("needs 100 different recipients: one is refused twice"));
        }
        if !rcpt.is("25z") {
            return Err(rcpt.fail(&format!("recipient {} is refused", n + 1)));
        }
    }
    s.ask("RSET").ignore();
    Ok(())
}

/// RCPT-07. Where a transaction has too many recipients, further ones are refused with 452 and the
/// accepted ones are kept.
fn rcpt_07(t: &Tester<'_>) -> Outcome {
    let known = t.recipients(1)?;
    let mut s = started(t)?;
    let mut taken = 0;
    for recipient in known.iter().cycle().take(2_000) {
        let rcpt = s.ask(format!("RCPT TO:<{recipient}>"));
        if rcpt.is("25z") {
            taken += 1;
            continue;
        }
        if taken == 0 {
            rcpt.given("25z")?;
        }
        rcpt.must("4yz|5yz")?;
        s.ask("DATA").must("354")?;
        s.drop_connection();
        return rcpt.should("452|5yz");
    }
    s.drop_connection();
    Err(Verdict::NotApplicable("2,000 recipients are accepted".into()))
}

/// RCPT-08. The same recipient twice is no error.
fn rcpt_08(t: &Tester<'_>) -> Outcome {
    let recipient = t.recipient()?;
    let message = t.message(&["once or twice"]);
    let mut s = started(t)?;
    s.ask(format!("RCPT TO:<{recipient}>")).given("25z")?;
    s.ask(format!("RCPT TO:<{recipient}>")).must("25z")?;
    s.ask("DATA").must("354")?;
    s.send(message.stuffed());
    for end in t.hear_end(&mut s, 2) {
        end.must("25z")?;
    }
    if t.cooperation().mailbox.is_none() {
        return Ok(());
    }
    match t.stored(recipient, &message.token, 1)?.len() {
        1 | 2 => Ok(()),
        n => Err(fail(format!("{n} copies are stored"))),
    }
}

/// RCPT-09. A recipient that is refused takes no other with it.
fn rcpt_09(t: &Tester<'_>) -> Outcome {
    let good = &t.recipients(2)?[..2];
    let unknown = t.unknown()?;
    let message = t.message(&["for two of three"]);
    let mut s = started(t)?;
    s.ask(format!("RCPT TO:<{}>", good[0])).given("25z")?;
    s.ask(format!("RCPT TO:<{unknown}>")).given("4yz|5yz")?;
    s.ask(format!("RCPT TO:<{}>", good[1])).must("25z")?;
    s.ask("DATA").must("354")?;
    s.send(message.stuffed());
    for end in t.hear_end(&mut s, 2) {
        end.must("25z")?;
    }
    if t.cooperation().mailbox.is_none() {
        return Ok(());
    }
    for recipient in good {
        if t.stored(recipient, &message.token, 1)?.is_empty() {
            return Err(fail(format!("{recipient} got nothing")));
        }
    }
    Ok(())
}

/// RCPT-10. A local part of 64 octets is no error of syntax.
fn rcpt_10(t: &Tester<'_>) -> Outcome {
    let domain = t.domain()?;
    let local = "x".repeat(64);
    started(t)?.ask(format!("RCPT TO:<{local}@{domain}>")).must_not("500|501|closed|silent")
}

/// RCPT-11. A local part that is longer than that is refused in an orderly way, if it is refused.
fn rcpt_11(t: &Tester<'_>) -> Outcome {
    let domain = t.domain()?;
    for octets in [65, 250] {
        let local = "x".repeat(octets);
        let mut s = started(t)?;
        let rcpt = s.ask(format!("RCPT TO:<{local}@{domain}>"));
        rcpt.must("25z|4yz|5yz")?;
        if rcpt.is("421") {
            return Err(warn("the session ends at a local part that is too long"));
        }
        s.ask("NOOP").must("250")?;
    }
    Ok(())
}

/// RCPT-12. A domain as long as a path allows is no error of syntax.
fn rcpt_12(t: &Tester<'_>) -> Outcome {
    // 252 octets: with `<a@>` a path of 256.
    let domain = long_domain(252);
    t.hello()?.ask(format!("MAIL FROM:<a@{domain}>")).must_not("500|501|closed|silent")
}

/// RCPT-13. A path of 256 octets is no error of syntax.
fn rcpt_13(t: &Tester<'_>) -> Outcome {
    let path = format!("<{}@{}>", "x".repeat(64), long_domain(189));
    started(t)?.ask(format!("RCPT TO:{path}")).must_not("500|501|closed|silent")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_domain_is_exactly_as_long_and_its_labels_are_allowed() {
        for octets in [252, 189, 41] {
            let domain = long_domain(octets);
            assert_eq!(domain.len(), octets);
            assert!(domain.split('.').all(|label| (1..=63).contains(&label.len())), "{domain}");
        }
    }
}
