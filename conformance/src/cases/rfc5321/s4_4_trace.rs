//! RFC 5321 §4.4: Received and Return-Path; §6.1 and §4.5.5: notifications.

use crate::{
    case::Case,
    cooperation::Mailbox,
    outcome::{Outcome, Verdict, fail, inconclusive, warn},
    session::Session,
    stored::Stored,
    tester::Tester,
};

pub(super) const CASES: &[Case] = &[
    Case { id: "TRACE-01", run: trace_01 },
    Case { id: "TRACE-02", run: trace_02 },
    Case { id: "TRACE-03", run: trace_03 },
    Case { id: "TRACE-04", run: trace_04 },
    Case { id: "TRACE-05", run: trace_05 },
    Case { id: "TRACE-06", run: trace_06 },
    Case { id: "TRACE-07", run: trace_07 },
    Case { id: "TRACE-08", run: trace_08 },
    Case { id: "TRACE-09", run: trace_09 },
    Case { id: "TRACE-10", run: trace_10 },
    Case { id: "TRACE-11", run: trace_11 },
];

/// Trace fields are looked for where somebody adds them before the messages are seen.
fn traced(t: &Tester<'_>) -> Outcome {
    if t.cooperation().as_received {
        let why = "the mailboxes hold messages as they were received, before trace is added";
        return Err(Verdict::NotTested(why.into()));
    }
    Ok(())
}

/// A message as it arrived, sent in `session` behind its greeting.
fn delivered(t: &Tester<'_>, session: &mut Session) -> Result<Stored, Verdict> {
    t.mailbox()?;
    traced(t)?;
    let message = t.message(&["text"]);
    let (recipient, end) = t.send(session, &message)?;
    end.given("25z")?;
    t.arrived(recipient, &message.token)
}

/// The Received field on top, on one line, without its comments, and with them.
fn received(t: &Tester<'_>, stored: &Stored) -> Result<(String, String), Verdict> {
    let top = stored.fields("Received").next();
    let whole = top.map(|field| field.unfolded());
    let whole = whole.ok_or_else(|| inconclusive("there is no Received field").at(t.here()))?;
    let mut depth = 0_usize;
    let bare: String = whole
        .chars()
        .filter(|c| match c {
            '(' => {
                depth += 1;
                false
            }
            ')' => {
                depth = depth.saturating_sub(1);
                false
            }
            _ => depth == 0,
        })
        .collect();
    Ok((bare.split_ascii_whitespace().collect::<Vec<_>>().join(" "), whole))
}

/// The word behind a clause's name, such as `with`.
fn clause<'a>(received: &'a str, name: &str) -> Option<&'a str> {
    let clauses = received.rsplit_once(';').map_or(received, |(clauses, _)| clauses);
    let mut words = clauses.split(' ');
    words.by_ref().find(|word| word.eq_ignore_ascii_case(name))?;
    words.next()
}

/// TRACE-01. A Received field is put on top of what the client sent.
fn trace_01(t: &Tester<'_>) -> Outcome {
    let stored = delivered(t, &mut t.hello()?)?;
    match (stored.position("Received"), stored.position("From")) {
        (Some(received), Some(from)) if received < from => Ok(()),
        (Some(_), _) => Err(fail("Received stands below the message's own fields").at(t.here())),
        (None, _) => Err(fail("no Received field was added").at(t.here())),
    }
}

/// TRACE-02. The Received field says from whom (as greeted, and from which address), by whom, and
/// when.
fn trace_02(t: &Tester<'_>) -> Outcome {
    let stored = delivered(t, &mut t.hello()?)?;
    let (bare, whole) = received(t, &stored)?;
    for name in ["from", "by"] {
        if clause(&bare, name).is_none() {
            return Err(fail(format!("no {name} clause in \"{whole}\"")).at(t.here()));
        }
    }
    if bare.rsplit_once(';').is_none_or(|(_, date)| date.trim().is_empty()) {
        return Err(fail(format!("no date in \"{whole}\"")).at(t.here()));
    }
    let from = whole.to_ascii_lowercase();
    let from = from.split(" by ").next().unwrap_or_default();
    if !from.contains("client.example") {
        return Err(warn(format!("the name from EHLO is not in \"{whole}\"")).at(t.here()));
    }
    if !from.contains('[') {
        return Err(warn(format!("the client's address is not in \"{whole}\"")).at(t.here()));
    }
    Ok(())
}

/// TRACE-03. The date has an offset in digits, not the name of a time zone.
fn trace_03(t: &Tester<'_>) -> Outcome {
    let stored = delivered(t, &mut t.hello()?)?;
    let (bare, whole) = received(t, &stored)?;
    let zone = bare.rsplit(' ').next().unwrap_or_default();
    let digits = zone.strip_prefix(['+', '-']).unwrap_or_default();
    if digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(());
    }
    Err(warn(format!("no offset such as +0000 at the end of \"{whole}\"")).at(t.here()))
}

