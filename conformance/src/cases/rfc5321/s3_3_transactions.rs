//! RFC 5321 §3.3, §4.1.1.4 and §4.1.1.10: where a transaction ends, and what is left of it.

use crate::{
    case::Case,
    outcome::{Outcome, Verdict, fail},
    session::{Answer, Session},
    tester::Tester,
};

pub(super) const CASES: &[Case] = &[
    Case { id: "SEQ-12", run: seq_12 },
    Case { id: "SEQ-13", run: seq_13 },
    Case { id: "SEQ-14", run: seq_14 },
    Case { id: "SEQ-15", run: seq_15 },
    Case { id: "SEQ-16", run: seq_16 },
    Case { id: "SEQ-17", run: seq_17 },
];

/// The most that a case sends to be over a limit.
const MOST_SENT: usize = 12 << 20;

/// A message that is more than a tenth over the limit that the server announces, and its answer
/// after the end.
pub(in crate::cases) struct TooMuch {
    /// The session, behind that answer.
    pub(in crate::cases) session: Session,
    /// To whom it was sent.
    pub(in crate::cases) recipient: String,
    /// Stands in it.
    pub(in crate::cases) token: String,
    /// What came after the end.
    pub(in crate::cases) end: Answer,
}

/// Sends too much, without SIZE= so that it is refused after the end and not before.
pub(in crate::cases) fn send_too_much(t: &Tester<'_>) -> Result<TooMuch, Verdict> {
    let (mut session, limit) = t.offers("SIZE")?;
    let limit: usize = limit.trim().parse().unwrap_or(0);
    if limit == 0 {
        return Err(Verdict::NotApplicable("no limit is announced".into()));
    }
    let much = limit / 100 * 113 + 2_000;
    if much > MOST_SENT {
        return Err(Verdict::NotTested("needs a size limit of at most 10 MiB".into()));
    }
    let recipient = t.envelope(&mut session)?.to_owned();
    session.ask("DATA").given("354")?;
    let mut message = t.message(&[]);
    let line = [&[b'x'; 76][..], b"\r\n"].concat();
    while message.octets.len() < much {
        message.octets.extend_from_slice(&line);
    }
    session.send_much(&message.stuffed(), "a message over the limit, with its end");
    let end = session.hear();
    Ok(TooMuch { session, recipient, token: message.token, end })
}

/// SEQ-12. Two messages in one session: each has its own recipients.
fn seq_12(t: &Tester<'_>) -> Outcome {
    let first = t.recipient()?;
    let second = t.recipients(2).map_or(first, |all| all[1].as_str());
    let (one, two) = (t.message(&["one"]), t.message(&["two"]));
    let mut s = t.hello()?;
    for (recipient, message) in [(first, &one), (second, &two)] {
        s.ask("MAIL FROM:<sender@client.example>").must("250")?;
        s.ask(format!("RCPT TO:<{recipient}>")).must("25z")?;
        s.ask("DATA").must("354")?;
        s.send(message.stuffed());
        s.hear().must("25z")?;
    }
    if t.cooperation().mailbox.is_none() || first == second {
        return Ok(());
    }
    t.arrived(first, &one.token)?;
    t.arrived(second, &two.token)?;
    for (recipient, message) in [(first, &two), (second, &one)] {
        if !t.stored(recipient, &message.token, 0)?.is_empty() {
            return Err(fail(format!("{recipient} got the message that was for the other")));
        }
    }
    Ok(())
}

/// SEQ-13. After a message there is no transaction: RCPT needs a new MAIL.
fn seq_13(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    let (recipient, end) = t.send(&mut s, &t.message(&["done"]))?;
    end.given("25z")?;
    let rcpt = s.ask(format!("RCPT TO:<{recipient}>"));
    rcpt.must("5yz")?;
    s.ask("DATA").must("5yz")?;
    rcpt.should("503")
}

/// SEQ-14. A message whose end never came is not delivered.
fn seq_14(t: &Tester<'_>) -> Outcome {
    t.mailbox()?;
    let message = t.message(&["the first half"]);
    let mut s = t.hello()?;
    let recipient = t.envelope(&mut s)?;
    s.ask("DATA").given("354")?;
    s.send(&message.octets);
    s.drop_connection();
    t.let_settle();
    if t.stored(recipient, &message.token, 0)?.is_empty() {
        return Ok(());
    }
    Err(fail("half a message was delivered"))
}

/// SEQ-15. A message that was answered with 250 is delivered, QUIT or not.
fn seq_15(t: &Tester<'_>) -> Outcome {
    t.mailbox()?;
    let message = t.message(&["complete"]);
    let mut s = t.hello()?;
    let (recipient, end) = t.send(&mut s, &message)?;
    end.given("25z")?;
    s.drop_connection();
    match t.stored(recipient, &message.token, 1)?.len() {
        1 => Ok(()),
        0 => Err(end.fail("the message is lost")),
        n => Err(end.fail(&format!("the message was delivered {n} times"))),
    }
}

/// SEQ-16. A message that was refused after its end is not delivered.
fn seq_16(t: &Tester<'_>) -> Outcome {
    t.mailbox()?;
    let TooMuch { recipient, token, end, .. } = send_too_much(t)?;
    end.given("4yz|5yz")?;
    t.let_settle();
    if t.stored(&recipient, &token, 0)?.is_empty() {
        return Ok(());
    }
    Err(end.fail("refused, and delivered all the same"))
}

/// SEQ-17. A message that was refused after its end has ended its transaction, too.
fn seq_17(t: &Tester<'_>) -> Outcome {
    let TooMuch { mut session, recipient, end, .. } = send_too_much(t)?;
    end.given("4yz|5yz")?;
    let rcpt = session.ask(format!("RCPT TO:<{recipient}>"));
    rcpt.given("2yz|5yz|4yz")?;
    rcpt.must("503")?;
    session.ask("DATA").must("503|554")
}
