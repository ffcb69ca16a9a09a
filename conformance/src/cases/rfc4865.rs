//! RFC 4865: FUTURERELEASE.

use super::rfc6409::authenticated;
use crate::{
    case::Case,
    outcome::{Outcome, Verdict, inconclusive},
    session::Session,
    tester::Tester,
};

pub(super) const CASES: &[&[Case]] = &[&[
    Case { id: "FR-01", run: fr_01 },
    Case { id: "FR-02", run: fr_02 },
    Case { id: "FR-03", run: fr_03 },
]];

/// An authenticated session whose server offers it; the longest hold, and the latest moment.
fn offered(t: &Tester<'_>) -> Result<(Session, u64, String), Verdict> {
    let s = authenticated(t)?;
    let Some(words) = s.extension("FUTURERELEASE") else {
        return Err(Verdict::NotApplicable("FUTURERELEASE is not offered".into()));
    };
    let mut words = words.split(' ');
    let longest = words.next().and_then(|digits| digits.parse().ok());
    match (longest, words.next().map(str::to_owned)) {
        (Some(longest), Some(latest)) => Ok((s, longest, latest)),
        _ => Err(crate::outcome::fail("FUTURERELEASE is offered without its two parameters")),
    }
}

/// FR-01. A message is taken to be held, and is held.
fn fr_01(t: &Tester<'_>) -> Outcome {
    let (mut s, _, latest) = offered(t)?;
    s.ask(format!("MAIL FROM:<{}> HOLDUNTIL={latest}", t.recipient()?)).must("250")?;
    let (mut s, longest, _) = offered(t)?;
    let recipient = t.recipient()?;
    let message = t.message(&["Not before its time."]);
    s.ask(format!("MAIL FROM:<{recipient}> HOLDFOR={}", longest.min(60))).must("250")?;
    s.ask(format!("RCPT TO:<{recipient}>")).given("25z")?;
    s.ask("DATA").given("354")?;
    s.send(message.stuffed());
    s.hear().given("250")?;
    if longest < 5 {
        return Err(inconclusive("the longest hold is too short to look"));
    }
    t.let_settle();
    match t.stored(recipient, &message.token, 0)?.len() {
        0 => Ok(()),
        _ => Err(crate::outcome::fail("the message was released at once")),
    }
}

/// FR-02. A hold that is too long, no number, or said twice is refused.
fn fr_02(t: &Tester<'_>) -> Outcome {
    let (_, longest, _) = offered(t)?;
    let mut holds = vec![
        "HOLDFOR=abc".to_owned(),
        "HOLDFOR=0".into(),
        "HOLDUNTIL=tomorrow".into(),
        "HOLDFOR=60 HOLDUNTIL=2099-01-01T00:00:00Z".into(),
    ];
    if longest < 999_999_999 {
        holds.push(format!("HOLDFOR={}", longest + 1));
    }
    for hold in holds {
        let (mut s, ..) = offered(t)?;
        let answer = s.ask(format!("MAIL FROM:<{}> {hold}", t.recipient()?));
        answer.must("5yz")?;
        answer.should("501")?;
    }
    Ok(())
}

/// FR-03. It is offered for submission only.
fn fr_03(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello_as_stranger()?;
    if s.extension("FUTURERELEASE").is_none() {
        return Err(Verdict::NotApplicable("FUTURERELEASE is not offered".into()));
    }
    let answer = s.ask("MAIL FROM:<sender@client.example>");
    if answer.is("53z") {
        return Err(Verdict::NotApplicable("this port is for submission".into()));
    }
    Err(answer.fail("FUTURERELEASE is offered on a port that asks for no authentication"))
}
