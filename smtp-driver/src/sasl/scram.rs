//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS for clients (RFC 5802, RFC 7677).
//!
//! rsasl has this mechanism, too, but leaves to others what matters most here: it takes any number
//! of iterations, does not prepare names and passwords, and does not sign extensions of the
//! server's first message. It would also bring a second implementation of SHA-256 into the tree.

use super::{SaslError, saslname};
use crate::tls::ChannelBinding;
use aws_lc_rs::{digest, hmac, pbkdf2, rand};
use smtp_proto::{Secret, wire::Base64};
use std::{num::NonZeroU32, ops::RangeInclusive};

/// The iterations that a password may be asked with. RFC 7677 §4 wants at least 4,096: fewer would
/// let a server that is not ours find the password from what we answer. Each costs time, during
/// which the thread does nothing else, so a server may not ask for any number: 100,000 take some
/// hundredths of a second, and are many times what servers ask for (Dovecot and Cyrus: 4,096).
const ITERATIONS: RangeInclusive<u32> = 4_096..=100_000;

/// What is said of channel binding (§6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// We could not, or are told not to.
    None,
    /// We could; the server did not offer it, or somebody has taken its offer away.
    NotOffered,
    /// -PLUS: the exchange is bound to this.
    To(ChannelBinding),
}

/// An exchange.
pub(super) struct Scram {
    /// `gs2-header`: of channel binding, and whom to act as.
    header: String,
    /// What our final message says of the channel: the header again, and what is bound to.
    binding: Vec<u8>,
    /// `client-first-message-bare`.
    first: String,
    nonce: String,
    password: Secret<String>,
    /// With what, and what, the server has to sign, once its first message is there.
    server: Option<(hmac::Key, Vec<u8>)>,
}

impl Scram {
    pub(super) fn new(
        name: &str,
        password: &str,
        authorization_id: &str,
        binding: &Binding,
    ) -> Result<Self, SaslError> {
        let mut nonce = [0; 18];
        rand::fill(&mut nonce).map_err(|_| SaslError::Unsendable)?;
        let nonce = Base64::encode(&nonce).as_str().to_owned();
        Self::with_nonce(name, password, authorization_id, binding, nonce)
    }

    fn with_nonce(
        name: &str,
        password: &str,
        authorization_id: &str,
        binding: &Binding,
        nonce: String,
    ) -> Result<Self, SaslError> {
        let (flag, bound_to) = match binding {
            Binding::None => ("n", &[][..]),
            Binding::NotOffered => ("y", &[][..]),
            Binding::To(channel) => ("p=tls-exporter", channel.as_octets()),
        };
        let header = match authorization_id {
            "" => format!("{flag},,"),
            name => format!("{flag},a={},", saslname(name)?),
        };
        let binding = [header.as_bytes(), bound_to].concat();
        let first = format!("n={},r={nonce}", saslname(&prepare(name)?)?);
        let password = Secret::new(prepare(password)?);
        Ok(Self { header, binding, first, nonce, password, server: None })
    }

    /// Our first message.
    pub(super) fn first(&self) -> String {
        format!("{}{}", self.header, self.first)
    }

    /// What the server's first message is answered with.
    ///
    /// §7: `server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count
    /// ["," extensions]`. Nobody knows an `m=`, so it cannot be there.
    pub(super) fn prove(&mut self, message: &[u8]) -> Result<String, SaslError> {
        let message = str::from_utf8(message).map_err(|_| SaslError::Malformed)?;
        let mut attributes = attributes(message)?;
        let mut next = |name| match attributes.next() {
            Some((found, value)) if found == name => Ok(value),
            _ => Err(SaslError::Malformed),
        };
        let (nonce, salt, iterations) = (next("r")?, next("s")?, next("i")?);
        // A nonce that is not ours, or that the server added nothing to, proves nothing (§5.1).
        if nonce.strip_prefix(&self.nonce).is_none_or(str::is_empty) {
            return Err(SaslError::ServerUnproven);
        }
        let salt = Base64::parse(salt).map_err(|_| SaslError::Malformed)?.decode();
        if !iterations.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(SaslError::Malformed);
        }
        let iterations = iterations.parse().map_err(|_| SaslError::Malformed)?;
        let iterations = NonZeroU32::new(iterations)
            .filter(|it| ITERATIONS.contains(&it.get()))
            .ok_or(SaslError::Iterations(iterations))?;

