//! RFC 1870: SIZE.

use super::rfc5321::s3_3_transactions::{TooMuch, send_too_much};
use crate::{
    case::Case,
    outcome::{Outcome, Verdict, fail, graver},
    session::Session,
    tester::Tester,
};

pub(super) const CASES: &[&[Case]] = &[&[
    Case { id: "SIZE-01", run: size_01 },
    Case { id: "SIZE-02", run: size_02 },
    Case { id: "SIZE-03", run: size_03 },
    Case { id: "SIZE-04", run: size_04 },
    Case { id: "SIZE-05", run: size_05 },
    Case { id: "SIZE-06", run: size_06 },
    Case { id: "SIZE-07", run: size_07 },
    Case { id: "SIZE-08", run: size_08 },
    Case { id: "SIZE-09", run: size_09 },
    Case { id: "SIZE-10", run: size_10 },
]];

/// A session with a server that announces a limit, and the limit in octets.
fn limited(t: &Tester<'_>) -> Result<(Session, u64), Verdict> {
    let (s, limit) = t.offers("SIZE")?;
    match limit.trim().parse() {
        Ok(limit) if limit > 0 => Ok((s, limit)),
        _ => Err(Verdict::NotApplicable("no limit is announced".into())),
    }
}

/// SIZE-01. Behind SIZE stands a decimal number, or nothing.
fn size_01(t: &Tester<'_>) -> Outcome {
    let (_, limit) = t.offers("SIZE")?;
    if limit.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(());
    }
    Err(fail(format!("\"SIZE {limit}\" is announced")).at(t.here()))
}

/// SIZE-02. A declared size over the limit is refused at MAIL.
fn size_02(t: &Tester<'_>) -> Outcome {
    let (mut s, limit) = limited(t)?;
    s.ask(format!("MAIL FROM:<a@client.example> SIZE={}", limit.saturating_add(1))).refused("552")
}

/// SIZE-03. A declared size of exactly the limit is accepted.
fn size_03(t: &Tester<'_>) -> Outcome {
    let (mut s, limit) = limited(t)?;
    let mail = s.ask(format!("MAIL FROM:<a@client.example> SIZE={limit}"));
    // 452: there is no room now, which is no judgement on the limit.
    if mail.is("452") { mail.given("250") } else { mail.must("250") }
}

/// SIZE-04. A size of twenty digits, which overflows 64 bits, is over any limit.
fn size_04(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = limited(t)?;
    s.ask("MAIL FROM:<a@client.example> SIZE=99999999999999999999").refused("552")
}

/// SIZE-05. A size that is no number is an error of syntax.
fn size_05(t: &Tester<'_>) -> Outcome {
    t.offers("SIZE")?;
    let mut outcome = Ok(());
    for parameter in ["SIZE=", "SIZE=abc", "SIZE=-1", "SIZE=1x", "SIZE"] {
        let mail = t.hello()?.ask(format!("MAIL FROM:<a@client.example> {parameter}"));
        outcome = graver(outcome, mail.refused("501|555"));
    }
    outcome
}

/// SIZE-06. One MAIL has one SIZE.
fn size_06(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("SIZE")?;
    s.ask("MAIL FROM:<a@client.example> SIZE=1 SIZE=2").must("5yz")
}

/// SIZE-07. The declared size does not end the message: its dot does.
fn size_07(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("SIZE")?;
    let recipient = t.recipient()?;
    let lines = ["more than ten octets", "and more", "end"];
    let message = t.message(&lines);
    // Within the text, so that a message that is cut there can be found by its header.
    let declared = message.octets.len() - 20;
    s.ask(format!("MAIL FROM:<sender@client.example> SIZE={declared}")).given("250")?;
    s.ask(format!("RCPT TO:<{recipient}>")).given("25z")?;
    s.ask("DATA").given("354")?;
    s.send(message.stuffed());
    let end = s.hear();
    end.must("25z|552|5yz|452")?;
    s.ask("NOOP").must("250")?;
    if end.is("25z") && t.cooperation().mailbox.is_some() {
        let stored = t.arrived(recipient, &message.token)?;
        if !stored.body_is(&lines) {
            return Err(fail("the message is not stored as it was sent").at(t.here()));
        }
    }
    Ok(())
}

/// SIZE-08. A message over the limit is refused after its end, and the session goes on.
fn size_08(t: &Tester<'_>) -> Outcome {
    let TooMuch { mut session, end, .. } = send_too_much(t)?;
    end.must("5yz")?;
    end.should("552")?;
    session.ask("RSET").must("250")
}

/// SIZE-09. A message of exactly the limit is accepted; the dots that transparency adds do not
/// count.
fn size_09(t: &Tester<'_>) -> Outcome {
    let (mut s, limit) = limited(t)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if limit > 12 << 20 {
        return Err(Verdict::NotTested("needs a size limit of at most 12 MiB".into()));
    }
    let mut message = t.message(&[]);
    while message.octets.len() + 80 + 3 < limit {
        message.octets.extend_from_slice(&[b'.'; 78]);
        message.octets.extend_from_slice(b"\r\n");
    }
    while message.octets.len() + 2 < limit {
        message.octets.push(b'x');
    }
    message.octets.extend_from_slice(b"\r\n");
    t.envelope(&mut s)?;
    s.ask("DATA").given("354")?;
    s.send_much(&message.stuffed(), "a message of exactly the limit, with its end");
    s.hear().must("25z")
}

/// SIZE-10. A server that said yes to a size does not say 552 to a message of that size.
fn size_10(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("SIZE")?;
    let recipient = t.recipient()?;
    let message = t.message(&["as long as declared"]);
    let size = message.octets.len();
    s.ask(format!("MAIL FROM:<sender@client.example> SIZE={size}")).must("250")?;
    s.ask(format!("RCPT TO:<{recipient}>")).given("25z")?;
    s.ask("DATA").given("354")?;
    s.send(message.stuffed());
    s.hear().must_not("552")
}
