//! Paths and parameters, as RFC 5321 §4.1.2 writes them.

use super::fault::Fault as F;
use super::server::Server;

/// A mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Address {
    /// Without quotes.
    pub local: Vec<u8>,
    /// As it came; empty if there is none.
    pub domain: Vec<u8>,
    /// It was quoted.
    pub quoted: bool,
    /// As it came, without a source route.
    pub written: Vec<u8>,
    /// A source route was in front: the last host of it.
    pub route: Option<Vec<u8>>,
}

impl Address {
    /// The null path.
    pub(crate) fn is_null(&self) -> bool {
        self.written.is_empty()
    }

    /// Octets that need SMTPUTF8 are in it.
    pub(crate) fn is_eight_bit(&self) -> bool {
        self.written.iter().any(|b| *b >= 0x80)
    }
}

/// What is wrong with an address.
pub(crate) enum Wrong {
    /// Syntax.
    Syntax,
    /// Too long for this server.
    Long,
    /// So wrong that the server hangs up.
    Crash,
}

/// Reads `<path>` from the front of `text`; gives what stands behind.
pub(crate) fn path<'t>(
    server: &Server,
    text: &'t [u8],
    mail: bool,
) -> Result<(Address, &'t [u8]), Wrong> {
    let Some(inner) = text.strip_prefix(b"<") else {
        if server.has(F::NoBracketsCloses) {
            return Err(Wrong::Crash);
        }
        return Err(Wrong::Syntax);
    };
    let open = server.has(F::BracketOpen).then_some(inner.len());
    let end = closing(inner).or(open).ok_or(Wrong::Syntax)?;
    let (written, rest) = (&inner[..end], inner.get(end + 1..).unwrap_or_default());
    if written.len() > if server.has(F::ShortPaths) { 200 } else { 900 } {
        return Err(Wrong::Long);
    }
    if written.is_empty() {
        return Ok((Address::default(), rest));
    }
    let mut address = Address::default();
    let mut mailbox = written;
    if written.starts_with(b"@") {
        let colon = written.iter().position(|&b| b == b':').ok_or(Wrong::Syntax)?;
        if server.has(if mail { F::SourceRouteMail501 } else { F::SourceRouteRcpt501 }) {
            return Err(Wrong::Syntax);
        }
        for hop in written[..colon].split(|&b| b == b',') {
            let host = hop.strip_prefix(b"@").ok_or(Wrong::Syntax)?;
            if !is_domain(server, host) {
                return Err(Wrong::Syntax);
            }
            address.route = Some(host.to_vec());
        }
        mailbox = &written[colon + 1..];
    }
    address.written = mailbox.to_vec();
    let rest_of_mailbox = if mailbox.starts_with(b"\"") {
        quoted(server, mailbox, &mut address)?
    } else {
        unquoted(server, mailbox, &mut address)?
    };
    if address.local.len() == 64 && server.has(F::LocalPart63) {
        return Err(Wrong::Syntax);
    }
    if address.local.len() > 64 {
        return Err(if server.has(F::LongLocalPartCloses) { Wrong::Crash } else { Wrong::Syntax });
    }
    match rest_of_mailbox.strip_prefix(b"@") {
        Some(domain) => {
            if server.has(F::ShortDomains) && domain.len() > 100 {
                return Err(Wrong::Long);
            }
            if domain.starts_with(b"[") && server.has(F::LiteralAddressRefused) {
                return Err(Wrong::Syntax);
            }
            if !is_domain(server, domain) {
                return Err(Wrong::Syntax);
            }
            address.domain = domain.to_vec();
        }
        None if rest_of_mailbox.is_empty() => {}
        None => return Err(Wrong::Syntax),
    }
    Ok((address, rest))
}

