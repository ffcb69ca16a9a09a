//! Ways around AUTH: what one exchange leaves to the next, and passwords that are none.

use crate::{
    case::Case,
    cases::rfc4954::{has, with},
    outcome::{Outcome, Verdict},
    sasl::base64,
    tester::Tester,
};

pub(super) const CASES: &[Case] =
    &[Case { id: "SEC-AUTH-01", run: auth_01 }, Case { id: "SEC-AUTH-02", run: auth_02 }];

/// SEC-AUTH-01. An exchange that was given up leaves nothing to the next (CVE-2011-1720).
fn auth_01(t: &Tester<'_>) -> Outcome {
    let credentials = t.credentials()?;
    let mut s = with(t, "LOGIN")?;
    if !has(&s, "PLAIN") {
        return Err(Verdict::NotApplicable("AUTH PLAIN is not offered".into()));
    }
    s.ask("AUTH LOGIN").given("334")?;
    s.ask(base64(&credentials.user)).given("334")?;
    s.ask("*").given("5yz")?;
    let again = s.ask("AUTH PLAIN");
    if !again.is("334") {
        return again.must("4yz|5yz|closed");
    }
    // What LOGIN would have asked for next.
    s.ask(base64(&credentials.password)).must("4yz|5yz|closed")?;
    s.ask(base64(&credentials.password)).must("4yz|5yz|closed")
}

/// SEC-AUTH-02. No password opens no account, and a right one opens no other (CVE-2023-27582).
fn auth_02(t: &Tester<'_>) -> Outcome {
    let credentials = t.credentials()?;
    let (user, password) = (&credentials.user, &credentials.password);
    for message in [
        format!("\0{user}\0"),
        "\0\0".to_owned(),
        format!("\0nobody-of-this-name\0{password}"),
        format!("{user}\0nobody-of-this-name\0{password}"),
        format!("\0{user}\0{password}x"),
        format!("\0{user}\0{password}\0"),
    ] {
        let answer = with(t, "PLAIN")?.ask(format!("AUTH PLAIN {}", base64(message)));
        answer.must("4yz|5yz|closed")?;
    }
    Ok(())
}
