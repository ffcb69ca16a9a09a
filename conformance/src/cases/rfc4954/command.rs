//! RFC 4954 §4 and §5: when AUTH may be said, and the parameter of MAIL.

use super::{authenticated, has, offering, plain, with};
use crate::{
    case::Case,
    outcome::{Outcome, Verdict, inconclusive},
    tester::Tester,
};

pub(super) const CASES: &[Case] = &[
    Case { id: "AUTH-01", run: auth_01 },
    Case { id: "AUTH-06", run: auth_06 },
    Case { id: "AUTH-07", run: auth_07 },
    Case { id: "AUTH-08", run: auth_08 },
    Case { id: "AUTH-12", run: auth_12 },
    Case { id: "AUTH-13", run: auth_13 },
    Case { id: "AUTH-15", run: auth_15 },
    Case { id: "AUTH-22", run: auth_22 },
    Case { id: "AUTH-23", run: auth_23 },
    Case { id: "AUTH-24", run: auth_24 },
    Case { id: "AUTH-26", run: auth_26 },
];

/// AUTH-01. A password is not taken in clear.
fn auth_01(t: &Tester<'_>) -> Outcome {
    drop(offering(t)?);
    let mut s = t.hello_as_stranger()?;
    s.ask("AUTH PLAIN").must("5yz")
}

/// AUTH-06. An unknown mechanism is answered by 504.
fn auth_06(t: &Tester<'_>) -> Outcome {
    offering(t)?.ask("AUTH XYZZY").refused("504")
}

/// AUTH-07. Who has said who he is does not say it again.
fn auth_07(t: &Tester<'_>) -> Outcome {
    let (mut s, answer) = authenticated(t)?;
    answer.given("235")?;
    s.ask("AUTH PLAIN").refused("503")
}

/// AUTH-08. AUTH has no place inside a transaction.
fn auth_08(t: &Tester<'_>) -> Outcome {
    let mut s = offering(t)?;
    let mail = s.ask("MAIL FROM:<sender@client.example>");
    if mail.is("530") {
        return Err(Verdict::NotApplicable("there is no transaction before AUTH".into()));
    }
    mail.given("250")?;
    s.ask("AUTH PLAIN").refused("503")
}

/// AUTH-12. MAIL takes the parameter AUTH, from those who have not said who they are, too.
fn auth_12(t: &Tester<'_>) -> Outcome {
    let mail = "MAIL FROM:<sender@client.example>";
    let mut s = offering(t)?;
    let bare = s.ask(mail);
    if bare.is("530") {
        // Nobody else may say MAIL here.
        let (authenticated, answer) = authenticated(t)?;
        answer.given("235")?;
        s = authenticated;
    } else {
        bare.given("250")?;
        s.ask("RSET").given("250")?;
    }
    for value in ["<>", "sender+40client.example", "e+3Dmc2@client.example"] {
        s.ask(format!("{mail} AUTH={value}")).must("250")?;
        s.ask("RSET").given("250")?;
    }
    Ok(())
}

/// AUTH-13. Verb and mechanism may be in any case of letters. That is §8; but the name of a mechanism
/// is a matter of RFC 4422 §3.1, which has it in capitals.
fn auth_13(t: &Tester<'_>) -> Outcome {
    with(t, "PLAIN")?.ask("auth PLAIN").must("334")?;
    with(t, "PLAIN")?.ask("AUTH plain").should("334")
}

/// AUTH-15. Who one is, is forgotten at STARTTLS.
fn auth_15(t: &Tester<'_>) -> Outcome {
    let credentials = t.credentials()?;
    let command = format!("AUTH PLAIN {}", plain(&credentials.user, &credentials.password));
    let (mut s, _) = t.offers("STARTTLS")?;
    if !has(&s, "PLAIN") {
        return Err(Verdict::NotApplicable("AUTH PLAIN is not offered in clear".into()));
    }
    let answer = s.ask(&command);
    if answer.is("538") {
        return Err(Verdict::NotApplicable("AUTH PLAIN is refused in clear".into()));
    }
    answer.given("235")?;
    t.secure(&mut s)?;
    if !has(&s, "PLAIN") {
        return Err(inconclusive("AUTH PLAIN is not offered inside TLS"));
    }
    s.ask(&command).must("235")
}

/// AUTH-22. EXTERNAL does not succeed without a certificate.
fn auth_22(t: &Tester<'_>) -> Outcome {
    with(t, "EXTERNAL")?.ask("AUTH EXTERNAL =").must("4yz|5yz")
}

/// AUTH-23. AUTH needs a mechanism.
fn auth_23(t: &Tester<'_>) -> Outcome {
    offering(t)?.ask("AUTH").must("5yz")
}

/// AUTH-24. A mechanism in which the server begins takes no initial response.
fn auth_24(t: &Tester<'_>) -> Outcome {
    let mut s = offering(t)?;
    for mechanism in ["CRAM-MD5", "DIGEST-MD5"] {
        if has(&s, mechanism) {
            return s.ask(format!("AUTH {mechanism} AAAA")).must("501");
        }
    }
    Err(Verdict::NotApplicable("no mechanism is offered in which the server begins".into()))
}

/// AUTH-26. A transaction behind a successful AUTH goes on as any other.
fn auth_26(t: &Tester<'_>) -> Outcome {
    let message = t.message(&["from a user"]);
    let (mut s, answer) = authenticated(t)?;
    answer.given("235")?;
    let (_, answer) = t.send(&mut s, &message)?;
    answer.must("250")?;
    s.ask("RSET").must("250")?;
    s.ask("AUTH PLAIN").refused("503")
}
