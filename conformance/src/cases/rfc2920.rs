//! RFC 2920: command pipelining.

use crate::{case::Case, outcome::Outcome, session::Session, tester::Tester};
use std::time::Duration;

pub(super) const CASES: &[&[Case]] = &[&[
    Case { id: "PIPE-01", run: pipe_01 },
    Case { id: "PIPE-02", run: pipe_02 },
    Case { id: "PIPE-03", run: pipe_03 },
    Case { id: "PIPE-04", run: pipe_04 },
    Case { id: "PIPE-05", run: pipe_05 },
    Case { id: "PIPE-06", run: pipe_06 },
    Case { id: "PIPE-07", run: pipe_07 },
    Case { id: "PIPE-08", run: pipe_08 },
    Case { id: "PIPE-09", run: pipe_09 },
]];

const MAIL: &str = "MAIL FROM:<sender@client.example>\r\n";

/// PIPE-01. A group of commands in one segment is answered one by one, in order.
fn pipe_01(t: &Tester<'_>) -> Outcome {
    let [first, second, ..] = t.recipients(2)? else { return Ok(()) };
    let (mut s, _) = t.offers("PIPELINING")?;
    s.send(format!("{MAIL}RCPT TO:<{first}>\r\nRCPT TO:<{second}>\r\nDATA\r\n"));
    s.hear().given("250")?;
    s.hear().must("25z")?;
    s.hear().must("25z")?;
    s.hear().must("354")?;
    s.drop_connection();
    Ok(())
}

/// PIPE-02. A refused recipient in the middle of a group has its reply at its own place.
fn pipe_02(t: &Tester<'_>) -> Outcome {
    let (recipient, unknown) = (t.recipient()?, t.unknown()?);
    let (mut s, _) = t.offers("PIPELINING")?;
    s.ask(MAIL.trim_end()).given("250")?;
    s.ask(format!("RCPT TO:<{unknown}>")).given("5yz")?;
    s.ask("RSET").given("250")?;
    s.send(format!("{MAIL}RCPT TO:<{unknown}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n"));
    s.hear().must("250")?;
    s.hear().must("5yz")?;
    s.hear().must("25z")?;
    s.hear().must("354")?;
    s.drop_connection();
    Ok(())
}

/// PIPE-03. DATA in a group in which no recipient was accepted does not lead to a message.
fn pipe_03(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("PIPELINING")?;
    s.send(format!("{MAIL}RCPT TO:<>\r\nDATA\r\n"));
    s.hear().given("250")?;
    s.hear().given("4yz|5yz")?;
    let data = s.hear();
    data.must("354|4yz|5yz")?;
    if data.is("354") {
        s.ask(".").must("4yz|5yz")?;
    }
    Ok(())
}

/// PIPE-04. Replies that were put together are sent when nothing more has come.
fn pipe_04(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("PIPELINING")?;
    // The first MAIL may be slow for reasons of its own, such as DNS.
    s.ask(MAIL.trim_end()).given("250")?;
    s.send(format!("RSET\r\n{MAIL}"));
    s.hear().must("250")?;
    s.hear().must("250")
}

/// PIPE-05. What follows the final dot in the same segment is not lost.
fn pipe_05(t: &Tester<'_>) -> Outcome {
    let message = t.message(&["pipelined"]);
    let (mut s, _) = t.offers("PIPELINING")?;
    let recipient = t.envelope(&mut s)?;
    s.ask("DATA").given("354")?;
    let mut octets = message.stuffed();
    octets.extend_from_slice(format!("{MAIL}RCPT TO:<{recipient}>\r\nRSET\r\nQUIT\r\n").as_bytes());
    s.send(octets);
    s.hear().given("250")?;
    s.hear().must("250")?;
    s.hear().must("25z")?;
    s.hear().must("250")?;
    s.hear().must("221")
}

/// PIPE-06. Commands that come octet by octet are the same commands.
fn pipe_06(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("PIPELINING")?;
    s.drip(format!("NOOP\r\n{MAIL}RSET\r\n").as_bytes(), Duration::from_millis(2));
    s.hear().must("250")?;
    s.hear().must("250")?;
    s.hear().must("250")
}

/// PIPE-07. A client that talks before the greeting is turned away, or answered in order.
fn pipe_07(t: &Tester<'_>) -> Outcome {
    let mut s = t.connect()?;
    s.send(format!("{} client.example\r\nNOOP\r\n", t.hello_verb()));
    let greeting = s.hear_within(t.patience().max(Duration::from_secs(10)));
    greeting.must("220|4yz|5yz|closed")?;
    if greeting.is("220") {
        let hello = s.hear();
        hello.must("250|4yz|5yz|closed")?;
        if hello.is("250") {
            s.hear().must("250")?;
        }
    }
    Ok(())
}

/// PIPE-08. A group of a hundred recipients in one write is answered without a deadlock.
fn pipe_08(t: &Tester<'_>) -> Outcome {
    let recipient = t.recipient()?;
    let (mut s, _) = t.offers("PIPELINING")?;
    s.send(format!("{MAIL}{}", format!("RCPT TO:<{recipient}>\r\n").repeat(100)));
    s.hear().given("250")?;
    for _ in 0..100 {
        let answer = s.hear();
        if answer.is("421") {
            return Err(answer.inconclusive("the server limits its clients"));
        }
        answer.must("25z|45z|55z")?;
    }
    nothing_more(t, &mut s)
}

/// PIPE-09. PIPELINING has no parameter.
fn pipe_09(t: &Tester<'_>) -> Outcome {
    let (_, parameters) = t.offers("PIPELINING")?;
    if parameters.is_empty() {
        return Ok(());
    }
    Err(crate::outcome::fail(format!("PIPELINING is offered with \"{parameters}\"")))
}

fn nothing_more(t: &Tester<'_>, s: &mut Session) -> Outcome {
    s.hear_nothing(t.pause()).must("silent|closed")
}
