//! RFC 3030 §3: binary content.

use super::{MAIL, bdat};
use crate::{
    case::Case,
    mailbox::contains,
    outcome::{Outcome, Verdict, fail},
    tester::Tester,
};

pub(super) const CASES: &[Case] = &[
    Case { id: "BMIME-01", run: bmime_01 },
    Case { id: "BMIME-02", run: bmime_02 },
    Case { id: "BMIME-03", run: bmime_03 },
    Case { id: "BMIME-04", run: bmime_04 },
    Case { id: "BMIME-05", run: bmime_05 },
];

/// BMIME-01. Binary content cannot come by DATA.
fn bmime_01(t: &Tester<'_>) -> Outcome {
    let recipient = t.recipient()?;
    let (mut s, _) = t.offers("BINARYMIME")?;
    s.ask(format!("{MAIL} BODY=BINARYMIME")).given("250")?;
    s.ask(format!("RCPT TO:<{recipient}>")).given("25z")?;
    s.ask("DATA").must("503")
}

/// BMIME-02. Who offers BINARYMIME offers CHUNKING.
fn bmime_02(t: &Tester<'_>) -> Outcome {
    let (s, _) = t.offers("BINARYMIME")?;
    match s.extension("CHUNKING") {
        Some(_) => Ok(()),
        None => Err(fail("BINARYMIME is offered without CHUNKING")),
    }
}

/// BMIME-03. Every octet arrives: NUL, bare CR and LF, long lines, all 256 values.
fn bmime_03(t: &Tester<'_>) -> Outcome {
    t.mailbox()?;
    let recipient = t.recipient()?;
    let (mut s, _) = t.offers("BINARYMIME")?;
    let mut message = t.message(&[]);
    let mut body: Vec<u8> = (0..=255).collect();
    body.extend_from_slice(b"a\rb\nc\n\rd\r\r\ne\0f\r\n.\r\n");
    body.resize(body.len() + 10_000, b'x');
    message.octets.extend_from_slice(&body);
    s.ask(format!("{MAIL} BODY=BINARYMIME")).given("250")?;
    s.ask(format!("RCPT TO:<{recipient}>")).given("25z")?;
    s.send(bdat(&message.octets, true));
    s.hear().must("250")?;
    if contains(&t.stored_one(recipient, &message.token)?, &body) {
        return Ok(());
    }
    Err(fail("the octets are not stored as they were sent"))
}

/// BMIME-04. Who does not offer BINARYMIME refuses it.
fn bmime_04(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    if s.extension("BINARYMIME").is_some() {
        return Err(Verdict::NotApplicable("BINARYMIME is offered".into()));
    }
    s.ask(format!("{MAIL} BODY=BINARYMIME")).must("5yz")
}

/// BMIME-05. CHUNKING and BINARYMIME have no parameters.
fn bmime_05(t: &Tester<'_>) -> Outcome {
    let (s, chunking) = t.offers("CHUNKING")?;
    let binary = s.extension("BINARYMIME").unwrap_or_default();
    if chunking.is_empty() && binary.is_empty() {
        return Ok(());
    }
    Err(fail("CHUNKING or BINARYMIME is offered with a parameter"))
}
