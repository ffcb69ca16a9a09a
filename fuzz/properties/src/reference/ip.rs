//! Addresses of IP as text (RFC 5321 §4.1.3, RFC 4291 §2.2).

use std::net::{Ipv4Addr, Ipv6Addr};

/// Four numbers of 0 to 255 without leading zeros, and dots between them.
pub(crate) fn v4(text: &str) -> Option<Ipv4Addr> {
    let numbers: Vec<u8> = text.split('.').map(number).collect::<Option<_>>()?;
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(numbers).ok()?))
}

fn number(text: &str) -> Option<u8> {
    let digits = !text.is_empty() && text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    let plain = text == "0" || !text.starts_with('0');
    if digits && plain { text.parse().ok() } else { None }
}

/// Eight groups of up to four hexadecimal digits and colons between them; an address of version 4
/// may stand for the last two, and one `::` for one group of zeros or more.
pub(crate) fn v6(text: &str) -> Option<Ipv6Addr> {
    let all = match text.split_once("::") {
        None => groups(text, true)?,
        Some((front, back)) => {
            let (mut front, back) = (groups(front, false)?, groups(back, true)?);
            let zeros = 8usize.checked_sub(front.len() + back.len()).filter(|&n| n > 0)?;
            front.extend(std::iter::repeat_n(0, zeros));
            front.extend(back);
            front
        }
    };
    Some(Ipv6Addr::from(<[u16; 8]>::try_from(all).ok()?))
}

fn groups(text: &str, at_end: bool) -> Option<Vec<u16>> {
    let mut groups = Vec::new();
    if text.is_empty() {
        return Some(groups);
    }
    let words: Vec<&str> = text.split(':').collect();
    for (place, word) in words.iter().enumerate() {
        if word.contains('.') {
            let [a, b, c, d] = v4(word).filter(|_| at_end && place + 1 == words.len())?.octets();
            groups.extend([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]);
        } else {
            let hex = word.bytes().all(|b| b.is_ascii_hexdigit());
            let fits = (1..=4).contains(&word.len());
            groups.push(u16::from_str_radix(word, 16).ok().filter(|_| hex && fits)?);
        }
    }
    Some(groups)
}
