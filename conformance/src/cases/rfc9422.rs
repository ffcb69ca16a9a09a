//! RFC 9422: LIMITS.

use super::rfc5321::grammar::is_keyword;
use crate::{
    case::Case,
    outcome::{Outcome, Verdict},
    tester::Tester,
};

pub(super) const CASES: &[&[Case]] = &[&[
    Case { id: "LIM-01", run: lim_01 },
    Case { id: "LIM-02", run: lim_02 },
    Case { id: "LIM-03", run: lim_03 },
]];

/// The most commands that a case says to reach a limit.
const MOST: usize = 200;

/// A limit that the server offers, if a case may reach it.
fn limit(t: &Tester<'_>, name: &str) -> Result<usize, Verdict> {
    let (_, words) = t.offers("LIMITS")?;
    let found = words.split(' ').find_map(|word| {
        let (key, value) = word.split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.parse::<usize>().ok())?
    });
    match found {
        None => Err(Verdict::NotApplicable(format!("LIMITS has no {name}"))),
        Some(n) if n > MOST => {
            Err(Verdict::NotTested(format!("{name}={n} is more than a tester says ({MOST})")))
        }
        Some(n) => Ok(n),
    }
}

/// LIM-01. Limits are names with values; the numbers have one to six digits and are not zero.
fn lim_01(t: &Tester<'_>) -> Outcome {
    let mut s = t.greeted()?;
    let answer = s.hello(t.hello_verb());
    answer.given("250")?;
    let Some(words) = s.extension("LIMITS") else {
        return Err(Verdict::NotApplicable("LIMITS is not offered".into()));
    };
    for word in words.split(' ') {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let known =
            ["MAILMAX", "RCPTMAX", "RCPTDOMAINMAX"].iter().any(|k| k.eq_ignore_ascii_case(name));
        let number = (1..=6).contains(&value.len())
            && value.bytes().all(|b| b.is_ascii_digit())
            && !value.starts_with('0');
        if !is_keyword(&name.replace('_', "-")) || known && !number {
            return Err(answer.fail(&format!("\"{word}\" is no limit")));
        }
    }
    Ok(())
}

/// LIM-02. As many recipients as RCPTMAX says are accepted; one more is, or is refused in order.
fn lim_02(t: &Tester<'_>) -> Outcome {
    let most = limit(t, "RCPTMAX")?;
    let recipients = t.recipients(1)?;
    let mut s = t.hello()?;
    s.ask("MAIL FROM:<sender@client.example>").given("250")?;
    for n in 0..most {
        let rcpt = s.ask(format!("RCPT TO:<{}>", recipients[n % recipients.len()]));
        if n < recipients.len() {
            rcpt.given("25z")?;
        } else {
            rcpt.must("25z")?;
        }
    }
    s.ask(format!("RCPT TO:<{}>", recipients[0])).must("25z|45z|55z")?;
    s.ask("RSET").must("250")
}

/// LIM-03. As many transactions as MAILMAX says are begun; one more is, or is refused in order.
fn lim_03(t: &Tester<'_>) -> Outcome {
    let most = limit(t, "MAILMAX")?;
    let mut s = t.hello()?;
    for n in 0..most {
        let mail = s.ask("MAIL FROM:<sender@client.example>");
        if n == 0 {
            mail.given("250")?;
        } else {
            mail.must("250")?;
        }
        s.ask("RSET").must("250")?;
    }
    s.ask("MAIL FROM:<sender@client.example>").must("250|4yz|5yz")
}
