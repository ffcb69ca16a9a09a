//! RFC 5802 §5 to §7, RFC 7677 §4, RFC 9266: the exchange, right and wrong.

use super::{
    super::{
        rfc3207::HeldTls,
        rfc4954::{decode, has, offering, with},
    },
    client::{Client, Hash, ServerFirst},
};
use crate::{
    case::Case,
    outcome::{Outcome, Verdict, fail, inconclusive},
    sasl::base64,
    session::{Answer, Session},
    tester::Tester,
    tls::TlsWire,
};

pub(super) const CASES: &[Case] = &[
    Case { id: "AUTH-17", run: auth_17 },
    Case { id: "AUTH-18", run: auth_18 },
    Case { id: "AUTH-19", run: auth_19 },
    Case { id: "AUTH-20", run: auth_20 },
    Case { id: "AUTH-21", run: auth_21 },
];

/// A session that offers SCRAM, with the mechanism: SHA-256, or else SHA-1.
fn scram(t: &Tester<'_>) -> Result<(Session, &'static str, Hash), Verdict> {
    let s = offering(t)?;
    if has(&s, "SCRAM-SHA-256") {
        Ok((s, "SCRAM-SHA-256", Hash::sha256()))
    } else if has(&s, "SCRAM-SHA-1") {
        Ok((s, "SCRAM-SHA-1", Hash::sha1()))
    } else {
        Err(Verdict::NotApplicable("SCRAM is not offered".into()))
    }
}

/// The text of a challenge.
fn challenge(answer: &Answer) -> Option<String> {
    let reply = answer.reply().filter(|reply| reply.code == 334)?;
    String::from_utf8(decode(&reply.text(0))?).ok()
}

/// Says the client's first message; gives the server's.
fn first(s: &mut Session, mechanism: &str, client: &Client) -> Result<ServerFirst, Answer> {
    let answer = s.ask(format!("AUTH {mechanism} {}", base64(client.first())));
    let text = challenge(&answer);
    s.remark(format!("that is: {} / {}", client.first(), text.as_deref().unwrap_or("-")));
    text.as_deref().and_then(ServerFirst::parse).ok_or(answer)
}

/// A whole exchange: the last answer. `nonce` is what the client makes of the server's nonce.
fn exchange(
    s: &mut Session,
    mechanism: &str,
    client: &Client,
    nonce: impl FnOnce(&str) -> String,
) -> Result<Answer, Verdict> {
    let server = match first(s, mechanism, client) {
        Ok(server) => server,
        Err(answer) => return Ok(answer),
    };
    let (last, expected) = client.last(&server, &nonce(&server.nonce));
    let answer = s.ask(base64(&last));
    let text = challenge(&answer);
    s.remark(format!("that is: {last} / {}", text.as_deref().unwrap_or("-")));
    match text {
        Some(text) if text.split(',').next() == Some(&expected) => Ok(s.ask("")),
        Some(text) if text.starts_with("e=") => Ok(s.ask("")),
        Some(_) => Err(answer.fail("the server's signature is wrong")),
        None if answer.is("235") => Err(answer.fail("the server has not shown its signature")),
        None => Ok(answer),
    }
}

fn as_is(nonce: &str) -> String {
    nonce.to_owned()
}

/// AUTH-17. The exchange succeeds, and the server shows that it knows the password.
fn auth_17(t: &Tester<'_>) -> Outcome {
    let credentials = t.credentials()?;
    let (mut s, mechanism, hash) = scram(t)?;
    let client = Client::new(hash, &credentials.user, &credentials.password, &t.token());
    exchange(&mut s, mechanism, &client, as_is)?.must("235")
}

/// AUTH-18. An exchange that was meddled with fails.
fn auth_18(t: &Tester<'_>) -> Outcome {
    let credentials = t.credentials()?;
    let (mut s, mechanism, hash) = scram(t)?;
    let good = || Client::new(hash, &credentials.user, &credentials.password, &t.token());
    exchange(&mut s, mechanism, &good(), as_is)?.given("235")?;

    let try_it = |what: &str, client: Client| -> Outcome {
        let mut s = with(t, mechanism)?;
        s.remark(format!("wrong on purpose: {what}"));
        exchange(&mut s, mechanism, &client, as_is)?.must("4yz|5yz|closed")
    };
    try_it("another password", Client { password: "wrong".into(), ..good() })?;
    try_it("c= is not the header of the first message", {
        Client { binding: b"y,,".to_vec(), ..good() }
    })?;
    try_it("a channel binding that this mechanism has not", {
        Client { gs2: "p=tls-unique,,".into(), binding: b"p=tls-unique,,x".to_vec(), ..good() }
    })?;
    let extended = good();
    let bare = format!("m=mandatory,{}", extended.bare);
    try_it("an extension that is mandatory", Client { bare, ..extended })?;
    let turned = good();
    let bare = match turned.bare.split_once(',') {
        Some((name, nonce)) => format!("{nonce},{name}"),
        None => return Ok(()),
    };
    try_it("the nonce in front of the name", Client { bare, ..turned })?;

    let mut s = with(t, mechanism)?;
    s.remark("wrong on purpose: the nonce is not the server's");
    exchange(&mut s, mechanism, &good(), |nonce| format!("{nonce}x"))?.must("4yz|5yz|closed")
}

