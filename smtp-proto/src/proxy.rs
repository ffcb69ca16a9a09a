//! The PROXY protocol, versions 1 and 2 (HAProxy, proxy-protocol.txt): in front of everything else, a
//! proxy says on the connection who its client is.
//!
//! It is no command of SMTP and no part of the machine: whoever reads the stream strips the header,
//! from peers that it knows as proxies and from nobody else, before TLS and before the greeting.

use crate::wire::Malformed;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The first octets of version 2 (§2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Octets of a header of version 2 before the addresses.
const FIXED: usize = 16;
/// The longest line of version 1, CRLF included (§2.1).
const LONGEST_LINE: usize = 107;
/// The shortest one.
const SHORTEST_LINE: usize = b"PROXY UNKNOWN\r\n".len();

/// Octets of a header. §2.2 would allow 65,551 for version 2; no proxy says so much of a client.
pub const MAX_PROXY_HEADER: usize = 4_096;

/// What a header says.
///
/// ```
/// use smtp_proto::proxy::{ProxyHeader, ProxyProgress};
///
/// let header = b"PROXY TCP4 192.0.2.1 192.0.2.25 50000 25\r\n";
/// assert!(matches!(ProxyHeader::parse(&header[..20]), Ok(ProxyProgress::Needs(_))));
/// let Ok(ProxyProgress::Whole(ProxyHeader::Client { source, .. })) = ProxyHeader::parse(header) else {
///     panic!()
/// };
/// assert_eq!(source.to_string(), "192.0.2.1:50000");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyHeader {
    /// Nothing of a client: the proxy speaks for itself (a health check), or its client came by
    /// something other than IP. The addresses of the connection count.
    Local,
    /// A client and the address that it connected to.
    Client {
        /// The client.
        source: SocketAddr,
        /// Where it connected.
        destination: SocketAddr,
    },
}

/// How far a header has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProgress {
    /// It is not whole: at least so many more octets belong to it. Read no more than these, for what
    /// follows the header is the client's.
    Needs(usize),
    /// It is whole.
    Whole(ProxyHeader),
}

impl ProxyHeader {
    /// Parses the octets of a header that have come so far.
    ///
    /// # Errors
    /// [`Malformed`] as soon as they cannot become a header, and for one of over
    /// [`MAX_PROXY_HEADER`] octets, or with octets behind it. Close the connection, without a word.
    pub fn parse(octets: &[u8]) -> Result<ProxyProgress, Malformed> {
        if octets.first() == SIGNATURE.first() { version_2(octets) } else { version_1(octets) }
    }
}

const MALFORMED: Malformed = Malformed::of("PROXY header");

/// §2.1: `"PROXY" SP ("TCP4" / "TCP6") SP source SP destination SP source-port SP destination-port
/// CRLF`, or `"PROXY UNKNOWN" anything CRLF`; one space each, all in upper case.
fn version_1(octets: &[u8]) -> Result<ProxyProgress, Malformed> {
    const WORD: &[u8] = b"PROXY ";
    if !octets.iter().zip(WORD).all(|(octet, expected)| octet == expected) {
        return Err(MALFORMED);
    }
    let Some(end) = octets.windows(2).position(|pair| pair == b"\r\n") else {
        let missing = match SHORTEST_LINE.checked_sub(octets.len()) {
            Some(missing) if missing > 0 => missing,
            // A line that goes on ends in two octets, of which the first may be there.
            _ => 2 - usize::from(octets.ends_with(b"\r")),
        };
        let fits = octets.len() + missing <= LONGEST_LINE;
        return if fits { Ok(ProxyProgress::Needs(missing)) } else { Err(MALFORMED) };
    };
    let text = core::str::from_utf8(&octets[WORD.len()..end]).map_err(|_| MALFORMED)?;
    if end + 2 != octets.len() || octets.len() > LONGEST_LINE {
        return Err(MALFORMED);
    }
    if text == "UNKNOWN" || text.starts_with("UNKNOWN ") {
        return Ok(ProxyProgress::Whole(ProxyHeader::Local));
    }
    let mut words = text.split(' ');
    let mut next = || words.next().ok_or(MALFORMED);
    let family = next()?;
    let (source, destination) = (next()?, next()?);
    let (source_port, destination_port) = (port(next()?)?, port(next()?)?);
    let address = |text: &str| match family {
        "TCP4" => text.parse().map(IpAddr::V4).map_err(|_| MALFORMED),
        "TCP6" => text.parse().map(IpAddr::V6).map_err(|_| MALFORMED),
        _ => Err(MALFORMED),
    };
    let header = ProxyHeader::Client {
        source: SocketAddr::new(address(source)?, source_port),
        destination: SocketAddr::new(address(destination)?, destination_port),
    };
    if next().is_ok() { Err(MALFORMED) } else { Ok(ProxyProgress::Whole(header)) }
}

