//! XCLIENT (Postfix, XCLIENT_README): a proxy that is trusted says who the client behind it is, and
//! the session begins again with that client.

use super::{Extension, Offer};
use crate::{
    client::Capabilities,
    violation::{SyntaxFault, Violation},
    wire::{CommandError, Malformed, Text, Xtext},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

pub(super) static EXTENSION: Extension = Extension {
    keyword: "XCLIENT",
    offered: |offer| offer.esmtp && offer.extensions.xclient,
    ehlo_params,
    announced,
    ..Extension::DEFAULT
};

const BAD_ATTRIBUTES: CommandError = CommandError::known(
    501,
    (5, 4),
    "Syntax: XCLIENT attribute=value, each once",
    Violation::Syntax(SyntaxFault::Argument),
);

/// Something that XCLIENT says of the client, or that it cannot say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact<T> {
    /// It is this.
    Known(T),
    /// `[UNAVAILABLE]`: nobody knows, such as the name of a host without one.
    Unavailable,
    /// `[TEMPUNAVAIL]`: it could not be found out now.
    TemporarilyUnavailable,
}

impl<T> Fact<T> {
    /// What it is, if that is known.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unavailable | Self::TemporarilyUnavailable => None,
        }
    }

    /// What it is by another function.
    pub fn map<U>(self, function: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::Known(function(value)),
            Self::Unavailable => Fact::Unavailable,
            Self::TemporarilyUnavailable => Fact::TemporarilyUnavailable,
        }
    }
}

/// The protocol that the client speaks with the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Proto {
    /// It said HELO.
    Smtp,
    /// It said EHLO.
    Esmtp,
}

/// What XCLIENT says of a client; `None` for what it does not mention.
///
/// Its `Display` form is the argument: `NAME=client.example ADDR=192.0.2.9`. Nothing of it is looked
/// up or compared here: it is as good as the proxy that says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Xclient<'b> {
    /// NAME: its host name, found by its address and back.
    pub name: Option<Fact<Text<'b>>>,
    /// REVERSE_NAME: what its address alone leads to.
    pub reverse_name: Option<Fact<Text<'b>>>,
    /// ADDR.
    pub addr: Option<Fact<IpAddr>>,
    /// PORT.
    pub port: Option<Fact<u16>>,
    /// PROTO.
    pub proto: Option<Fact<Proto>>,
    /// HELO: what it called itself.
    pub helo: Option<Fact<Text<'b>>>,
    /// LOGIN: who it has authenticated as. Accepted, the session is authenticated.
    pub login: Option<Fact<Text<'b>>>,
    /// DESTADDR: the address that it connected to.
    pub dest_addr: Option<Fact<IpAddr>>,
    /// DESTPORT.
    pub dest_port: Option<Fact<u16>>,
}

/// The attributes, in the order of [`Xclient`].
const ATTRIBUTES: [&str; 9] =
    ["NAME", "REVERSE_NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT"];

impl<'b> Xclient<'b> {
    /// Nothing said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks the argument of XCLIENT.
    ///
    /// XCLIENT_README: `xclient-command = XCLIENT 1*( SP attribute-name "=" attribute-value )`,
    /// `attribute-value = xtext`; names, `[UNAVAILABLE]`, `[TEMPUNAVAIL]` and `IPV6:` in any case.
    /// Deviation: no attribute twice, and none that is not announced.
    ///
    /// # Errors
    /// [`Malformed`] if it is anything else.
    pub fn parse(args: &'b str) -> Result<Self, Malformed> {
        const BAD: Malformed = Malformed::of("XCLIENT attribute");
        let mut client = Self::default();
        for word in args.split(' ').filter(|word| !word.is_empty()) {
            let (name, value) = word.split_once('=').ok_or(BAD)?;
            let place = ATTRIBUTES.iter().position(|known| known.eq_ignore_ascii_case(name));
            let again = match place.ok_or(BAD)? {
                0 => client.name.replace(fact(value, text)?).is_some(),
                1 => client.reverse_name.replace(fact(value, text)?).is_some(),
                2 => client.addr.replace(fact(value, address)?).is_some(),
                3 => client.port.replace(fact(value, port)?).is_some(),
                4 => client.proto.replace(fact(value, proto)?).is_some(),
                5 => client.helo.replace(fact(value, text)?).is_some(),
                6 => client.login.replace(fact(value, text)?).is_some(),
                7 => client.dest_addr.replace(fact(value, address)?).is_some(),
                _ => client.dest_port.replace(fact(value, port)?).is_some(),
            };
            if again {
                return Err(BAD);
            }
        }
        if client == Self::default() { Err(BAD) } else { Ok(client) }
    }