        // §3.
        let mut salted = [0; digest::SHA256_OUTPUT_LEN];
        let password = self.password.expose().as_bytes();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, password, &mut salted);
        let salted = key(&salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
        let binding = Base64::encode(&self.binding);
        let without_proof = format!("c={},r={nonce}", binding.as_str());
        let signed = format!("{},{message},{without_proof}", self.first).into_bytes();
        let signature = hmac::sign(&key(stored_key.as_ref()), &signed);
        let proof: Vec<u8> = client_key
            .as_ref()
            .iter()
            .zip(signature.as_ref())
            .map(|(key, sign)| key ^ sign)
            .collect();
        let server_key = hmac::sign(&salted, b"Server Key");
        self.server = Some((key(server_key.as_ref()), signed));
        Ok(format!("{without_proof},p={}", Base64::encode(&proof).as_str()))
    }

    /// Whether the server's final message proves that it knows the password.
    ///
    /// §7: `server-final-message = (server-error / verifier) ["," extensions]`.
    pub(super) fn verify(&self, message: &[u8]) -> Result<(), SaslError> {
        let message = str::from_utf8(message).map_err(|_| SaslError::Malformed)?;
        match attributes(message)?.next() {
            Some(("v", signature)) => {
                let signature = Base64::parse(signature).map_err(|_| SaslError::Malformed)?;
                let (key, signed) = self.server.as_ref().ok_or(SaslError::ServerUnproven)?;
                hmac::verify(key, signed, &signature.decode())
                    .map_err(|_| SaslError::ServerUnproven)
            }
            Some(("e", why)) => Err(SaslError::Refused(printable(why))),
            _ => Err(SaslError::Malformed),
        }
    }

    /// Our proof was made: what comes next is the server's.
    pub(super) fn has_proved(&self) -> bool {
        self.server.is_some()
    }
}

pub(super) fn key(octets: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, octets)
}

/// SASLprep (RFC 4013), which makes the same octets of a text however it was typed (§2.2).
pub(super) fn prepare(text: &str) -> Result<String, SaslError> {
    let prepared = stringprep::saslprep(text).map_err(|_| SaslError::Unsendable)?;
    if prepared.is_empty() { Err(SaslError::Unsendable) } else { Ok(prepared.into_owned()) }
}

/// §7: `attr-val = ALPHA "=" value`, with commas between them.
pub(super) fn attributes(message: &str) -> Result<impl Iterator<Item = (&str, &str)>, SaslError> {
    let pair = |attribute| {
        str::split_once(attribute, '=')
            .filter(|(name, _)| name.len() == 1 && name.as_bytes()[0].is_ascii_alphabetic())
    };
    match message.split(',').all(|attribute| pair(attribute).is_some()) {
        true => Ok(message.split(',').filter_map(pair)),
        false => Err(SaslError::Malformed),
    }
}

/// At most 64 octets of `text`, for people and logs.
fn printable(text: &str) -> String {
    let printable = |octet| if matches!(octet, b' '..=b'~') { char::from(octet) } else { '?' };
    text.bytes().take(64).map(printable).collect()
}

#[cfg(test)]
mod tests {
    use super::{Binding, Scram};

    #[test]
    fn the_exchange_of_rfc_7677_is_ours() {
        let nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        let mut scram = Scram::with_nonce("user", "pencil", "", &Binding::None, nonce).unwrap();
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server_first = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        assert_eq!(
            scram.prove(server_first).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        scram.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
    }

    #[test]
    fn names_are_written_so_that_they_cannot_end_early() {
        let nonce = "N".to_owned();
        let scram = Scram::with_nonce("a=b,c", "pencil", "x,y", &Binding::None, nonce).unwrap();
        assert_eq!(scram.first(), "n,a=x=2Cy,n=a=3Db=2Cc,r=N");
    }
}
