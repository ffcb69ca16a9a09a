//! What a server keeps of a password for SCRAM-SHA-256 (RFC 5802 §3).

use super::{
    SaslError,
    scram::{key, prepare},
};
use aws_lc_rs::{digest, hmac, pbkdf2, rand};
use smtp_proto::wire::Base64;
use std::{fmt, num::NonZeroU32};

/// Octets of SHA-256.
pub(super) const LEN: usize = digest::SHA256_OUTPUT_LEN;

/// Octets of a salt.
const SALT: usize = 16;

/// What a server keeps of a password for SCRAM-SHA-256: with it a client can be checked, but
/// nobody can log in. Who steals it can try passwords, one for each run of the iterations.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    pub(super) salt: Vec<u8>,
    pub(super) iterations: NonZeroU32,
    pub(super) stored_key: [u8; LEN],
    pub(super) server_key: [u8; LEN],
}

impl ScramKeys {
    /// What RFC 7677 §4 reckons with for a tenth of a second. Each login costs the client as many
    /// steps, a telephone among them, and the server none.
    pub const ITERATIONS: NonZeroU32 = NonZeroU32::new(15_000).unwrap();

    /// The keys of `password`, with a new salt.
    ///
    /// # Errors
    /// [`SaslError::Unsendable`] if the password has a character that no client could send, or the
    /// system has no random numbers.
    pub fn derive(password: &str, iterations: NonZeroU32) -> Result<Self, SaslError> {
        let mut salt = vec![0; SALT];
        rand::fill(&mut salt).map_err(|_| SaslError::Unsendable)?;
        Self::with_salt(password, iterations, salt)
    }

    fn with_salt(password: &str, iterations: NonZeroU32, salt: Vec<u8>) -> Result<Self, SaslError> {
        let password = prepare(password)?;
        let mut salted = [0; LEN];
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::derive(algorithm, iterations, &salt, password.as_bytes(), &mut salted);
        let salted = key(&salted);
        let client_key = sign(&salted, &[b"Client Key"]);
        let mut stored_key = [0; LEN];
        stored_key.copy_from_slice(digest::digest(&digest::SHA256, &client_key).as_ref());
        let server_key = sign(&salted, &[b"Server Key"]);
        Ok(Self { salt, iterations, stored_key, server_key })
    }

    /// Keys for a user that is not there, which no password fits. The same name has the same ones
    /// as long as `secret` is the same, as it is with a user that is there (RFC 5802 §9); give the
    /// name in the one form in which you look names up, and the iterations that users have.
    #[must_use]
    pub fn unknown(name: &str, secret: &[u8], iterations: NonZeroU32) -> Self {
        let secret = key(secret);
        let derive = |what: &[u8]| sign(&secret, &[what, name.as_bytes()]);
        let mut salt = derive(b"salt:").to_vec();
        salt.truncate(SALT);
        Self {
            salt,
            iterations,
            stored_key: derive(b"stored key:"),
            server_key: derive(b"server key:"),
        }
    }

    /// The form in which it is stored, as RFC 5803 has it:
    /// `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`. Keep it secret.
    #[must_use]
    pub fn encode(&self) -> String {
        format!(
            "SCRAM-SHA-256${}:{}${}:{}",
            self.iterations,
            Base64::encode(&self.salt),
            Base64::encode(&self.stored_key),
            Base64::encode(&self.server_key)
        )
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` if it is something else.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let (info, value) = text.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
        let (iterations, salt) = info.split_once(':')?;
        let (stored_key, server_key) = value.split_once(':')?;
        let octets = |text| Base64::parse(text).ok().map(|it| it.decode());
        Some(Self {
            salt: octets(salt).filter(|salt| !salt.is_empty())?,
            iterations: iterations.parse().ok()?,
            stored_key: octets(stored_key)?.try_into().ok()?,
            server_key: octets(server_key)?.try_into().ok()?,
        })
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramKeys").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// HMAC-SHA-256 of `parts`, one behind the other.
pub(super) fn sign(key: &hmac::Key, parts: &[&[u8]]) -> [u8; LEN] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    let mut signature = [0; LEN];
    signature.copy_from_slice(context.sign().as_ref());
    signature
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back_and_nothing_else_does() {
        let keys = ScramKeys::derive("pencil", ScramKeys::ITERATIONS).unwrap();
        assert_eq!(ScramKeys::decode(&keys.encode()), Some(keys));
        for wrong in [
            "",
            "SCRAM-SHA-1$4096:AAAA$AAAA:AAAA",
            "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA",
            "SCRAM-SHA-256$0:AAAA$AAAA",
            "SCRAM-SHA-256$x",
        ] {
            assert_eq!(ScramKeys::decode(wrong), None, "{wrong}");
        }
    }

    /// AUTH-21
    #[test]
    fn an_unknown_user_has_always_the_same_salt_and_each_its_own() {
        let unknown = |name, secret| ScramKeys::unknown(name, secret, ScramKeys::ITERATIONS);
        assert_eq!(unknown("ann", b"s"), unknown("ann", b"s"));
        assert_ne!(unknown("ann", b"s").salt, unknown("bob", b"s").salt);
        assert_ne!(unknown("ann", b"s").salt, unknown("ann", b"t").salt);
        let known = ScramKeys::derive("pencil", ScramKeys::ITERATIONS).unwrap();
        assert_eq!(known.salt.len(), unknown("ann", b"s").salt.len());
    }

    #[test]
    fn a_password_is_the_same_however_it_was_typed() {
        let keys = |password| ScramKeys::with_salt(password, ScramKeys::ITERATIONS, vec![1; 16]);
        assert_eq!(keys("e\u{301}t\u{e9}").unwrap(), keys("\u{e9}te\u{301}").unwrap());
        assert!(keys("").is_err());
        assert!(keys("a\u{7}").is_err());
    }

    #[test]
    fn keys_show_in_no_debug_form() {
        let keys = ScramKeys::unknown("ann", b"s", ScramKeys::ITERATIONS);
        assert_eq!(format!("{keys:?}"), "ScramKeys { iterations: 15000, .. }");
    }
}
