//! RFC 6531: addresses and headers in UTF-8.

use crate::{
    case::Case,
    mailbox::holds,
    outcome::{Outcome, Verdict, fail},
    reply::Defect,
    session::{Answer, Session},
    tester::Tester,
};

pub(super) const CASES: &[&[Case]] = &[&[
    Case { id: "UTF8-01", run: utf8_01 },
    Case { id: "UTF8-02", run: utf8_02 },
    Case { id: "UTF8-03", run: utf8_03 },
    Case { id: "UTF8-04", run: utf8_04 },
    Case { id: "UTF8-05", run: utf8_05 },
    Case { id: "UTF8-06", run: utf8_06 },
    Case { id: "UTF8-07", run: utf8_07 },
    Case { id: "UTF8-08", run: utf8_08 },
    Case { id: "UTF8-09", run: utf8_09 },
    Case { id: "UTF8-10", run: utf8_10 },
]];

fn domain(address: &str) -> &str {
    address.rsplit_once('@').map_or("example.test", |(_, domain)| domain)
}

fn ascii(answer: &Answer) -> Outcome {
    match answer.reply() {
        Some(reply) if reply.defects.contains(&Defect::EightBit) => {
            Err(answer.fail("octets outside ASCII in a reply"))
        }
        _ => Ok(()),
    }
}

/// A session in which MAIL is known to be accepted, so that its refusal has to do with UTF-8.
fn ready(t: &Tester<'_>) -> Result<Session, Verdict> {
    let (mut s, _) = t.offers("SMTPUTF8")?;
    s.ask("MAIL FROM:<sender@client.example>").given("250")?;
    s.ask("RSET").given("250")?;
    Ok(s)
}

/// UTF8-01. Who offers SMTPUTF8, without parameters, offers 8BITMIME.
fn utf8_01(t: &Tester<'_>) -> Outcome {
    let (s, parameters) = t.offers("SMTPUTF8")?;
    if s.extension("8BITMIME").is_none() {
        return Err(fail("SMTPUTF8 is offered without 8BITMIME"));
    }
    if !parameters.is_empty() {
        return Err(fail(format!("SMTPUTF8 is offered with \"{parameters}\"")));
    }
    Ok(())
}

/// UTF8-02. A sender with letters outside ASCII is accepted when MAIL says SMTPUTF8.
fn utf8_02(t: &Tester<'_>) -> Outcome {
    let mut s = ready(t)?;
    s.ask("MAIL FROM:<jürgen@client.example> SMTPUTF8").must("250")
}

/// UTF8-03. SMTPUTF8 takes no value.
fn utf8_03(t: &Tester<'_>) -> Outcome {
    let mut s = ready(t)?;
    s.ask("MAIL FROM:<sender@client.example> SMTPUTF8=1").must("5yz")
}

/// UTF8-04. Without SMTPUTF8 no address goes beyond ASCII, in RCPT nor in MAIL.
fn utf8_04(t: &Tester<'_>) -> Outcome {
    let domain = domain(t.recipient().unwrap_or_default());
    let (mut s, _) = t.offers("SMTPUTF8")?;
    s.ask("MAIL FROM:<sender@client.example>").given("250")?;
    s.ask(format!("RCPT TO:<jürgen@{domain}>")).must("5yz")?;
    // There the refusal can have had another reason: nobody is called so.
    let mut s = ready(t)?;
    s.ask("MAIL FROM:<jürgen@client.example>").must("5yz")
}

/// UTF8-05. What is not UTF-8 is no address: stray octets, overlong forms, surrogates.
fn utf8_05(t: &Tester<'_>) -> Outcome {
    for wrong in [&b"\xff\xfe"[..], b"\xc0\xafx", b"\xed\xa0\x80"] {
        let mut s = ready(t)?;
        s.ask([b"MAIL FROM:<", wrong, b"@client.example> SMTPUTF8"].concat()).must("5yz")?;
    }
    Ok(())
}

/// UTF8-06. Greeting and EHLO are ASCII: the client has not yet said that it knows more.
fn utf8_06(t: &Tester<'_>) -> Outcome {
    let mut s = t.connect()?;
    let greeting = s.hear_within(t.patience().max(std::time::Duration::from_secs(10)));
    greeting.given("220")?;
    let hello = s.hello(t.hello_verb());
    hello.given("250")?;
    if s.extension("SMTPUTF8").is_none() {
        return Err(Verdict::NotApplicable("SMTPUTF8 is not offered".into()));
    }
    ascii(&greeting)?;
    ascii(&hello)
}

/// UTF8-07. A reply that repeats an address is ASCII when the client did not say SMTPUTF8.
fn utf8_07(t: &Tester<'_>) -> Outcome {
    let domain = domain(t.recipient().unwrap_or_default());
    let mut s = t.hello()?;
    ascii(&s.ask("MAIL FROM:<jürgen@client.example>"))?;
    let mut s = t.hello()?;
    s.ask("MAIL FROM:<sender@client.example>").given("250")?;
    ascii(&s.ask(format!("RCPT TO:<jürgen@{domain}>")))
}

/// UTF8-08. A header in UTF-8 arrives as it was sent.
fn utf8_08(t: &Tester<'_>) -> Outcome {
    t.mailbox()?;
    let (mut s, _) = t.offers("SMTPUTF8")?;
    let recipient = t.recipient()?;
    let mut message = t.message(&["Grüße"]);
    let field = "Comments: Grüße aus Köln, 日本\r\n";
    message.octets.splice(0..0, field.bytes());
    s.ask("MAIL FROM:<jürgen@client.example> BODY=8BITMIME SMTPUTF8").given("250")?;
    s.ask(format!("RCPT TO:<{recipient}>")).given("25z")?;
    s.ask("DATA").given("354")?;
    s.send(message.stuffed());
    s.hear().must("250")?;
    let stored = t.stored_one(recipient, &message.token)?;
    if holds(&stored, field.as_bytes()) && holds(&stored, "\r\nGrüße\r\n".as_bytes()) {
        return Ok(());
    }
    Err(fail("the UTF-8 of the message is not stored as it was sent"))
}

/// UTF8-09. VRFY takes the parameter SMTPUTF8.
fn utf8_09(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("SMTPUTF8")?;
    let user = t.recipient()?;
    let plain = s.ask(format!("VRFY {user}"));
    if plain.is("500|502") {
        return Err(Verdict::NotApplicable("VRFY is not there".into()));
    }
    plain.given("25z|55z")?;
    s.ask(format!("VRFY {user} SMTPUTF8")).must(&plain.code().to_string())
}

/// UTF8-10. VRFY with SMTPUTF8 takes no value for it.
fn utf8_10(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("SMTPUTF8")?;
    let user = t.recipient()?;
    s.ask(format!("VRFY {user} SMTPUTF8")).given("25z")?;
    s.ask(format!("VRFY {user} SMTPUTF8=1")).must("5yz")
}
