//! What a server said it can do (RFC 5321 §4.1.1.1).

use crate::{
    ext::{self, CustomExtensions, FutureRelease, Mechanisms, XclientOffer},
    wire::Reply,
};
use alloc::{string::String, vec::Vec};

/// The extensions of a server, from its answer to EHLO or LHLO. Empty after HELO, before any of
/// them, and again after TLS has begun (RFC 3207 §4.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// SIZE (RFC 1870).
    pub size: bool,
    /// The largest message, in octets, that SIZE announced; `None` if it did not say, or said 0.
    pub max_size: Option<u64>,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// BINARYMIME (RFC 3030).
    pub binary_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// DELIVERBY (RFC 2852).
    pub deliver_by: bool,
    /// The least time, in seconds, for which DELIVERBY takes
    /// [`ByMode::Return`](crate::ext::ByMode::Return), if it said one.
    pub min_deliver_by: Option<u32>,
    /// FUTURERELEASE (RFC 4865): how long messages are held.
    pub future_release: Option<FutureRelease>,
    /// MT-PRIORITY (RFC 6710).
    pub mt_priority: bool,
    /// REQUIRETLS (RFC 8689). It counts for nothing outside TLS.
    pub require_tls: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034).
    pub enhanced_status_codes: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// ETRN (RFC 1985).
    pub etrn: bool,
    /// XCLIENT (Postfix), with the attributes that the server knows.
    pub xclient: Option<XclientOffer>,
    /// The mechanisms of AUTH (RFC 4954).
    pub auth: Mechanisms,
    /// LIMITS (RFC 9422): transactions of a session.
    pub max_transactions: Option<u32>,
    /// LIMITS (RFC 9422): recipients of a transaction.
    pub max_recipients: Option<u32>,
    /// LIMITS (RFC 9422): domains among the recipients of a session.
    pub max_recipient_domains: Option<u32>,
    /// The embedder's own extensions, with what followed the keyword.
    pub(crate) custom: Vec<(&'static str, String)>,
}

impl Capabilities {
    /// Reads the positive answer to EHLO or LHLO. Keywords that nobody here knows, and parameters
    /// that do not parse, are passed over: an extension with a broken parameter is not offered.
    ///
    /// RFC 5321 §4.1.1.1: `ehlo-line = ehlo-keyword *( SP ehlo-param )`, on each line but the
    /// first. Deviation: tabs and several spaces separate too, and so does the `=` with which old
    /// servers write `AUTH=LOGIN`.
    pub fn parse(answer: &Reply<'_>) -> Self {
        Self::parse_with(answer, &CustomExtensions::default())
    }

    /// What the server says behind the keyword of an extension in
    /// [`ClientConfigBuilder::custom`](super::ClientConfigBuilder::custom), if it announces it.
    pub fn custom(&self, keyword: &str) -> Option<&str> {
        let named = |(known, _): &&(&str, String)| known.eq_ignore_ascii_case(keyword);
        self.custom.iter().find(named).map(|(_, params)| params.as_str())
    }

