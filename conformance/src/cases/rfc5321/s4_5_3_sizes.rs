//! RFC 5321 §4.5.3.1: what every server takes, and what it does with more.

use super::s4_1_1_4_data::{arrives, body_must_be};
use crate::{case::Case, outcome::Outcome, tester::Tester};

pub(super) const CASES: &[Case] = &[
    Case { id: "DATA-07", run: data_07 },
    Case { id: "DATA-08", run: data_08 },
    Case { id: "DATA-09", run: data_09 },
    Case { id: "DATA-10", run: data_10 },
    Case { id: "DATA-11", run: data_11 },
    Case { id: "DATA-12", run: data_12 },
];

/// Digits, so that a line that is cut shows where.
fn digits(octets: usize) -> String {
    "0123456789".chars().cycle().take(octets).collect()
}

/// DATA-07. A line of 998 octets and its CRLF arrives whole.
fn data_07(t: &Tester<'_>) -> Outcome {
    arrives(t, &[digits(998), "end".into()])
}

/// DATA-08. The dot that transparency adds does not count for the length of a line.
fn data_08(t: &Tester<'_>) -> Outcome {
    arrives(t, &[format!(".{}", digits(997)), "end".into()])
}

/// DATA-09. A longer line arrives whole, or the message is refused: it is never cut in silence.
fn data_09(t: &Tester<'_>) -> Outcome {
    for octets in [5_000, 100_000] {
        let lines = [digits(octets), "end".into()];
        let mut message = t.message(&[]);
        message.octets.extend_from_slice(format!("{}\r\nend\r\n", lines[0]).as_bytes());
        let mut s = t.hello()?;
        let recipient = t.envelope(&mut s)?;
        s.ask("DATA").given("354")?;
        s.send(message.stuffed());
        let end = s.hear();
        end.must("25z|4yz|5yz")?;
        if end.is("25z") && t.cooperation().mailbox.is_some() {
            body_must_be(t, &t.arrived(recipient, &message.token)?, &lines)?;
        }
    }
    Ok(())
}

/// DATA-10. A message of 64 KiB arrives whole.
fn data_10(t: &Tester<'_>) -> Outcome {
    let header = t.message(&[]).octets.len();
    let body = (64 << 10) - header;
    let mut lines = vec![digits(68); body / 70];
    if body % 70 > 2 {
        lines.push(digits(body % 70 - 2));
    }
    arrives(t, &lines)
}

/// DATA-11. A command line of 512 octets is not too long.
fn data_11(t: &Tester<'_>) -> Outcome {
    t.hello()?.ask(format!("NOOP {}", "x".repeat(505))).must_not("500|closed|silent|421")
}

/// DATA-12. A command line that is too long is refused once, however long it is.
fn data_12(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    let long = s.ask(format!("NOOP {}", "x".repeat(10_000)));
    long.must("250|5yz|421")?;
    if long.is("421") {
        return Ok(());
    }
    s.hear_nothing(t.pause()).must("silent")?;
    s.ask("RSET").must("250")
}
