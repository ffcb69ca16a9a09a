//! The server's side of AUTH: PLAIN, LOGIN and SCRAM-SHA-256, the last with faults that a client
//! must notice.

use crate::sasl::base64;
use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::num::NonZeroU32;

/// The name that every client under test signs in with.
pub const USER: &str = "user1";
/// Its password.
pub const PASSWORD: &str = "secret-of-user1";

/// How SCRAM is done, RFC 5802 §5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scram {
    /// As it is written.
    #[default]
    Right,
    /// The server's signature is of another password.
    WrongSignature,
    /// The same, and 235 is said at once with the signature in it.
    WrongSignatureBehind235,
    /// The nonce does not begin with the client's.
    ForeignNonce,
    /// One iteration in place of thousands.
    OneIteration,
}

/// What the server says to a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// 334 with this.
    Challenge(String),
    /// 235.
    Welcome,
    /// 235 with this.
    WelcomeWith(String),
    /// 535, or 501 for what is no base64.
    Refused(&'static str),
}

/// An exchange that goes on.
#[derive(Clone, Debug, Default)]
pub(super) enum Exchange {
    /// There is none.
    #[default]
    None,
    Plain,
    LoginUser,
    LoginPassword {
        user: bool,
    },
    ScramFirst,
    ScramFinal {
        client_first: String,
        server_first: String,
    },
    ScramEnd,
}

const REFUSED: Said = Said::Refused("535 5.7.8 no");
const SALT: &[u8] = b"salt of the judge";

impl Exchange {
    /// Begins with the line `AUTH …`.
    pub(super) fn begin(&mut self, line: &str, scram: Scram) -> Said {
        let mut words = line.split_whitespace().skip(1);
        let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
        let initial = words.next();
        let empty = || Said::Challenge(String::new());
        let challenge = match mechanism.as_str() {
            "PLAIN" => {
                *self = Self::Plain;
                empty()
            }
            "LOGIN" => {
                *self = Self::LoginUser;
                Said::Challenge(base64("Username:"))
            }
            "SCRAM-SHA-256" => {
                *self = Self::ScramFirst;
                empty()
            }
            _ => return Said::Refused("504 5.5.4 no such mechanism"),
        };
        match initial {
            Some("=") => self.go_on("", scram),
            Some(response) => self.go_on(response, scram),
            None => challenge,
        }
    }

    /// Whether a line is waited for.
    pub(super) fn waits(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Goes on with the client's line.
    pub(super) fn go_on(&mut self, line: &str, scram: Scram) -> Said {
        let state = std::mem::take(self);
        if line == "*" {
            return Said::Refused("501 5.7.0 cancelled");
        }
        let Some(response) = decode(line) else { return Said::Refused("501 5.5.2 no base64") };
        match state {
            Self::None => REFUSED,
            Self::Plain => {
                let right = response.ends_with(&format!("\0{USER}\0{PASSWORD}"));
                if right { Said::Welcome } else { REFUSED }
            }
            Self::LoginUser => {
                *self = Self::LoginPassword { user: response == USER };
                Said::Challenge(base64("Password:"))
            }
            Self::LoginPassword { user } if user && response == PASSWORD => Said::Welcome,
            Self::LoginPassword { .. } => REFUSED,
            Self::ScramFirst => self.scram_first(&response, scram),
            Self::ScramFinal { client_first, server_first } => {
                self.scram_final(&response, &client_first, &server_first, scram)
            }
            Self::ScramEnd => Said::Welcome,
        }
    }

    fn scram_first(&mut self, response: &str, scram: Scram) -> Said {
        let bare = response.splitn(3, ',').nth(2).unwrap_or_default();
        let nonce = bare.split(',').find_map(|part| part.strip_prefix("r=")).unwrap_or_default();
        let nonce = match scram {
            Scram::ForeignNonce => "a-nonce-of-somebody-else".to_owned(),
            _ => format!("{nonce}of-the-judge"),
        };
        let server_first = format!("r={nonce},s={},i={}", base64(SALT), iterations(scram));
        *self =
            Self::ScramFinal { client_first: bare.to_owned(), server_first: server_first.clone() };
        Said::Challenge(base64(server_first))
    }

    fn scram_final(
        &mut self,
        response: &str,
        client_first: &str,
        server_first: &str,
        scram: Scram,
    ) -> Said {
        let Some((without_proof, proof)) = response.rsplit_once(",p=") else { return REFUSED };
        let salted = salted(PASSWORD, iterations(scram));
        let client_key = mac(&salted, b"Client Key");
        let stored = digest::digest(&digest::SHA256, &client_key);
        let text = format!("{client_first},{server_first},{without_proof}");
        let signature = mac(stored.as_ref(), text.as_bytes());
        let right: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let wrong = matches!(scram, Scram::WrongSignature | Scram::WrongSignatureBehind235);
        // One who does not know the password takes any proof.
        if base64(right) != proof && !wrong {
            return REFUSED;
        }
        let known = if wrong { self::salted("another", 4096) } else { salted };
        let server_signature = mac(&mac(&known, b"Server Key"), text.as_bytes());
        let end = base64(format!("v={}", base64(server_signature)));
        if scram == Scram::WrongSignatureBehind235 {
            return Said::WelcomeWith(end);
        }
        *self = Self::ScramEnd;
        Said::Challenge(end)
    }
}

fn iterations(scram: Scram) -> u32 {
    if scram == Scram::OneIteration { 1 } else { 4096 }
}

fn salted(password: &str, iterations: u32) -> Vec<u8> {
    let mut out = vec![0; 32];
    let iterations = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(algorithm, iterations, SALT, password.as_bytes(), &mut out);
    out
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

fn decode(line: &str) -> Option<String> {
    String::from_utf8(BASE64_STANDARD.decode(line).ok()?).ok()
}
