//! RFC 3030 §2: BDAT out of place, and the octets that belong to it even then.

use super::{MAIL, bdat};
use crate::{
    case::Case,
    outcome::{Outcome, Verdict},
    session::Session,
    tester::Tester,
};

pub(super) const CASES: &[Case] = &[
    Case { id: "BDAT-04", run: bdat_04 },
    Case { id: "BDAT-05", run: bdat_05 },
    Case { id: "BDAT-06", run: bdat_06 },
    Case { id: "BDAT-07", run: bdat_07 },
    Case { id: "BDAT-08", run: bdat_08 },
    Case { id: "BDAT-12", run: bdat_12 },
    Case { id: "BDAT-16", run: bdat_16 },
];

/// After a refused chunk that looks like QUIT: the session goes on, or is closed without a word
/// of farewell.
fn was_no_command(s: &mut Session) -> Outcome {
    s.ask("NOOP").must("250|421|closed")
}

/// BDAT-04. DATA in a transaction that has begun with BDAT is out of sequence.
fn bdat_04(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("CHUNKING")?;
    t.envelope(&mut s)?;
    s.send(bdat(b"A: b\r\n\r\nx\r\n", false));
    s.hear().given("250")?;
    s.ask("DATA").must("503")
}

/// BDAT-05. BDAT behind the last chunk is out of sequence, and its octets are thrown away.
fn bdat_05(t: &Tester<'_>) -> Outcome {
    let message = t.message(&["the last chunk"]);
    let (mut s, _) = t.offers("CHUNKING")?;
    t.envelope(&mut s)?;
    s.send(bdat(&message.octets, true));
    s.hear().given("250")?;
    s.send(bdat(b"QUIT\r\n", false));
    s.hear().must("503")?;
    s.ask("RSET").must("250")
}

/// BDAT-06. The octets of a BDAT without a transaction are thrown away, not run as commands.
fn bdat_06(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("CHUNKING")?;
    s.send(bdat(b"QUIT\r\n", true));
    s.hear().must("4yz|5yz|closed")?;
    was_no_command(&mut s)
}

/// BDAT-07. The octets of a BDAT without a recipient are thrown away, not run as commands.
fn bdat_07(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("CHUNKING")?;
    s.ask(MAIL).given("250")?;
    s.ask(format!("RCPT TO:<{}>", t.unknown().unwrap_or_default())).given("4yz|5yz")?;
    s.send(bdat(b"QUIT\r\n", true));
    s.hear().must("4yz|5yz|closed")?;
    was_no_command(&mut s)
}

/// BDAT-08. A size that is none, or too large for any message, is refused and not waited for.
fn bdat_08(t: &Tester<'_>) -> Outcome {
    for command in ["BDAT", "BDAT abc", "BDAT -1", "BDAT 99999999999999999999 LAST"] {
        let (mut s, _) = t.offers("CHUNKING")?;
        t.envelope(&mut s)?;
        s.ask(command).must("5yz|421|closed")?;
    }
    Ok(())
}

/// The largest message that is worth being sent only to be refused.
const MOST: usize = 4 << 20;

/// BDAT-12. Chunks that together pass the limit are refused, and the session stays in step.
fn bdat_12(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("CHUNKING")?;
    let limit = match s.extension("SIZE").map(str::parse) {
        Some(Ok(limit)) if (1..=MOST).contains(&limit) => limit,
        Some(Ok(0) | Err(_)) | None => {
            return Err(Verdict::NotApplicable("no limit is announced by SIZE".into()));
        }
        Some(Ok(_)) => return Err(Verdict::NotTested(format!("needs a SIZE of at most {MOST}"))),
    };
    t.envelope(&mut s)?;
    let line = [&[b'x'; 998][..], b"\r\n"].concat();
    let chunk = line.repeat(128);
    // Sizes are counted in different ways: a line end may be one octet, and headers are added.
    let count = (limit + limit / 5) / chunk.len() + 1;
    s.send(bdat(b"Subject: too large\r\n\r\n", false));
    s.hear().given("250")?;
    for n in 1..=count {
        s.send(bdat(&chunk, n == count));
        let answer = s.hear();
        answer.must("250|4yz|5yz")?;
        if answer.is("4yz|5yz") {
            return s.ask("RSET").must("250|421|closed");
        }
    }
    Err(crate::outcome::fail(format!(
        "{} octets are accepted, {limit} are announced",
        count * chunk.len()
    )))
}

/// BDAT-16. Chunks behind a refused one, in the pipeline already, are read and thrown away.
fn bdat_16(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("CHUNKING")?;
    if s.extension("PIPELINING").is_none() {
        return Err(Verdict::NotApplicable("PIPELINING is not offered".into()));
    }
    s.ask(MAIL).given("250")?;
    s.send([bdat(b"QUIT\r\n", false), bdat(b"QUIT\r\n", true)].concat());
    s.hear().must("4yz|5yz|closed")?;
    s.hear().must("4yz|5yz|closed")?;
    was_no_command(&mut s)
}
