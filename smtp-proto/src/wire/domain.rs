//! Domains and address literals (RFC 5321 §4.1.2, §4.1.3; RFC 6531 §3.3).

use super::{
    Malformed, Parsed,
    class::{DCONTENT, LABEL, NO_MATCH, UNDERSCORE, dotted, run},
    into_static, whole,
};
use alloc::borrow::Cow;
use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};
use nom::{
    Parser,
    character::complete::char,
    combinator::{map, map_opt, verify},
    sequence::delimited,
};

/// Octets of a domain or of an address literal (RFC 5321 §4.5.3.1.2).
const MAX_DOMAIN: usize = 255;

/// Octets of a label in ASCII (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// A domain name, of one label or more, without a dot at its end.
///
/// Two domains are equal here if they are spelt alike; DNS compares them without case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Domain<'b>(Cow<'b, str>);

impl<'b> Domain<'b> {
    /// Checks `text`: labels of at most 63 octets, at most 255 octets in all.
    ///
    /// # Errors
    /// [`Malformed`] if it is no domain.
    pub fn parse(text: &'b str) -> Result<Self, Malformed> {
        whole(domain, text, "domain")
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has no U-labels, so that it can go to a server without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }

    /// The same domain, owned.
    pub fn into_static(self) -> Domain<'static> {
        Domain(into_static(self.0))
    }
}

impl fmt::Display for Domain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An address in brackets (RFC 5321 §4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AddressLiteral<'b> {
    /// `[192.0.2.1]`
    V4(Ipv4Addr),
    /// `[IPv6:2001:db8::1]`
    V6(Ipv6Addr),
    /// `[tag:content]`, which only parsing builds.
    #[non_exhaustive]
    General {
        /// A registered tag.
        tag: Cow<'b, str>,
        /// What it says.
        content: Cow<'b, str>,
    },
}

impl<'b> AddressLiteral<'b> {
    /// Checks `text`, brackets included.
    ///
    /// # Errors
    /// [`Malformed`] if it is no address literal.
    pub fn parse(text: &'b str) -> Result<Self, Malformed> {
        whole(address_literal, text, "address literal")
    }

    /// The same literal, owned.
    pub fn into_static(self) -> AddressLiteral<'static> {
        match self {
            Self::V4(address) => AddressLiteral::V4(address),
            Self::V6(address) => AddressLiteral::V6(address),
            Self::General { tag, content } => {
                AddressLiteral::General { tag: into_static(tag), content: into_static(content) }
            }
        }
    }
}

impl From<IpAddr> for AddressLiteral<'_> {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(address),
        }
    }
}

impl fmt::Display for AddressLiteral<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => write!(f, "[{address}]"),
            Self::V6(address) => write!(f, "[IPv6:{address}]"),
            Self::General { tag, content } => write!(f, "[{tag}:{content}]"),
        }
    }
}

/// A domain or an address literal.
///
/// ```
/// use smtp_proto::wire::Host;
///
/// assert!(matches!(Host::parse("mx.example.org"), Ok(Host::Domain(_))));
/// assert!(matches!(Host::parse("[192.0.2.1]"), Ok(Host::Literal(_))));
/// assert!(Host::parse("-.example.org").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host<'b> {
    /// A name.
    Domain(Domain<'b>),
    /// An address.
    Literal(AddressLiteral<'b>),
}

impl<'b> Host<'b> {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`Malformed`] if it is neither.
    pub fn parse(text: &'b str) -> Result<Self, Malformed> {
        whole(host, text, "host")
    }

    /// Whether it has no U-labels.
    pub fn is_ascii(&self) -> bool {
        match self {
            Self::Domain(domain) => domain.is_ascii(),
            Self::Literal(_) => true,
        }
    }

    /// The same host, owned.
    pub fn into_static(self) -> Host<'static> {
        match self {
            Self::Domain(domain) => Host::Domain(domain.into_static()),
            Self::Literal(literal) => Host::Literal(literal.into_static()),
        }
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(f),
            Self::Literal(literal) => literal.fmt(f),
        }
    }
}

