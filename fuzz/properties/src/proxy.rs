//! What a proxy says in front of a connection.

use crate::reference::ip;
use smtp_proto::proxy::{MAX_PROXY_HEADER, ProxyHeader, ProxyProgress};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A header of the PROXY protocol is what proxy-protocol.txt says of its octets, as a slow reference
/// reads it. Whoever reads only what the parser asks for never takes an octet behind the header or
/// beyond the bound, and comes to the end in steps of at least one octet; any front part of a header
/// that is good is not yet whole, and asks for no more than there is of it; an octet behind it is
/// refused. A client that was read is the same when a header of either version is written for it and
/// read again.
///
/// `data` is what comes on the connection.
///
/// # Panics
/// If it is not so.
pub fn proxy(data: &[u8]) {
    let (seen, said) = read(data);
    match (expected(data), said) {
        (Expected::Header { length, header }, Some(Ok(found))) => {
            assert_eq!((seen, found), (length, header));
            for cut in 0..length {
                match ProxyHeader::parse(&data[..cut]) {
                    Ok(ProxyProgress::Needs(more)) => assert!(more > 0 && cut + more <= length),
                    other => panic!("{other:?} after {cut} of {length} octets"),
                }
            }
            assert!(ProxyHeader::parse(&[&data[..length], b"E"].concat()).is_err());
            write_and_read(header);
        }
        (Expected::Malformed, Some(Err(()))) | (Expected::Partial, None) => {}
        // It was seen early that no header can come of it, or not before the shortest header's end.
        (Expected::Partial, Some(Err(()))) => {}
        (Expected::Malformed, None) if data.len() < "PROXY UNKNOWN\r\n".len() => {}
        (expected, said) => panic!("{said:?} after {seen} octets, and not {expected:?}"),
    }
}

/// Reads what the parser asks for. Gives how much that was, and what the parser said in the end;
/// `None` if it asks for more than there is.
fn read(data: &[u8]) -> (usize, Option<Result<ProxyHeader, ()>>) {
    let mut seen = 0;
    loop {
        match ProxyHeader::parse(&data[..seen]) {
            Ok(ProxyProgress::Whole(header)) => return (seen, Some(Ok(header))),
            Err(_) => return (seen, Some(Err(()))),
            Ok(ProxyProgress::Needs(more)) => {
                assert!(more > 0, "it asks for nothing");
                seen += more;
                assert!(seen <= MAX_PROXY_HEADER, "it asks for more than its bound");
                if seen > data.len() {
                    return (data.len(), None);
                }
            }
        }
    }
}

#[derive(Debug)]
enum Expected {
    Header {
        length: usize,
        header: ProxyHeader,
    },
    Malformed,
    /// More must come before it can be a header; perhaps none can come of it.
    Partial,
}

fn expected(data: &[u8]) -> Expected {
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    if data.is_empty() {
        return Expected::Partial;
    }
    if data.starts_with(b"\r") {
        if data.len() < 16 {
            let can_be = data.iter().zip(signature).all(|(a, b)| a == b);
            return if can_be { Expected::Partial } else { Expected::Malformed };
        }
        let length = 16 + 256 * usize::from(data[14]) + usize::from(data[15]);
        return match version_2(data, length) {
            None => Expected::Malformed,
            Some(_) if !data.starts_with(signature) => Expected::Malformed,
            Some(_) if data.len() < length => Expected::Partial,
            Some(header) => Expected::Header { length, header },
        };
    }
    let line = data.windows(2).take(106).position(|two| two == b"\r\n");
    match line {
        None if data.len() < 107 && data.iter().zip(b"PROXY ").all(|(a, b)| a == b) => {
            Expected::Partial
        }
        None => Expected::Malformed,
        Some(end) => match std::str::from_utf8(&data[..end]).ok().and_then(version_1) {
            Some(header) => Expected::Header { length: end + 2, header },
            None => Expected::Malformed,
        },
    }
}

/// §2.1, the line without its end.
fn version_1(line: &str) -> Option<ProxyHeader> {
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["PROXY", "UNKNOWN", ..] => Some(ProxyHeader::Local),
        ["PROXY", family @ ("TCP4" | "TCP6"), from, to, from_port, to_port] => {
            let address = |text| -> Option<IpAddr> {
                if family == "TCP4" {
                    ip::v4(text).map(IpAddr::V4)
                } else {
                    ip::v6(text).map(IpAddr::V6)
                }
            };
            let port =
                |text: &str| text.parse::<u16>().ok().filter(|port| port.to_string() == text);
            Some(ProxyHeader::Client {
                source: SocketAddr::new(address(from)?, port(from_port)?),
                destination: SocketAddr::new(address(to)?, port(to_port)?),
            })
        }
        _ => None,
    }
}

/// §2.2; octets that are not there yet count as zero.
fn version_2(data: &[u8], length: usize) -> Option<ProxyHeader> {
    if length > MAX_PROXY_HEADER {
        return None;
    }
    let at = |place: usize| data.get(place).copied().unwrap_or(0);
    let port = |place: usize| u16::from_be_bytes([at(place), at(place + 1)]);
    let v4 = |place: usize| Ipv4Addr::from(std::array::from_fn(|n| at(place + n)));
    let v6 = |place: usize| Ipv6Addr::from(std::array::from_fn::<u8, 16, _>(|n| at(place + n)));
    let known = |source: IpAddr, destination: IpAddr, ports: usize| ProxyHeader::Client {
        source: SocketAddr::new(source, port(ports)),
        destination: SocketAddr::new(destination, port(ports + 2)),
    };
    match (at(12), at(13), length - 16) {
        (0x20, ..) => Some(ProxyHeader::Local),
        (0x21, 0x11, 12..) => Some(known(v4(16).into(), v4(20).into(), 24)),
        (0x21, 0x21, 36..) => Some(known(v6(16).into(), v6(32).into(), 48)),
        (0x21, 0x31, 216..) | (0x21, 0x00, _) => Some(ProxyHeader::Local),
        _ => None,
    }
}

fn write_and_read(header: ProxyHeader) {
    let ProxyHeader::Client { source, destination } = header else { return };
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (source.ip(), destination.ip());
    let line = format!("PROXY {family} {from} {to} {} {}\r\n", source.port(), destination.port());
    let mut octets = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    octets.extend(if source.is_ipv4() { [0x11, 0, 12 + 3] } else { [0x21, 0, 36 + 3] });
    for address in [from, to] {
        match address {
            IpAddr::V4(address) => octets.extend(address.octets()),
            IpAddr::V6(address) => octets.extend(address.octets()),
        }
    }
    octets.extend([source.port(), destination.port()].map(u16::to_be_bytes).concat());
    // A field behind the addresses that says nothing (§2.2.7: PP2_TYPE_NOOP).
    octets.extend([4, 0, 0]);
    for written in [line.as_bytes(), &octets] {
        assert_eq!(read(written), (written.len(), Some(Ok(header))));
    }
}
