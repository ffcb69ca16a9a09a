//! What a front end tells a server about its client: XCLIENT (Postfix) and the PROXY header
//! (HAProxy). From anybody else it must not be believed.

use crate::{
    case::Case,
    mailbox::contains,
    outcome::{Outcome, Verdict},
    session::{Answer, Session},
    tester::Tester,
    wire::Port,
};

pub(super) const CASES: &[&[Case]] = &[&[
    Case { id: "XCL-01", run: xcl_01 },
    Case { id: "XCL-02", run: xcl_02 },
    Case { id: "PROXY-01", run: proxy_01 },
    Case { id: "PROXY-02", run: proxy_02 },
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

/// A header of version 1, in 41 octets of the 107 that it may have.
const LINE: &str = "PROXY TCP4 192.0.2.9 192.0.2.2 40000 25\r\n";
/// What a header of version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Two addresses and two ports, as version 2 has them for TCP over IPv4.
const ADDRESSES: &[u8; 12] = &[192, 0, 2, 9, 192, 0, 2, 2, 156, 64, 0, 25];

/// A header of version 2: 0x20 is LOCAL, 0x21 PROXY; 0x11 is TCP over IPv4, 0 is unspecified.
fn binary(signature: &[u8; 12], command: u8, family: u8) -> Vec<u8> {
    [&signature[..], &[command, family, 0, 12], ADDRESSES].concat()
}

/// A session that begins with these octets, and its first reply.
fn behind(t: &Tester<'_>, octets: &[u8]) -> Result<(Session, Answer), Verdict> {
    let mut s = t.connect_to(Port::Proxy)?;
    s.send(octets);
    let first = s.hear();
    Ok((s, first))
}

/// PROXY-02. A listener that expects the header greets behind a whole and valid one, and nobody
/// else.
fn proxy_02(t: &Tester<'_>) -> Outcome {
    t.connect_to(Port::Proxy)?.hear_nothing(t.pause()).must("silent|closed")?;
    let (_, line) = behind(t, LINE.as_bytes())?;
    let (_, octets) = behind(t, &binary(SIGNATURE, 0x21, 0x11))?;
    // A listener may know one version only.
    let valid = if line.is("220") {
        LINE.as_bytes().to_vec()
    } else {
        octets.given("220")?;
        binary(SIGNATURE, 0x21, 0x11)
    };
    let (mut s, _) = behind(t, &valid)?;
    s.hello("EHLO").must("250")?;

    let mut wrong_signature = *SIGNATURE;
    wrong_signature[11] = b' ';
    let long = LINE.replace("\r\n", &format!("{}\r\n", " 25".repeat(30)));
    let invalid =
        [b"EHLO client.example\r\n".to_vec(), long.into(), binary(&wrong_signature, 0x21, 0x11)];
    for header in invalid {
        let (_, first) = behind(t, &header)?;
        first.must("silent|closed|4yz|5yz")?;
    }
    if octets.is("220") {
        // The proxy's own connection: whose addresses stand there does not matter.
        let (mut s, local) = behind(t, &binary(SIGNATURE, 0x20, 0x11))?;
        local.must("220")?;
        s.hello("EHLO").must("250")?;
        // An unknown client may be served or refused.
        let (_, unspecified) = behind(t, &binary(SIGNATURE, 0x21, 0))?;
        unspecified.must("220|closed|4yz|5yz")?;
    }
    let (_, again) = behind(t, &valid)?;
    again.must("220")
}
