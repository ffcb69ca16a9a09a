//! RFC 6409: message submission.

use crate::{
    case::Case,
    mailbox::contains,
    outcome::{Outcome, Verdict, inconclusive},
    sasl,
    session::Session,
    tester::{Message, Tester},
    wire::Port,
};

pub(super) const CASES: &[&[Case]] = &[&[
    Case { id: "SUBM-01", run: subm_01 },
    Case { id: "SUBM-02", run: subm_02 },
    Case { id: "SUBM-03", run: subm_03 },
    Case { id: "SUBM-04", run: subm_04 },
    Case { id: "SUBM-05", run: subm_05 },
    Case { id: "SUBM-06", run: subm_06 },
    Case { id: "SUBM-07", run: subm_07 },
    Case { id: "SUBM-08", run: subm_08 },
]];

/// A session on the submission port that has said EHLO, inside TLS where that is offered: what is
/// refused there is not refused for want of TLS.
fn submission(t: &Tester<'_>) -> Result<Session, Verdict> {
    let mut s = t.connect_to(Port::Submission)?;
    s.hear().given("220")?;
    s.hello("EHLO").given("250")?;
    if s.extension("STARTTLS").is_some() {
        s.ask("STARTTLS").given("220")?;
        t.handshake(&mut s)?;
        s.hello("EHLO").given("250")?;
    }
    Ok(s)
}

/// The same, with the credentials that were told, by PLAIN.
pub(super) fn authenticated(t: &Tester<'_>) -> Result<Session, Verdict> {
    let credentials = t.credentials()?;
    let mut s = submission(t)?;
    s.ask(format!("AUTH PLAIN {}", sasl::plain(credentials))).given("235")?;
    Ok(s)
}

/// An address that the user may send from: the name, if it is one, else the first recipient.
fn own_address<'r>(t: &Tester<'r>) -> Result<&'r str, Verdict> {
    let user = &t.credentials()?.user;
    if user.contains('@') { Ok(user) } else { t.recipient() }
}

/// SUBM-01. MAIL is refused before AUTH, with 530.
fn subm_01(t: &Tester<'_>) -> Outcome {
    stranger(t)?;
    let answer = submission(t)?.ask("MAIL FROM:<sender@client.example>");
    answer.must("5yz")?;
    answer.should("530")
}

/// What is refused to strangers can be seen only by one.
fn stranger(t: &Tester<'_>) -> Outcome {
    if t.cooperation().trusted {
        return Err(Verdict::NotTested("the tester is trusted by the server".into()));
    }
    Ok(())
}

/// SUBM-02. An address whose domain is missing or not fully qualified is refused or completed.
fn subm_02(t: &Tester<'_>) -> Outcome {
    for address in ["somebody", "somebody@squeaky"] {
        unqualified_sender(t, address)?;
    }
    let own = own_address(t)?;
    for address in ["somebody", "somebody@squeaky"] {
        let mut s = authenticated(t)?;
        s.ask(format!("MAIL FROM:<{own}>")).given("250")?;
        let answer = s.ask(format!("RCPT TO:<{address}>"));
        answer.must("25z|4yz|5yz")?;
        if answer.is("25z") {
            return Err(answer.inconclusive("the address may have been completed"));
        }
    }
    Ok(())
}

/// What becomes of a sender without a full domain: refused, or another one when it is stored.
fn unqualified_sender(t: &Tester<'_>, address: &str) -> Outcome {
    let (mut s, message) = (authenticated(t)?, t.message(&["Hello."]));
    let answer = s.ask(format!("MAIL FROM:<{address}>"));
    answer.must("250|4yz|5yz")?;
    if !answer.is("250") {
        return Ok(());
    }
    t.mailbox()?;
    let recipient = t.recipient()?;
    s.ask(format!("RCPT TO:<{recipient}>")).given("25z")?;
    s.ask("DATA").given("354")?;
    s.send(message.stuffed());
    let end = s.hear();
    if end.is("4yz|5yz") {
        return Ok(());
    }
    let stored = t.stored_one(recipient, &message.token)?;
    if !contains(&stored.to_ascii_lowercase(), b"return-path:") {
        return Err(end.inconclusive("what is stored does not show the sender"));
    }
    if contains(&stored, format!("<{address}>").as_bytes()) {
        return Err(end.fail("the sender is stored as it was sent"));
    }
    Ok(())
}

