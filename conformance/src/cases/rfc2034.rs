//! RFC 2034 with RFC 3463: enhanced status codes.

use crate::{
    case::Case,
    outcome::{Outcome, Verdict},
    session::{Answer, Session},
    tester::Tester,
};

pub(super) const CASES: &[&[Case]] = &[&[
    Case { id: "ESC-01", run: esc_01 },
    Case { id: "ESC-02", run: esc_02 },
    Case { id: "ESC-03", run: esc_03 },
    Case { id: "ESC-04", run: esc_04 },
    Case { id: "ESC-05", run: esc_05 },
    Case { id: "ESC-06", run: esc_06 },
    Case { id: "ESC-07", run: esc_07 },
]];

/// What a whole session hears: two transactions without faults, one with, and a farewell.
fn replies(t: &Tester<'_>) -> Result<Vec<Answer>, Verdict> {
    let (mut s, _) = t.offers("ENHANCEDSTATUSCODES")?;
    let mut heard = vec![s.ask("NOOP")];
    if let Ok(recipient) = t.recipient() {
        heard.push(s.ask("MAIL FROM:<sender@client.example>"));
        heard.push(s.ask(format!("RCPT TO:<{recipient}>")));
        heard.push(s.ask("DATA"));
        if heard.last().is_some_and(|data| data.is("354")) {
            s.send(t.message(&["with enhanced status codes"]).stuffed());
            heard.push(s.hear());
        }
    }
    heard.push(s.ask("MAIL FROM:<sender@client.example>"));
    if let Ok(unknown) = t.unknown() {
        heard.push(s.ask(format!("RCPT TO:<{unknown}>")));
    }
    heard.push(s.ask("RSET"));
    heard.push(s.ask("HELP"));
    heard.push(s.ask("FOO"));
    heard.push(s.ask("QUIT"));
    heard.retain(|answer| answer.is("2yz|4yz|5yz"));
    Ok(heard)
}

/// ESC-01. Every reply that is 2yz, 4yz or 5yz begins with an enhanced status code.
fn esc_01(t: &Tester<'_>) -> Outcome {
    for answer in replies(t)? {
        if answer.reply().is_some_and(|reply| reply.enhanced(0).is_none()) {
            return Err(answer.fail("no enhanced status code"));
        }
    }
    Ok(())
}

/// ESC-02. The class of the enhanced status code is the first digit of the reply's code.
fn esc_02(t: &Tester<'_>) -> Outcome {
    for answer in replies(t)? {
        let Some(reply) = answer.reply() else { continue };
        if reply.enhanced(0).is_some_and(|[class, ..]| class != reply.code / 100) {
            return Err(answer.fail("the class does not agree with the code"));
        }
    }
    Ok(())
}

/// ESC-03. Greeting, EHLO and HELO bear no enhanced status code: a domain stands first there.
fn esc_03(t: &Tester<'_>) -> Outcome {
    let mut s = t.connect()?;
    let greeting = s.hear_within(t.patience().max(std::time::Duration::from_secs(10)));
    greeting.given("220")?;
    let hello = s.hello(t.hello_verb());
    hello.given("250")?;
    if s.extension("ENHANCEDSTATUSCODES").is_none() {
        return Err(Verdict::NotApplicable("ENHANCEDSTATUSCODES is not offered".into()));
    }
    let has_code = |answer: &Answer| answer.reply().and_then(|reply| reply.enhanced(0)).is_some();
    for answer in [greeting, hello] {
        if has_code(&answer) {
            return Err(answer.fail("an enhanced status code in front of the domain"));
        }
    }
    if t.hello_verb() == "EHLO" {
        let answer = s.ask("HELO client.example");
        if has_code(&answer) {
            let what = "an enhanced status code in the answer to HELO";
            // A refusal has no domain that the code could be taken for.
            return Err(if answer.is("2yz") { answer.fail(what) } else { answer.warn(what) });
        }
    }
    Ok(())
}

