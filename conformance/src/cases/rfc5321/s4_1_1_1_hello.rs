//! RFC 5321 §4.1.1.1, §3.2 and §2.2: EHLO, HELO and what is offered.

use super::grammar::{is_address_literal, is_domain, is_keyword};
use crate::{
    case::Case,
    outcome::{Outcome, Verdict},
    session::Session,
    tester::Tester,
};

pub(super) const CASES: &[Case] = &[
    Case { id: "EHLO-01", run: ehlo_01 },
    Case { id: "EHLO-02", run: ehlo_02 },
    Case { id: "EHLO-03", run: ehlo_03 },
    Case { id: "EHLO-04", run: ehlo_04 },
    Case { id: "EHLO-05", run: ehlo_05 },
    Case { id: "EHLO-06", run: ehlo_06 },
    Case { id: "EHLO-07", run: ehlo_07 },
    Case { id: "EHLO-08", run: ehlo_08 },
    Case { id: "EHLO-09", run: ehlo_09 },
    Case { id: "EHLO-10", run: ehlo_10 },
    Case { id: "EHLO-11", run: ehlo_11 },
    Case { id: "EHLO-12", run: ehlo_12 },
    Case { id: "EHLO-13", run: ehlo_13 },
    Case { id: "EHLO-14", run: ehlo_14 },
    Case { id: "EHLO-15", run: ehlo_15 },
    Case { id: "EHLO-16", run: ehlo_16 },
    Case { id: "EHLO-17", run: ehlo_17 },
    Case { id: "EHLO-18", run: ehlo_18 },
    Case { id: "EHLO-19", run: ehlo_19 },
];

/// A greeted session with a server that has HELO; LMTP has not.
fn with_helo(t: &Tester<'_>) -> Result<Session, Verdict> {
    if t.hello_verb() == "LHLO" {
        return Err(Verdict::NotApplicable("LMTP has no HELO".into()));
    }
    t.greeted()
}

/// EHLO-01. EHLO is answered with 250.
fn ehlo_01(t: &Tester<'_>) -> Outcome {
    t.greeted()?.hello(t.hello_verb()).must("250")
}

/// EHLO-02. The answer to EHLO begins with the server's name; each further line is a keyword and
/// its parameters, with one space between them.
fn ehlo_02(t: &Tester<'_>) -> Outcome {
    let answer = t.greeted()?.hello(t.hello_verb());
    answer.given("250")?;
    for (n, line) in answer.reply().into_iter().flat_map(|reply| reply.texts()).enumerate() {
        let mut words = line.split(' ');
        let first = words.next().unwrap_or_default();
        if n == 0 && !is_domain(first) && !is_address_literal(first) {
            return Err(answer.fail("the server's name expected in the first line"));
        }
        if n > 0 && !is_keyword(first) {
            return Err(answer.fail(&format!("\"{first}\" is no keyword")));
        }
        if n > 0 && words.any(|word| word.is_empty() || !word.bytes().all(|b| b.is_ascii_graphic()))
        {
            return Err(answer.fail(&format!("\"{line}\": one space and then a word expected")));
        }
    }
    Ok(())
}

/// EHLO-03. The verb means the same in capital letters, small ones and both.
fn ehlo_03(t: &Tester<'_>) -> Outcome {
    let verb = t.hello_verb();
    t.greeted()?.hello(&verb.to_lowercase()).must("250")?;
    let mixed = format!("{}{}", verb[..1].to_lowercase(), &verb[1..]);
    t.greeted()?.hello(&mixed).must("250")
}

/// EHLO-04. HELO is still answered with 250.
fn ehlo_04(t: &Tester<'_>) -> Outcome {
    with_helo(t)?.ask("HELO client.example").must("250")
}

/// EHLO-05. The answer to HELO offers no extensions; it may have more than one line.
fn ehlo_05(t: &Tester<'_>) -> Outcome {
    let mut s = with_helo(t)?;
    let answer = s.ask("HELO client.example");
    answer.given("250")?;
    for line in answer.reply().into_iter().flat_map(|reply| reply.texts()).skip(1) {
        let word = line.split([' ', '=']).next().unwrap_or_default();
        if REGISTERED.iter().any(|known| known.eq_ignore_ascii_case(word)) {
            return Err(answer.fail(&format!("{word} is offered to HELO")));
        }
    }
    Ok(())
}

/// EHLO-06. EHLO without a name is refused.
fn ehlo_06(t: &Tester<'_>) -> Outcome {
    t.greeted()?.ask(t.hello_verb()).must("50z|55z")
}

/// EHLO-07. HELO without a name is refused.
fn ehlo_07(t: &Tester<'_>) -> Outcome {
    with_helo(t)?.ask("HELO").must("50z|55z")
}

/// EHLO-08. A client without a name may say its IPv4 address in brackets.
fn ehlo_08(t: &Tester<'_>) -> Outcome {
    t.greeted()?.ask(format!("{} [192.0.2.1]", t.hello_verb())).must("250")
}

/// EHLO-09. Its IPv6 address as well.
fn ehlo_09(t: &Tester<'_>) -> Outcome {
    t.greeted()?.ask(format!("{} [IPv6:2001:db8::1]", t.hello_verb())).must("250")
}