/// What a peer calls itself (RFC 5321 §4.1.1.1). It need not be true.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HelloName<'b>(Host<'b>);

impl<'b> HelloName<'b> {
    /// Checks `text`.
    ///
    /// RFC 5321 §4.1.1.1: `ehlo = "EHLO" SP ( Domain / address-literal ) CRLF`. Deviation: `_` is
    /// also taken in a label, though §4.1.2 forbids it, for many Windows machines are named so.
    /// U-labels are taken too, though RFC 6531 §3.7.1 has clients send ASCII: a name that decides
    /// nothing is no reason to refuse mail.
    ///
    /// # Errors
    /// [`Malformed`] if it is neither domain nor literal.
    #[inline]
    pub fn parse(text: &'b str) -> Result<Self, Malformed> {
        whole(|text| host_of(LABEL | UNDERSCORE, text), text, "hello name").map(Self)
    }

    /// The host. Its domain may have an underscore, which [`Domain::parse`] refuses.
    pub fn host(&self) -> &Host<'b> {
        &self.0
    }

    /// The same name, owned.
    pub fn into_static(self) -> HelloName<'static> {
        HelloName(self.0.into_static())
    }
}

impl fmt::Display for HelloName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// RFC 5321 §4.1.2, within Mailbox: `( Domain / address-literal )`.
#[inline]
pub(super) fn host(input: &str) -> Parsed<'_, Host<'_>> {
    host_of(LABEL, input)
}

/// A host whose labels are made of `classes`.
#[inline]
fn host_of(classes: u8, input: &str) -> Parsed<'_, Host<'_>> {
    if input.starts_with('[') {
        map(address_literal, Host::Literal).parse(input)
    } else {
        domain_of(classes, input).map(|(rest, domain)| (rest, Host::Domain(domain)))
    }
}

/// RFC 5321 §4.1.2: `Domain = sub-domain *("." sub-domain)`.
pub(super) fn domain(input: &str) -> Parsed<'_, Domain<'_>> {
    domain_of(LABEL, input)
}

/// A domain whose labels are made of `classes`.
fn domain_of(classes: u8, input: &str) -> Parsed<'_, Domain<'_>> {
    let (rest, name) = dotted(classes, is_sub_domain, input)?;
    if name.len() > MAX_DOMAIN {
        return Err(NO_MATCH);
    }
    Ok((rest, Domain(Cow::Borrowed(name))))
}

/// RFC 5321 §4.1.2: `sub-domain = Let-dig [Ldh-str]`, `Ldh-str = *( ALPHA / DIGIT / "-" )
/// Let-dig`; RFC 6531 §3.3: `sub-domain =/ U-label`. The characters of `label` are of these classes.
fn is_sub_domain(label: &str) -> bool {
    let fits = label.len() <= MAX_LABEL || is_long_u_label(label);
    fits && !matches!(label.as_bytes(), [] | [b'-', ..] | [.., b'-'])
}

/// The 63 of a U-label are characters, not octets: its A-label, which has the limit of 63 octets,
/// spends at least one on each (RFC 5890 §4.2).
#[cold]
fn is_long_u_label(label: &str) -> bool {
    !label.is_ascii() && label.chars().count() <= MAX_LABEL
}

/// RFC 5321 §4.1.2: `address-literal = "[" ( IPv4-address-literal / IPv6-address-literal /
/// General-address-literal ) "]"`.
fn address_literal(input: &str) -> Parsed<'_, AddressLiteral<'_>> {
    let content = verify(run(DCONTENT), |content: &str| content.len() + "[]".len() <= MAX_DOMAIN);
    map_opt(delimited(char('['), content, char(']')), literal_content).parse(input)
}

