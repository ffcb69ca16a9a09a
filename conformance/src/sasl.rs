//! What AUTH carries: RFC 4954, RFC 4616.

use crate::cooperation::Credentials;
use base64::{Engine, prelude::BASE64_STANDARD};

/// `octets` in base64, RFC 4648 §4.
pub fn base64(octets: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(octets)
}

/// The initial response of PLAIN for `credentials`, RFC 4616 §2, in base64.
pub fn plain(credentials: &Credentials) -> String {
    base64(format!("\0{}\0{}", credentials.user, credentials.password))
}
