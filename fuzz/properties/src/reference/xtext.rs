//! xtext (RFC 3461 §4).

/// The octets that `text` stands for: graphic ASCII but `+` and `=` for itself, and `+` with two
/// hexadecimal digits in upper case for any.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        octets.push(match octet {
            b'+' => {
                let digits = rest.get(..2)?;
                rest = &rest[2..];
                let upper = digits.iter().all(|b| b"0123456789ABCDEF".contains(b));
                let digits = std::str::from_utf8(digits).ok().filter(|_| upper)?;
                u8::from_str_radix(digits, 16).ok()?
            }
            b'=' | ..=b' ' | 127.. => return None,
            octet => octet,
        });
    }
    Some(octets)
}