/// ESC-04. In a reply of several lines each line bears the same enhanced status code.
fn esc_04(t: &Tester<'_>) -> Outcome {
    let mut seen = false;
    for answer in replies(t)? {
        let Some(reply) = answer.reply().filter(|reply| reply.lines.len() > 1) else { continue };
        let first = reply.enhanced(0);
        seen |= first.is_some();
        if (1..reply.lines.len()).any(|n| reply.enhanced(n) != first) {
            return Err(answer.fail("not the same enhanced status code on each line"));
        }
    }
    if seen { Ok(()) } else { Err(Verdict::NotTested("no reply of several lines was seen".into())) }
}

/// The one enhanced status code of `answer` ought to be one of `expected`, without its class. Whether
/// a server refuses is judged elsewhere.
fn says(answer: &Answer, expected: &[[u16; 2]]) -> Outcome {
    if answer.is("2yz") {
        return Ok(());
    }
    answer.given("4yz|5yz")?;
    let code = answer.reply().and_then(|reply| reply.enhanced(0));
    match code {
        Some([_, subject, detail]) if expected.contains(&[subject, detail]) => Ok(()),
        _ => {
            let expected: Vec<_> = expected.iter().map(|[s, d]| format!("X.{s}.{d}")).collect();
            Err(answer.fail(&format!("expected {}", expected.join(" or "))))
        }
    }
}

fn fresh(t: &Tester<'_>) -> Result<Session, Verdict> {
    Ok(t.offers("ENHANCEDSTATUSCODES")?.0)
}

/// ESC-05. The enhanced status code tells the common refusals apart.
fn esc_05(t: &Tester<'_>) -> Outcome {
    let mail = "MAIL FROM:<sender@client.example>";
    let mut s = fresh(t)?;
    s.ask(mail).given("250")?;
    s.ask("RSET").given("250")?;
    says(&fresh(t)?.ask("RCPT TO:<user@example.test>"), &[[5, 1]])?;
    says(&fresh(t)?.ask("MAIL FROM"), &[[5, 2], [5, 4], [1, 7]])?;
    says(&fresh(t)?.ask(format!("{mail} XYZZY=1")), &[[5, 4]])?;
    if let Ok(unknown) = t.unknown() {
        let mut s = fresh(t)?;
        s.ask(mail).given("250")?;
        says(&s.ask(format!("RCPT TO:<{unknown}>")), &[[1, 1], [1, 0], [1, 6], [7, 1]])?;
    }
    if let Ok(foreign) = t.foreign() {
        let mut s = fresh(t)?;
        s.ask(mail).given("250")?;
        says(&s.ask(format!("RCPT TO:<{foreign}>")), &[[7, 1], [7, 0], [1, 2]])?;
    }
    let (mut s, _) = t.offers("ENHANCEDSTATUSCODES")?;
    if s.extension("SIZE").is_some_and(|most| most.parse().is_ok_and(|most: u64| most > 0)) {
        says(&s.ask(format!("{mail} SIZE=99999999999")), &[[3, 4], [2, 3]])?;
    }
    Ok(())
}

/// ESC-06. The codes are there without EHLO, too.
fn esc_06(t: &Tester<'_>) -> Outcome {
    if t.hello_verb() == "LHLO" {
        return Err(Verdict::NotApplicable("LMTP has no HELO".into()));
    }
    drop(fresh(t)?);
    let mut s = t.greeted()?;
    s.ask("HELO client.example").given("250")?;
    let answer = s.ask("NOOP");
    answer.given("250")?;
    if answer.reply().and_then(|reply| reply.enhanced(0)).is_none() {
        return Err(answer.fail("no enhanced status code after HELO"));
    }
    Ok(())
}

/// ESC-07. The numbers of a code have no zeros in front.
fn esc_07(t: &Tester<'_>) -> Outcome {
    for answer in replies(t)? {
        let Some(reply) = answer.reply() else { continue };
        let Some([class, subject, detail]) = reply.enhanced(0) else { continue };
        if reply.text(0).split(' ').next() != Some(&format!("{class}.{subject}.{detail}")) {
            return Err(answer.fail("zeros in front"));
        }
    }
    Ok(())
}
