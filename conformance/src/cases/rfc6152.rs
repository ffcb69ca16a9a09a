//! RFC 6152: content with eight bits.

use crate::{
    case::Case,
    mailbox::holds,
    outcome::{Outcome, fail},
    tester::Tester,
};

pub(super) const CASES: &[&[Case]] = &[&[
    Case { id: "8BIT-01", run: eight_01 },
    Case { id: "8BIT-02", run: eight_02 },
    Case { id: "8BIT-03", run: eight_03 },
    Case { id: "8BIT-04", run: eight_04 },
    Case { id: "8BIT-05", run: eight_05 },
    Case { id: "8BIT-06", run: eight_06 },
]];

const MAIL: &str = "MAIL FROM:<sender@client.example>";

/// 8BIT-01. Every server offers 8BITMIME.
fn eight_01(t: &Tester<'_>) -> Outcome {
    match t.hello()?.extension("8BITMIME") {
        Some(_) => Ok(()),
        None => Err(fail("8BITMIME is not offered")),
    }
}

/// 8BIT-02. Both values of BODY are known, in any case of letters.
fn eight_02(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("8BITMIME")?;
    s.ask(MAIL).given("250")?;
    s.ask("RSET").given("250")?;
    for parameter in ["BODY=8BITMIME", "BODY=7BIT", "body=8bitmime"] {
        s.ask(format!("{MAIL} {parameter}")).must("250")?;
        s.ask("RSET").given("250")?;
    }
    Ok(())
}

/// 8BIT-03. BODY with another value, with none, or with an empty one is refused.
fn eight_03(t: &Tester<'_>) -> Outcome {
    let ask = |parameter| {
        let (mut s, _) = t.offers("8BITMIME")?;
        s.ask(MAIL).given("250")?;
        s.ask("RSET").given("250")?;
        Ok(s.ask(format!("{MAIL} {parameter}")))
    };
    ask("BODY=FOO")?.must("5yz")?;
    ask("BODY")?.must("5yz")?;
    // Nothing is asked for.
    ask("BODY=")?.should("5yz")
}

/// 8BIT-04. All eight bits of each octet arrive.
fn eight_04(t: &Tester<'_>) -> Outcome {
    t.mailbox()?;
    let (mut s, _) = t.offers("8BITMIME")?;
    let mut message = t.message(&[]);
    let mut body = Vec::new();
    for octet in 0x80..=0xff_u8 {
        body.push(octet);
        if octet % 32 == 31 {
            body.extend_from_slice(b"\r\n");
        }
    }
    message.octets.extend_from_slice(&body);
    let recipient = t.recipient()?;
    s.ask(format!("{MAIL} BODY=8BITMIME")).given("250")?;
    s.ask(format!("RCPT TO:<{recipient}>")).given("25z")?;
    s.ask("DATA").given("354")?;
    s.send(message.stuffed());
    s.hear().given("250")?;
    if holds(&t.stored_one(recipient, &message.token)?, &body) {
        return Ok(());
    }
    Err(fail("the octets from 0x80 to 0xFF are not stored as they were sent"))
}

/// 8BIT-05. 8BITMIME has no parameter.
fn eight_05(t: &Tester<'_>) -> Outcome {
    let (_, parameters) = t.offers("8BITMIME")?;
    if parameters.is_empty() {
        return Ok(());
    }
    Err(fail(format!("8BITMIME is offered with \"{parameters}\"")))
}

/// 8BIT-06. BODY may be given only once.
fn eight_06(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("8BITMIME")?;
    s.ask(format!("{MAIL} BODY=7BIT BODY=8BITMIME")).must("5yz")
}
