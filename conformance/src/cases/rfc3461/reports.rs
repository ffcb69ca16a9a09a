//! RFC 3461 §5 and §6, RFC 3464, RFC 6522: the notifications themselves. The sender is a mailbox of
//! the server, so that they can be read.

use crate::{
    case::Case,
    mailbox::contains,
    outcome::{Outcome, Verdict, fail, inconclusive, warn},
    tester::{Message, Tester},
};

pub(super) const CASES: &[Case] = &[
    Case { id: "DSN-09", run: dsn_09 },
    Case { id: "DSN-10", run: dsn_10 },
    Case { id: "DSN-11", run: dsn_11 },
    Case { id: "DSN-12", run: dsn_12 },
    Case { id: "DSN-16", run: dsn_16 },
];

/// Sends `message` from `sender` to `recipient`.
fn send(
    t: &Tester<'_>,
    (sender, ret): (&str, &str),
    (recipient, notify): (&str, &str),
    message: &Message,
) -> Outcome {
    let (mut s, _) = t.offers("DSN")?;
    // The identifier is xtext: the plus is what it is decoded by.
    s.ask(format!("MAIL FROM:<{sender}> {ret} ENVID=Q+2B{}", message.token)).given("250")?;
    let orcpt = format!("ORCPT=rfc822;first+2B{recipient}");
    s.ask(format!("RCPT TO:<{recipient}> {notify} {orcpt}")).given("25z")?;
    s.ask("DATA").given("354")?;
    s.send(message.stuffed());
    s.hear().given("250")
}

/// The notification about `message` in the mailbox of `sender`, if there is one: in small letters,
/// unfolded.
fn notification(
    t: &Tester<'_>,
    sender: &str,
    message: &Message,
) -> Result<Option<String>, Verdict> {
    // A queue takes its time.
    for _ in 0..3 {
        if let Some(found) = t.stored(sender, &message.token, 1)?.first() {
            let text = String::from_utf8_lossy(found).to_ascii_lowercase().replace("\r\n", "\n");
            return Ok(Some(text.replace("\n ", " ").replace("\n\t", " ")));
        }
    }
    Ok(None)
}

fn has(text: &str, what: &str) -> Outcome {
    let wanted = what.to_ascii_lowercase();
    if contains(text.as_bytes(), wanted.as_bytes()) {
        return Ok(());
    }
    Err(fail(format!("the notification has no \"{what}\"")))
}

/// Somebody who is not the recipient, and whose mailbox can be read.
fn sender<'r>(t: &Tester<'r>) -> Result<&'r str, Verdict> {
    t.mailbox()?;
    Ok(&t.recipients(2)?[1])
}

fn failing<'r>(t: &Tester<'r>) -> Result<&'r str, Verdict> {
    let failing = t.cooperation().failing.as_deref();
    failing.ok_or_else(|| Verdict::NotTested("needs a recipient whose delivery fails".into()))
}

/// DSN-09. Who asks for it is told of success, in the form of RFC 3464.
fn dsn_09(t: &Tester<'_>) -> Outcome {
    let (sender, recipient) = (sender(t)?, t.recipient()?);
    let message = t.message(&["a success"]);
    send(t, (sender, "RET=HDRS"), (recipient, "NOTIFY=SUCCESS"), &message)?;
    let Some(text) = notification(t, sender, &message)? else {
        return Err(fail("no notification came"));
    };
    has(&text, "multipart/report")?;
    has(&text, "report-type=delivery-status")
        .or_else(|_| has(&text, "report-type=\"delivery-status\""))?;
    has(&text, "\naction: delivered").or_else(|_| has(&text, "\naction: relayed"))?;
    has(&text, "\nreporting-mta:")?;
    has(&text, "\nfinal-recipient:")?;
    has(&text, &format!("\noriginal-envelope-id: Q+{}", message.token))?;
    has(&text, &format!("\noriginal-recipient: rfc822;first+{recipient}"))
        .or_else(|_| has(&text, &format!("\noriginal-recipient: rfc822; first+{recipient}")))
}

