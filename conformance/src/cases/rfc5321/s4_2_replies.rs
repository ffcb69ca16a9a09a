//! RFC 5321 §4.2 and §4.5.3.1.5: the form of replies, and that each command has one.

use crate::{
    case::Case,
    outcome::{Outcome, Verdict},
    reply::Defect,
    session::{Answer, Session},
    tester::Tester,
};

pub(super) const CASES: &[Case] = &[
    Case { id: "CONN-03", run: conn_03 },
    Case { id: "CONN-04", run: conn_04 },
    Case { id: "CONN-05", run: conn_05 },
    Case { id: "CONN-06", run: conn_06 },
    Case { id: "CONN-07", run: conn_07 },
    Case { id: "CONN-13", run: conn_13 },
];

/// The replies to a walk through the protocol: valid commands, commands out of order and unknown
/// ones, two connections in all.
fn walk(t: &Tester<'_>) -> Result<Vec<Answer>, Verdict> {
    let mut answers = Vec::new();
    let mut s = t.connect()?;
    answers.push(s.hear_within(t.patience().max(std::time::Duration::from_secs(10))));
    answers.push(s.hello(t.hello_verb()));
    for command in [
        "NOOP",
        "HELP",
        "VRFY postmaster",
        "MAIL FROM:<sender@client.example>",
        "RSET",
        "DATA",
        "QUIT",
    ] {
        answers.push(s.ask(command));
    }
    let mut s = t.hello()?;
    answers.push(s.ask("XYZZY"));
    answers.push(s.ask("QUIT"));
    Ok(answers)
}

/// Fails at the first reply with a defect that is `wrong`.
fn no_defect(answers: &[Answer], wrong: fn(&Defect) -> bool) -> Outcome {
    for answer in answers {
        let defects = answer.reply().map_or(&[][..], |reply| &reply.defects);
        if let Some(defect) = defects.iter().find(|defect| wrong(defect)) {
            return Err(answer.fail(&format!("the reply has {defect}")));
        }
    }
    Ok(())
}

/// CONN-03. Each line of a reply ends in CRLF, and has neither CR, LF nor NUL inside.
fn conn_03(t: &Tester<'_>) -> Outcome {
    no_defect(&walk(t)?, |d| matches!(d, Defect::BareLf | Defect::BareCr | Defect::Nul))
}

/// CONN-04. No line of a reply is longer than 512 octets, also where it repeats what was said.
fn conn_04(t: &Tester<'_>) -> Outcome {
    let too_long: fn(&Defect) -> bool = |defect| matches!(defect, Defect::LongLine(_));
    no_defect(&walk(t)?, too_long)?;
    let long = "x".repeat(480);
    let labels = [&*"d".repeat(60); 4].join(".");
    for command in [
        format!("VRFY {long}"),
        format!("HELP {long}"),
        format!("XYZZY {long}"),
        format!("MAIL FROM:<{}@{labels}> {}", "l".repeat(64), "P".repeat(150)),
    ] {
        no_defect(&[t.hello()?.ask(command)], too_long)?;
    }
    let mut s = t.hello()?;
    s.ask("MAIL FROM:<sender@client.example>").given("250|53z")?;
    no_defect(&[s.ask(format!("RCPT TO:<{}@{labels}>", "l".repeat(64)))], too_long)
}

/// CONN-05. A code has three digits: the first 2 to 5, the second 0 to 5.
fn conn_05(t: &Tester<'_>) -> Outcome {
    let answers = walk(t)?;
    let bad = |defect: &Defect| {
        matches!(defect, Defect::NoCode | Defect::CodeRange(_) | Defect::Separator)
    };
    no_defect(&answers, bad)?;
    match answers.iter().find(|answer| answer.reply().is_some() && answer.code() / 10 % 10 > 5) {
        Some(answer) => Err(answer.fail("a code whose second digit is 0 to 5 expected")),
        None => Ok(()),
    }
}

/// CONN-06. All lines of a reply have the same code, with a hyphen behind it in all but the last.
fn conn_06(t: &Tester<'_>) -> Outcome {
    no_defect(&walk(t)?, |defect| matches!(defect, Defect::MixedCodes | Defect::Separator))
}

/// CONN-07. Ten commands, one at a time, have ten replies.
fn conn_07(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    for command in [
        "NOOP",
        "RSET",
        "VRFY postmaster",
        "MAIL FROM:<sender@client.example>",
        "RSET",
        "HELP",
        "NOOP",
        "RSET",
        "NOOP",
    ] {
        s.ask(command).must("2yz|4yz|5yz")?;
        no_second(&s)?;
    }
    s.ask("QUIT").must("221")?;
    s.hear_nothing(t.pause()).must("closed|silent")
}

/// Two replies in one segment are seen at once; one that comes later is taken for the next.
fn no_second(s: &Session) -> Outcome {
    if s.leftover().is_empty() {
        Ok(())
    } else {
        Err(crate::outcome::fail("a second reply came with the first"))
    }
}

/// CONN-13. The text of a reply is printable ASCII, spaces and tabs.
fn conn_13(t: &Tester<'_>) -> Outcome {
    no_defect(&walk(t)?, |defect| matches!(defect, Defect::EightBit | Defect::Control))
}
