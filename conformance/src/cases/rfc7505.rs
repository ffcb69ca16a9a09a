//! RFC 7505: domains that take no mail.

use crate::{
    case::Case,
    dns::NULL_MX,
    mailbox::contains,
    outcome::{Outcome, Verdict, fail},
    sasl,
    session::{Answer, Session},
    tester::Tester,
};

pub(super) const CASES: &[&[Case]] =
    &[&[Case { id: "NMX-01", run: nmx_01 }, Case { id: "NMX-02", run: nmx_02 }]];

/// The server asks us for names.
fn asks_us(t: &Tester<'_>) -> Outcome {
    match t.cooperation().dns {
        Some(_) => Ok(()),
        None => Err(Verdict::NotTested("needs `dns`: where the server asks for names".into())),
    }
}

/// A session that may send mail elsewhere.
fn relaying(t: &Tester<'_>) -> Result<Session, Verdict> {
    if t.cooperation().trusted || t.cooperation().sign_in {
        return t.hello();
    }
    let credentials = t.credentials()?;
    let mut s = super::rfc4954::with(t, "PLAIN")?;
    s.ask(format!("AUTH PLAIN {}", sasl::plain(credentials))).given("235")?;
    Ok(s)
}

/// The refusal has this code, and this status where it has one.
fn says(answer: &Answer, code: &str, status: [u16; 3]) -> Outcome {
    answer.must(code)?;
    match answer.reply().and_then(|reply| reply.enhanced(0)) {
        Some(other) if other != status => {
            let [class, subject, detail] = status;
            Err(answer.fail(&format!("{class}.{subject}.{detail} expected")))
        }
        _ => Ok(()),
    }
}

/// NMX-01. A message for a domain that takes none is refused, or comes back soon: nobody tries for
/// days.
fn nmx_01(t: &Tester<'_>) -> Outcome {
    asks_us(t)?;
    let sender = t.recipient()?;
    let message = t.message(&["for nobody"]);
    let mut s = relaying(t)?;
    s.ask(format!("MAIL FROM:<{sender}>")).given("250")?;
    let rcpt = s.ask(format!("RCPT TO:<somebody@{NULL_MX}>"));
    if !rcpt.is("25z") {
        return says(&rcpt, "556", [5, 1, 10]);
    }
    t.mailbox()?;
    s.ask("DATA").given("354")?;
    s.send(message.stuffed());
    let end = s.hear();
    if !end.is("25z") {
        return says(&end, "556", [5, 1, 10]);
    }
    // A queue takes its time.
    for _ in 0..3 {
        if let Some(notification) = t.stored(sender, &message.token, 1)?.first() {
            return match contains(notification, b"5.1.10") {
                true => Ok(()),
                false => Err(fail("the notification has no 5.1.10").at(t.here())),
            };
        }
    }
    Err(end.fail("taken for a domain that takes no mail, and no notification came"))
}

/// NMX-02. A server that takes no mail from a domain that takes none says why.
fn nmx_02(t: &Tester<'_>) -> Outcome {
    asks_us(t)?;
    let recipient = t.recipient()?;
    let mut s = t.hello()?;
    // It may be judged with the recipient.
    for line in [format!("MAIL FROM:<somebody@{NULL_MX}>"), format!("RCPT TO:<{recipient}>")] {
        let answer = s.ask(line);
        if !answer.is("25z") {
            return says(&answer, "550", [5, 7, 27]);
        }
    }
    Ok(())
}