/// A number from 0 to 65535 without leading zeros.
fn port(digits: &str) -> Result<u16, Malformed> {
    let plain = digits == "0" || !digits.starts_with(['0', '+']);
    digits.parse().ok().filter(|_| plain).ok_or(MALFORMED)
}

/// §2.2: the signature, version and command, family, the length of what follows, addresses, and
/// fields that are passed over.
fn version_2(octets: &[u8]) -> Result<ProxyProgress, Malformed> {
    if !octets.iter().zip(SIGNATURE).all(|(octet, expected)| octet == expected) {
        return Err(MALFORMED);
    }
    let Some((fixed, rest)) = octets.split_first_chunk::<FIXED>() else {
        return Ok(ProxyProgress::Needs(FIXED - octets.len()));
    };
    let [.., command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(MALFORMED),
    };
    // TCP over IPv4, over IPv6; a stream of a Unix socket; not specified.
    let least = match family {
        0x11 => 12,
        0x21 => 36,
        0x31 => 216,
        0x00 => 0,
        _ if is_local => 0,
        _ => return Err(MALFORMED),
    };
    let too_short = !is_local && length < least;
    if too_short || FIXED + length > MAX_PROXY_HEADER || rest.len() > length {
        return Err(MALFORMED);
    }
    if rest.len() < length {
        return Ok(ProxyProgress::Needs(length - rest.len()));
    }
    let header = match family {
        0x11 if !is_local => client::<4>(rest, |octets| Ipv4Addr::from(octets).into()),
        0x21 if !is_local => client::<16>(rest, |octets| Ipv6Addr::from(octets).into()),
        _ => Some(ProxyHeader::Local),
    };
    header.map(ProxyProgress::Whole).ok_or(MALFORMED)
}

