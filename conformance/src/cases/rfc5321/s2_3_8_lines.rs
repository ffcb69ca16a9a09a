//! RFC 5321 §2.3.8: lines end in CRLF, and CR and LF stand nowhere else.

use crate::{
    case::Case,
    outcome::{Outcome, fail, inconclusive},
    stored::Stored,
    tester::Tester,
};

pub(super) const CASES: &[Case] = &[
    Case { id: "EOL-01", run: eol_01 },
    Case { id: "EOL-02", run: eol_02 },
    Case { id: "EOL-03", run: eol_03 },
    Case { id: "EOL-04", run: eol_04 },
    Case { id: "EOL-05", run: eol_05 },
];

/// EOL-01. A bare LF ends no command.
fn eol_01(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    s.send(b"NOOP\n");
    s.hear_within(t.pause()).must("4yz|5yz|closed|silent")
}

/// EOL-02. A CR alone ends no command: the reply comes behind CRLF, whenever its LF arrives.
fn eol_02(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    s.send(b"NOOP\r");
    s.hear_nothing(t.pause()).must("silent")?;
    s.send(b"\n");
    s.hear().must("250")
}

/// Delivers a body with `octets` in it; `None` if it is refused, which is always right.
fn deliver(t: &Tester<'_>, octets: &[u8]) -> Result<Option<Stored>, crate::outcome::Verdict> {
    let message = t.message(&[]);
    t.deliver(&message.token, &[&message.octets[..], octets, b"\r\nend\r\n.\r\n"].concat())
}

/// EOL-03. A bare LF in a message is refused, or kept: it does not become the end of a line.
fn eol_03(t: &Tester<'_>) -> Outcome {
    let Some(stored) = deliver(t, b"be\nfore")? else { return Ok(()) };
    if stored.has("be\r\nfore") {
        return Err(fail("the bare LF became CRLF").at(t.here()));
    }
    if !stored.keeps_crlf {
        let why = "the mailbox ends lines with LF, so a bare one cannot be told from it";
        return Err(inconclusive(why).at(t.here()));
    }
    if stored.body_is(&["be\nfore", "end"]) {
        return Ok(());
    }
    Err(fail("the line is stored otherwise than it was sent").at(t.here()))
}

/// EOL-04. A bare CR in a message is refused, or kept: it does not become the end of a line.
fn eol_04(t: &Tester<'_>) -> Outcome {
    let Some(stored) = deliver(t, b"be\rfore")? else { return Ok(()) };
    if stored.body_is(&["be\rfore", "end"]) {
        return Ok(());
    }
    Err(fail("the bare CR is not stored as it was sent").at(t.here()))
}

/// EOL-05. A bare CR in the header section starts no new field.
fn eol_05(t: &Tester<'_>) -> Outcome {
    let message = t.message(&[]);
    let octets = [b"X-Probe: one\rX-Evil: two\r\n", &message.octets[..], b"text\r\n.\r\n"].concat();
    let Some(stored) = t.deliver(&message.token, &octets)? else { return Ok(()) };
    if stored.position("X-Evil").is_some() {
        return Err(fail("the bare CR was made the end of a line").at(t.here()));
    }
    Ok(())
}
