//! TLS sessions that are taken to another connection, and those that are begun again inside.

use crate::{
    case::Case,
    cases::{
        client_hello::{client_hello, server_extensions},
        rfc4954::has,
    },
    outcome::{Outcome, Verdict, inconclusive},
    sasl,
    session::Session,
    tester::Tester,
    tls::{Memory, TlsFailure, TlsWire},
    wire::{Port, Received, Wire},
};
use rustls::version::{TLS12, TLS13};
use std::time::Instant;

pub(super) const CASES: &[Case] =
    &[Case { id: "SEC-RES-01", run: res_01 }, Case { id: "SEC-RES-02", run: res_02 }];

fn no_tls(failure: &TlsFailure) -> Verdict {
    inconclusive(format!("no TLS: {failure}"))
}

/// Up to where the server waits for a ClientHello.
fn before_hello(t: &Tester<'_>, port: Port) -> Result<Session, Verdict> {
    let mut s = t.connect_to(port)?;
    if port != Port::ImplicitTls {
        s.hear().given("220")?;
        s.hello(verb(t, port)).given("250")?;
        if s.extension("STARTTLS").is_none() {
            return Err(Verdict::NotApplicable("STARTTLS is not offered".into()));
        }
        s.ask("STARTTLS").given("220")?;
    }
    Ok(s)
}

/// A session inside TLS that has said EHLO; whether it goes on with one that `memory` has.
fn inside(t: &Tester<'_>, port: Port, memory: &Memory) -> Result<(Session, bool), Verdict> {
    let mut s = before_hello(t, port)?;
    let tls = memory.client(t.tls().name).map_err(|failure| no_tls(&failure))?;
    let wire = s.take_wire().ok_or_else(|| inconclusive("the connection is gone"))?;
    let wire = TlsWire::negotiate(wire, &[], tls.into(), t.patience())
        .map_err(|(_, failure)| no_tls(&failure))?;
    let resumed = wire.is_resumed();
    s.remark(if resumed { "TLS, resumed" } else { "TLS, a new session" });
    s.put_wire(Box::new(wire));
    if port == Port::ImplicitTls {
        s.hear().given("220")?;
    }
    s.hello(verb(t, port)).given("250")?;
    Ok((s, resumed))
}

/// How the listener is greeted: the main one may be for LMTP.
fn verb(t: &Tester<'_>, port: Port) -> &'static str {
    if port == Port::Main { t.hello_verb() } else { "EHLO" }
}

/// SEC-RES-01. A TLS session that goes on elsewhere, or again, brings no login with it.
fn res_01(t: &Tester<'_>) -> Outcome {
    let (credentials, foreign) = (t.credentials()?, t.foreign()?);
    let mut ports = vec![Port::Main, Port::ImplicitTls, Port::Submission];
    ports.retain(|port| t.has(*port));
    let mut logins = 0;
    for (first, version) in ports.iter().flat_map(|port| [(*port, &TLS13), (*port, &TLS12)]) {
        let memory = Memory::new(&[version]).map_err(|failure| no_tls(&failure))?;
        // A listener without TLS, or without this version of it.
        let Ok((mut s, _)) = inside(t, first, &memory) else { continue };
        if !has(&s, "PLAIN") {
            continue;
        }
        s.ask(format!("AUTH PLAIN {}", sasl::plain(credentials))).given("235")?;
        s.ask("QUIT").ignore();
        logins += 1;
        for &second in &ports {
            let Ok((mut s, true)) = inside(t, second, &memory) else { continue };
            if s.ask("MAIL FROM:<sender@client.example>").is("25z") {
                s.ask(format!("RCPT TO:<{foreign}>")).must("4yz|5yz|closed")?;
            }
        }
    }
    match logins {
        0 => Err(Verdict::NotApplicable("AUTH PLAIN is offered nowhere inside TLS".into())),
        _ => Ok(()),
    }
}

/// What the server answers to a ClientHello: the kinds of its extensions.
fn hears_server(t: &Tester<'_>, wire: &mut dyn Wire) -> Result<Vec<u16>, Verdict> {
    let deadline = Instant::now() + t.patience();
    let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match heard.first() {
            Some(22) | None => {}
            // An alert.
            _ => return Err(Verdict::NotApplicable("TLS 1.2 is not spoken".into())),
        }
        if let Some(kinds) = server_extensions(&heard) {
            return Ok(kinds);
        }
        match wire.receive(&mut buffer, deadline.saturating_duration_since(Instant::now())) {
            Received::Octets(n) => heard.extend_from_slice(&buffer[..n]),
            Received::Closed => {
                return Err(Verdict::NotApplicable("closed at a ClientHello of TLS 1.2".into()));
            }
            Received::Silent => return Err(inconclusive("silent at a ClientHello of TLS 1.2")),
        }
    }
}

/// SEC-RES-02. In TLS 1.2 a renegotiation, if there can be any, is bound to what was before it.
fn res_02(t: &Tester<'_>) -> Outcome {
    const RENEGOTIATION_INFO: u16 = 0xff01;
    let port = if t.has(Port::ImplicitTls) { Port::ImplicitTls } else { Port::Main };
    let mut s = before_hello(t, port)?;
    s.remark("a ClientHello of TLS 1.2 with TLS_EMPTY_RENEGOTIATION_INFO_SCSV");
    let mut wire = s.take_wire().ok_or_else(|| inconclusive("the connection is gone"))?;
    wire.send(&client_hello(2, t.tls().name));
    let kinds = hears_server(t, wire.as_mut())?;
    s.remark(format!("ServerHello with the extensions {kinds:04x?}"));
    if kinds.contains(&RENEGOTIATION_INFO) {
        return Ok(());
    }
    Err(crate::outcome::fail("the ServerHello has no renegotiation_info").at(t.here()))
}
