//! TLS itself: versions (RFC 8996), names (RFC 7672 §3.2.1, RFC 6066 §3), the farewell (RFC 8446
//! §6.1), and TLS from the first octet (RFC 8314 §3.3).

use super::HeldTls;
use crate::{
    case::Case,
    cases::client_hello::client_hello,
    outcome::{Outcome, Verdict, fail, inconclusive},
    session::Session,
    tester::Tester,
    tls::{Handshake, TlsWire},
    wire::{Port, Received},
};
use std::time::{Duration, Instant};

pub(super) const CASES: &[Case] = &[
    Case { id: "TLS-11", run: tls_11 },
    Case { id: "TLS-12", run: tls_12 },
    Case { id: "TLS-15", run: tls_15 },
    Case { id: "TLS-16", run: tls_16 },
];

/// TLS-11. Where TLS begins with the first octet, the greeting comes inside it, and STARTTLS is
/// not offered.
fn tls_11(t: &Tester<'_>) -> Outcome {
    let mut s = t.connect_to(Port::ImplicitTls)?;
    s.start_tls(t.tls()).map_err(|failure| fail(format!("no handshake: {failure}")))?;
    s.hear_within(t.patience().max(Duration::from_secs(10))).must("220")?;
    s.hello(t.hello_verb()).must("250")?;
    match s.extension("STARTTLS") {
        None => Ok(()),
        Some(_) => Err(fail("STARTTLS is offered inside TLS")),
    }
}

/// A session in which a ClientHello is expected.
fn before_handshake(t: &Tester<'_>) -> Result<Session, Verdict> {
    let (mut s, _) = t.offers("STARTTLS")?;
    s.ask("STARTTLS").given("220")?;
    Ok(s)
}

/// TLS-12. TLS 1.0 and TLS 1.1 are not agreed on.
fn tls_12(t: &Tester<'_>) -> Outcome {
    for minor in [0, 1] {
        let mut s = before_handshake(t)?;
        let Some(mut wire) = s.take_wire() else { return Ok(()) };
        wire.send(&client_hello(minor, t.tls().name));
        let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
        let deadline = Instant::now() + t.patience();
        while heard.len() < 6 {
            let left = deadline.saturating_duration_since(Instant::now());
            match wire.receive(&mut buffer, left) {
                Received::Octets(n) => heard.extend_from_slice(&buffer[..n]),
                Received::Closed => break,
                Received::Silent => return Err(inconclusive("no answer to the ClientHello")),
            }
        }
        // A handshake record with a ServerHello in it.
        if heard.first() == Some(&22) && heard.get(5) == Some(&2) {
            return Err(fail(format!("TLS 1.{minor} is agreed on")));
        }
        s.remark(format!("TLS 1.{minor} is refused"));
    }
    Ok(())
}

/// TLS-15. After QUIT the server says goodbye in TLS before it closes.
fn tls_15(t: &Tester<'_>) -> Outcome {
    let mut s = before_handshake(t)?;
    let Some(wire) = s.take_wire() else { return Ok(()) };
    let tls = TlsWire::handshake(wire, &[], t.tls())
        .map_err(|(_, failure)| inconclusive(failure.to_string()))?;
    let held = HeldTls::new(tls);
    s.put_wire(Box::new(held.clone()));
    s.hello(t.hello_verb()).given("250")?;
    s.ask("QUIT").given("221")?;
    if !s.closes_within(t.patience()) {
        return Err(inconclusive("the server does not close after QUIT"));
    }
    match held.with(|tls| tls.goodbye()) {
        Some(true) => Ok(()),
        _ => Err(fail("closed without close_notify")),
    }
}

/// TLS-16. The handshake succeeds for the server's name, for an unknown one, and without any.
fn tls_16(t: &Tester<'_>) -> Outcome {
    // An address is never sent as a name.
    for name in [t.tls().name, "unknown.example", "192.0.2.1"] {
        let mut s = before_handshake(t)?;
        s.start_tls(Handshake { name, ..t.tls() })
            .map_err(|failure| fail(format!("no handshake for the name {name}: {failure}")))?;
    }
    Ok(())
}
