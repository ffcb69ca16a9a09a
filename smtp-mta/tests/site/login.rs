//! What a client says to log in.

use smtp_proto::wire::Base64;

pub(crate) fn base64(text: &str) -> String {
    Base64::encode(text.as_bytes()).as_str().to_owned()
}

/// The line that begins and ends AUTH PLAIN.
pub(crate) fn plain(name: &str, password: &str) -> String {
    format!("AUTH PLAIN {}\r\n", base64(&format!("\0{name}\0{password}")))
}
