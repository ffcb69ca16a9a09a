//! RFC 3207 §4.2: after the handshake everything begins anew.

use crate::{
    case::Case,
    outcome::{Outcome, Verdict, fail},
    tester::Tester,
};

pub(super) const CASES: &[Case] = &[
    Case { id: "TLS-03", run: tls_03 },
    Case { id: "TLS-04", run: tls_04 },
    Case { id: "TLS-05", run: tls_05 },
    Case { id: "TLS-06", run: tls_06 },
    Case { id: "TLS-13", run: tls_13 },
];

/// TLS-03. Inside TLS, STARTTLS is not offered.
fn tls_03(t: &Tester<'_>) -> Outcome {
    match t.secured()?.extension("STARTTLS") {
        None => Ok(()),
        Some(_) => Err(fail("STARTTLS is offered inside TLS")),
    }
}

/// TLS-04. STARTTLS inside TLS is refused, and the session goes on.
fn tls_04(t: &Tester<'_>) -> Outcome {
    let mut s = t.secured()?;
    let again = s.ask("STARTTLS");
    again.must("4yz|5yz")?;
    s.ask("NOOP").must("250")?;
    again.should("5yz")
}

/// TLS-05. A transaction from before the handshake is forgotten.
fn tls_05(t: &Tester<'_>) -> Outcome {
    let recipient = t.recipient()?;
    let (mut s, _) = t.offers("STARTTLS")?;
    let mail = s.ask("MAIL FROM:<sender@client.example>");
    if mail.is("530") {
        return Err(Verdict::NotApplicable("there is no transaction in clear".into()));
    }
    mail.given("250")?;
    let answer = s.ask("STARTTLS");
    answer.must("220|5yz")?;
    if !answer.is("220") {
        return Ok(());
    }
    t.handshake(&mut s)?;
    s.ask(format!("RCPT TO:<{recipient}>")).must("5yz")
}

/// TLS-06. EHLO from before the handshake is forgotten.
fn tls_06(t: &Tester<'_>) -> Outcome {
    let mail = "MAIL FROM:<sender@client.example>";
    let (mut s, _) = t.offers("STARTTLS")?;
    s.ask("STARTTLS").given("220")?;
    t.handshake(&mut s)?;
    let answer = s.ask(mail);
    if answer.is("2yz") {
        // Where nobody has to say EHLO, nothing is seen of its being forgotten.
        let mut s = t.greeted()?;
        s.ask(mail).given("5yz")?;
    }
    answer.must("5yz")
}

/// TLS-13. Passwords in clear are offered only inside TLS.
fn tls_13(t: &Tester<'_>) -> Outcome {
    let (s, _) = t.offers("STARTTLS")?;
    let clear = s.extension("AUTH").unwrap_or_default().to_ascii_uppercase();
    if clear.split(' ').any(|mechanism| ["PLAIN", "LOGIN"].contains(&mechanism)) {
        return Err(fail(format!("AUTH {clear} is offered in clear")));
    }
    let s = t.secured()?;
    match s.extension("AUTH") {
        Some(_) => Ok(()),
        None => Err(Verdict::NotApplicable("AUTH is not offered".into())),
    }
}