/// AUTH-19. The password is stretched at least 4096 times.
fn auth_19(t: &Tester<'_>) -> Outcome {
    let credentials = t.credentials()?;
    let (mut s, mechanism, hash) = scram(t)?;
    let nonce = t.token();
    let client = Client::new(hash, &credentials.user, &credentials.password, &nonce);
    let server = first(&mut s, mechanism, &client)
        .map_err(|answer| answer.inconclusive("no first message of the server"))?;
    if !server.nonce.starts_with(&nonce) || server.nonce == nonce {
        return Err(fail("the server's nonce is not the client's with something added"));
    }
    if server.iterations.get() < 4096 {
        return Err(fail(format!("{} iterations", server.iterations)));
    }
    Ok(())
}

/// A session inside TLS that offers `mechanism`, and the connection under it.
fn bound(t: &Tester<'_>, mechanism: &str) -> Result<(Session, HeldTls), Verdict> {
    let (mut s, _) = t.offers("STARTTLS")?;
    s.ask("STARTTLS").given("220")?;
    let Some(wire) = s.take_wire() else { return Err(inconclusive("no connection")) };
    let tls = TlsWire::handshake(wire, &[], t.tls())
        .map_err(|(_, failure)| inconclusive(failure.to_string()))?;
    let held = HeldTls::new(tls);
    s.put_wire(Box::new(held.clone()));
    s.remark("TLS");
    s.hello(t.hello_verb()).given("250")?;
    if has(&s, mechanism) {
        return Ok((s, held));
    }
    Err(Verdict::NotApplicable(format!("AUTH {mechanism} is not offered")))
}

/// AUTH-20. With channel binding the exchange holds only on its own TLS connection, and who could
/// have bound it but says that the server cannot was lied to.
fn auth_20(t: &Tester<'_>) -> Outcome {
    let credentials = t.credentials()?;
    let mechanism = "SCRAM-SHA-256-PLUS";
    let client = |binding: &[u8]| {
        let hash = Hash::sha256();
        let client = Client::new(hash, &credentials.user, &credentials.password, &t.token());
        let gs2 = "p=tls-exporter,,";
        Client { gs2: gs2.into(), binding: [gs2.as_bytes(), binding].concat(), ..client }
    };
    let (mut s, held) = bound(t, mechanism)?;
    let Some(right) = held.with(|tls| tls.exporter()).flatten() else {
        return Err(Verdict::NotTested("needs TLS 1.3".into()));
    };
    exchange(&mut s, mechanism, &client(&right), as_is)?.must("235")?;
    // The binding of the first connection on a second one.
    let (mut s, _) = bound(t, mechanism)?;
    exchange(&mut s, mechanism, &client(&right), as_is)?.must("4yz|5yz|closed")?;
    let (mut s, _) = bound(t, "SCRAM-SHA-256")?;
    let lied_to = Client { gs2: "y,,".into(), binding: b"y,,".to_vec(), ..client(&[]) };
    exchange(&mut s, "SCRAM-SHA-256", &lied_to, as_is)?.must("4yz|5yz|closed")
}

/// AUTH-21. An unknown user is given a salt like a known one, always the same, and fails at the
/// end.
fn auth_21(t: &Tester<'_>) -> Outcome {
    let mut salts = Vec::new();
    for _ in 0..2 {
        let (mut s, mechanism, hash) = scram(t)?;
        let client = Client::new(hash, "nobody.knows.me", "wrong", &t.token());
        let server = first(&mut s, mechanism, &client)
            .map_err(|answer| answer.fail("an unknown user is known by the first answer"))?;
        let (last, _) = client.last(&server, &server.nonce);
        let answer = s.ask(base64(last));
        answer.must("334|4yz|5yz")?;
        if answer.is("334") {
            s.ask("").must("4yz|5yz")?;
        }
        salts.push((server.salt, server.iterations));
    }
    if salts.first() == salts.last() {
        return Ok(());
    }
    Err(fail("an unknown user is known by its salt, which is another one each time"))
}
