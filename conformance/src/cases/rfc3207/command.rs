//! RFC 3207 §3 and §4: the command and its replies.

use crate::{
    case::Case,
    outcome::{Outcome, Verdict, fail},
    tester::Tester,
    wire::{Port, Received},
};
use std::time::Instant;

pub(super) const CASES: &[Case] = &[
    Case { id: "TLS-01", run: tls_01 },
    Case { id: "TLS-02", run: tls_02 },
    Case { id: "TLS-08", run: tls_08 },
    Case { id: "TLS-09", run: tls_09 },
    Case { id: "TLS-10", run: tls_10 },
    Case { id: "TLS-14", run: tls_14 },
    Case { id: "TLS-17", run: tls_17 },
    Case { id: "TLS-18", run: tls_18 },
];

/// TLS-01. STARTTLS is answered with 220, and a handshake follows.
fn tls_01(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("STARTTLS")?;
    s.ask("STARTTLS").must("220")?;
    s.start_tls(t.tls()).map_err(|failure| fail(format!("no handshake: {failure}")))
}

/// TLS-02. STARTTLS has no parameters.
fn tls_02(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("STARTTLS")?;
    s.ask("STARTTLS foo").refused("501")
}

/// TLS-08. STARTTLS before EHLO is either done or refused, as out of sequence.
fn tls_08(t: &Tester<'_>) -> Outcome {
    drop(t.offers("STARTTLS")?);
    let mut s = t.greeted()?;
    let answer = s.ask("STARTTLS");
    if answer.is("220") { Ok(()) } else { answer.refused("503") }
}

/// TLS-09. What is no handshake ends the session, without SMTP in clear.
fn tls_09(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("STARTTLS")?;
    s.ask("STARTTLS").given("220")?;
    s.send("this is no ClientHello\r\n\r\n");
    let Some(mut wire) = s.take_wire() else { return Ok(()) };
    let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
    let deadline = Instant::now() + t.patience();
    loop {
        match wire.receive(&mut buffer, deadline.saturating_duration_since(Instant::now())) {
            Received::Octets(n) => heard.extend_from_slice(&buffer[..n]),
            Received::Silent => return Err(fail("the session is neither ended nor answered")),
            Received::Closed => break,
        }
    }
    s.remark(format!("heard: {}", crate::transcript::visible(&heard)));
    // An alert begins with 21, a reply with a digit.
    match heard.first() {
        Some(b'2'..=b'5') => Err(fail("a reply in clear where TLS was promised")),
        _ => Ok(()),
    }
}

/// TLS-10. A server for the public takes mail for its own mailboxes without TLS.
fn tls_10(t: &Tester<'_>) -> Outcome {
    let recipient = t.recipient()?;
    let (mut s, _) = t.offers("STARTTLS")?;
    let mail = s.ask("MAIL FROM:<sender@client.example>");
    let rcpt = s.ask(format!("RCPT TO:<{recipient}>"));
    for answer in [mail, rcpt] {
        if answer.is("530") {
            t.secure(&mut s)?;
            if s.extension("AUTH").is_some() {
                return Err(Verdict::NotApplicable("a submission server may ask for it".into()));
            }
            return Err(answer.fail("refused for want of TLS"));
        }
        answer.given("25z")?;
    }
    Ok(())
}

/// TLS-14. A server whose certificate is missing says so, and goes on in clear.
fn tls_14(t: &Tester<'_>) -> Outcome {
    let mut s = t.connect_to(Port::BrokenTls)?;
    s.hear().given("220")?;
    s.hello("EHLO").given("250")?;
    // Not to offer it is as good.
    if s.extension("STARTTLS").is_some() {
        s.ask("STARTTLS").must("454")?;
    }
    // Mail may still be taken inside TLS only.
    s.ask("MAIL FROM:<sender@client.example>").must("250|530")
}

/// TLS-17. STARTTLS is offered without parameters.
fn tls_17(t: &Tester<'_>) -> Outcome {
    let (_, parameters) = t.offers("STARTTLS")?;
    if parameters.is_empty() {
        return Ok(());
    }
    Err(fail(format!("STARTTLS is offered with \"{parameters}\"")))
}

/// TLS-18. A message goes through TLS as it does without.
fn tls_18(t: &Tester<'_>) -> Outcome {
    let message = t.message(&["inside TLS", ".", "..", "the end"]);
    let mut s = t.secured()?;
    if t.cooperation().sign_in {
        // This does the same, and signs in.
        s = t.hello()?;
    }
    let (recipient, answer) = t.send(&mut s, &message)?;
    answer.must("250")?;
    if t.mailbox().is_ok() && t.stored(recipient, &message.token, 1)?.len() != 1 {
        return Err(answer.fail("accepted, and not stored once"));
    }
    Ok(())
}
