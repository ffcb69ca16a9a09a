//! The trace fields: where a message came from, and to whom to return it (RFC 5321 §4.4).

use crate::{message_id::MessageId, policy::DomainName};
use jiff::{Zoned, civil::Weekday};
use smtp_proto::{
    server::Session,
    wire::{ForwardPath, Hello, HelloName, ReversePath},
};
use std::{
    fmt::{self, Write},
    net::IpAddr,
};

/// What is known of a message when its first octet arrives.
#[derive(Debug)]
pub struct Trace<'a> {
    /// The recipient, if it is the only one: several must not learn of each other.
    pub only_recipient: Option<&'a ForwardPath<'a>>,
    /// What the peer calls itself.
    pub hello: Option<&'a HelloName<'a>>,
    /// Where it is.
    pub address: Option<IpAddr>,
    /// How it spoke.
    pub session: Session,
    /// The TLS cipher suite, in rustls' writing.
    pub cipher: Option<&'a str>,
    /// Who we are.
    pub hostname: &'a DomainName,
    /// Our name for the message.
    pub id: MessageId,
    /// The time.
    pub date: &'a Zoned,
}

/// The `Return-Path` field of a message that has arrived, with its CRLF.
#[derive(Clone, Copy, Debug)]
pub struct ReturnPath<'a>(pub &'a ReversePath<'a>);

impl fmt::Display for ReturnPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Return-Path: {}\r\n", Field(self.0))
    }
}

/// The `Received` field, with its CRLF.
impl fmt::Display for Trace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Received: from ")?;
        match (self.hello, self.address) {
            (Some(name), Some(address)) => write!(f, "{} ({})", Field(name), Literal(address))?,
            (Some(name), None) => write!(f, "{}", Field(name))?,
            (None, Some(address)) => write!(f, "{}", Literal(address))?,
            (None, None) => f.write_str("localhost")?,
        }
        write!(f, "\r\n\tby {} with {} id {}", self.hostname, protocol(&self.session), self.id)?;
        if let Some(recipient) = self.only_recipient {
            write!(f, "\r\n\tfor {}", Field(recipient))?;
        }
        // RFC 8314 §4.3: the cipher suite by its registered name, which rustls writes otherwise.
        if let Some(cipher) = self.cipher {
            match cipher.strip_prefix("TLS13_") {
                Some(suite) => write!(f, "\r\n\ttls TLS_{}", Field(suite))?,
                None => write!(f, "\r\n\ttls {}", Field(cipher))?,
            }
        }
        write!(f, ";\r\n\t{}\r\n", Date(self.date))
    }
}

/// The registered name of how a message came (RFC 3848, RFC 6531 §4.3).
pub fn protocol(session: &Session) -> &'static str {
    let lmtp = session.hello == Some(Hello::Lhlo);
    match (lmtp, session.smtputf8, session.tls, session.authenticated) {
        (false, false, false, false) if !session.esmtp() => "SMTP",
        (false, false, false, false) => "ESMTP",
        (false, false, false, true) => "ESMTPA",
        (false, false, true, false) => "ESMTPS",
        (false, false, true, true) => "ESMTPSA",
        (false, true, false, false) => "UTF8SMTP",
        (false, true, false, true) => "UTF8SMTPA",
        (false, true, true, false) => "UTF8SMTPS",
        (false, true, true, true) => "UTF8SMTPSA",
        (true, false, false, false) => "LMTP",
        (true, false, false, true) => "LMTPA",
        (true, false, true, false) => "LMTPS",
        (true, false, true, true) => "LMTPSA",
        (true, true, false, false) => "UTF8LMTP",
        (true, true, false, true) => "UTF8LMTPA",
        (true, true, true, false) => "UTF8LMTPS",
        (true, true, true, true) => "UTF8LMTPSA",
    }
}

/// A date as RFC 5322 §3.3 writes it, with a numeric offset.
pub(crate) struct Date<'a>(pub(crate) &'a Zoned);

impl fmt::Display for Date<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let weekday = match self.0.weekday() {
            Weekday::Monday => "Mon",
            Weekday::Tuesday => "Tue",
            Weekday::Wednesday => "Wed",
            Weekday::Thursday => "Thu",
            Weekday::Friday => "Fri",
            Weekday::Saturday => "Sat",
            Weekday::Sunday => "Sun",
        };
        let (date, time) = (self.0.date(), self.0.time());
        let month = MONTHS[date.month().unsigned_abs() as usize - 1];
        write!(f, "{weekday}, {} {month} {:04} ", date.day(), date.year())?;
        write!(f, "{:02}:{:02}:{:02} ", time.hour(), time.minute(), time.second())?;
        let minutes = self.0.offset().seconds() / 60;
        let sign = if minutes < 0 { '-' } else { '+' };
        write!(f, "{sign}{:02}{:02}", minutes.abs() / 60, minutes.abs() % 60)
    }
}

/// A value inside a field. The types of the wire hold no control character; should one come through
/// all the same, it must not end the field.
struct Field<T>(T);

impl<T: fmt::Display> fmt::Display for Field<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Printable(f), "{}", self.0)
    }
}