/// EHLO-10. That the client's name does not fit its address is no reason to refuse a message.
fn ehlo_10(t: &Tester<'_>) -> Outcome {
    let recipient = t.envelope(&mut t.hello()?)?;
    // Who signs in has said it once before.
    let mut s = if t.cooperation().sign_in { t.hello()? } else { t.greeted()? };
    s.ask(format!("{} [192.0.2.77]", t.hello_verb())).given("250")?;
    s.ask("MAIL FROM:<sender@client.example>").must("250")?;
    s.ask(format!("RCPT TO:<{recipient}>")).must("25z")
}

/// EHLO-11. EHLO inside a transaction ends it; or it is not acceptable there, and changes nothing.
fn ehlo_11(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    let recipient = t.envelope(&mut s)?;
    let again = s.hello(t.hello_verb());
    again.must("250|5yz")?;
    let rcpt = s.ask(format!("RCPT TO:<{recipient}>"));
    if again.is("250") { rcpt.must("5yz") } else { rcpt.must("25z").and(again.should("250")) }
}

/// EHLO-12. EHLO that is refused leaves the transaction as it was.
fn ehlo_12(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    t.envelope(&mut s)?;
    s.ask(t.hello_verb()).given("4yz|5yz")?;
    s.ask("DATA").must("354")
}

/// EHLO-13. A name with an underscore is accepted, or refused with a reply; the session goes on.
fn ehlo_13(t: &Tester<'_>) -> Outcome {
    let mut s = t.greeted()?;
    s.ask(format!("{} under_score.example", t.hello_verb())).must("250|50z|55z")?;
    s.hello(t.hello_verb()).must("250")
}

/// EHLO-14. What is offered is there: no command of it is answered with 500 or 502.
fn ehlo_14(t: &Tester<'_>) -> Outcome {
    let s = t.hello_as_stranger()?;
    let auth = s.extension("AUTH").and_then(|words| words.split(' ').next()).unwrap_or("PLAIN");
    let commands = [
        ("EXPN", "EXPN staff".to_owned()),
        ("HELP", "HELP".to_owned()),
        ("VRFY", "VRFY postmaster".to_owned()),
        ("ETRN", "ETRN example.test".to_owned()),
        ("ATRN", "ATRN example.test".to_owned()),
        ("STARTTLS", "STARTTLS".to_owned()),
        ("CHUNKING", "BDAT 0".to_owned()),
        ("AUTH", format!("AUTH {auth}")),
    ];
    for (keyword, command) in commands {
        if s.extension(keyword).is_some() {
            t.hello_as_stranger()?.ask(command).must_not("500|502|closed|silent")?;
        }
    }
    Ok(())
}

/// Keywords of extensions registered with IANA.
const REGISTERED: [&str; 35] = [
    "SEND",
    "SOML",
    "SAML",
    "EXPN",
    "HELP",
    "TURN",
    "VRFY",
    "VERB",
    "ONEX",
    "8BITMIME",
    "SIZE",
    "CHUNKING",
    "BINARYMIME",
    "CHECKPOINT",
    "DELIVERBY",
    "PIPELINING",
    "DSN",
    "ETRN",
    "ENHANCEDSTATUSCODES",
    "STARTTLS",
    "NO-SOLICITING",
    "MTRK",
    "SUBMITTER",
    "ATRN",
    "AUTH",
    "BURL",
    "FUTURERELEASE",
    "CONPERM",
    "CONNEG",
    "SMTPUTF8",
    "UTF8SMTP",
    "MT-PRIORITY",
    "RRVS",
    "REQUIRETLS",
    "LIMITS",
];

/// EHLO-15. Keywords that do not begin with X are registered with IANA.
fn ehlo_15(t: &Tester<'_>) -> Outcome {
    let answer = t.greeted()?.hello(t.hello_verb());
    answer.given("250")?;
    for line in answer.reply().into_iter().flat_map(|reply| reply.texts()).skip(1) {
        // "AUTH=PLAIN" is a fault of the form, which EHLO-02 judges.
        let word = line.split([' ', '=']).next().unwrap_or_default();
        let local = word.starts_with(['X', 'x']);
        if !local && !REGISTERED.iter().any(|known| known.eq_ignore_ascii_case(word)) {
            return Err(answer.fail(&format!("{word} is not registered")));
        }
    }
    Ok(())
}

/// EHLO-16. NOOP, RSET, HELP and VRFY are answered as ever before EHLO.
fn ehlo_16(t: &Tester<'_>) -> Outcome {
    let mut s = t.greeted()?;
    s.ask("NOOP").must("250")?;
    s.ask("RSET").must("250")?;
    s.ask("HELP").must_not("503|closed|silent")?;
    s.ask("VRFY postmaster").must_not("503|closed|silent")
}

/// EHLO-17. MAIL before EHLO has a reply: 503, or 250 where the server forgives.
fn ehlo_17(t: &Tester<'_>) -> Outcome {
    let answer = t.greeted()?.ask("MAIL FROM:<sender@client.example>");
    answer.must("xyz")?;
    answer.should("250|503|53z")
}

/// EHLO-18. HELO inside a transaction ends it, as EHLO does.
fn ehlo_18(t: &Tester<'_>) -> Outcome {
    with_helo(t)?.say("QUIT");
    let mut s = t.hello()?;
    let recipient = t.envelope(&mut s)?;
    s.ask("HELO client.example").given("250")?;
    s.ask(format!("RCPT TO:<{recipient}>")).must("5yz")
}

/// EHLO-19. A name with control characters in it is refused.
fn ehlo_19(t: &Tester<'_>) -> Outcome {
    let line = format!("{} client\x01.example", t.hello_verb());
    t.greeted()?.ask(line).must("50z|55z")
}
