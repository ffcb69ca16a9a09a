//! The client's side of SCRAM, RFC 5802 §3 and §5: the suite's own, so that it can do it wrong.

use super::super::rfc4954::decode;
use crate::sasl::base64;
use aws_lc_rs::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;

/// The hash of a mechanism, as three constructions need it.
#[derive(Clone, Copy)]
pub(super) struct Hash {
    digest: &'static digest::Algorithm,
    mac: hmac::Algorithm,
    stretch: pbkdf2::Algorithm,
}

impl Hash {
    pub(super) fn sha256() -> Self {
        Self {
            digest: &digest::SHA256,
            mac: hmac::HMAC_SHA256,
            stretch: pbkdf2::PBKDF2_HMAC_SHA256,
        }
    }

    pub(super) fn sha1() -> Self {
        Self {
            digest: &digest::SHA1_FOR_LEGACY_USE_ONLY,
            mac: hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            stretch: pbkdf2::PBKDF2_HMAC_SHA1,
        }
    }

    fn mac(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(self.mac, key), text).as_ref().to_vec()
    }

    /// Hi(password, salt, i), RFC 5802 §2.2.
    fn stretch(self, password: &str, salt: &[u8], iterations: NonZeroU32) -> Vec<u8> {
        let mut out = vec![0; self.digest.output_len()];
        pbkdf2::derive(self.stretch, iterations, salt, password.as_bytes(), &mut out);
        out
    }
}

/// The server's first message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerFirst {
    pub(super) text: String,
    pub(super) nonce: String,
    pub(super) salt: Vec<u8>,
    pub(super) iterations: NonZeroU32,
}

impl ServerFirst {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let mut part = |name| parts.next()?.strip_prefix(name);
        Some(Self {
            nonce: part("r=")?.to_owned(),
            salt: decode(part("s=")?)?,
            iterations: part("i=")?.parse().ok()?,
            text: text.to_owned(),
        })
    }
}

/// What the client says, and thereby what it can get wrong.
pub(super) struct Client {
    pub(super) hash: Hash,
    pub(super) password: String,
    /// The channel binding flag and the authorization identity, with their commas.
    pub(super) gs2: String,
    /// The first message behind them.
    pub(super) bare: String,
    /// What `c=` carries.
    pub(super) binding: Vec<u8>,
}

impl Client {
    /// One that does it right, without channel binding.
    pub(super) fn new(hash: Hash, user: &str, password: &str, nonce: &str) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self {
            hash,
            password: password.to_owned(),
            gs2: "n,,".into(),
            bare: format!("n={user},r={nonce}"),
            binding: b"n,,".to_vec(),
        }
    }

    /// The first message.
    pub(super) fn first(&self) -> String {
        format!("{}{}", self.gs2, self.bare)
    }

    /// The last message, and what the server has to say to it: that it knows the password, too.
    pub(super) fn last(&self, server: &ServerFirst, nonce: &str) -> (String, String) {
        let hash = self.hash;
        let without_proof = format!("c={},r={nonce}", base64(&self.binding));
        let signed = format!("{},{},{without_proof}", self.bare, server.text);
        let salted = hash.stretch(&self.password, &server.salt, server.iterations);
        let client_key = hash.mac(&salted, b"Client Key");
        let stored_key = digest::digest(hash.digest, &client_key);
        let signature = hash.mac(stored_key.as_ref(), signed.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        let server_key = hash.mac(&salted, b"Server Key");
        let expected = format!("v={}", base64(hash.mac(&server_key, signed.as_bytes())));
        (format!("{without_proof},p={}", base64(proof)), expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hash: Hash, nonce: &str, server: &str, last: &str, expected: &str) {
        let client = Client::new(hash, "user", "pencil", nonce);
        assert_eq!(client.first(), format!("n,,n=user,r={nonce}"));
        let server = ServerFirst::parse(server).unwrap();
        let answer = client.last(&server, &server.nonce);
        assert_eq!(answer, (last.to_owned(), expected.to_owned()));
    }

    #[test]
    fn the_example_of_rfc_5802_is_what_this_client_says() {
        check(
            Hash::sha1(),
            "fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        );
    }

    #[test]
    fn the_example_of_rfc_7677_is_what_this_client_says() {
        check(
            Hash::sha256(),
            "rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        );
    }
}