struct Printable<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Printable<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| self.0.write_char(if c.is_control() { '?' } else { c }))
    }
}

/// An address literal (RFC 5321 §4.1.3).
struct Literal(IpAddr);

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_canonical() {
            IpAddr::V4(address) => write!(f, "[{address}]"),
            IpAddr::V6(address) => write!(f, "[IPv6:{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message_id::MessageIds;
    use jiff::{Timestamp, tz};
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn date() -> Zoned {
        Timestamp::from_second(1_000_000_000).unwrap().to_zoned(tz::offset(-3).to_time_zone())
    }

    struct Given {
        to: Option<&'static str>,
        hello: &'static str,
        address: IpAddr,
        session: Session,
        cipher: Option<&'static str>,
    }

    impl Default for Given {
        fn default() -> Self {
            let mut session = Session::default();
            session.hello = Some(Hello::Ehlo);
            Self {
                to: Some("<you@mx.example>"),
                hello: "client.example",
                address: Ipv4Addr::new(192, 0, 2, 1).into(),
                session,
                cipher: None,
            }
        }
    }

    impl Given {
        fn written(self) -> String {
            let id = MessageIds::new().unwrap().next();
            let to = self.to.map(|to| ForwardPath::parse(to).unwrap().0);
            let text = Trace {
                only_recipient: to.as_ref(),
                hello: Some(&HelloName::parse(self.hello).unwrap()),
                address: Some(self.address),
                session: self.session,
                cipher: self.cipher,
                hostname: &DomainName::new("mx.example").unwrap(),
                id,
                date: &date(),
            }
            .to_string();
            text.replace(&id.to_string(), "ID")
        }
    }

    /// TRACE-02, TRACE-11
    #[test]
    fn a_message_for_one_says_for_whom() {
        assert_eq!(
            Given::default().written(),
            "Received: from client.example ([192.0.2.1])\r\n\
             \tby mx.example with ESMTP id ID\r\n\
             \tfor <you@mx.example>;\r\n\
             \tSat, 8 Sep 2001 22:46:40 -0300\r\n"
        );
    }

    /// TRACE-05
    #[test]
    fn a_message_for_several_does_not() {
        let text = Given { to: None, ..Given::default() }.written();
        assert!(!text.contains("for"), "{text}");
    }

    /// TRACE-06
    #[test]
    fn a_bounce_has_an_empty_return_path() {
        assert_eq!(ReturnPath(&ReversePath::Null).to_string(), "Return-Path: <>\r\n");
        let from = ReversePath::parse("<alice@client.example>").unwrap().0;
        assert_eq!(ReturnPath(&from).to_string(), "Return-Path: <alice@client.example>\r\n");
    }

    #[test]
    fn tls_is_named_with_its_cipher_suite() {
        let mut given = Given { cipher: Some("TLS13_AES_256_GCM_SHA384"), ..Given::default() };
        given.session.tls = true;
        let text = given.written();
        assert!(text.contains(" with ESMTPS id ID\r\n"), "{text}");
        assert!(text.contains("\r\n\ttls TLS_AES_256_GCM_SHA384;\r\n"), "{text}");
    }

    #[test]
    fn addresses_are_literals_and_mapped_ones_are_ipv4() {
        let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        let text = Given { address: v6.into(), ..Given::default() }.written();
        assert!(text.contains(" ([IPv6:2001:db8::1])\r\n"), "{text}");
        let mapped = Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped();
        let text = Given { address: mapped.into(), ..Given::default() }.written();
        assert!(text.contains(" ([192.0.2.7])\r\n"), "{text}");
    }

    /// TRACE-04
    #[test]
    fn every_way_of_speaking_has_its_registered_name() {
        let mut session = Session::default();
        session.hello = Some(Hello::Helo);
        assert_eq!(protocol(&session), "SMTP");
        session.hello = Some(Hello::Ehlo);
        assert_eq!(protocol(&session), "ESMTP");
        session.authenticated = true;
        assert_eq!(protocol(&session), "ESMTPA");
        session.tls = true;
        assert_eq!(protocol(&session), "ESMTPSA");
        session.smtputf8 = true;
        assert_eq!(protocol(&session), "UTF8SMTPSA");
        session.hello = Some(Hello::Lhlo);
        assert_eq!(protocol(&session), "UTF8LMTPSA");
    }

    /// TRACE-03
    #[test]
    fn dates_have_a_numeric_offset_on_both_sides_of_greenwich() {
        for (seconds, written) in [
            (0, "Sun, 9 Sep 2001 01:46:40 +0000"),
            (-12_600, "Sat, 8 Sep 2001 22:16:40 -0330"),
            (20_700, "Sun, 9 Sep 2001 07:31:40 +0545"),
        ] {
            let zone = tz::Offset::from_seconds(seconds).unwrap().to_time_zone();
            let date = Timestamp::from_second(1_000_000_000).unwrap().to_zoned(zone);
            assert_eq!(Date(&date).to_string(), written);
        }
    }

    #[test]
    fn no_value_can_end_its_field() {
        let text = Field("a\r\nBcc: x\u{85}\u{0}b").to_string();
        assert_eq!(text, "a??Bcc: x??b");
    }
}
