//! The parameters of delivery status notifications.

use crate::reference::{address, xtext};
use smtp_proto::{
    Limits,
    ext::{Extensions, Notify, Offer, Orcpt, Ret},
    server::Mode,
    wire::{Mail, Rcpt, Xtext},
};

/// RET, ENVID, NOTIFY and ORCPT are what RFC 3461 §4 says of them: a command with such parameters
/// is taken just when a reference takes it, and with the values that the reference reads; written
/// and parsed again it is the same, and so it is when it is owned. Xtext decodes as the reference
/// decodes it, and any octets encoded come back.
///
/// `data` is what follows the path of a command; it is read as parameters of MAIL and of RCPT, and
/// its octets are encoded. A text with a parameter of no such name, which is not for this property,
/// only must not do harm.
///
/// # Panics
/// If it is not so.
pub fn dsn(data: &[u8]) {
    let encoded = Xtext::encode(data);
    assert_eq!(&*encoded.decode(), data);
    assert_eq!(xtext::decode(encoded.as_str()).as_deref(), Some(data));
    let Ok(text) = std::str::from_utf8(data) else { return };
    let decoded = Xtext::parse(text).ok().map(|text| text.decode().into_owned());
    assert_eq!(decoded, xtext::decode(text), "as xtext");
    mail(text);
    rcpt(text);
}

/// The parameters in `text`, keywords in upper case; `None` if one of them is not in `known`, is
/// there twice, or is no parameter.
fn parameters<'t>(text: &'t str, known: &[&'static str]) -> Option<Vec<(&'static str, &'t str)>> {
    let mut found = Vec::new();
    // Clients send spaces too many and blanks at the end.
    for word in text.trim_end_matches([' ', '\t']).split(' ').filter(|word| !word.is_empty()) {
        let (keyword, value) = word.split_once('=')?;
        let keyword = known.iter().copied().find(|known| known.eq_ignore_ascii_case(keyword))?;
        let fits = value.chars().all(|c| c > ' ' && c != '=' && !c.is_control());
        if value.is_empty() || !fits || found.iter().any(|(before, _)| *before == keyword) {
            return None;
        }
        found.push((keyword, value));
    }
    Some(found)
}

/// Whether each word of `text` is for this property.
fn is_ours(text: &str) -> bool {
    text.trim_end_matches([' ', '\t']).split(' ').all(|word| {
        let keyword = word.split('=').next().unwrap_or_default().to_ascii_uppercase();
        word.is_empty() || ["RET", "ENVID", "NOTIFY", "ORCPT"].contains(&&*keyword)
    })
}

fn mail(text: &str) {
    let args = format!("FROM:<a@a.example> {text}");
    let extensions = Extensions::new().dsn();
    let parsed = Mail::parse(&args, &offer(&extensions)).ok();
    if let Some(mail) = &parsed {
        assert_eq!(Mail::parse(&mail.to_string(), &offer(&extensions)).as_ref(), Ok(mail));
        assert_eq!(&mail.clone().into_static(), mail);
    }
    if !is_ours(text) {
        return;
    }
    let expected = parameters(text, &["RET", "ENVID"]).and_then(|parameters| {
        let (mut ret, mut envid) = (None, None);
        for (keyword, value) in parameters {
            if keyword == "RET" {
                ret = Some(match value.to_ascii_uppercase().as_str() {
                    "FULL" => Ret::Full,
                    "HDRS" => Ret::Hdrs,
                    _ => return None,
                });
            } else {
                let said = xtext::decode(value).filter(|_| value.len() <= 100)?;
                let printable = said.iter().all(|octet| (b' '..=b'~').contains(octet));
                envid = Some(said).filter(|_| printable);
                envid.as_ref()?;
            }
        }
        Some((ret, envid))
    });
    let parsed = parsed.map(|mail| (mail.ret, mail.envid.map(|it| it.decode().into_owned())));
    assert_eq!(parsed, expected, "MAIL {args}");
}

fn rcpt(text: &str) {
    let args = format!("TO:<b@b.example> {text}");
    let extensions = Extensions::new().dsn();
    let parsed = Rcpt::parse(&args, &offer(&extensions), false).ok();
    if let Some(rcpt) = &parsed {
        assert_eq!(Rcpt::parse(&rcpt.to_string(), &offer(&extensions), false).as_ref(), Ok(rcpt));
        assert_eq!(&rcpt.clone().into_static(), rcpt);
    }
    if !is_ours(text) {
        return;
    }
    let expected = parameters(text, &["NOTIFY", "ORCPT"]).and_then(|parameters| {
        let (mut notify, mut recipient) = (None, None);
        for (keyword, value) in parameters {
            if keyword == "NOTIFY" {
                notify = Some(occasions(value)?);
            } else {
                recipient = Some(original_recipient(value)?);
            }
        }
        Some((notify, recipient))
    });
    let parsed = parsed.map(|rcpt| {
        let notify = rcpt.notify.map(|notify| match notify {
            Notify::Never => [false; 3],
            Notify::On { success, failure, delay } => [success, failure, delay],
        });
        (notify, rcpt.orcpt.as_ref().map(both))
    });
    assert_eq!(parsed, expected, "RCPT {args}");
}

/// §4.1: whether SUCCESS, FAILURE and DELAY are wanted.
fn occasions(value: &str) -> Option<[bool; 3]> {
    let value = value.to_ascii_uppercase();
    let words: Vec<&str> = value.split(',').collect();
    if words == ["NEVER"] {
        return Some([false; 3]);
    }
    let occasions = ["SUCCESS", "FAILURE", "DELAY"];
    let known = words.iter().all(|word| occasions.contains(word));
    known.then(|| occasions.map(|occasion| words.contains(&occasion)))
}

/// §4.2: the type of an address, and the address.
fn original_recipient(value: &str) -> Option<(String, Vec<u8>)> {
    let (address_type, address) = value.split_once(';')?;
    let said = xtext::decode(address)?;
    let fits = "ORCPT=".len() + value.len() <= 500;
    let printable = !said.iter().any(|octet| matches!(octet, ..b' ' | 127));
    let is_type = address_type.is_ascii() && address::is_atom(address_type);
    (fits && printable && is_type && !said.is_empty()).then(|| (address_type.to_owned(), said))
}

fn both(orcpt: &Orcpt<'_>) -> (String, Vec<u8>) {
    (orcpt.address_type().to_owned(), orcpt.address().decode().into_owned())
}

fn offer(extensions: &Extensions) -> Offer<'_> {
    static LIMITS: std::sync::LazyLock<Limits> = std::sync::LazyLock::new(Limits::default);
    Offer { extensions, limits: &LIMITS, mode: Mode::Smtp, esmtp: true, tls: true }
}