/// DSN-10. Who says NEVER hears nothing of a failure.
fn dsn_10(t: &Tester<'_>) -> Outcome {
    let (sender, failing) = (sender(t)?, failing(t)?);
    // That it fails in time is seen from a message whose sender wants to know.
    let (quiet, loud) = (t.message(&["a failure"]), t.message(&["a failure"]));
    send(t, (sender, "RET=HDRS"), (failing, "NOTIFY=NEVER"), &quiet)?;
    send(t, (sender, "RET=HDRS"), (failing, "NOTIFY=FAILURE"), &loud)?;
    if notification(t, sender, &loud)?.is_none() {
        return Err(inconclusive("no notification came for a message that asks for one"));
    }
    t.let_settle();
    if t.stored(sender, &quiet.token, 0)?.is_empty() {
        return Ok(());
    }
    Err(fail("a notification came, against NOTIFY=NEVER"))
}

/// DSN-11. RET says whether the message comes back or its header only.
fn dsn_11(t: &Tester<'_>) -> Outcome {
    let (sender, failing) = (sender(t)?, failing(t)?);
    for (ret, body) in [("RET=HDRS", false), ("RET=FULL", true)] {
        let message = t.message(&["a line of the body, to be found again"]);
        send(t, (sender, ret), (failing, "NOTIFY=FAILURE"), &message)?;
        let Some(text) = notification(t, sender, &message)? else {
            return Err(fail("no notification came"));
        };
        has(&text, "\naction: failed")?;
        has(&text, if body { "message/rfc822" } else { "text/rfc822-headers" })?;
        if contains(text.as_bytes(), b"to be found again") != body {
            let what = if body { "lacks" } else { "has" };
            return Err(fail(format!("with {ret} the notification {what} the body")));
        }
    }
    Ok(())
}

/// DSN-12. A notification goes to the reverse-path, from nobody.
fn dsn_12(t: &Tester<'_>) -> Outcome {
    let (sender, failing) = (sender(t)?, failing(t)?);
    let message = t.message(&["a failure"]);
    send(t, (sender, "RET=HDRS"), (failing, "NOTIFY=FAILURE"), &message)?;
    let Some(text) = notification(t, sender, &message)? else {
        return Err(fail("no notification came"));
    };
    let text = format!("\n{text}");
    let header = text.split("\n\n").next().unwrap_or_default();
    has(header, &format!("\nto: {sender}"))
        .or_else(|_| has(header, &format!("\nto: <{sender}>")))?;
    // The store writes it, or does not.
    match header.lines().find(|line| line.starts_with("return-path:")) {
        // Its own name for the null sender, where the store has none: the envelope is not seen.
        Some(line) if line.contains("<mailer-daemon") => {
            Err(warn(format!("the mailbox shows {line} in place of <>")))
        }
        Some(line) if !line.contains("<>") => Err(fail(format!("not from nobody: {line}"))),
        _ => Ok(()),
    }
}

/// DSN-16. Who asked to hear of failures only, hears nothing of a success.
fn dsn_16(t: &Tester<'_>) -> Outcome {
    let (sender, recipient) = (sender(t)?, t.recipient()?);
    let (quiet, loud) = (t.message(&["a success"]), t.message(&["a success"]));
    send(t, (sender, "RET=HDRS"), (recipient, "NOTIFY=FAILURE"), &quiet)?;
    send(t, (sender, "RET=HDRS"), (recipient, "NOTIFY=SUCCESS"), &loud)?;
    if notification(t, sender, &loud)?.is_none() {
        return Err(inconclusive("no notification came for a message that asks for one"));
    }
    t.let_settle();
    if t.stored(sender, &quiet.token, 0)?.is_empty() {
        return Ok(());
    }
    Err(fail("a notification of a success came, against NOTIFY=FAILURE"))
}