    /// The same for a client that has extensions of its own.
    pub(super) fn parse_with(answer: &Reply<'_>, custom: &CustomExtensions) -> Self {
        let mut capabilities = Self::default();
        for line in answer.lines().skip(1) {
            let end = line.iter().position(|octet| matches!(octet, b' ' | b'\t' | b'='));
            let (keyword, params) = match end {
                Some(end) => (&line[..end], str::from_utf8(&line[end + 1..])),
                None => (line, Ok("")),
            };
            let Ok(params) = params else { continue };
            ext::announced(&mut capabilities, keyword, params);
            if let Some(extension) = custom.find(keyword)
                && capabilities.custom(extension.keyword()).is_none()
            {
                capabilities.custom.push((extension.keyword(), params.trim().into()));
            }
        }
        capabilities
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Mechanism;
    use alloc::format;

    /// What these lines of an answer announce.
    fn parsed(lines: &[&str]) -> Capabilities {
        let answer: String = lines.iter().map(|line| format!("250-{line}\r\n")).collect();
        let answer = format!("250-mx.example.test SIZE\r\n{answer}250 HELP\r\n");
        Capabilities::parse(&Reply::parse(answer.as_bytes()).unwrap())
    }

    #[test]
    fn keywords_are_compared_without_case() {
        let flags = Capabilities {
            pipelining: true,
            size: true,
            eight_bit_mime: true,
            chunking: true,
            binary_mime: true,
            smtputf8: true,
            dsn: true,
            enhanced_status_codes: true,
            starttls: true,
            mt_priority: true,
            require_tls: true,
            etrn: true,
            ..Capabilities::default()
        };
        let lines = [
            "PIPELINING",
            "size",
            "8bitmime",
            "Chunking",
            "BINARYMIME",
            "SMTPutf8",
            "DSN",
            "EnhancedStatusCodes",
            "STARTTLS",
            "Mt-Priority MIXER",
            "REQUIREtls",
            "etrn",
        ];
        assert_eq!(parsed(&lines), flags);
    }

    #[test]
    fn the_first_line_and_unknown_keywords_announce_nothing() {
        let lines = ["XSIZE 5", "SIZES", "VRFY", "", " SIZE", "8BITMIME-X", "\u{e9}"];
        assert_eq!(parsed(&lines), Capabilities::default());
        let helo = Reply::parse(b"250 SIZE\r\n").unwrap();
        assert_eq!(Capabilities::parse(&helo), Capabilities::default());
    }

    #[test]
    fn size_is_a_number_or_unknown_or_not_offered() {
        for (line, want) in [
            ("SIZE", Some(None)),
            ("SIZE 0", Some(None)),
            ("SIZE 1000", Some(Some(1_000))),
            ("SIZE  00001000 ", Some(Some(1_000))),
            ("SIZE\t18446744073709551615", Some(Some(u64::MAX))),
            ("SIZE 18446744073709551616", Some(None)),
            ("SIZE 99999999999999999999", Some(None)),
            ("SIZE 100000000000000000000", None),
            ("SIZE -1", None),
            ("SIZE +1", None),
            ("SIZE 1k", None),
            ("SIZE 1 2", None),
            ("SIZE unlimited", None),
        ] {
            let got = parsed(&[line]);
            assert_eq!(got.size.then_some(got.max_size), want, "{line}");
        }
    }

    #[test]
    fn mechanisms_come_from_both_forms_of_auth_once_each() {
        let got = parsed(&["AUTH PLAIN  login a\u{e9}", "AUTH=LOGIN XOAUTH2", "auth"]);
        let names: Vec<&str> = got.auth.iter().map(Mechanism::as_str).collect();
        assert_eq!(names, ["PLAIN", "login", "XOAUTH2"]);
        assert!(parsed(&["AUTH"]).auth.is_empty());
        assert_eq!(parsed(&["AUTH=LOGIN"]).auth[..], [Mechanism::LOGIN]);
    }

    #[test]
    fn mechanisms_are_bounded() {
        let names: Vec<String> = (0..100).map(|n| format!("M{n}")).collect();
        let got = parsed(&[&format!("AUTH {}", names.join(" "))]);
        let got: Vec<&str> = got.auth.iter().map(Mechanism::as_str).collect();
        assert_eq!(got, names[..32]);
    }

    #[test]
    fn deliverby_may_name_the_least_time_and_options() {
        for (line, want) in [
            ("DELIVERBY", Some(None)),
            ("deliverby 60", Some(Some(60))),
            ("DELIVERBY 60,x=y", Some(Some(60))),
            ("DELIVERBY ,x", Some(None)),
            ("DELIVERBY 999999999", Some(Some(999_999_999))),
            ("DELIVERBY 1000000000", None),
            ("DELIVERBY -1", None),
            ("DELIVERBY 1 2", None),
            ("DELIVERBY x", None),
        ] {
            let got = parsed(&[line]);
            assert_eq!(got.deliver_by.then_some(got.min_deliver_by), want, "{line}");
        }
    }

    #[test]
    fn futurerelease_names_the_longest_hold_and_the_latest_moment() {
        let latest = crate::wire::DateTime::parse("2030-01-01T00:00:00Z").unwrap();
        let got = parsed(&["futurerelease 3600 2030-01-01T01:00:00+01:00"]);
        assert_eq!(got.future_release, Some(FutureRelease { longest: 3_600, latest }));
        for params in [
            "",
            "3600",
            "0 2030-01-01T00:00:00Z",
            "1000000000 2030-01-01T00:00:00Z",
            "2030-01-01T00:00:00Z 3600",
            "3600 tomorrow",
            "3600 2030-01-01T00:00:00Z 1",
        ] {
            let got = parsed(&[&format!("FUTURERELEASE {params}")]);
            assert_eq!(got, Capabilities::default(), "{params}");
        }
    }

    #[test]
    fn limits_are_read_by_name() {
        let got = parsed(&["LIMITS rcptmax=100 FUTURE MAILMAX=20 X=y=z RCPTDOMAINMAX=1"]);
        assert_eq!(got.max_transactions, Some(20));
        assert_eq!(got.max_recipients, Some(100));
        assert_eq!(got.max_recipient_domains, Some(1));
        for value in ["0", "", "01", "1000000", "-1", "+1", "1x", "1=1"] {
            let got = parsed(&[&format!("LIMITS MAILMAX={value}")]);
            assert_eq!(got, Capabilities::default(), "{value}");
            let got = parsed(&[&format!("LIMITS MAILMAX=3 MAILMAX={value}")]);
            assert_eq!(got.max_transactions, Some(3), "{value}");
        }
        assert_eq!(parsed(&["LIMITS MAILMAX=999999"]).max_transactions, Some(999_999));
    }
}
