//! What a server says in SCRAM (RFC 5802 §7, RFC 7677), checked before rsasl acts on it.

use super::SaslError;

/// The iterations that a password may be asked with. RFC 7677 §4 wants at least 4,096: fewer would
/// let a server that is not ours find the password from what we answer. Each costs time, so
/// a server may not ask for any number.
const ITERATIONS: std::ops::RangeInclusive<u32> = 4_096..=1_000_000;

/// Follows an exchange.
#[derive(Debug, Default)]
pub(super) struct Check {
    nonce: Vec<u8>,
    /// The server's first message was admitted.
    first: bool,
}

impl Check {
    /// `message` is our first: `n,[a=…],n=…,r=nonce`.
    pub(super) fn begun(&mut self, message: &[u8]) {
        let nonce = message.rsplit(|&octet| octet == b',').next();
        self.nonce = nonce.and_then(|nonce| nonce.strip_prefix(b"r=")).unwrap_or_default().to_vec();
    }

    /// Whether the server may say `message` now.
    pub(super) fn admit(&mut self, message: &[u8]) -> Result<(), SaslError> {
        if self.first { server_final(message) } else { self.server_first(message) }
    }

    /// RFC 5802 §7: `server-first-message = [reserved-mext ","] nonce "," salt ","
    /// iteration-count ["," extensions]`. Nobody knows an `m=`, so it cannot be there.
    fn server_first(&mut self, message: &[u8]) -> Result<(), SaslError> {
        let mut attributes = attributes(message)?;
        let mut next = |name| match attributes.next() {
            Some((found, value)) if found == name => Ok(value),
            _ => Err(SaslError::Malformed),
        };
        let nonce = next(b'r')?;
        let _salt = next(b's')?;
        let iterations = next(b'i')?;
        match nonce.strip_prefix(self.nonce.as_slice()) {
            // A nonce that is not ours, or that the server added nothing to, proves nothing (§5.1).
            None | Some([]) => return Err(SaslError::ServerUnproven),
            Some(_) => {}
        }
        let digits = iterations.iter().all(u8::is_ascii_digit);
        let iterations = str::from_utf8(iterations).ok().filter(|_| digits);
        let iterations = iterations.and_then(|it| it.parse().ok()).ok_or(SaslError::Malformed)?;
        if !ITERATIONS.contains(&iterations) {
            return Err(SaslError::Iterations(iterations));
        }
        self.first = true;
        Ok(())
    }
}

/// RFC 5802 §7: `server-final-message = (server-error / verifier) ["," extensions]`.
fn server_final(message: &[u8]) -> Result<(), SaslError> {
    match attributes(message)?.next() {
        Some((b'v', _)) => Ok(()),
        Some((b'e', why)) => {
            let why = why.iter().take(64).map(|&octet| match octet {
                b' '..=b'~' => char::from(octet),
                _ => '?',
            });
            Err(SaslError::Refused(why.collect()))
        }
        _ => Err(SaslError::Malformed),
    }
}

/// `attr-val = ALPHA "=" value`, with commas between them.
fn attributes(message: &[u8]) -> Result<impl Iterator<Item = (u8, &[u8])>, SaslError> {
    let pair = |attribute: &'_ [u8]| match attribute {
        [name, b'=', value @ ..] if name.is_ascii_alphabetic() => Some((*name, value.len())),
        _ => None,
    };
    if message.split(|&octet| octet == b',').any(|attribute| pair(attribute).is_none()) {
        return Err(SaslError::Malformed);
    }
    Ok(message
        .split(|&octet| octet == b',')
        .filter_map(|attribute| Some((*attribute.first()?, attribute.get(2..)?))))
}