/// Sends `message` as the user, to the first recipient; what is stored, or `None` if it is refused.
fn submit(t: &Tester<'_>, message: &Message) -> Result<Option<Vec<u8>>, Verdict> {
    t.mailbox()?;
    let (mut s, recipient) = (authenticated(t)?, t.recipient()?);
    s.ask(format!("MAIL FROM:<{}>", own_address(t)?)).given("250")?;
    s.ask(format!("RCPT TO:<{recipient}>")).given("25z")?;
    s.ask("DATA").given("354")?;
    s.send(message.stuffed());
    if s.hear().is("4yz|5yz") {
        return Ok(None);
    }
    t.stored_one(recipient, &message.token).map(Some)
}

/// SUBM-03. A message without Message-ID gets one, or is refused; a valid one is not touched, and
/// neither is Date.
fn subm_03(t: &Tester<'_>) -> Outcome {
    let complete = t.message(&["Hello."]);
    let stored = submit(t, &complete)?
        .ok_or_else(|| inconclusive("the server refuses a complete message"))?;
    let id = format!("Message-ID: <{}@client.example>", complete.token);
    for field in [&*id, "Date: Mon, 02 Nov 2026 12:00:00 +0000"] {
        if !contains(&stored, field.as_bytes()) {
            return Err(crate::outcome::fail(format!("the server changed \"{field}\"")));
        }
    }
    let token = t.token();
    let text = format!("From: <{}>\r\nSubject: {token}\r\n\r\nHello.\r\n", own_address(t)?);
    let message = Message { token, octets: text.into_bytes() };
    match submit(t, &message)? {
        Some(stored) if !contains(&stored.to_ascii_lowercase(), b"\nmessage-id:") => {
            Err(crate::outcome::fail("the message is stored without a Message-ID"))
        }
        _ => Ok(()),
    }
}

/// SUBM-04. AUTH is offered for submission; ETRN and ATRN are not.
fn subm_04(t: &Tester<'_>) -> Outcome {
    let s = submission(t)?;
    for keyword in ["ETRN", "ATRN"] {
        if s.extension(keyword).is_some() {
            return Err(crate::outcome::fail(format!("{keyword} is offered for submission")));
        }
    }
    if s.extension("AUTH").is_none() {
        return Err(crate::outcome::fail("AUTH is not offered"));
    }
    Ok(())
}

/// SUBM-05. A sender that is not the user's is refused where the policy says so; in order, either
/// way.
fn subm_05(t: &Tester<'_>) -> Outcome {
    authenticated(t)?.ask("MAIL FROM:<somebody.else@other.example>").must("250|55z|501|45z")
}

/// SUBM-06. Without AUTH no recipient is accepted, neither a local nor a foreign one.
fn subm_06(t: &Tester<'_>) -> Outcome {
    stranger(t)?;
    for recipient in [t.recipient(), t.foreign()].into_iter().flatten() {
        let mut s = submission(t)?;
        s.ask("MAIL FROM:<sender@client.example>").must("xyz")?;
        s.ask(format!("RCPT TO:<{recipient}>")).must("4yz|5yz|closed")?;
    }
    t.recipient().map(|_| ())
}

/// SUBM-07. The empty reverse-path alone is no reason to refuse.
fn subm_07(t: &Tester<'_>) -> Outcome {
    authenticated(t)?.ask("MAIL FROM:<>").must("250")
}

/// SUBM-08. PIPELINING, ENHANCEDSTATUSCODES, 8BITMIME and DSN should be offered.
fn subm_08(t: &Tester<'_>) -> Outcome {
    let s = submission(t)?;
    for keyword in ["PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN"] {
        if s.extension(keyword).is_none() {
            return Err(crate::outcome::fail(format!("{keyword} is not offered")));
        }
    }
    Ok(())
}
