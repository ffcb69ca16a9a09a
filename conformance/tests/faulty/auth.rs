//! AUTH: PLAIN, LOGIN and SCRAM-SHA-256.

use super::{
    fault::Fault as F,
    server::{PASSWORD, USER},
    session::{Flow, Session},
};
use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::num::NonZeroU32;

/// Wrong passwords after which the server hangs up.
const MOST_GUESSES: u32 = 5;
/// Octets of a response (RFC 4954 §4).
const MOST_RESPONSE: usize = 12_288;

/// Why there is no response.
enum Stop {
    Answered(Flow),
    Failed,
}

impl Session<'_> {
    pub(super) fn auth(&mut self, argument: &[u8]) -> Flow {
        let mut words = argument.split(|&b| b == b' ').filter(|word| !word.is_empty());
        let mechanism = match words.next() {
            None if self.has(F::AuthWithoutMechanism) => b"PLAIN",
            word => word.unwrap_or_default(),
        };
        let initial = words.next().map(<[u8]>::to_vec);
        if self.hello.is_none() {
            return self.say(503, "5.5.1", "EHLO first");
        }
        if self.is_lmtp() {
            return self.say(502, "5.5.1", "not here");
        }
        if self.user.is_some() && !self.has(F::AuthTwice) {
            return self.say(503, "5.5.1", "you have logged in");
        }
        if self.mail.is_some() && !self.has(F::AuthInTransaction) {
            return self.say(503, "5.5.1", "not within a transaction");
        }
        if mechanism.is_empty() || words.next().is_some() {
            return self.say(501, "5.5.4", "a mechanism is wanted");
        }
        let clear = self.has(F::AuthInClear) || self.has(F::TlsKeepsAuth);
        if !self.stream.is_secure() && !clear {
            return self.say(538, "5.7.11", "STARTTLS first");
        }
        let mut name = mechanism.to_vec();
        if !self.has(F::AuthCaseSensitive) {
            name.make_ascii_uppercase();
        }
        let outcome = match &name[..] {
            b"PLAIN" => self.plain(initial),
            b"LOGIN" => self.login(initial),
            b"SCRAM-SHA-256" => self.scram(initial),
            b"SCRAM-SHA-256-PLUS" if self.has(F::ScramPlusUnbound) => self.scram(initial),
            b"CRAM-MD5" if self.has(F::CramInitial) => Err(Stop::Failed),
            b"EXTERNAL" if self.has(F::AuthExternalForAll) => Ok(USER.into()),
            _ if self.has(F::AuthUnknown501) => {
                return self.say(535, "5.7.8", "no");
            }
            _ => return self.say(504, "5.5.4", "unknown mechanism"),
        };
        match outcome {
            Ok(user) => {
                self.user = Some(user);
                self.say(235, "2.7.0", "welcome")
            }
            Err(Stop::Answered(flow)) => flow,
            Err(Stop::Failed) => {
                self.guesses += 1;
                if self.guesses >= MOST_GUESSES && !self.has(F::AuthUnlimited) {
                    self.say(421, "4.7.0", "too many guesses");
                    return Flow::Close;
                }
                self.say(535, "5.7.8", "wrong name or password")
            }
        }
    }

    /// Asks with `challenge` and hears the response, decoded.
    fn challenge(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Stop> {
        self.say(334, "", STANDARD.encode(challenge));
        let Some((line, long)) = self.line() else { return Err(Stop::Answered(Flow::Close)) };
        let most = if self.has(F::AuthLongestCloses) { 2000 } else { 1000 };
        let closes = self.has(F::AuthLongCloses) || self.has(F::AuthLongestCloses);
        if line.len() > most && closes {
            return Err(Stop::Answered(Flow::Close));
        }
        if long || line.len() > MOST_RESPONSE {
            return Err(Stop::Answered(self.say(500, "5.5.6", "too long")));
        }
        if line == b"*" && !self.has(F::AuthCancelIgnored) {
            return Err(Stop::Answered(self.say(501, "5.7.0", "as you wish")));
        }
        self.decode_response(&line)
    }

    fn decode_response(&mut self, line: &[u8]) -> Result<Vec<u8>, Stop> {
        if let Ok(octets) = STANDARD.decode(line) {
            return Ok(octets);
        }
        if self.has(F::AuthBadBase64) || self.has(F::AuthCancelIgnored) {
            let kept: Vec<u8> =
                line.iter().copied().filter(|b| b.is_ascii_alphanumeric()).collect();
            let whole = kept.len() - kept.len() % 4;
            return Ok(STANDARD.decode(&kept[..whole]).unwrap_or_default());
        }
        if self.has(F::AuthBase64Is535) {
            return Err(Stop::Failed);
        }
        Err(Stop::Answered(self.say(501, "5.5.2", "that is no base64")))
    }

    fn initial(&mut self, initial: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Stop> {
        let Some(line) = initial else { return Ok(None) };
        if self.has(F::AuthNoInitial) {
            return Err(Stop::Answered(self.say(501, "5.5.4", "one word is wanted")));
        }
        if line == b"=" {
            if self.has(F::AuthEmptyHangs) {
                return Err(Stop::Answered(Flow::On));
            }
            return Ok(Some(Vec::new()));
        }
        if line.len() > 1000 && self.has(F::AuthLongCloses) {
            return Err(Stop::Answered(Flow::Close));
        }
        if line.len() > MOST_RESPONSE {
            return Err(Stop::Answered(self.say(500, "5.5.6", "too long")));
        }
        self.decode_response(&line).map(Some)
    }

    fn check(&mut self, user: &[u8], password: &[u8]) -> Result<String, Stop> {
        let known = user == USER.as_bytes();
        let right = known && password == PASSWORD.as_bytes() && !self.has(F::AuthFails);
        if right || (self.has(F::AuthAnyPassword) && !user.is_empty()) {
            return Ok(USER.into());
        }
        if !known && self.has(F::AuthTellsUsers) {
            self.guesses += 1;
            return Err(Stop::Answered(self.say(535, "5.7.8", "no such user")));
        }
        Err(Stop::Failed)
    }

    fn plain(&mut self, initial: Option<Vec<u8>>) -> Result<String, Stop> {
        let text = if self.has(F::AuthChallengeText) { &b"name and password"[..] } else { b"" };
        let response = match self.initial(initial)? {
            Some(response) => response,
            None => self.challenge(text)?,
        };
        let parts: Vec<_> = response.split(|&b| b == 0).collect();
        let [authorize, user, password] = parts[..] else { return Err(Stop::Failed) };
        if !authorize.is_empty() && authorize != user {
            return Err(Stop::Failed);
        }
        self.check(user, password)
    }

    fn login(&mut self, initial: Option<Vec<u8>>) -> Result<String, Stop> {
        let odd = self.has(F::LoginPrompts);
        let (name, secret) = if odd { ("Who?", "And?") } else { ("Username:", "Password:") };
        let user = match self.initial(initial)? {
            Some(response) => response,
            None => self.challenge(name.as_bytes())?,
        };
        let password = self.challenge(secret.as_bytes())?;
        self.check(&user, &password)
    }

    /// RFC 5802, RFC 7677.
    fn scram(&mut self, initial: Option<Vec<u8>>) -> Result<String, Stop> {
        let first = match self.initial(initial)? {
            Some(response) => response,
            None => self.challenge(b"")?,
        };
        let first = String::from_utf8(first).map_err(|_| Stop::Failed)?;
        let unchecked = self.has(F::ScramUnchecked) || self.has(F::ScramPlusUnbound);
        let mut parts = first.splitn(3, ',');
        let (flag, authorize, bare) = (parts.next(), parts.next(), parts.next());
        let (Some(flag), Some(authorize), Some(bare)) = (flag, authorize, bare) else {
            return Err(Stop::Failed);
        };
        if !unchecked
            && (!["n", "y"].contains(&flag)
                || !(authorize.is_empty() || authorize.starts_with("a=")))
        {
            return Err(Stop::Failed);
        }
        let mut attributes = bare.split(',');
        let user = attributes.next().and_then(|a| a.strip_prefix("n="));
        let nonce = attributes.next().and_then(|a| a.strip_prefix("r="));
        let (Some(user), Some(nonce)) = (user, nonce) else { return Err(Stop::Failed) };
        let user = user.replace("=2C", ",").replace("=3D", "=");
        let known = user == USER;
        if !known && self.has(F::ScramTellsUsers) {
            return Err(Stop::Failed);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"the secret of this server");
        let random = if !known && self.has(F::ScramSaltRandom) { self.server.id() } else { 0 };
        let salt = hmac::sign(&key, format!("{user}{random}").as_bytes());
        let salt = &salt.as_ref()[..16];
        let rounds = if self.has(F::ScramFewIterations) { 1000 } else { 4096 };
        let nonce = if self.has(F::ScramOwnNonce) { "" } else { nonce };
        let nonce = format!("{nonce}{:016x}", self.server.id().wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let server_first = format!("r={nonce},s={},i={rounds}", STANDARD.encode(salt));
        let last = self.challenge(server_first.as_bytes())?;
        let last = String::from_utf8(last).map_err(|_| Stop::Failed)?;
        let (without, proof) = last.rsplit_once(",p=").ok_or(Stop::Failed)?;
        let mut attributes = without.split(',');
        let binding = attributes.next().and_then(|a| a.strip_prefix("c="));
        let returned = attributes.next().and_then(|a| a.strip_prefix("r="));
        let header = STANDARD.encode(format!("{flag},{authorize},"));
        let bound = binding == Some(header.as_str()) && returned == Some(nonce.as_str());
        if !bound && !unchecked {
            return Err(Stop::Failed);
        }
        let mut salted = [0; 32];
        let rounds = NonZeroU32::new(rounds).ok_or(Stop::Failed)?;
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, PASSWORD.as_bytes(), &mut salted);
        let sign = |key: &[u8], text: &[u8]| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
        };
        let message = format!("{bare},{server_first},{without}");
        let client_key = sign(&salted, b"Client Key");
        let stored = digest::digest(&digest::SHA256, &client_key);
        let signature = sign(stored.as_ref(), message.as_bytes());
        let expected: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        if STANDARD.decode(proof).ok() != Some(expected) || !known || self.has(F::AuthFails) {
            return Err(Stop::Failed);
        }
        if self.has(F::ScramNoSignature) {
            return Ok(user);
        }
        let key = if self.has(F::ScramBadSignature) { &b"Server Kay"[..] } else { b"Server Key" };
        let signature = sign(&sign(&salted, key), message.as_bytes());
        let last = format!("v={}", STANDARD.encode(signature));
        let acknowledged = self.challenge(last.as_bytes())?;
        if acknowledged.is_empty() { Ok(user) } else { Err(Stop::Failed) }
    }
}
