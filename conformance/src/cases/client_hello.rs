//! The first message of a TLS handshake, written by hand: no library that is to be trusted makes those
//! of old versions, or says what the answer to it had.

/// A ClientHello (RFC 5246 §7.4.1.2) that knows nothing newer than TLS 1.`minor`, and secure
/// renegotiation, in its record.
pub(super) fn client_hello(minor: u8, name: &str) -> Vec<u8> {
    // Of these every server has one; the last is the signal of RFC 5746 §3.3.
    const SUITES: &[u16] = &[
        0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9, 0xc009, 0xc00a, 0xc013, 0xc014, 0x009e,
        0x009f, 0x009c, 0x009d, 0x002f, 0x0035, 0x00ff,
    ];
    // x25519, secp256r1 and secp384r1.
    const GROUPS: &[u16] = &[0x001d, 0x0017, 0x0018];
    const SIGNATURES: &[u16] =
        &[0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201];
    let extension =
        |kind: u16, content: Vec<u8>| [&kind.to_be_bytes()[..], &sized(content)].concat();
    let server_name = sized([&[0][..], &sized(name.as_bytes().to_vec())].concat());
    let extensions = [
        extension(0, server_name),
        extension(10, sized(words(GROUPS))),
        extension(11, vec![1, 0]),
        extension(13, sized(words(SIGNATURES))),
        extension(23, Vec::new()),
    ];
    let body = [&[3, minor + 1][..], &[0x5a; 32], &[0], &sized(words(SUITES)), &[1, 0]].concat();
    let body = [body, sized(extensions.concat())].concat();
    let message = [&[1, 0][..], &sized(body)].concat();
    [&[22, 3, 1][..], &sized(message)].concat()
}

fn words(all: &[u16]) -> Vec<u8> {
    all.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// With its length in front, in two octets.
fn sized(content: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], &content].concat()
}

/// The extensions of the ServerHello of TLS 1.2 that `octets` begin with, RFC 5246 §7.4.1.3: their
/// kinds. `None` while it is not whole.
pub(super) fn server_extensions(octets: &[u8]) -> Option<Vec<u16>> {
    let word = |octets: &[u8]| Some(u16::from_be_bytes(octets.get(..2)?.try_into().ok()?));
    // Behind the header of the record, and in the lower two octets of its three, the length.
    let length = usize::from(word(octets.get(5 + 2..)?)?);
    let message = octets.get(5 + 4..)?.get(..length)?;
    // Behind the version and the random number, the session's name, the cipher and the compression.
    let rest = message.get(2 + 32..)?;
    let rest = rest.get(1 + usize::from(*rest.first()?) + 2 + 1..)?;
    let mut kinds = Vec::new();
    if rest.is_empty() {
        return Some(kinds);
    }
    let mut rest = rest.get(2..2 + usize::from(word(rest)?))?;
    while let Some(kind) = word(rest) {
        kinds.push(kind);
        rest = rest.get(4 + usize::from(word(rest.get(2..)?)?)..)?;
    }
    Some(kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extensions_of_a_server_hello_are_read_when_it_is_whole() {
        let extensions = [0xff, 0x01, 0, 1, 0, 0, 23, 0, 0];
        let message = [&[3, 3][..], &[7; 32], &[2, 9, 9, 0xc0, 0x2f, 0], &[0, 9], &extensions];
        let whole = [&[22, 3, 3, 0, 55, 2, 0, 0, 51][..], &message.concat()].concat();
        assert_eq!(server_extensions(&whole), Some(vec![0xff01, 23]));
        for n in 0..whole.len() {
            assert_eq!(server_extensions(&whole[..n]), None, "{n}");
        }
        let bare = [&[22, 3, 3, 0, 44, 2, 0, 0, 40][..], &whole[9..49]].concat();
        assert_eq!(server_extensions(&bare), Some(Vec::new()));
    }
}