    /// The same, owned.
    pub fn into_static(self) -> Xclient<'static> {
        let owned = |fact: Option<Fact<Text<'b>>>| fact.map(|fact| fact.map(Text::into_static));
        Xclient {
            name: owned(self.name),
            reverse_name: owned(self.reverse_name),
            addr: self.addr,
            port: self.port,
            proto: self.proto,
            helo: owned(self.helo),
            login: owned(self.login),
            dest_addr: self.dest_addr,
            dest_port: self.dest_port,
        }
    }

    /// Whether it says that the client has authenticated.
    pub(crate) fn has_login(&self) -> bool {
        matches!(self.login, Some(Fact::Known(_)))
    }

    /// Whether each attribute in it is mentioned.
    fn mentioned(&self) -> [bool; ATTRIBUTES.len()] {
        [
            self.name.is_some(),
            self.reverse_name.is_some(),
            self.addr.is_some(),
            self.port.is_some(),
            self.proto.is_some(),
            self.helo.is_some(),
            self.login.is_some(),
            self.dest_addr.is_some(),
            self.dest_port.is_some(),
        ]
    }
}

impl fmt::Display for Xclient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |fact: &Option<Fact<Text<'_>>>| {
            fact.clone()
                .map(|fact| fact.map(|text| Xtext::encode(text.as_str().as_bytes()).to_string()))
        };
        let address = |fact: Option<Fact<IpAddr>>| {
            fact.map(|fact| {
                fact.map(|address| match address {
                    IpAddr::V4(address) => address.to_string(),
                    IpAddr::V6(address) => format!("IPV6:{address}"),
                })
            })
        };
        let port = |fact: Option<Fact<u16>>| fact.map(|fact| fact.map(|port| port.to_string()));
        let proto = self.proto.map(|fact| {
            fact.map(|proto| match proto {
                Proto::Smtp => "SMTP".to_string(),
                Proto::Esmtp => "ESMTP".to_string(),
            })
        });
        let values = [
            text(&self.name),
            text(&self.reverse_name),
            address(self.addr),
            port(self.port),
            proto,
            text(&self.helo),
            text(&self.login),
            address(self.dest_addr),
            port(self.dest_port),
        ];
        let mut separator = "";
        for (name, value) in ATTRIBUTES.iter().zip(values) {
            let Some(value) = value else { continue };
            let value = match &value {
                Fact::Known(value) => value,
                Fact::Unavailable => "[UNAVAILABLE]",
                Fact::TemporarilyUnavailable => "[TEMPUNAVAIL]",
            };
            write!(f, "{separator}{name}={value}")?;
            separator = " ";
        }
        Ok(())
    }
}

/// The attributes of XCLIENT that a server knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XclientOffer([bool; ATTRIBUTES.len()]);

impl XclientOffer {
    /// Whether it knows all that `client` mentions.
    pub fn covers(&self, client: &Xclient<'_>) -> bool {
        self.0.iter().zip(client.mentioned()).all(|(known, mentioned)| *known || !mentioned)
    }
}

fn ehlo_params(_: &Offer<'_>, out: &mut Vec<u8>) {
    for name in ATTRIBUTES {
        out.push(b' ');
        out.extend_from_slice(name.as_bytes());
    }
}

/// Attributes that nobody here knows are passed over.
fn announced(capabilities: &mut Capabilities, params: &str) {
    let offer = capabilities.xclient.get_or_insert_default();
    for word in params.split_ascii_whitespace() {
        for (known, name) in offer.0.iter_mut().zip(ATTRIBUTES) {
            *known |= name.eq_ignore_ascii_case(word);
        }
    }
}

