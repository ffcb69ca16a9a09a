//! The service extensions (RFC 5321 §2.2), one file each, its RFC at the top.
//!
//! For the server an extension says when it is offered, how it appears in the EHLO answer, and how
//! its parameters of MAIL and RCPT parse into the typed fields of [`Mail`] and [`Rcpt`]; for the
//! client, what an announcement means, and which commands need it. To add one: write its file, and
//! add it to `ALL`.

mod auth;
mod binarymime;
mod chunking;
mod custom;
mod deliverby;
mod dsn;
mod eightbitmime;
mod enhanced;
mod etrn;
mod expn;
mod futurerelease;
mod limits;
mod mt_priority;
mod offer;
mod pipelining;
mod requiretls;
mod size;
mod smtputf8;
mod starttls;
mod xclient;

pub use auth::{AuthParam, Mechanisms};
pub use custom::{CustomExtension, OtherParams};
pub use deliverby::{ByMode, DeliverBy};
pub use dsn::{Notify, Orcpt, Ret};
pub use eightbitmime::BodyType;
pub use etrn::QueueName;
pub use futurerelease::{FutureRelease, Hold};
pub use mt_priority::Priority;
pub use offer::{Extensions, Offer};
pub use xclient::{Fact, Proto, Xclient, XclientOffer};

pub(crate) use custom::{CustomExtensions, ParameterOf};
pub(crate) use etrn::{etrn_args, has_etrn};
pub(crate) use futurerelease::check as check_hold;
pub(crate) use xclient::xclient_args;

use crate::{
    client::Capabilities,
    wire::{Fault, Mail, Rcpt},
};
use alloc::vec::Vec;

/// All extensions, in the order of the EHLO answer.
pub(crate) static ALL: &[&Extension] = &[
    &pipelining::EXTENSION,
    &size::EXTENSION,
    &eightbitmime::EXTENSION,
    &enhanced::EXTENSION,
    &smtputf8::EXTENSION,
    &chunking::EXTENSION,
    &binarymime::EXTENSION,
    &dsn::EXTENSION,
    &deliverby::EXTENSION,
    &futurerelease::EXTENSION,
    &mt_priority::EXTENSION,
    &requiretls::EXTENSION,
    &starttls::EXTENSION,
    &auth::EXTENSION,
    &limits::EXTENSION,
    &expn::EXTENSION,
    &etrn::EXTENSION,
    &xclient::EXTENSION,
];

/// One extension, as data.
pub(crate) struct Extension {
    /// The EHLO keyword.
    pub(crate) keyword: &'static str,
    /// Whether this peer is offered it now.
    pub(crate) offered: fn(&Offer<'_>) -> bool,
    /// Appends what follows the keyword in the EHLO answer, its leading space included.
    pub(crate) ehlo_params: fn(&Offer<'_>, &mut Vec<u8>),
    /// The parameters it adds to MAIL.
    mail: &'static [MailParam],
    /// The parameters it adds to RCPT.
    rcpt: &'static [RcptParam],
    /// Notes that a server announced it, with what followed the keyword, unless that is malformed.
    announced: fn(&mut Capabilities, &str),
    /// Whether the server offers it; asked only of those that a MAIL or RCPT can use.
    has: fn(&Capabilities) -> bool,
    /// Whether this MAIL has a parameter of it.
    used_by_mail: fn(&Mail<'_>) -> bool,
    /// Whether this RCPT has a parameter of it.
    used_by_rcpt: fn(&Rcpt<'_>) -> bool,
}

impl Extension {
    /// Never offered, nothing announced, no parameters.
    const DEFAULT: Self = Self {
        keyword: "",
        offered: |_| false,
        ehlo_params: |_, _| {},
        mail: &[],
        rcpt: &[],
        announced: |_, _| {},
        has: |_| false,
        used_by_mail: |_| false,
        used_by_rcpt: |_| false,
    };
}

/// A parameter: `parse` puts a value into its field, or says what is wrong with it. Whether it was
/// offered and is there only once has been checked before.
pub(crate) struct Parameter<F> {
    pub(crate) keyword: &'static str,
    pub(crate) parse: F,
}

/// A parameter of MAIL.
pub(crate) type MailParam =
    Parameter<for<'b> fn(&mut Mail<'b>, Option<&'b str>, &Offer<'_>) -> Result<(), Fault>>;

/// A parameter of RCPT.
pub(crate) type RcptParam =
    Parameter<for<'b> fn(&mut Rcpt<'b>, Option<&'b str>, &Offer<'_>) -> Result<(), Fault>>;

/// Whether a value is this word, in any case; mostly it is written as here.
#[inline]
fn is_word(value: &str, word: &str) -> bool {
    value == word || value.eq_ignore_ascii_case(word)
}

/// The field `params` of all extensions as one list, each parameter with its extension: it is
/// searched for every parameter of a command line.
macro_rules! flat {
    ($params:ident: $param:ty) => {{
        const COUNT: usize = {
            let (mut count, mut i) = (0, 0);
            while i < ALL.len() {
                count += ALL[i].$params.len();
                i += 1;
            }
            count
        };
        const FLAT: [(&Extension, &$param); COUNT] = {
            let mut flat = [(ALL[0], &dsn::EXTENSION.$params[0]); COUNT];
            let (mut at, mut i) = (0, 0);
            while i < ALL.len() {
                let mut k = 0;
                while k < ALL[i].$params.len() {
                    flat[at] = (ALL[i], &ALL[i].$params[k]);
                    at += 1;
                    k += 1;
                }
                i += 1;
            }
            flat
        };
        &FLAT
    }};
}

/// Every parameter of MAIL with its extension.
pub(crate) static MAIL_PARAMS: &[(&Extension, &MailParam)] = flat!(mail: MailParam);

/// Every parameter of RCPT with its extension.
pub(crate) static RCPT_PARAMS: &[(&Extension, &RcptParam)] = flat!(rcpt: RcptParam);

/// Notes what a line of an EHLO answer announces. A keyword that nobody here knows says nothing.
pub(crate) fn announced(capabilities: &mut Capabilities, keyword: &[u8], params: &str) {
    // Nearly all servers write them like this.
    let exact = ALL.iter().find(|known| known.keyword.as_bytes() == keyword);
    let known = exact.or_else(|| {
        ALL.iter().find(|known| known.keyword.as_bytes().eq_ignore_ascii_case(keyword))
    });
    if let Some(extension) = known {
        (extension.announced)(capabilities, params);
    }
}

/// The keyword of an extension that `mail` uses and the server does not offer.
pub(crate) fn missing_for_mail(
    mail: &Mail<'_>,
    capabilities: &Capabilities,
) -> Option<&'static str> {
    missing(capabilities, |extension| (extension.used_by_mail)(mail))
}

/// The keyword of an extension that `rcpt` uses and the server does not offer.
pub(crate) fn missing_for_rcpt(
    rcpt: &Rcpt<'_>,
    capabilities: &Capabilities,
) -> Option<&'static str> {
    missing(capabilities, |extension| (extension.used_by_rcpt)(rcpt))
}

