//! RFC 4954: AUTH.

mod command;
mod exchange;
mod passwords;

use crate::{
    case::Case,
    outcome::Verdict,
    sasl::base64,
    session::{Answer, Session},
    tester::Tester,
    wire::Port,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::time::Duration;

pub(super) const CASES: &[&[Case]] = &[command::CASES, exchange::CASES, passwords::CASES];

/// A session that offers AUTH, inside TLS where there is any; a listener for submission or one with
/// TLS from the first octet where the main one does not offer it.
pub(super) fn offering(t: &Tester<'_>) -> Result<Session, Verdict> {
    let mut s = t.hello_as_stranger()?;
    if s.extension("STARTTLS").is_some() {
        t.secure(&mut s)?;
    }
    if s.extension("AUTH").is_some() {
        return Ok(s);
    }
    for port in [Port::Submission, Port::ImplicitTls] {
        let Ok(mut s) = t.connect_to(port) else { continue };
        if port == Port::ImplicitTls {
            t.handshake(&mut s)?;
        }
        s.hear_within(t.patience().max(Duration::from_secs(10))).given("220")?;
        s.hello(t.hello_verb()).given("250")?;
        if s.extension("STARTTLS").is_some() {
            t.secure(&mut s)?;
        }
        if s.extension("AUTH").is_some() {
            return Ok(s);
        }
    }
    Err(Verdict::NotApplicable("AUTH is not offered".into()))
}

/// Whether the session offers `mechanism`.
pub(super) fn has(s: &Session, mechanism: &str) -> bool {
    let all = s.extension("AUTH").unwrap_or_default();
    all.split(' ').any(|one| one.eq_ignore_ascii_case(mechanism))
}

/// A session that offers `mechanism`.
pub(super) fn with(t: &Tester<'_>, mechanism: &str) -> Result<Session, Verdict> {
    let s = offering(t)?;
    if has(&s, mechanism) {
        return Ok(s);
    }
    Err(Verdict::NotApplicable(format!("AUTH {mechanism} is not offered")))
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).ok()
}

/// The one message of PLAIN (RFC 4616 §2).
fn plain(user: &str, password: &str) -> String {
    base64(format!("\0{user}\0{password}"))
}

/// A session of somebody who has said who he is, and the answer to that.
fn authenticated(t: &Tester<'_>) -> Result<(Session, Answer), Verdict> {
    let credentials = t.credentials()?;
    let mut s = with(t, "PLAIN")?;
    let answer = s.ask(format!("AUTH PLAIN {}", plain(&credentials.user, &credentials.password)));
    Ok((s, answer))
}