/// The argument of XCLIENT, or 501 5.5.4.
pub(crate) fn xclient_args(args: &[u8]) -> Result<Xclient<'_>, CommandError> {
    let text = core::str::from_utf8(args).map_err(|_| BAD_ATTRIBUTES)?;
    Xclient::parse(text).map_err(|_| BAD_ATTRIBUTES)
}

/// A value, or one of the two words that say there is none.
fn fact<'b, T>(
    value: &'b str,
    parse: impl FnOnce(&'b str) -> Option<T>,
) -> Result<Fact<T>, Malformed> {
    if value.eq_ignore_ascii_case("[UNAVAILABLE]") {
        return Ok(Fact::Unavailable);
    }
    if value.eq_ignore_ascii_case("[TEMPUNAVAIL]") {
        return Ok(Fact::TemporarilyUnavailable);
    }
    parse(value).map(Fact::Known).ok_or(Malformed::of("XCLIENT attribute"))
}

/// Text in xtext, not empty. Only what is encoded in it costs memory.
fn text(value: &str) -> Option<Text<'_>> {
    let encoded = Xtext::parse(value).ok().filter(|_| !value.is_empty())?;
    if !value.contains('+') {
        return Text::parse(value).ok();
    }
    let text = String::from_utf8(encoded.decode().into_owned()).ok()?;
    Some(Text::parse(&text).ok()?.into_static())
}

fn address(value: &str) -> Option<IpAddr> {
    match value.split_at_checked(5) {
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPV6:") => {
            address.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
        _ => value.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

fn port(value: &str) -> Option<u16> {
    let fits = (1..=5).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
    if fits { value.parse().ok() } else { None }
}

fn proto(value: &str) -> Option<Proto> {
    if value.eq_ignore_ascii_case("SMTP") {
        Some(Proto::Smtp)
    } else {
        value.eq_ignore_ascii_case("ESMTP").then_some(Proto::Esmtp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_and_written() {
        for (text, written) in [
            ("NAME=client.example ADDR=192.0.2.9", "NAME=client.example ADDR=192.0.2.9"),
            ("addr=ipv6:2001:DB8::9  port=40000", "ADDR=IPV6:2001:db8::9 PORT=40000"),
            ("NAME=[unavailable] HELO=[TempUnavail]", "NAME=[UNAVAILABLE] HELO=[TEMPUNAVAIL]"),
            ("PROTO=esmtp LOGIN=a+2Bb", "PROTO=ESMTP LOGIN=a+2Bb"),
            ("HELO=[192.0.2.9] REVERSE_NAME=a_b", "REVERSE_NAME=a_b HELO=[192.0.2.9]"),
            ("DESTADDR=192.0.2.1 DESTPORT=25", "DESTADDR=192.0.2.1 DESTPORT=25"),
        ] {
            let client = Xclient::parse(text).unwrap();
            assert_eq!(client.to_string(), written);
            assert_eq!(Xclient::parse(written).unwrap(), client.clone());
            assert_eq!(client.clone().into_static(), client);
        }
        let client = Xclient::parse("LOGIN=a+2Bb").unwrap();
        assert_eq!(client.login.unwrap().known().unwrap().as_str(), "a+b");
    }

    #[test]
    fn what_is_no_attribute_is_refused() {
        for text in [
            "",
            " ",
            "NAME",
            "NAME=",
            "=x",
            "XYZZY=1",
            "ADDR=2001:db8::9",
            "ADDR=IPV6:192.0.2.9",
            "ADDR=192.0.2.256",
            "ADDR=[192.0.2.9]",
            "PORT=65536",
            "PORT=-1",
            "PORT=000025",
            "PROTO=LMTP",
            "NAME=a NAME=b",
            "NAME=a=b",
            "LOGIN=+",
            "LOGIN=+0D+0A",
            "LOGIN=+00",
            "LOGIN=+FF",
            "NAME=a\tADDR=b",
        ] {
            assert!(Xclient::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_offer_covers_what_it_names() {
        let mut capabilities = Capabilities::default();
        announced(&mut capabilities, "name ADDR X-NEW");
        let offer = capabilities.xclient.unwrap();
        assert!(offer.covers(&Xclient::parse("ADDR=192.0.2.9 NAME=a").unwrap()));
        assert!(!offer.covers(&Xclient::parse("ADDR=192.0.2.9 PORT=1").unwrap()));
    }
}