/// TRACE-04. The protocol in the Received field tells HELO, EHLO, LHLO, TLS and AUTH apart.
fn trace_04(t: &Tester<'_>) -> Outcome {
    t.mailbox()?;
    if t.cooperation().sign_in {
        let secures = t.hello_as_stranger()?.extension("STARTTLS").is_some();
        return with_is(t, &mut t.hello()?, if secures { "ESMTPSA" } else { "ESMTPA" });
    }
    let mut s = t.hello()?;
    let tls = s.extension("STARTTLS").is_some();
    let lmtp = t.hello_verb() == "LHLO";
    with_is(t, &mut s, if lmtp { "LMTP" } else { "ESMTP" })?;
    if !lmtp {
        let mut s = t.greeted()?;
        s.ask("HELO client.example").given("250")?;
        with_is(t, &mut s, "SMTP")?;
    }
    if tls {
        with_is(t, &mut t.secured()?, if lmtp { "LMTPS" } else { "ESMTPS" })?;
    }
    Ok(())
}

fn with_is(t: &Tester<'_>, session: &mut Session, protocol: &str) -> Outcome {
    let stored = delivered(t, session)?;
    let (bare, whole) = received(t, &stored)?;
    match clause(&bare, "with") {
        Some(with) if with.eq_ignore_ascii_case(protocol) => Ok(()),
        Some(_) => Err(warn(format!("with {protocol} expected in \"{whole}\"")).at(t.here())),
        None => Err(Verdict::NotApplicable("the Received field has no WITH clause".into())),
    }
}

/// TRACE-05. A Received field names one recipient at most: it gives away no Bcc.
fn trace_05(t: &Tester<'_>) -> Outcome {
    t.mailbox()?;
    let pair = &t.recipients(2)?[..2];
    let message = t.message(&["to two"]);
    let mut s = t.hello()?;
    s.ask("MAIL FROM:<sender@client.example>").given("250")?;
    for recipient in pair {
        s.ask(format!("RCPT TO:<{recipient}>")).given("25z")?;
    }
    s.ask("DATA").given("354")?;
    s.send(message.stuffed());
    for end in t.hear_end(&mut s, 2) {
        end.given("25z")?;
    }
    for (own, other) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
        let stored = t.arrived(own, &message.token)?;
        for field in stored.fields("Received") {
            let value = field.unfolded().to_ascii_lowercase();
            let leaks = value.contains(&other.to_ascii_lowercase());
            if leaks && value.contains(&own.to_ascii_lowercase()) {
                return Err(fail(format!("two recipients in \"{value}\"")).at(t.here()));
            }
            if leaks {
                return Err(fail(format!("{own} reads of {other} in \"{value}\"")).at(t.here()));
            }
        }
    }
    Ok(())
}

/// TRACE-06. Final delivery puts exactly one Return-Path, the reverse-path, on top.
fn trace_06(t: &Tester<'_>) -> Outcome {
    if matches!(t.mailbox()?, Mailbox::Capture(_)) {
        return Err(Verdict::NotApplicable("the message is relayed, not delivered".into()));
    }
    let stored = delivered(t, &mut t.hello()?)?;
    let paths: Vec<_> = stored.fields("Return-Path").map(|field| field.unfolded()).collect();
    if paths != ["<sender@client.example>"] {
        let what = format!("one Return-Path: <sender@client.example> expected, found {paths:?}");
        return Err(fail(what).at(t.here()));
    }
    match stored.position("Received") {
        Some(received) if stored.position("Return-Path") > Some(received) => {
            Err(warn("Return-Path stands below Received").at(t.here()))
        }
        _ => Ok(()),
    }
}

/// TRACE-07. Received fields that a message brings stay as they are, in their order, below the new
/// one.
fn trace_07(t: &Tester<'_>) -> Outcome {
    traced(t)?;
    let hops = [
        "from a.example (a.example [192.0.2.1]) by b.example; Mon, 2 Nov 2026 10:00:00 +0000",
        "by magic",
        "from  c.example\n\tby d.example with NNTP; Mon, 2 Nov 2026 09:00:00 GMT",
    ];
    let fields: String =
        hops.iter().map(|hop| format!("Received: {}\r\n", hop.replace('\n', "\r\n"))).collect();
    let message = t.message(&["text"]);
    let octets = [fields.as_bytes(), &message.stuffed()].concat();
    let stored = t
        .deliver(&message.token, &octets)?
        .ok_or_else(|| inconclusive("the message is refused").at(t.here()))?;
    let values: Vec<_> = stored.fields("Received").map(|field| field.value.as_str()).collect();
    if !values.ends_with(&hops) {
        return Err(fail(format!("the fields are now {values:?}")).at(t.here()));
    }
    if values.len() == hops.len() {
        return Err(inconclusive("there is no new Received field").at(t.here()));
    }
    Ok(())
}

