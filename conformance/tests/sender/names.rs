//! Where the mail for a domain goes, by the DNS.

use super::{fault::Fault, session::Failure};
use hickory_proto::{
    op::{Message, Query, ResponseCode},
    rr::{Name, RData, RecordType, rdata::tlsa::CertUsage},
};
use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    time::Duration,
};

fn ask(dns: SocketAddr, name: &str, kind: RecordType) -> Result<Vec<RData>, Failure> {
    let socket = UdpSocket::bind("127.0.0.1:0").map_err(|_| Failure::Temporary)?;
    socket.set_read_timeout(Some(Duration::from_secs(2))).map_err(|_| Failure::Temporary)?;
    let mut query = Message::query();
    let name = Name::from_ascii(format!("{name}.")).map_err(|_| Failure::Permanent)?;
    query.add_query(Query::query(name, kind));
    let octets = query.to_vec().map_err(|_| Failure::Permanent)?;
    socket.send_to(&octets, dns).map_err(|_| Failure::Temporary)?;
    let mut buffer = [0; 4096];
    let (n, _) = socket.recv_from(&mut buffer).map_err(|_| Failure::Temporary)?;
    let answer = Message::from_vec(&buffer[..n]).map_err(|_| Failure::Temporary)?;
    match answer.metadata.response_code {
        ResponseCode::NoError => Ok(answer.answers.iter().map(|one| one.data.clone()).collect()),
        ResponseCode::NXDomain => Err(Failure::Permanent),
        _ => Err(Failure::Temporary),
    }
}

fn named(dns: SocketAddr, name: &str) -> Vec<(String, IpAddr)> {
    let found = ask(dns, name, RecordType::A).unwrap_or_default();
    let address = |data: &RData| match data {
        RData::A(address) => Some((name.to_owned(), IpAddr::V4(address.0))),
        _ => None,
    };
    found.iter().filter_map(address).collect()
}

/// What the DNS says of a server's certificate.
#[derive(Clone)]
pub(crate) enum Pin {
    /// It must be there, whatever it is.
    Any,
    /// Its SHA-256.
    Sha256(Vec<u8>),
}

/// The TLSA records of a host: RFC 7672 §2.2.
pub(crate) fn pin(
    fault: Option<Fault>,
    dns: SocketAddr,
    host: &str,
    port: u16,
) -> Result<Option<Pin>, Failure> {
    if fault == Some(Fault::LooksForNoTlsa) {
        return Ok(None);
    }
    let found = match ask(dns, &format!("_{port}._tcp.{host}"), RecordType::TLSA) {
        Err(Failure::Permanent) => Vec::new(),
        Err(_) if fault == Some(Fault::TakesBogusForNone) => Vec::new(),
        other => other?,
    };
    let usable = found.iter().find_map(|data| match data {
        RData::TLSA(tlsa) if tlsa.cert_usage == CertUsage::DaneEe => Some(tlsa.cert_data.clone()),
        _ => None,
    });
    let any = (!found.is_empty()).then_some(Pin::Any);
    Ok(usable.map(Pin::Sha256).or(any))
}

/// The hosts of `domain` with their names, the best first; hosts of one preference are turned by
/// `turn`.
pub(crate) fn hosts(
    fault: Option<Fault>,
    dns: SocketAddr,
    domain: &str,
    own: &str,
    turn: usize,
) -> Result<Vec<(String, IpAddr)>, Failure> {
    let has = |one| fault == Some(one);
    let found = match ask(dns, domain, RecordType::MX) {
        Err(Failure::Permanent) if has(Fault::WaitsForNames) => return Err(Failure::Temporary),
        other => other?,
    };
    let mut list: Vec<(u16, String)> = found
        .iter()
        .filter_map(|data| match data {
            RData::MX(mx) => {
                let name = mx.exchange.to_lowercase().to_ascii();
                Some((mx.preference, name.trim_end_matches('.').to_owned()))
            }
            _ => None,
        })
        .collect();
    list.sort();
    if list.iter().any(|(_, name)| name.is_empty()) {
        if !has(Fault::IgnoresNullMx) {
            return Err(Failure::Permanent);
        }
        list.clear();
    }
    if list.is_empty() {
        let own = named(dns, domain);
        let none = own.is_empty() || has(Fault::NeedsMx);
        return if none { Err(Failure::Permanent) } else { Ok(own) };
    }
    if !has(Fault::SendsToItself) {
        if let Some((own, _)) = list.iter().find(|(_, name)| name == own).cloned() {
            list.retain(|(preference, _)| *preference < own);
        }
        if list.is_empty() {
            return Err(Failure::Permanent);
        }
    }
    if turn % 2 == 1 && !has(Fault::NeverShuffles) {
        list.sort_by(|one, other| (one.0, &other.1).cmp(&(other.0, &one.1)));
    }
    let mut all: Vec<_> = list.iter().flat_map(|(_, name)| named(dns, name)).collect();
    if has(Fault::TriesAddressLast) {
        all.extend(named(dns, domain));
    }
    Ok(all)
}