fn missing(
    capabilities: &Capabilities,
    is_used: impl Fn(&Extension) -> bool,
) -> Option<&'static str> {
    ALL.iter()
        .find(|extension| is_used(extension) && !(extension.has)(capabilities))
        .map(|extension| extension.keyword)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        limits::Limits,
        server::Mode,
        wire::{DateTime, ForwardPath, Mechanism, ReversePath, Xtext},
    };
    use alloc::{format, string::String, vec};

    /// What an EHLO answer lists, `|` between the lines.
    fn listed(offer: &Offer<'_>) -> String {
        let mut out = vec![];
        for extension in ALL.iter().filter(|extension| (extension.offered)(offer)) {
            out.extend_from_slice(extension.keyword.as_bytes());
            (extension.ehlo_params)(offer, &mut out);
            out.push(b'|');
        }
        String::from_utf8(out).unwrap()
    }

    const ALWAYS: &str = "PIPELINING|SIZE 52428800|8BITMIME|ENHANCEDSTATUSCODES|";
    const HOLDS: FutureRelease =
        FutureRelease { longest: 60, latest: DateTime::from_unix(1 << 31).unwrap() };
    const LIMITS: &str = "LIMITS RCPTMAX=1000 MAILMAX=1000|";

    #[test]
    fn an_offer_lists_what_is_switched_on_and_fits_the_moment() {
        let (none, limits) = (Extensions::new(), Limits::default());
        let bare =
            Offer { extensions: &none, limits: &limits, mode: Mode::Smtp, esmtp: true, tls: false };
        assert_eq!(listed(&bare), ALWAYS);
        let all = Extensions::new()
            .smtputf8()
            .chunking()
            .binarymime()
            .dsn()
            .deliver_by(60)
            .future_release(HOLDS)
            .mt_priority()
            .requiretls()
            .starttls()
            .auth([Mechanism::PLAIN, Mechanism::LOGIN])
            .limits()
            .expn()
            .etrn()
            .danger_xclient();
        let last = String::from(LIMITS)
            + "EXPN|ETRN|XCLIENT NAME REVERSE_NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT|";
        let clear = Offer { extensions: &all, ..bare };
        let common =
            String::from(ALWAYS) + "SMTPUTF8|CHUNKING|BINARYMIME|DSN|DELIVERBY 60|MT-PRIORITY|";
        assert_eq!(listed(&clear), common.clone() + "STARTTLS|" + &last);
        let tls = Offer { tls: true, ..clear };
        let inside = common.clone() + "REQUIRETLS|AUTH PLAIN LOGIN|" + &last;
        assert_eq!(listed(&tls), inside);
        let danger = all.clone().danger_auth_in_clear();
        let danger = Offer { extensions: &danger, ..clear };
        assert_eq!(listed(&danger), common + "STARTTLS|AUTH PLAIN LOGIN|" + &last);
    }

    #[test]
    fn a_peer_that_said_helo_is_offered_nothing() {
        let all = Extensions::new().smtputf8().chunking().dsn().starttls().expn();
        let limits = Limits::default();
        let offer =
            Offer { extensions: &all, limits: &limits, mode: Mode::Lmtp, esmtp: false, tls: false };
        assert_eq!(listed(&offer), "");
    }

    /// What has parameters, for a submission server.
    fn everything() -> Extensions {
        Extensions::new()
            .smtputf8()
            .binarymime()
            .dsn()
            .deliver_by(60)
            .future_release(HOLDS)
            .mt_priority()
            .requiretls()
            .auth([Mechanism::PLAIN])
    }

    /// What a client inside TLS is offered of it.
    fn submission<'a>(extensions: &'a Extensions, limits: &'a Limits) -> Offer<'a> {
        Offer { extensions, limits, mode: Mode::Submission, esmtp: true, tls: true }
    }

    #[test]
    fn a_parameter_needs_its_extension() {
        let (all, limits) = (everything(), Limits::default());
        let offer = submission(&all, &limits);
        let none = Capabilities::default();
        for (param, keyword) in [
            ("SIZE=1", "SIZE"),
            ("BODY=8BITMIME", "8BITMIME"),
            ("SMTPUTF8", "SMTPUTF8"),
            ("RET=FULL", "DSN"),
            ("ENVID=x", "DSN"),
            ("AUTH=<>", "AUTH"),
            ("BODY=BINARYMIME", "BINARYMIME"),
            ("BY=60;R", "DELIVERBY"),
            ("HOLDFOR=60", "FUTURERELEASE"),
            ("HOLDUNTIL=2030-01-01T00:00:00Z", "FUTURERELEASE"),
            ("MT-PRIORITY=0", "MT-PRIORITY"),
            ("REQUIRETLS", "REQUIRETLS"),
        ] {
            let line = format!("FROM:<a@a.example> {param}");
            let mail = Mail::parse(&line, &offer).unwrap();
            assert_eq!(missing_for_mail(&mail, &none), Some(keyword), "{param}");
            let mut some = Capabilities { chunking: true, ..Capabilities::default() };
            let params = match keyword {
                "AUTH" => "PLAIN",
                "FUTURERELEASE" => "60 2030-01-01T00:00:00Z",
                _ => "",
            };
            announced(&mut some, keyword.as_bytes(), params);
            assert_eq!(missing_for_mail(&mail, &some), None, "{param}");
        }
        for param in ["NOTIFY=NEVER", "ORCPT=rfc822;b"] {
            let line = format!("TO:<b@b.example> {param}");
            let rcpt = Rcpt::parse(&line, &offer, false).unwrap();
            assert_eq!(missing_for_rcpt(&rcpt, &none), Some("DSN"), "{param}");
            let some = Capabilities { dsn: true, ..Capabilities::default() };
            assert_eq!(missing_for_rcpt(&rcpt, &some), None, "{param}");
        }
    }

    #[test]
    fn what_is_not_written_needs_nothing() {
        let none = Capabilities::default();
        let mut mail = Mail::new(ReversePath::parse("<>").unwrap().0);
        mail.envid = Some(Xtext::encode(b""));
        assert_eq!(missing_for_mail(&mail, &none), None);
        let rcpt = Rcpt::new(ForwardPath::parse("<Postmaster>").unwrap().0);
        assert_eq!(missing_for_rcpt(&rcpt, &none), None);
    }

    #[test]
    fn a_client_reads_what_a_server_here_offers() {
        let all = everything().limits();
        let limits = Limits::default();
        let offer = submission(&all, &limits);
        let mut read = Capabilities::default();
        for line in listed(&offer).split_terminator('|') {
            let (keyword, params) = line.split_once(' ').unwrap_or((line, ""));
            announced(&mut read, keyword.as_bytes(), params);
        }
        let want = Capabilities {
            pipelining: true,
            size: true,
            max_size: Some(limits.message),
            eight_bit_mime: true,
            chunking: true,
            binary_mime: true,
            smtputf8: true,
            dsn: true,
            deliver_by: true,
            min_deliver_by: Some(60),
            future_release: Some(HOLDS),
            mt_priority: true,
            require_tls: true,
            enhanced_status_codes: true,
            auth: read.auth.clone(),
            max_transactions: Some(limits.transactions),
            max_recipients: Some(limits.recipients),
            ..Capabilities::default()
        };
        assert_eq!(read.auth[..], [Mechanism::PLAIN]);
        assert_eq!(read, want);
    }

    #[test]
    fn every_parameter_has_a_name_and_a_bit_of_its_own() {
        let mail: Vec<&str> = MAIL_PARAMS.iter().map(|(_, param)| param.keyword).collect();
        let rcpt: Vec<&str> = RCPT_PARAMS.iter().map(|(_, param)| param.keyword).collect();
        for keywords in [mail, rcpt] {
            assert!(keywords.len() <= 64);
            for (place, keyword) in keywords.iter().enumerate() {
                assert!(!keywords[..place].contains(keyword), "{keyword}");
            }
        }
    }
}