/// TRACE-08. Odd fields and lines arrive as they were sent.
fn trace_08(t: &Tester<'_>) -> Outcome {
    let odd = "X-Odd:no space\r\nx-ODD:   many   spaces   \r\nX-Folded: one\r\n two\r\n\tthree\r\n\
               X-Empty:\r\nSubject: =?utf-8?q?not_decoded?=\r\nComments: (((\r\n";
    let message = t.message(&["From here on", "trailing space ", "\ttab", ""]);
    let octets = [odd.as_bytes(), &message.stuffed()].concat();
    let stored = t
        .deliver(&message.token, &octets)?
        .ok_or_else(|| inconclusive("the message is refused").at(t.here()))?;
    let sent = [odd.as_bytes(), &message.octets].concat();
    let sent =
        if stored.keeps_crlf { sent } else { sent.into_iter().filter(|&b| b != b'\r').collect() };
    // An mbox quotes lines that begin with From.
    let quoted = String::from_utf8_lossy(&sent).replace("\nFrom here", "\n>From here");
    if stored.has(&sent) || stored.has(quoted) {
        return Ok(());
    }
    Err(fail("the message is not stored as it was sent").at(t.here()))
}

/// TRACE-09. A delivery that fails after 250 is reported to the sender, from the null sender.
fn trace_09(t: &Tester<'_>) -> Outcome {
    let sender = t.recipient()?;
    let stored = sent_to_failing(t, sender)?;
    let Some(report) = stored else {
        return Err(fail(format!("no notification came to {sender}")).at(t.here()));
    };
    let field = |name| report.fields(name).next().map(|f| f.unfolded().to_ascii_lowercase());
    match field("Return-Path") {
        // Its own name for the null sender, where the store has none: the envelope is not seen.
        Some(path) if path.starts_with("<mailer-daemon") => {
            return Err(warn(format!("the mailbox shows {path} in place of <>")).at(t.here()));
        }
        Some(path) if path != "<>" => {
            return Err(fail(format!("the notification comes from {path}")).at(t.here()));
        }
        _ => {}
    }
    if field("Content-Type").is_some_and(|kind| kind.starts_with("multipart/report")) {
        return Ok(());
    }
    Err(warn("the notification is no multipart/report (RFC 3464)").at(t.here()))
}

/// TRACE-10. A notification that cannot be delivered is answered by none.
fn trace_10(t: &Tester<'_>) -> Outcome {
    match sent_to_failing(t, "")? {
        None => Ok(()),
        Some(_) => Err(fail("a message from the null sender was answered").at(t.here())),
    }
}

/// Sends a message whose delivery will fail; what comes back to the first recipient, who is also
/// named in its From field.
fn sent_to_failing(t: &Tester<'_>, reverse_path: &str) -> Result<Option<Stored>, Verdict> {
    t.mailbox()?;
    let failing = t.cooperation().failing.as_deref();
    let failing = failing
        .ok_or_else(|| Verdict::NotTested("needs a recipient whose delivery fails".into()))?;
    let author = t.recipient()?;
    let token = t.token();
    let mut s = t.hello()?;
    s.ask(format!("MAIL FROM:<{reverse_path}>")).given("250")?;
    s.ask(format!("RCPT TO:<{failing}>")).given("25z")?;
    s.ask("DATA").given("354")?;
    s.send(format!(
        "From: <{author}>\r\nSubject: {token}\r\nMessage-ID: <{token}@client.example>\r\n\r\n\
         text\r\n.\r\n"
    ));
    s.hear().given("25z")?;
    Ok(t.stored(author, &token, 1)?.pop().map(Stored::new))
}

/// TRACE-11. The date has none of the obsolete forms, such as a year of two digits.
fn trace_11(t: &Tester<'_>) -> Outcome {
    let stored = delivered(t, &mut t.hello()?)?;
    let (bare, whole) = received(t, &stored)?;
    let date = bare.rsplit_once(';').map_or("", |(_, date)| date);
    // `Sat, 21 Nov 2026 ...`, where the day of the week may be missing.
    let year = date.split([' ', ',']).skip_while(|w| !w.starts_with(|c: char| c.is_ascii_digit()));
    let year = year.filter(|word| !word.is_empty()).nth(2);
    if year.is_some_and(|year| year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit())) {
        return Ok(());
    }
    Err(fail(format!("no year of four digits in \"{whole}\"")).at(t.here()))
}
