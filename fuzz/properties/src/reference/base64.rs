//! Base64 as AUTH carries it (RFC 4954 §8, RFC 4648 §4).

/// What `text` stands for: groups of four characters, the last of which may be filled up, with no
/// bit set that stands for nothing.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = String::new();
    let digits = match text {
        [digits @ .., b'=', b'='] => digits,
        [digits @ .., b'='] => digits,
        digits => digits,
    };
    for &digit in digits {
        let value = ALPHABET.bytes().position(|known| known == digit)?;
        bits.push_str(&format!("{value:06b}"));
    }
    let (octets, over) = bits.split_at(bits.len() / 8 * 8);
    if !text.len().is_multiple_of(4)
        || over.len() / 2 != text.len() - digits.len()
        || over.contains('1')
    {
        return None;
    }
    let octets = octets
        .as_bytes()
        .chunks(8)
        .map(|octet| octet.iter().fold(0, |value, bit| value * 2 + (bit - b'0')));
    Some(octets.collect())
}