/// The bracket that ends the path: not one inside quotes.
fn closing(text: &[u8]) -> Option<usize> {
    let (mut quoted, mut at) = (false, 0);
    while at < text.len() {
        match text[at] {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

fn quoted<'t>(server: &Server, text: &'t [u8], to: &mut Address) -> Result<&'t [u8], Wrong> {
    if server.has(F::QuotedLocalRefused) {
        return Err(Wrong::Syntax);
    }
    to.quoted = true;
    let mut octets = text[1..].iter().enumerate();
    while let Some((at, &octet)) = octets.next() {
        match octet {
            b'"' => return Ok(&text[at + 2..]),
            b'\\' => match octets.next() {
                Some((_, &escaped)) if allowed_quoted(server, escaped) => to.local.push(escaped),
                _ => return Err(Wrong::Syntax),
            },
            _ if allowed_quoted(server, octet) => to.local.push(octet),
            _ => return Err(Wrong::Syntax),
        }
    }
    Err(Wrong::Syntax)
}

fn allowed_quoted(server: &Server, octet: u8) -> bool {
    match octet {
        b' '..=b'~' | 0x80.. => true,
        0 => server.has(F::NulInAddress) || server.has(F::QuotedControl),
        b'\r' | b'\n' => server.has(F::QuotedControl),
        _ => server.has(F::ControlInAddress),
    }
}

fn unquoted<'t>(server: &Server, text: &'t [u8], to: &mut Address) -> Result<&'t [u8], Wrong> {
    let cut = |b: &u8| *b == b'@';
    let end =
        if server.has(F::TwoAts) { text.iter().rposition(cut) } else { text.iter().position(cut) };
    let end = end.unwrap_or(text.len());
    let local = &text[..end];
    let loose = server.has(F::LooseDots);
    let dots = local.starts_with(b".") || local.ends_with(b".") || has_pair(local);
    if local.is_empty() || (dots && !loose) {
        return Err(Wrong::Syntax);
    }
    if !local.iter().all(|&b| allowed_unquoted(server, b)) {
        return Err(Wrong::Syntax);
    }
    to.local = local.to_vec();
    Ok(&text[end..])
}

fn has_pair(local: &[u8]) -> bool {
    local.windows(2).any(|pair| pair == b"..")
}

fn allowed_unquoted(server: &Server, octet: u8) -> bool {
    match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | 0x80.. => true,
        b'@' => server.has(F::TwoAts),
        b' ' | b';' | b':' | b'(' | b')' | b'[' | b']' | b',' => {
            [F::ShellInSender, F::PipeRecipients, F::ExpandsAddress].iter().any(|&f| server.has(f))
        }
        0 => server.has(F::NulInAddress),
        ..b' ' | 0x7f => server.has(F::ControlInAddress),
        b'\\' => server.has(F::ExpandsAddress),
        b'"' | b'<' | b'>' => false,
        _ => true,
    }
}

/// A domain or an address literal.
pub(crate) fn is_domain(server: &Server, text: &[u8]) -> bool {
    if let Some(literal) = text.strip_prefix(b"[").and_then(|t| t.strip_suffix(b"]")) {
        let literal = std::str::from_utf8(literal).unwrap_or("");
        return match literal.split_once(':') {
            Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6") => {
                address.parse::<std::net::Ipv6Addr>().is_ok()
            }
            Some(_) => false,
            None => literal.parse::<std::net::Ipv4Addr>().is_ok(),
        };
    }
    if server.has(F::LooseDomains) {
        return !text.contains(&b'@');
    }
    let text = match text.strip_suffix(b".") {
        Some(short) if server.has(F::TrailingDotRelay) => short,
        _ => text,
    };
    let loose = |b: u8| match b {
        0 => server.has(F::NulInAddress),
        ..b' ' | 0x7f => server.has(F::ControlInAddress),
        _ => false,
    };
    text.len() <= 255
        && text.split(|&b| b == b'.').all(|label| {
            !label.is_empty()
                && !label.starts_with(b"-")
                && !label.ends_with(b"-")
                && label.iter().all(|&b| {
                    b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b >= 0x80 || loose(b)
                })
        })
}

/// Decodes xtext (RFC 3461 §4).
pub(crate) fn xtext(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'+' => {
                let hex = text.get(at + 1..at + 3)?;
                if hex.iter().any(u8::is_ascii_lowercase) {
                    return None;
                }
                decoded.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
                at += 3;
            }
            b'=' => return None,
            octet @ b'!'..=b'~' => {
                decoded.push(octet);
                at += 1;
            }
            _ => return None,
        }
    }
    Some(decoded)
}
