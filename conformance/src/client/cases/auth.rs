//! AUTH that does not go as planned: RFC 4954 §4, RFC 5802 §5.

use crate::{
    client::{
        Case,
        sasl::{Scram, USER},
        script::{Answer, Point, Script},
        seen::{Class, Seen},
        sender::Need,
        trial::Trial,
    },
    outcome::{Outcome, Verdict},
    sasl::base64,
};

pub(super) const CASES: &[Case] = &[Case { id: "C-54", run: c_54 }, Case { id: "C-55", run: c_55 }];

/// In clear and inside TLS, as the client likes it.
fn offering(mechanisms: &str) -> Script {
    Script::offering(&["STARTTLS", &format!("AUTH {mechanisms}")])
}

fn sign_in(t: &Trial<'_>, script: Script) -> Result<Seen, Verdict> {
    let seen = t.attempt(script).need(Need::Auth).run()?;
    seen.reached(Point::Auth)?;
    Ok(seen)
}

/// C-54. However AUTH goes wrong, the client ends, and tells for now from for ever.
fn c_54(t: &Trial<'_>) -> Outcome {
    let passwords = || offering("PLAIN LOGIN");
    for challenge in ["334 !no base64!", "334 bW9yZSBhbmQgbW9yZQ=="] {
        let script = passwords()
            .from(Point::AuthLine, 6, "535 5.7.8 enough")
            .to(Point::AuthLine, "*", "501 5.7.0 cancelled")
            .at(Point::AuthLine, challenge)
            .at(Point::Auth, challenge);
        let seen = sign_in(t, script)?;
        seen.never(Point::Mail, "MAIL though AUTH did not succeed")?;
        seen.not_sent(Class::Any)?;
    }
    let welcome = Answer::lines(&["235-2.7.0 welcome,", "235 2.7.0 whoever you are"]);
    // LOGIN sends the name and the password one by one.
    let script = passwords().to(Point::AuthLine, &base64(USER), "334 UGFzc3dvcmQ6");
    let script = script.at(Point::AuthLine, welcome.clone());
    // With an initial response the answer comes at once, without it behind a challenge.
    let script = script.to(Point::Auth, "AUTH PLAIN ", welcome).at(Point::Auth, "334 ");
    sign_in(t, script)?.sent()?;
    for (refusal, class) in [
        ("535 5.7.8 wrong password", Class::Permanent),
        ("454 4.7.0 the directory is away", Class::Temporary),
    ] {
        let script = passwords().at(Point::Auth, refusal).at(Point::AuthLine, refusal);
        let seen = sign_in(t, script)?;
        seen.never(Point::Mail, "MAIL though AUTH was refused")?;
        seen.not_sent(class)?;
    }
    Ok(())
}

/// C-55. A server that cannot prove that it knows the password is left.
fn c_55(t: &Trial<'_>) -> Outcome {
    let scram = |how| t.attempt(offering("SCRAM-SHA-256").scram(how)).need(Need::Auth).run();
    let seen = scram(Scram::Right)?;
    // Some sign in by what is not offered.
    let mut asked = seen.at(Point::Auth).map(|(_, command)| command.text().to_ascii_uppercase());
    if !asked.any(|line| line.starts_with("AUTH SCRAM-SHA-256")) {
        return Err(Verdict::NotApplicable("the client does not do SCRAM-SHA-256".into()));
    }
    if !seen.is_delivered() {
        let verdict = seen.sent().err();
        let why = verdict.map_or_else(String::new, |verdict| verdict.reason().to_owned());
        return Err(crate::outcome::inconclusive(format!("with all in order: {why}")));
    }
    for (how, why) in [
        (Scram::ForeignNonce, "the nonce was not the client's"),
        (Scram::WrongSignature, "the server's signature was wrong"),
        (Scram::WrongSignatureBehind235, "the server's signature was wrong, though it said 235"),
    ] {
        let seen = scram(how)?;
        seen.never(Point::Mail, why)?;
        seen.not_sent(Class::Any)?;
    }
    let seen = scram(Scram::OneIteration)?;
    if let Some((record, command)) = seen.at(Point::Mail).next() {
        let what = "one iteration was enough; RFC 7677 §4 asks for 4096";
        if let Verdict::Fail(finding) = super::super::seen::at(record, command, what) {
            return Err(Verdict::Warn(finding));
        }
    }
    Ok(())
}
