//! How the client signs in: SCRAM-SHA-256 if it is offered, else PLAIN, else LOGIN.

use super::{
    fault::Fault,
    habit::Habit,
    reader::{Connection, Reply},
    session::Failure,
};
use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::{Engine, prelude::BASE64_STANDARD};
use smtp_conformance::client::sasl::{PASSWORD, USER};
use std::num::NonZeroU32;

fn encode(text: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(text)
}

fn decode(text: &str) -> Option<String> {
    String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

fn ask(connection: &mut Connection, line: &str) -> Result<Reply, Failure> {
    connection.send(format!("{line}\r\n").as_bytes()).map_err(|_| Failure::Temporary)?;
    connection.reply().map_err(|_| Failure::Temporary)
}

/// What a challenge says; one that cannot be read ends the exchange.
fn challenge(connection: &mut Connection, reply: &Reply) -> Result<String, Failure> {
    let text = reply.lines.first().map(String::as_str).unwrap_or_default();
    match decode(text) {
        Some(text) if reply.class() == 3 => Ok(text),
        _ if reply.class() == 3 => Err(cancel(connection)),
        _ => Err(refused(connection, reply)),
    }
}

fn cancel(connection: &mut Connection) -> Failure {
    let _answer = ask(connection, "*");
    Failure::Permanent
}

fn refused(connection: &Connection, reply: &Reply) -> Failure {
    let gives_up = connection.fault == Some(Fault::GivesUpOn454);
    if reply.class() == 4 && !gives_up { Failure::Temporary } else { Failure::Permanent }
}

/// Signs in by the best of the `mechanisms`.
pub(crate) fn sign_in(connection: &mut Connection, mechanisms: &str) -> Result<(), Failure> {
    let offered = |name| mechanisms.split(' ').any(|one| one == name);
    let by_login = connection.habit == Some(Habit::Login) && offered("LOGIN");
    if offered("SCRAM-SHA-256") && !by_login {
        return scram(connection);
    }
    let reply = if offered("PLAIN") && !by_login {
        ask(connection, &format!("AUTH PLAIN {}", encode(format!("\0{USER}\0{PASSWORD}"))))?
    } else if offered("LOGIN") {
        let first = ask(connection, "AUTH LOGIN")?;
        challenge(connection, &first)?;
        let second = ask(connection, &encode(USER))?;
        challenge(connection, &second)?;
        ask(connection, &encode(PASSWORD))?
    } else {
        return Err(Failure::Permanent);
    };
    match reply.class() {
        2 => Ok(()),
        3 => Err(cancel(connection)),
        _ => Err(refused(connection, &reply)),
    }
}

fn scram(connection: &mut Connection) -> Result<(), Failure> {
    let nonce = "nonce-of-the-client";
    let bare = format!("n={USER},r={nonce}");
    let reply = ask(connection, &format!("AUTH SCRAM-SHA-256 {}", encode(format!("n,,{bare}"))))?;
    let first = challenge(connection, &reply)?;
    let part = |name: &str| {
        let part = first.split(',').find_map(|part| part.strip_prefix(name));
        part.unwrap_or_default().to_owned()
    };
    let iterations = part("i=").parse::<u32>().ok().filter(|count| *count >= 4096);
    let Some(iterations) = iterations.and_then(NonZeroU32::new) else {
        return Err(cancel(connection));
    };
    if !part("r=").starts_with(nonce) {
        return Err(cancel(connection));
    }
    let salt = BASE64_STANDARD.decode(part("s=")).unwrap_or_default();
    let mut salted = [0; 32];
    let hash = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(hash, iterations, &salt, PASSWORD.as_bytes(), &mut salted);
    let client_key = mac(&salted, b"Client Key");
    let without_proof = format!("c=biws,r={}", part("r="));
    let text = format!("{bare},{first},{without_proof}");
    let signature = mac(digest::digest(&digest::SHA256, &client_key).as_ref(), text.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
    let last = format!("{without_proof},p={}", encode(proof));
    let reply = ask(connection, &encode(last))?;
    let expected = encode(mac(&mac(&salted, b"Server Key"), text.as_bytes()));
    let said = reply.lines.first().cloned().unwrap_or_default();
    let said = said.rsplit(' ').next().and_then(decode).unwrap_or_default();
    let trusts = connection.fault == Some(Fault::TrustsAnyServer);
    if matches!(reply.class(), 2 | 3) && !trusts && said != format!("v={expected}") {
        return Err(if reply.class() == 3 { cancel(connection) } else { Failure::Permanent });
    }
    match reply.class() {
        3 if ask(connection, "")?.class() == 2 => Ok(()),
        2 => Ok(()),
        _ => Err(refused(connection, &reply)),
    }
}
