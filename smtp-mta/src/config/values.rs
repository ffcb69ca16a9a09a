//! Values of the configuration that are more than TOML knows.

use crate::{
    policy::{DomainName, MailboxName, Network, Sender},
    users::Fingerprint,
};
use serde::{Deserialize, Deserializer, de};
use std::fmt;

impl<'de> Deserialize<'de> for DomainName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::new(&text)
            .ok_or_else(|| de::Error::custom(format_args!("`{text}` is not a domain name")))
    }
}

impl<'de> Deserialize<'de> for MailboxName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::new(&text).map_err(|error| {
            de::Error::custom(format_args!("`{}` cannot be: {error}", text.escape_debug()))
        })
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::new(&text).ok_or_else(|| {
            de::Error::custom(format_args!(
                "`{text}` is not a network, such as `192.0.2.0/24` or `2001:db8::/32`"
            ))
        })
    }
}

impl<'de> Deserialize<'de> for Sender {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::new(&text).ok_or_else(|| {
            de::Error::custom(format_args!(
                "`{}` is neither an address, nor `@` and a domain, nor `*`",
                text.escape_debug()
            ))
        })
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::new(&text).ok_or_else(|| {
            de::Error::custom(format_args!(
                "`{}` is not the SHA-256 fingerprint of a certificate, 64 hexadecimal digits",
                text.escape_debug()
            ))
        })
    }
}

/// A number of octets: `52428800`, `"50 MiB"`.
pub(super) fn size<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    struct Octets;

    impl de::Visitor<'_> for Octets {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number of octets, or a size such as \"50 MiB\"")
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<u64, E> {
            u64::try_from(number)
                .map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
            parse_size(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }

    from.deserialize_any(Octets)
}

/// The same, at least what RFC 5321 §4.5.3.1.7 asks for.
pub(super) fn size_limit<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let octets = size(from)?;
    if octets < smtp_proto::Limits::MIN_MESSAGE {
        return Err(de::Error::custom(
            "at least 65536 octets must be allowed (RFC 5321 §4.5.3.1.7)",
        ));
    }
    Ok(octets)
}

/// What may stand between a name and a tag; nothing: there are no tags. A sign that has a meaning of
/// its own in addresses, in paths or in what other servers make of them is none of them.
pub(super) fn delimiter<'de, D: Deserializer<'de>>(from: D) -> Result<Option<char>, D::Error> {
    let text = String::deserialize(from)?;
    match text.as_str() {
        "" => Ok(None),
        "+" | "-" | "_" | "=" | "#" => Ok(text.chars().next()),
        _ => Err(de::Error::custom(format_args!(
            "`{}` is none of `+`, `-`, `_`, `=`, `#`, or nothing",
            text.escape_debug()
        ))),
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim_start() {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}
