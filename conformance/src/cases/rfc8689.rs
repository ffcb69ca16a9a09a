//! RFC 8689: REQUIRETLS.

use crate::{
    case::Case,
    cooperation::Mailbox,
    mailbox::contains,
    outcome::{Outcome, Verdict, fail},
    session::Session,
    tester::Tester,
};

pub(super) const CASES: &[&[Case]] = &[&[
    Case { id: "RTLS-01", run: rtls_01 },
    Case { id: "RTLS-02", run: rtls_02 },
    Case { id: "RTLS-03", run: rtls_03 },
]];

const MAIL: &str = "MAIL FROM:<sender@client.example>";

/// RTLS-01. REQUIRETLS is offered inside TLS only, where it can be kept.
fn rtls_01(t: &Tester<'_>) -> Outcome {
    let clear = t.hello_as_stranger()?;
    let offered = clear.extension("REQUIRETLS").is_some();
    if !offered && t.secured()?.extension("REQUIRETLS").is_none() {
        return Err(Verdict::NotApplicable("REQUIRETLS is not offered".into()));
    }
    if offered { Err(fail("REQUIRETLS is offered in clear")) } else { Ok(()) }
}

/// RTLS-02. REQUIRETLS takes no value, and is refused in clear.
fn rtls_02(t: &Tester<'_>) -> Outcome {
    let mut s = sending(t)?;
    let Some(parameters) = s.extension("REQUIRETLS") else {
        return Err(Verdict::NotApplicable("REQUIRETLS is not offered".into()));
    };
    if !parameters.is_empty() {
        return Err(fail(format!("REQUIRETLS is offered with \"{parameters}\"")));
    }
    s.ask(format!("{MAIL} REQUIRETLS")).given("250")?;
    s.ask("RSET").given("250")?;
    s.ask(format!("{MAIL} REQUIRETLS=1")).must("5yz")?;
    t.hello_as_stranger()?.ask(format!("{MAIL} REQUIRETLS")).must("5yz")
}

/// A session inside TLS that may send mail.
fn sending(t: &Tester<'_>) -> Result<Session, Verdict> {
    // Where mail is taken after AUTH only, this does both.
    if t.cooperation().sign_in { t.hello() } else { t.secured() }
}

/// RTLS-03. What must go through TLS does not go to a next hop that has none; who sent it gets the
/// header back, and no more.
fn rtls_03(t: &Tester<'_>) -> Outcome {
    let mut s = sending(t)?;
    if s.extension("REQUIRETLS").is_none() {
        return Err(Verdict::NotApplicable("REQUIRETLS is not offered".into()));
    }
    if !matches!(t.mailbox()?, Mailbox::Capture(_)) {
        return Err(Verdict::NotTested("needs `capture`: a next hop without TLS".into()));
    }
    let message = t.message(&["in clear"]);
    let (recipient, end) = t.send(&mut s, &message)?;
    end.given("25z")?;
    t.stored_one(recipient, &message.token)?;

    let sender = "sender@client.example";
    let message = t.message(&["never in clear"]);
    s.ask(format!("{MAIL} REQUIRETLS")).given("250")?;
    let rcpt = s.ask(format!("RCPT TO:<{recipient}>"));
    if rcpt.is("5yz") {
        return Ok(());
    }
    rcpt.given("25z")?;
    s.ask("DATA").given("354")?;
    s.send(message.stuffed());
    let end = s.hear();
    end.must("25z|5yz")?;
    if !t.stored(recipient, &message.token, 1)?.is_empty() {
        return Err(end.fail("sent in clear"));
    }
    let back = t.stored(sender, &message.token, 1)?;
    if back.iter().any(|notification| contains(notification, b"never in clear")) {
        return Err(end.fail("the notification has the body, and went in clear"));
    }
    Ok(())
}