/// Source and destination, then their ports.
fn client<const N: usize>(
    octets: &[u8],
    address: impl Fn([u8; N]) -> IpAddr,
) -> Option<ProxyHeader> {
    let (source, rest) = octets.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let (source_port, rest) = rest.split_first_chunk::<2>()?;
    let (destination_port, _) = rest.split_first_chunk::<2>()?;
    Some(ProxyHeader::Client {
        source: SocketAddr::new(address(*source), u16::from_be_bytes(*source_port)),
        destination: SocketAddr::new(address(*destination), u16::from_be_bytes(*destination_port)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, vec, vec::Vec};

    fn whole(source: &str, destination: &str) -> Result<ProxyProgress, Malformed> {
        Ok(ProxyProgress::Whole(ProxyHeader::Client {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
        }))
    }

    const LOCAL: Result<ProxyProgress, Malformed> = Ok(ProxyProgress::Whole(ProxyHeader::Local));

    /// A header of version 2.
    fn second(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = (rest.len() as u16).to_be_bytes();
        [SIGNATURE, &[command, family][..], &length, rest].concat()
    }

    /// Reads `octets` as the parser wants them; gives what it says at the end, and what is left.
    fn read(octets: &[u8]) -> (Result<ProxyProgress, Malformed>, &[u8]) {
        let mut have = 0;
        loop {
            match ProxyHeader::parse(&octets[..have]) {
                Ok(ProxyProgress::Needs(more)) if have + more <= octets.len() => {
                    assert!(more > 0);
                    have += more;
                }
                said => return (said, &octets[have..]),
            }
        }
    }

    #[test]
    fn a_line_tells_the_client() {
        for (line, source, destination) in [
            ("TCP4 192.0.2.9 192.0.2.1 40000 25", "192.0.2.9:40000", "192.0.2.1:25"),
            ("TCP6 2001:db8::9 2001:db8::1 65535 0", "[2001:db8::9]:65535", "[2001:db8::1]:0"),
        ] {
            let line = format!("PROXY {line}\r\n");
            assert_eq!(ProxyHeader::parse(line.as_bytes()), whole(source, destination));
        }
        for line in ["UNKNOWN", "UNKNOWN ffff::1 whatever  1 2"] {
            assert_eq!(ProxyHeader::parse(format!("PROXY {line}\r\n").as_bytes()), LOCAL);
        }
    }

    #[test]
    fn a_line_that_is_none_is_refused() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(200));
        for line in [
            "EHLO client.example\r\n",
            "proxy TCP4 192.0.2.9 192.0.2.1 40000 25\r\n",
            "PROXY  TCP4 192.0.2.9 192.0.2.1 40000 25\r\n",
            "PROXY UDP4 192.0.2.9 192.0.2.1 40000 25\r\n",
            "PROXY TCP4 2001:db8::9 2001:db8::1 40000 25\r\n",
            "PROXY TCP6 192.0.2.9 192.0.2.1 40000 25\r\n",
            "PROXY TCP4 192.0.2.9 192.0.2.1 65536 25\r\n",
            "PROXY TCP4 192.0.2.9 192.0.2.1 040 25\r\n",
            "PROXY TCP4 192.0.2.9 192.0.2.1 +40 25\r\n",
            "PROXY TCP4 192.0.2.9 192.0.2.1 40000\r\n",
            "PROXY TCP4 192.0.2.9 192.0.2.1 40000 25 1\r\n",
            "PROXY TCP4 192.0.2.9 192.0.2.1 40000 25 \r\n",
            "PROXY TCP4 192.0.2.9 192.0.2.1 40000 25\r\nEHLO",
            "PROXY UNKNOWNX\r\n",
            &long,
        ] {
            assert_eq!(ProxyHeader::parse(line.as_bytes()), Err(MALFORMED), "{line:?}");
        }
    }

    #[test]
    fn addresses_in_octets_tell_the_client() {
        let v4 = [&[192, 0, 2, 9, 192, 0, 2, 1][..], &40_000u16.to_be_bytes(), &[0, 25]].concat();
        let header = second(0x21, 0x11, &v4);
        assert_eq!(ProxyHeader::parse(&header), whole("192.0.2.9:40000", "192.0.2.1:25"));
        let more = [&v4[..], b"\x04\0\x01x"].concat();
        let header = second(0x21, 0x11, &more);
        assert_eq!(ProxyHeader::parse(&header), whole("192.0.2.9:40000", "192.0.2.1:25"));
        let mut v6 = vec![0; 36];
        (v6[15], v6[31], v6[35]) = (1, 2, 25);
        assert_eq!(ProxyHeader::parse(&second(0x21, 0x21, &v6)), whole("[::1]:0", "[::2]:25"));
    }

    #[test]
    fn what_says_nothing_of_a_client_is_local() {
        for header in [
            second(0x20, 0x00, b""),
            second(0x20, 0x11, b"whatever"),
            second(0x20, 0xff, b""),
            second(0x21, 0x00, b"passed over"),
            second(0x21, 0x31, &[0; 216]),
        ] {
            assert_eq!(ProxyHeader::parse(&header), LOCAL, "{header:?}");
        }
    }

    #[test]
    fn octets_that_are_no_header_are_refused() {
        let mut signed_wrongly = second(0x20, 0x00, b"");
        signed_wrongly[11] = b'X';
        for header in [
            signed_wrongly,
            second(0x11, 0x11, &[0; 12]),
            second(0x22, 0x11, &[0; 12]),
            second(0x21, 0x12, &[0; 12]),
            second(0x21, 0x11, &[0; 11]),
            second(0x21, 0x21, &[0; 35]),
            second(0x21, 0x31, &[0; 215]),
            second(0x21, 0x00, &[0; MAX_PROXY_HEADER - FIXED + 1]),
            [second(0x20, 0x00, b""), b"E".to_vec()].concat(),
        ] {
            assert_eq!(ProxyHeader::parse(&header), Err(MALFORMED), "{header:?}");
        }
    }

    #[test]
    fn no_octet_behind_the_header_is_asked_for() {
        for header in [
            b"PROXY TCP4 192.0.2.9 192.0.2.1 40000 25\r\n".to_vec(),
            b"PROXY UNKNOWN\r\n".to_vec(),
            b"PROXY UNKNOWN \r\r\n".to_vec(),
            second(0x21, 0x00, &[b'x'; 300]),
            second(0x20, 0x00, b""),
        ] {
            let client = [&header[..], b"EHLO client.example\r\n"].concat();
            let (said, left) = read(&client);
            assert!(matches!(said, Ok(ProxyProgress::Whole(_))), "{header:?}");
            assert_eq!(left, b"EHLO client.example\r\n");
            for cut in 0..header.len() {
                let said = ProxyHeader::parse(&header[..cut]);
                let Ok(ProxyProgress::Needs(more)) = said else { panic!("{said:?} of {cut}") };
                assert!(cut + more <= header.len());
            }
        }
    }
}
