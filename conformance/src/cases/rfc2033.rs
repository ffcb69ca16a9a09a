//! RFC 2033: LMTP.

use crate::{
    case::Case,
    outcome::{Outcome, Verdict},
    session::Session,
    tester::Tester,
    wire::Port,
};

pub(super) const CASES: &[&[Case]] = &[&[
    Case { id: "LMTP-01", run: lmtp_01 },
    Case { id: "LMTP-02", run: lmtp_02 },
    Case { id: "LMTP-03", run: lmtp_03 },
    Case { id: "LMTP-04", run: lmtp_04 },
    Case { id: "LMTP-05", run: lmtp_05 },
    Case { id: "LMTP-06", run: lmtp_06 },
    Case { id: "LMTP-07", run: lmtp_07 },
    Case { id: "LMTP-08", run: lmtp_08 },
    Case { id: "LMTP-09", run: lmtp_09 },
]];

fn greeted(t: &Tester<'_>) -> Result<Session, Verdict> {
    let mut s = t.connect_to(Port::Lmtp)?;
    s.hear().given("220")?;
    Ok(s)
}

fn hello(t: &Tester<'_>) -> Result<Session, Verdict> {
    let mut s = greeted(t)?;
    s.hello("LHLO").given("250")?;
    Ok(s)
}

/// A session with a transaction to two recipients, and with a refused one between them where an
/// unknown address was told.
fn two_recipients(t: &Tester<'_>) -> Result<Session, Verdict> {
    let recipients = t.recipients(2)?;
    let mut s = hello(t)?;
    s.ask("MAIL FROM:<sender@client.example>").given("250")?;
    s.ask(format!("RCPT TO:<{}>", recipients[0])).given("25z")?;
    if let Ok(unknown) = t.unknown() {
        s.ask(format!("RCPT TO:<{unknown}>")).given("5yz")?;
    }
    s.ask(format!("RCPT TO:<{}>", recipients[1])).given("25z")?;
    Ok(s)
}

/// Two replies come, and no third. Where they name their recipients, they come in their order.
fn two_replies(t: &Tester<'_>, s: &mut Session) -> Outcome {
    let replies = [s.hear(), s.hear()];
    for reply in &replies {
        reply.must("2yz|4yz|5yz")?;
    }
    if let Ok([first, second, ..]) = t.recipients(2) {
        let names = |n: usize, name: &str| {
            let text = replies[n].reply().map(|reply| reply.text(0)).unwrap_or_default();
            text.contains(&format!("<{name}>"))
        };
        if names(0, second) && names(1, first) {
            return Err(replies[0].fail("the replies come in another order than the recipients"));
        }
    }
    s.hear_nothing(t.pause()).must("silent")?;
    s.ask("NOOP").must("250")
}

/// LMTP-01. LHLO is answered with 250.
fn lmtp_01(t: &Tester<'_>) -> Outcome {
    greeted(t)?.hello("LHLO").must("250")
}

/// LMTP-02. HELO and EHLO are not: nobody takes the server for one of SMTP.
fn lmtp_02(t: &Tester<'_>) -> Outcome {
    for verb in ["HELO", "EHLO"] {
        let answer = greeted(t)?.ask(format!("{verb} client.example"));
        answer.must("4yz|5yz")?;
        answer.should("500")?;
    }
    Ok(())
}

/// LMTP-03. After the end of data there is one reply for each accepted recipient.
fn lmtp_03(t: &Tester<'_>) -> Outcome {
    let mut s = two_recipients(t)?;
    s.ask("DATA").given("354")?;
    s.send(t.message(&["Hello."]).stuffed());
    two_replies(t, &mut s)
}

/// LMTP-04. DATA without an accepted recipient is refused with 503.
fn lmtp_04(t: &Tester<'_>) -> Outcome {
    let mut s = hello(t)?;
    s.ask("MAIL FROM:<sender@client.example>").given("250")?;
    s.ask("DATA").must("503")
}

/// LMTP-05. After BDAT LAST as well; a chunk before it has one reply.
fn lmtp_05(t: &Tester<'_>) -> Outcome {
    if hello(t)?.extension("CHUNKING").is_none() {
        return Err(Verdict::NotApplicable("CHUNKING is not offered".into()));
    }
    let mut s = two_recipients(t)?;
    let octets = t.message(&["Hello."]).octets;
    let (first, last) = octets.split_at(octets.len() / 2);
    s.send([format!("BDAT {}\r\n", first.len()).as_bytes(), first].concat());
    s.hear().must("250")?;
    s.send([format!("BDAT {} LAST\r\n", last.len()).as_bytes(), last].concat());
    two_replies(t, &mut s)
}

/// LMTP-06. PIPELINING and ENHANCEDSTATUSCODES are offered, and 8BITMIME should be.
fn lmtp_06(t: &Tester<'_>) -> Outcome {
    let mut s = greeted(t)?;
    let answer = s.hello("LHLO");
    answer.given("250")?;
    for keyword in ["PIPELINING", "ENHANCEDSTATUSCODES"] {
        if s.extension(keyword).is_none() {
            return Err(answer.fail(&format!("{keyword} expected")));
        }
    }
    if s.extension("8BITMIME").is_none() {
        return Err(answer.warn("8BITMIME expected"));
    }
    Ok(())
}

/// LMTP-07. A recipient that was accepted twice has two replies.
fn lmtp_07(t: &Tester<'_>) -> Outcome {
    let recipient = t.recipient()?;
    let mut s = hello(t)?;
    s.ask("MAIL FROM:<sender@client.example>").given("250")?;
    for _ in 0..2 {
        s.ask(format!("RCPT TO:<{recipient}>")).given("25z")?;
    }
    s.ask("DATA").given("354")?;
    s.send(t.message(&["Hello."]).stuffed());
    two_replies(t, &mut s)
}

/// LMTP-08. An SMTP server has no LHLO.
fn lmtp_08(t: &Tester<'_>) -> Outcome {
    if t.hello_verb() == "LHLO" {
        return Err(Verdict::NotApplicable("this is an LMTP server".into()));
    }
    t.greeted()?.ask("LHLO client.example").must("50z|55z")
}

/// LMTP-09. DATA after nothing but refused recipients is refused with 503, and nothing more is
/// said.
fn lmtp_09(t: &Tester<'_>) -> Outcome {
    let unknown = t.unknown()?;
    let mut s = hello(t)?;
    s.ask("MAIL FROM:<sender@client.example>").given("250")?;
    s.ask(format!("RCPT TO:<{unknown}>")).given("5yz")?;
    s.ask("DATA").must("503")?;
    s.hear_nothing(t.pause()).must("silent")
}
