//! What a front end tells a server about its client: XCLIENT (Postfix) and the PROXY header
//! (HAProxy). From anybody else it must not be believed.

use crate::{
    case::Case,
    mailbox::contains,
    outcome::{Outcome, Verdict},
    tester::Tester,
};

pub(super) const CASES: &[&[Case]] = &[&[
    Case { id: "XCL-01", run: xcl_01 },
    Case { id: "XCL-02", run: xcl_02 },
    Case { id: "PROXY-01", run: proxy_01 },
]];

/// XCL-01. XCLIENT is neither offered to strangers nor believed from them.
fn xcl_01(t: &Tester<'_>) -> Outcome {
    if t.cooperation().trusted {
        return Err(Verdict::NotTested("the tester is trusted by the server".into()));
    }
    let mut s = t.greeted()?;
    let hello = s.hello(t.hello_verb());
    hello.given("250")?;
    if s.extension("XCLIENT").is_some() {
        return Err(hello.fail("XCLIENT is offered to a stranger"));
    }
    s.ask("XCLIENT ADDR=192.0.2.9 NAME=[UNAVAILABLE]").must("5yz")
}

/// XCL-02. XCLIENT begins the session again, with the address that was told.
fn xcl_02(t: &Tester<'_>) -> Outcome {
    if !t.cooperation().trusted {
        return Err(Verdict::NotTested("the tester is not trusted by the server".into()));
    }
    let (mut s, _) = t.offers("XCLIENT")?;
    s.ask("XCLIENT ADDR=192.0.2.9 NAME=client.example").must("220")?;
    s.ask("RCPT TO:<postmaster>").must("5yz")?;
    s.hello(t.hello_verb()).must("250")?;
    let message = t.message(&["Hello."]);
    let (recipient, end) = t.send(&mut s, &message)?;
    end.must("250")?;
    if contains(&t.stored_one(recipient, &message.token)?, b"192.0.2.9") {
        Ok(())
    } else {
        Err(crate::outcome::fail("Received does not show the address that was told"))
    }
}

/// PROXY-01. A PROXY header is no command of SMTP: where it is not expected it is refused.
fn proxy_01(t: &Tester<'_>) -> Outcome {
    // A server that expects the header does not greet without one.
    t.greeted()?.say("QUIT");
    let mut s = t.connect()?;
    s.say("PROXY TCP4 192.0.2.9 192.0.2.2 40000 25");
    let greeting = s.hear_within(t.patience().max(std::time::Duration::from_secs(10)));
    if greeting.is("closed|4yz|5yz") {
        return Ok(());
    }
    greeting.given("220")?;
    s.hear().must("5yz|421|closed")
}
