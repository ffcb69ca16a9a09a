//! RFC 5321 §3.1, §3.8 and §4.5: how sessions begin, go on beside each other, and end.

use super::grammar::{is_address_literal, is_domain};
use crate::{
    case::Case,
    outcome::{Outcome, Verdict, inconclusive},
    session::{Answer, Session},
    tester::Tester,
};
use std::time::Duration;

pub(super) const CASES: &[Case] = &[
    Case { id: "CONN-01", run: conn_01 },
    Case { id: "CONN-02", run: conn_02 },
    Case { id: "CONN-08", run: conn_08 },
    Case { id: "CONN-09", run: conn_09 },
    Case { id: "CONN-10", run: conn_10 },
    Case { id: "CONN-11", run: conn_11 },
    Case { id: "CONN-12", run: conn_12 },
];

/// A connection and its first reply. Servers may make strangers wait for it.
fn first_reply(t: &Tester<'_>) -> Result<(Session, Answer), Verdict> {
    let mut s = t.connect()?;
    let greeting = s.hear_within(t.patience().max(Duration::from_secs(60)));
    Ok((s, greeting))
}

/// CONN-01. The first thing said on a connection is a whole reply: 220, or a refusal.
fn conn_01(t: &Tester<'_>) -> Outcome {
    let (_s, greeting) = first_reply(t)?;
    greeting.must("220|554|521|4yz")
}

/// CONN-02. The first word of the greeting is the server's full name, or its address in brackets.
fn conn_02(t: &Tester<'_>) -> Outcome {
    let (_s, greeting) = first_reply(t)?;
    greeting.given("220")?;
    let text = greeting.reply().map(|reply| reply.text(0)).unwrap_or_default();
    let name = text.split(' ').next().unwrap_or_default();
    if is_address_literal(name) || is_domain(name) && name.contains('.') {
        Ok(())
    } else {
        Err(greeting.fail("a full domain name or an address literal expected as the first word"))
    }
}

/// CONN-08. Twenty sessions at once are greeted and answered; some may be put off with 4yz.
fn conn_08(t: &Tester<'_>) -> Outcome {
    const SESSIONS: usize = 20;
    let mut sessions = Vec::with_capacity(SESSIONS);
    for _ in 0..SESSIONS {
        sessions.push(t.connect()?);
    }
    let mut served = 0;
    for s in &mut sessions {
        let greeting = s.hear_within(t.patience().max(Duration::from_secs(10)));
        greeting.must("220|4yz")?;
        if greeting.is("220") {
            let hello = s.hello(t.hello_verb());
            hello.must("250|4yz")?;
            served += usize::from(hello.is("250"));
        }
    }
    for mut s in sessions {
        s.say("QUIT");
    }
    match served {
        0 => Err(inconclusive("none of the sessions was accepted")),
        1 => Err(crate::outcome::fail(format!("1 of {SESSIONS} sessions was served"))),
        _ => Ok(()),
    }
}

/// CONN-09. A server that greets with 554 waits for QUIT, and answers 503 to all else.
fn conn_09(t: &Tester<'_>) -> Outcome {
    let (mut s, greeting) = first_reply(t)?;
    if !greeting.is("554") {
        return Err(Verdict::NotApplicable("the greeting is not 554".into()));
    }
    let hello = s.ask("EHLO client.example");
    hello.must("xyz")?;
    s.ask("QUIT").must("221")?;
    hello.should("503")
}

/// CONN-10. A server that greets with 521 says 521 to whatever follows, or closes; QUIT is QUIT.
fn conn_10(t: &Tester<'_>) -> Outcome {
    let (mut s, greeting) = first_reply(t)?;
    if !greeting.is("521") {
        return Err(Verdict::NotApplicable("the greeting is not 521".into()));
    }
    let hello = s.ask("EHLO client.example");
    hello.must("521|closed")?;
    if hello.is("closed") {
        return Ok(());
    }
    s.ask("QUIT").must("221|closed")
}

/// CONN-11. A client may be silent for five minutes between two commands.
fn conn_11(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    s.remark("silence for five minutes");
    // A server may count from its reply, which left before it came here.
    s.hear_nothing(5 * t.minute() - t.minute() / 20).must("silent")?;
    s.ask("NOOP").must("250")
}

/// CONN-12. A server that goes down says 421 to whoever is there, at once or to the next command.
fn conn_12(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    s.remark("the server is restarted");
    t.restart()?;
    let mut last = s.hear_nothing(t.pause());
    if last.is("silent") {
        last = s.ask("NOOP");
    }
    if last.is("250") {
        // A session that outlives the restart is cut by nobody.
        return Ok(());
    }
    last.must("421")?;
    s.hear().must("closed")
}
