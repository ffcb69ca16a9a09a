//! RFC 3207 §4.2, §6: what comes before the handshake has no effect behind it. The class of
//! CVE-2011-0411 and "NO STARTTLS".

use super::HeldTls;
use crate::{
    case::Case,
    outcome::{Outcome, Verdict, fail},
    sasl::plain,
    session::Session,
    tester::Tester,
    tls::TlsWire,
    transcript::visible,
    wire::{Received, Wire},
};
use std::time::{Duration, Instant};

pub(super) const CASES: &[Case] = &[
    Case { id: "TLS-07", run: tls_07 },
    Case { id: "SEC-TLS-01", run: sec_tls_01 },
    Case { id: "SEC-TLS-02", run: sec_tls_02 },
    Case { id: "SEC-TLS-03", run: sec_tls_03 },
];

/// A session inside TLS whose client has sent `groups` in clear, one segment each; none if the
/// server did not go on to TLS, where nothing can be injected into it.
fn injected(t: &Tester<'_>, groups: &[&str]) -> Result<Option<Session>, Verdict> {
    let (mut s, _) = t.offers("STARTTLS")?;
    for group in groups {
        s.send(group);
        std::thread::sleep(Duration::from_millis(10));
    }
    let answer = s.hear();
    answer.given("220|4yz|5yz|closed")?;
    Ok((answer.is("220") && s.start_tls(t.tls()).is_ok()).then_some(s))
}

/// Nothing of what was said in clear is answered inside TLS.
fn no_echo(t: &Tester<'_>, groups: &[&str]) -> Outcome {
    if let Some(mut s) = injected(t, groups)? {
        s.hear_nothing(t.pause()).must("silent|closed")?;
        s.ask(format!("{} client.example", t.hello_verb())).must("250|closed")?;
        s.hear_nothing(t.pause()).must("silent|closed")?;
    }
    Ok(())
}

/// TLS-07. A command behind STARTTLS in the same segment is not answered inside TLS.
fn tls_07(t: &Tester<'_>) -> Outcome {
    no_echo(t, &["STARTTLS\r\nNOOP\r\n"])
}

/// SEC-TLS-02. Nothing from before the handshake is run inside TLS, wherever the segments end.
fn sec_tls_02(t: &Tester<'_>) -> Outcome {
    let domain = "client.example";
    no_echo(t, &[&format!("STARTTLS\r\n{} {domain}\r\nRSET\r\n", t.hello_verb())])?;
    no_echo(t, &["STARTTLS\r\n", "NOOP\r\n"])?;
    no_echo(t, &["STARTT", "LS\r\nNOOP\r\n"])
}

/// SEC-TLS-03. The beginning of a line in clear is not put in front of the first line inside TLS.
fn sec_tls_03(t: &Tester<'_>) -> Outcome {
    let Some(mut s) = injected(t, &["STARTTLS\r\nNO"])? else { return Ok(()) };
    s.ask("OP").must("5yz|closed")
}

/// What the server says until it closes or falls silent, without the records of TLS in front: its
/// alert, and replies that it still encrypts.
fn heard_in_clear(wire: &mut dyn Wire, patience: Duration) -> Vec<u8> {
    let deadline = Instant::now() + patience;
    let mut octets = Vec::new();
    let mut buffer = [0; 4096];
    while octets.len() < 1 << 16 {
        let left = deadline.saturating_duration_since(Instant::now());
        match wire.receive(&mut buffer, left) {
            Received::Octets(n) => octets.extend_from_slice(&buffer[..n]),
            Received::Closed | Received::Silent => break,
        }
    }
    // RFC 8446 §5.1: type, version, length.
    while let [20..=23, 3, _, high, low, rest @ ..] = &octets[..] {
        let record = rest.len().min(usize::from(u16::from_be_bytes([*high, *low])));
        octets.drain(..5 + record);
    }
    octets
}

/// SEC-TLS-01. When TLS ends inside a chunk, the session ends: what follows in clear is no part
/// of the message (CVE-2026-45185 is the crash that one server had there).
fn sec_tls_01(t: &Tester<'_>) -> Outcome {
    let message = t.message(&[]);
    let recipient = t.recipient()?;
    let (mut s, _) = t.offers("STARTTLS")?;
    s.ask("STARTTLS").given("220")?;
    let Some(wire) = s.take_wire() else { return Ok(()) };
    let tls = TlsWire::handshake(wire, &[], t.tls())
        .map_err(|(_, failure)| crate::outcome::inconclusive(failure.to_string()))?;
    let held = HeldTls::new(tls);
    s.put_wire(Box::new(held.clone()));
    s.remark("TLS");
    s.hello(t.hello_verb()).given("250")?;
    if s.extension("CHUNKING").is_none() {
        return Err(Verdict::NotApplicable("CHUNKING is not offered".into()));
    }
    if t.cooperation().sign_in {
        s.ask(format!("AUTH PLAIN {}", plain(t.credentials()?))).given("235")?;
    }
    t.envelope(&mut s)?;
    let mut octets = message.octets.clone();
    octets.resize(octets.len() + 100, b'x');
    s.send([format!("BDAT {} LAST\r\n", octets.len() + 1).as_bytes(), &octets].concat());
    let Some(tls) = held.take() else { return Ok(()) };
    let mut clear = tls.leave();
    s.remark("the client ends TLS and sends one octet in clear");
    // The one octet that is missing of the chunk.
    clear.send(b"x");
    let octets = heard_in_clear(clear.as_mut(), t.patience());
    s.remark(format!("the server in clear: {}", visible(&octets)));
    if octets.starts_with(b"2") {
        return Err(fail("what follows TLS in clear is taken for the rest of it").at(t.here()));
    }
    drop(clear);
    t.let_settle();
    t.hello().map_err(|_| fail("the server does not greet any more"))?;
    if t.mailbox().is_ok() && !t.stored(recipient, &message.token, 0)?.is_empty() {
        return Err(fail("a message that ended in clear is stored"));
    }
    Ok(())
}
