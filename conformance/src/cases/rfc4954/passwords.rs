//! RFC 4954 §6 and §9: wrong passwords.

use super::{plain, with};
use crate::{
    case::Case,
    outcome::{Outcome, Verdict, fail},
    session::Answer,
    tester::Tester,
};
use std::time::{Duration, Instant};

pub(super) const CASES: &[Case] = &[
    Case { id: "AUTH-09", run: auth_09 },
    Case { id: "AUTH-16", run: auth_16 },
    Case { id: "AUTH-25", run: auth_25 },
];

/// What an attempt is answered, and after how long.
fn attempt(t: &Tester<'_>, user: &str) -> Result<(Answer, Duration), Verdict> {
    let mut s = with(t, "PLAIN")?;
    let began = Instant::now();
    let answer = s.ask(format!("AUTH PLAIN {}", plain(user, &t.token())));
    Ok((answer, began.elapsed()))
}

/// How much later one of two answers may come before it says something.
const APART: Duration = Duration::from_millis(700);

/// AUTH-09. A wrong password and an unknown user are told apart neither by the reply nor by the
/// time that it takes.
fn auth_09(t: &Tester<'_>) -> Outcome {
    let (unknown, first) = attempt(t, "nobody.knows.me")?;
    unknown.must("535")?;
    let Ok(credentials) = t.credentials() else { return Ok(()) };
    let (wrong, second) = attempt(t, &credentials.user)?;
    wrong.must("535")?;
    if wrong.reply() != unknown.reply() {
        return Err(wrong.fail("another reply than for an unknown user"));
    }
    if first.abs_diff(second) > APART {
        return Err(
            wrong.warn(&format!("{first:?} for an unknown user, {second:?} for a known one"))
        );
    }
    Ok(())
}

/// AUTH-16. Guessing is made slow, or ends, before twenty attempts in a session.
fn auth_16(t: &Tester<'_>) -> Outcome {
    let mut s = with(t, "PLAIN")?;
    let began = Instant::now();
    for n in 1..=20 {
        let answer =
            s.ask(format!("AUTH PLAIN {}", plain("nobody.knows.me", &format!("guess {n}"))));
        if answer.is("421|closed") || began.elapsed() > Duration::from_secs(5) {
            return Ok(());
        }
        answer.given("4yz|5yz")?;
    }
    Err(fail(format!("twenty wrong passwords were answered within {:?}", began.elapsed())))
}

/// AUTH-25. Two wrong passwords do not yet end the session.
fn auth_25(t: &Tester<'_>) -> Outcome {
    let mut s = with(t, "PLAIN")?;
    for n in 1..=2 {
        s.ask(format!("AUTH PLAIN {}", plain("nobody.knows.me", &format!("guess {n}"))))
            .must("535")?;
    }
    s.ask("NOOP").must("250")
}
