//! RFC 5321 §2.3.8 and §4.1.1.4: only CRLF `.` CRLF ends a message (SMTP smuggling, CVE-2023-51764,
//! -51765, -51766).
//!
//! What looks like an end is followed by a transaction of its own. If that comes to a second
//! message, the sequence did end the first: a server in front that knows better would have passed
//! the whole on as one message, and its checks have not seen the second.

use crate::{
    case::Case,
    mailbox::contains,
    outcome::{Outcome, Verdict, fail, inconclusive},
    session::Answer,
    tester::Tester,
};

macro_rules! cases {
    ($($id:literal $sequence:literal)*) => {
        pub(super) const CASES: &[Case] = &[
            $(Case { id: $id, run: |t| does_not_end_the_message(t, $sequence) },)*
            Case { id: "EOD-21", run: eod_21 },
        ];
    };
}

// EOD-01 to EOD-20. Each of these sequences is text, and ends no message; or the whole message is
// refused.
cases! {
    "EOD-01" b"\n.\n"
    "EOD-02" b"\n.\r\n"
    "EOD-03" b"\r\n.\n"
    "EOD-04" b"\r.\r"
    "EOD-05" b"\r.\r\n"
    "EOD-06" b"\r\n.\r"
    "EOD-07" b"\n.\r"
    "EOD-08" b"\r.\n"
    "EOD-09" b"\r\n\0.\r\n"
    "EOD-10" b"\r\n.\0\r\n"
    "EOD-11" b"\r\n.\r\0\n"
    "EOD-12" b"\r\0\n.\r\n"
    "EOD-13" b"\r\n.\r\r\n"
    "EOD-14" b"\r\r\n.\r\r\n"
    "EOD-15" b"\r\n. \r\n"
    "EOD-16" b"\r\n.\t\r\n"
    "EOD-17" b"\r\n..\r\n"
    "EOD-18" b"\n\r.\r\n"
    "EOD-19" b"\x85.\x85"
    "EOD-20" b"\x0b.\x0b"
}

/// Sends a message with `sequence` in it and a second transaction behind that, and looks for two
/// messages.
fn does_not_end_the_message(t: &Tester<'_>, sequence: &[u8]) -> Outcome {
    let outer = t.message(&["the text before"]);
    let inner = t.token();
    let mut s = t.hello()?;
    let recipient = t.envelope(&mut s)?;
    s.ask("DATA").given("354")?;
    // The last CRLF belongs to the sequence.
    let text = outer.octets.strip_suffix(b"\r\n").unwrap_or(&outer.octets);
    let second = format!(
        "MAIL FROM:<smuggled@client.example>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n\
         From: <smuggled@client.example>\r\nSubject: {inner}\r\n\r\nsmuggled\r\n.\r\n"
    );
    s.send([text, sequence, second.as_bytes()].concat());
    let first = s.hear();
    let (more, _) = s.hear_all(t.pause());
    if t.cooperation().mailbox.is_none() {
        return by_replies(&first, more.len());
    }
    if first.is("25z") {
        let stored = t.stored(recipient, &outer.token, 1)?;
        if stored.iter().any(|message| !contains(message, inner.as_bytes())) {
            if more.is_empty() {
                return cut(t, &first, &[text, sequence].concat());
            }
            return Err(first.fail("the sequence ended the message: what follows was answered"));
        }
        if stored.is_empty() {
            return Err(first.inconclusive("accepted, and not stored where it was looked for"));
        }
    } else {
        first.given("4yz|5yz|closed")?;
        t.let_settle();
    }
    let second = t.stored(recipient, &inner, 0)?;
    if second.iter().any(|message| !contains(message, outer.token.as_bytes())) {
        return Err(first.fail("a second message was stored: the sequence ended the first"));
    }
    Ok(())
}

/// The message was stored up to the sequence, and nothing behind was answered: was the sequence its
/// end, and what came in one segment with it dropped with a buffer? Then it is answered by itself.
fn cut(t: &Tester<'_>, first: &Answer, text: &[u8]) -> Outcome {
    let mut s = t.hello()?;
    t.envelope(&mut s)?;
    s.ask("DATA").given("354")?;
    s.send(text);
    let alone = s.hear();
    s.drop_connection();
    if alone.is("25z") {
        return Err(alone.fail("the sequence ended the message: nothing else was sent"));
    }
    // For instance at a NUL.
    Err(first.inconclusive("stored without what stands behind the sequence"))
}

/// What replies alone can say: a refusal is clear; the number of replies says nothing for certain.
fn by_replies(first: &Answer, more: usize) -> Outcome {
    if first.is("4yz|5yz|closed") && more == 0 {
        return Ok(());
    }
    let why = "how many messages arrived only the mailbox tells";
    Err(Verdict::NotTested(format!("needs a mailbox: {} replies came; {why}", more + 1)))
}

/// EOD-21. A bare CR in front of CRLF `.` CRLF hides the end from nobody.
fn eod_21(t: &Tester<'_>) -> Outcome {
    let message = t.message(&[]);
    let mut s = t.hello()?;
    t.envelope(&mut s)?;
    s.ask("DATA").given("354")?;
    s.send([&message.octets[..], b"text\r\r\n.\r\n"].concat());
    let end = s.hear();
    if end.is("silent") {
        return Err(fail("the end of the message was not found").at(t.here()));
    }
    if !end.is("25z|4yz|5yz|closed") {
        return Err(inconclusive("neither accepted nor refused").at(t.here()));
    }
    Ok(())
}
