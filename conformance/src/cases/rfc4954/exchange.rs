//! RFC 4954 §4: challenges and responses.

use super::{authenticated, with};
use crate::{
    case::Case,
    outcome::{Outcome, fail, graver},
    sasl::base64,
    session::Session,
    tester::Tester,
};

pub(super) const CASES: &[Case] = &[
    Case { id: "AUTH-02", run: auth_02 },
    Case { id: "AUTH-03", run: auth_03 },
    Case { id: "AUTH-04", run: auth_04 },
    Case { id: "AUTH-05", run: auth_05 },
    Case { id: "AUTH-10", run: auth_10 },
    Case { id: "AUTH-11", run: auth_11 },
    Case { id: "AUTH-14", run: auth_14 },
    Case { id: "AUTH-27", run: auth_27 },
];

/// AUTH-02. PLAIN with an initial response succeeds.
fn auth_02(t: &Tester<'_>) -> Outcome {
    let (_, answer) = authenticated(t)?;
    answer.must("235")
}

/// AUTH-03. PLAIN without one is asked for it by an empty challenge.
fn auth_03(t: &Tester<'_>) -> Outcome {
    let credentials = t.credentials()?;
    let mut s = with(t, "PLAIN")?;
    let challenge = s.ask("AUTH PLAIN");
    challenge.must("334")?;
    if challenge.reply().is_some_and(|reply| reply.lines != [b"334 "]) {
        return Err(challenge.fail("expected \"334 \" with nothing behind it"));
    }
    s.ask(super::plain(&credentials.user, &credentials.password)).must("235")
}

/// A session that waits for the response of PLAIN.
fn challenged(t: &Tester<'_>) -> Result<Session, crate::outcome::Verdict> {
    let mut s = with(t, "PLAIN")?;
    s.ask("AUTH PLAIN").given("334")?;
    Ok(s)
}

/// AUTH-04. The client may break it off.
fn auth_04(t: &Tester<'_>) -> Outcome {
    let mut s = challenged(t)?;
    s.ask("*").must("501")?;
    s.ask("NOOP").must("250")
}

/// AUTH-05. What is not base64 is no response.
fn auth_05(t: &Tester<'_>) -> Outcome {
    for wrong in ["=AAA", "AAA=BBB", "!!!!", "AGZv bwBiYXI="] {
        challenged(t)?.ask(wrong).must("501")?;
    }
    Ok(())
}

/// AUTH-10. An empty initial response is heard as one.
fn auth_10(t: &Tester<'_>) -> Outcome {
    with(t, "PLAIN")?.ask("AUTH PLAIN =").must("5yz|334")
}

/// AUTH-11. Long responses are read to their end, also those that are too long. A server has to take
/// what its mechanisms can come to: for PLAIN that is 1,024 octets, by RFC 4616 §2.
fn auth_11(t: &Tester<'_>) -> Outcome {
    let mut outcome = Ok(());
    for size in [1_024, 12_288, 20_000] {
        let mut s = challenged(t)?;
        let answer = s.ask(base64(vec![b'x'; size / 4 * 3]));
        let next = s.ask("NOOP");
        let closed = answer.is("closed") || next.is("closed");
        let heard = if size > 1_024 && closed {
            Err(next.warn(&format!("a response of {size} octets ends the session")))
        } else {
            answer.must("5yz").and(next.must("250"))
        };
        outcome = graver(outcome, heard);
    }
    outcome
}

/// AUTH-14. LOGIN asks for the name, then for the password.
fn auth_14(t: &Tester<'_>) -> Outcome {
    let credentials = t.credentials()?;
    let mut s = with(t, "LOGIN")?;
    let name = s.ask("AUTH LOGIN");
    name.must("334")?;
    let password = s.ask(base64(&credentials.user));
    password.must("334")?;
    s.ask(base64(&credentials.password)).must("235")?;
    for (asked, expected) in [(name, "VXNlcm5hbWU6"), (password, "UGFzc3dvcmQ6")] {
        if asked.reply().is_some_and(|reply| reply.text(0) != expected) {
            return Err(asked.warn(&format!("old clients know only \"{expected}\"")));
        }
    }
    Ok(())
}

/// AUTH-27. After AUTH the next line is a response, whatever it looks like.
fn auth_27(t: &Tester<'_>) -> Outcome {
    let mut s = challenged(t)?;
    let answer = s.ask("RSET");
    // "RSET" is four letters of base64, and no message of PLAIN.
    answer.must("5yz")?;
    if s.closes_within(std::time::Duration::ZERO) {
        return Err(fail("the session is ended"));
    }
    s.ask("NOOP").must("250")
}