/// RFC 5321 §4.1.3: `IPv4-address-literal = Snum 3("." Snum)`, `IPv6-address-literal = "IPv6:"
/// IPv6-addr`, `General-address-literal = Standardized-tag ":" 1*dcontent`, `Standardized-tag =
/// Ldh-str`.
///
/// Deviation: an `Snum` with a leading zero is refused, for some read it as octal; a `::` may stand
/// for one group of zeros, as in RFC 4291 §2.2. Zone ids are no part of an address literal.
fn literal_content(content: &str) -> Option<AddressLiteral<'_>> {
    let Some((tag, content)) = content.split_once(':') else {
        return content.parse().ok().map(AddressLiteral::V4);
    };
    if tag.eq_ignore_ascii_case("IPv6") {
        return content.parse().ok().map(AddressLiteral::V6);
    }
    let is_ldh = tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_tag = is_ldh && !tag.is_empty() && !tag.ends_with('-');
    (is_tag && !content.is_empty()).then_some(AddressLiteral::General {
        tag: Cow::Borrowed(tag),
        content: Cow::Borrowed(content),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};

    #[test]
    fn domains_are_read_and_written() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(63));
        assert_eq!(longest.len(), MAX_DOMAIN);
        let thai = "ก".repeat(63);
        for text in [
            "a",
            "a.example",
            "A-1.example",
            "1.2.3.4",
            "xn--bcher-kva.test",
            "bücher.test",
            "例え.テスト",
            &longest,
            &thai,
        ] {
            assert_eq!(Domain::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        let (long_label, long_u_label) = ("a".repeat(64), "ก".repeat(64));
        let too_long = format!("{0}.{0}.{0}.{0}", "a".repeat(63)) + ".a";
        for text in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "-a",
            "a-",
            "a.-b.c",
            "a_b",
            "a b",
            "a\tb",
            "a@b",
            "a/b",
            "[a]",
            "a\u{3000}b",
            "a\u{85}b",
            "a\u{202e}b",
            "a。b",
            "ü-",
            "-ü",
            "a!ü",
            &long_label,
            &long_u_label,
            &too_long,
        ] {
            assert!(Domain::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn literals_are_read_and_written() {
        for (text, written) in [
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
            ("[ipv6:2001:DB8:0::1]", "[IPv6:2001:db8::1]"),
            ("[IPv6:::]", "[IPv6:::]"),
            ("[IPv6:::ffff:192.0.2.1]", "[IPv6:::ffff:192.0.2.1]"),
            ("[x-tag:any!thing]", "[x-tag:any!thing]"),
        ] {
            assert_eq!(Host::parse(text).unwrap().to_string(), written);
        }
    }

    #[test]
    fn what_is_no_literal_is_refused() {
        for text in [
            "[]",
            "[",
            "[a]",
            "[999.1.1.1]",
            "[1.2.3]",
            "[1.2.3.4",
            "[01.2.3.4]",
            "[1.2.3.4]x",
            "[IPv6:]",
            "[IPv6::::]",
            "[IPv6:fe80::1%lo]",
            "[IPv6:1.2.3.4]",
            "[IPv6:::1/64]",
            "[::1]",
            "[:x]",
            "[tag:]",
            "[-:x]",
            "[t.g:x]",
            "[tag:a b]",
            "[tag:a[b]",
            "[tag:ü]",
        ] {
            assert!(Host::parse(text).is_err(), "{text:?}");
            assert!(HelloName::parse(text).is_err(), "{text:?}");
        }
        let of_octets = |n: usize| format!("[tag:{}]", "x".repeat(n - "[tag:]".len()));
        assert!(Host::parse(&of_octets(MAX_DOMAIN)).is_ok());
        assert!(Host::parse(&of_octets(MAX_DOMAIN + 1)).is_err());
    }

    #[test]
    fn only_a_hello_name_may_have_an_underscore() {
        for text in ["under_score.example", "_", "[192.0.2.1]", "bücher.test"] {
            assert_eq!(HelloName::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "a b", "a.", "under_score..example", "a\x1b[2J", "\u{2028}"] {
            assert!(HelloName::parse(text).is_err(), "{text:?}");
        }
        assert!(Host::parse("under_score.example").is_err());
    }
}
