//! What can be built can be written and read back; what cannot be read is an error, never a panic.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::{collection::vec, option, prelude::*};
use smtp_proto::{
    Limits,
    ext::{
        AuthParam, BodyType, ByMode, DeliverBy, Extensions, FutureRelease, Hold, Notify, Offer,
        Orcpt, Priority, Ret,
    },
    server::Mode,
    wire::{
        AddressLiteral, Base64, DateTime, Domain, ForwardPath, HelloName, Host, LocalPart, Mail,
        Mailbox, Mechanism, Rcpt, ReversePath, Text, Xtext,
    },
};
use std::net::{Ipv4Addr, Ipv6Addr};

fn with_offer<T>(test: impl FnOnce(&Offer<'_>) -> T) -> T {
    let extensions = Extensions::new()
        .smtputf8()
        .binarymime()
        .dsn()
        .deliver_by(0)
        .future_release(FutureRelease {
            longest: MOST,
            latest: DateTime::from_unix(LATEST).unwrap(),
        })
        .mt_priority()
        .requiretls()
        .auth([Mechanism::PLAIN]);
    let mut limits = Limits::default();
    limits.message = u64::MAX;
    test(&Offer {
        extensions: &extensions,
        limits: &limits,
        mode: Mode::Submission,
        esmtp: true,
        tls: true,
    })
}

/// The largest number of nine digits.
const MOST: u32 = 999_999_999;
/// The end of the year 9999.
const LATEST: u64 = 253_402_300_799;

fn deliver_by() -> impl Strategy<Value = DeliverBy> {
    let most = MOST as i32;
    (-most..=most, any::<bool>(), any::<bool>()).prop_map(|(seconds, late, trace)| {
        let mode = if late && seconds > 0 { ByMode::Return } else { ByMode::Notify };
        DeliverBy::new(seconds, mode, trace).unwrap()
    })
}

/// A hold that ends before `by`, where that can be told.
fn hold(by: Option<DeliverBy>) -> impl Strategy<Value = Option<Hold>> {
    let most = by.map_or(i64::from(MOST), |by| i64::from(by.seconds()));
    let until = (0..=LATEST).prop_map(|unix| Hold::Until(DateTime::from_unix(unix).unwrap()));
    let held = if most > 0 {
        prop_oneof![(1..=most as u32).prop_map(Hold::For), until].boxed()
    } else {
        until.boxed()
    };
    option::of(held)
}

fn domain() -> impl Strategy<Value = Domain<'static>> {
    let label = "[a-zA-Z0-9äñ例]([a-zA-Z0-9ß-]{0,20}[a-zA-Z0-9é])?";
    vec(label, 1..5).prop_map(|labels| Domain::parse(&labels.join(".")).unwrap().into_static())
}

fn literal() -> impl Strategy<Value = AddressLiteral<'static>> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|octets| AddressLiteral::V4(Ipv4Addr::from(octets))),
        any::<[u16; 8]>().prop_map(|groups| AddressLiteral::V6(Ipv6Addr::from(groups))),
        vec(prop_oneof![Just(0u16), any::<u16>()], 8).prop_map(|groups| {
            let groups: [u16; 8] = groups.try_into().unwrap();
            AddressLiteral::V6(Ipv6Addr::from(groups))
        }),
        ("x-[a-z0-9-]{0,8}[a-z0-9]", "[!-Z^-~]{1,30}").prop_map(|(tag, content)| {
            AddressLiteral::parse(&format!("[{tag}:{content}]")).unwrap().into_static()
        }),
    ]
}

fn host() -> impl Strategy<Value = Host<'static>> {
    prop_oneof![3 => domain().prop_map(Host::Domain), 1 => literal().prop_map(Host::Literal)]
}

fn local_part() -> impl Strategy<Value = LocalPart<'static>> {
    let atom = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~é例-]{1,12}";
    let dot_string = vec(atom, 1..5).prop_map(|atoms| atoms.join("."));
    let content = prop_oneof![r"[ !#-\[\]-~ü]{1,8}", r"\\[ -~]"];
    let quoted = vec(content, 0..8).prop_map(|content| format!("\"{}\"", content.concat()));
    prop_oneof![dot_string, quoted].prop_map(|text| LocalPart::parse(&text).unwrap().into_static())
}

fn mailbox() -> impl Strategy<Value = Mailbox<'static>> {
    (local_part(), host()).prop_map(|(local_part, host)| Mailbox { local_part, host })
}

fn reverse_path() -> impl Strategy<Value = ReversePath<'static>> {
    prop_oneof![1 => Just(ReversePath::Null), 5 => mailbox().prop_map(ReversePath::Mailbox)]
}

fn forward_path() -> impl Strategy<Value = ForwardPath<'static>> {
    prop_oneof![1 => Just(ForwardPath::Postmaster), 5 => mailbox().prop_map(ForwardPath::Mailbox)]
}

fn printable(most: usize) -> impl Strategy<Value = Xtext<'static>> {
    vec(b' '..=b'~', 1..most).prop_map(|octets| Xtext::encode(&octets))
}

prop_compose! {
    fn any_mail()(
        from in reverse_path(),
        size in option::of(any::<u64>()),
        body in 0..3,
        (deliver_by, hold) in option::of(deliver_by()).prop_flat_map(|by| (Just(by), hold(by))),
        priority in option::of((-9..=9i8).prop_map(|n| Priority::new(n).unwrap())),
        require_tls in any::<bool>(),
        ret in option::of(prop_oneof![Just(Ret::Full), Just(Ret::Hdrs)]),
        envid in option::of(printable(33)),
        auth in option::of(prop_oneof![
            Just(AuthParam::Unknown),
            mailbox().prop_map(|m| AuthParam::Mailbox(Xtext::encode(m.to_string().as_bytes()))),
        ]),
    ) -> Mail<'static> {
        let mut mail = Mail::new(from);
        mail.smtputf8 = !mail.from.is_ascii();
        mail.size = size;
        mail.body = match body {
            0 => BodyType::SevenBit,
            1 => BodyType::EightBitMime,
            _ => BodyType::BinaryMime,
        };
        mail.deliver_by = deliver_by;
        mail.hold = hold;
        mail.priority = priority;
        mail.require_tls = require_tls;
        mail.ret = ret;
        mail.envid = envid;
        mail.auth = auth;
        mail
    }
}

prop_compose! {
    fn any_rcpt()(
        to in forward_path(),
        notify in option::of(prop_oneof![
            Just(Notify::Never),
            (1u8..8).prop_map(|bits| Notify::On {
                success: bits & 1 != 0,
                failure: bits & 2 != 0,
                delay: bits & 4 != 0,
            }),
        ]),
        orcpt in option::of(("[a-z0-9-]{1,10}", printable(100))),
    ) -> Rcpt<'static> {
        let mut rcpt = Rcpt::new(to);
        rcpt.notify = notify;
        rcpt.orcpt = orcpt.map(|(kind, address)| {
            Orcpt::parse(&format!("{kind};{address}")).unwrap().into_static()
        });
        rcpt
    }
}

/// Text that is nearly a command, so that the grammar is entered deeply.
fn nearly() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("FROM:".to_owned()),
        Just("TO:".to_owned()),
        Just("<".to_owned()),
        Just(">".to_owned()),
        Just("@".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("[IPv6:".to_owned()),
        Just("]".to_owned()),
        Just(" SIZE=".to_owned()),
        Just(" ORCPT=rfc822;".to_owned()),
        Just(" ENVID=+".to_owned()),
        Just(" NOTIFY=".to_owned()),
        Just(" SMTPUTF8".to_owned()),
        Just(" BY=".to_owned()),
        Just(" HOLDUNTIL=2030-01-01T00:00:00".to_owned()),
        Just(" MT-PRIORITY=-".to_owned()),
        "[a-z.,:0-9=+ -]{0,6}",
        any::<char>().prop_map(String::from),
    ];
    prop_oneof![vec(piece, 0..20).prop_map(|pieces| pieces.concat()), any::<String>()]
}

proptest! {
    #[test]
    fn a_host_is_read_as_it_was_written(host in host()) {
        let text = host.to_string();
        prop_assert_eq!(Host::parse(&text).unwrap(), host.clone());
        let name = HelloName::parse(&text).unwrap();
        prop_assert_eq!(name.host(), &host);
    }

    #[test]
    fn a_mailbox_is_read_as_it_was_written(mailbox in mailbox()) {
        let text = mailbox.to_string();
        prop_assert_eq!(Mailbox::parse(&text).unwrap(), mailbox);
    }

    #[test]
    fn a_quoted_local_part_gives_the_text_that_was_quoted(plain in "[ -~ü]{0,40}") {
        let escaped: String = plain
            .chars()
            .flat_map(|c| matches!(c, '"' | '\\').then_some('\\').into_iter().chain([c]))
            .collect();
        let quoted = format!("\"{escaped}\"");
        let local_part = LocalPart::parse(&quoted).unwrap();
        prop_assert_eq!(local_part.unquoted(), plain);
    }

    #[test]
    fn a_path_is_read_as_it_was_written(reverse in reverse_path(), forward in forward_path(), rest in "( .*)?") {
        let text = format!("{reverse}{rest}");
        prop_assert_eq!(ReversePath::parse(&text).unwrap(), (reverse, rest.as_str()));
        let text = format!("{forward}{rest}");
        prop_assert_eq!(ForwardPath::parse(&text).unwrap(), (forward, rest.as_str()));
    }

    /// C-59
    #[test]
    fn a_source_route_changes_nothing(mailbox in mailbox(), route in vec("[a-z]{1,9}", 1..4)) {
        let route: Vec<String> = route.iter().map(|domain| format!("@{domain}")).collect();
        let text = format!("<{}:{mailbox}>", route.join(","));
        prop_assert_eq!(ReversePath::parse(&text).unwrap().0, ReversePath::Mailbox(mailbox));
    }

    #[test]
    fn mail_is_read_as_it_was_written(mail in any_mail()) {
        let text = mail.to_string();
        let read = with_offer(|offer| Mail::parse(&text, offer)).unwrap();
        prop_assert_eq!(&read, &mail);
        prop_assert_eq!(read.to_string(), text.clone());
    }

    #[test]
    fn rcpt_is_read_as_it_was_written(rcpt in any_rcpt()) {
        let text = rcpt.to_string();
        let read = with_offer(|offer| Rcpt::parse(&text, offer, true)).unwrap();
        prop_assert_eq!(&read, &rcpt);
        prop_assert_eq!(read.to_string(), text.clone());
    }

    #[test]
    fn octets_come_back_from_base64_and_xtext(octets in any::<Vec<u8>>()) {
        let encoded = Base64::encode(&octets);
        prop_assert_eq!(Base64::parse(encoded.as_str()).unwrap().decode(), octets.clone());
        let encoded = Xtext::encode(&octets);
        let read = Xtext::parse(encoded.as_str()).unwrap();
        prop_assert_eq!(&*read.decode(), &octets[..]);
    }

    /// Every base64 text has one spelling: what parses is what its octets encode to.
    #[test]
    fn base64_has_one_spelling(text in "[AQgw4/+]{0,6}={0,3}") {
        if let Ok(parsed) = Base64::parse(&text) {
            let again = Base64::encode(&parsed.decode());
            prop_assert_eq!(again.as_str(), text.as_str());
        }
    }

    #[test]
    fn any_text_is_taken_or_refused_and_what_is_taken_holds_no_control(text in nearly()) {
        let taken = [
            Domain::parse(&text).map(|v| v.to_string()),
            Host::parse(&text).map(|v| v.to_string()),
            HelloName::parse(&text).map(|v| v.to_string()),
            LocalPart::parse(&text).map(|v| v.to_string()),
            Mailbox::parse(&text).map(|v| v.to_string()),
            ReversePath::parse(&text).map(|v| v.0.to_string()),
            ForwardPath::parse(&text).map(|v| v.0.to_string()),
            Text::parse(&text).map(|v| v.to_string()),
            Mechanism::parse(&text).map(|v| v.to_string()),
            Base64::parse(&text).map(|v| v.to_string()),
            Xtext::parse(&text).map(|v| v.to_string()),
            Orcpt::parse(&text).map(|v| v.to_string()),
            DateTime::parse(&text).map(|v| v.to_string()),
            DeliverBy::parse(&text).map(|v| v.to_string()),
            Priority::parse(&text).map(|v| v.to_string()),
        ];
        for written in taken.into_iter().flatten() {
            prop_assert!(!written.contains(char::is_control), "{:?}", written);
        }
        with_offer(|offer| {
            if let Ok(mail) = Mail::parse(&text, offer) {
                let written = mail.to_string();
                prop_assert!(!written.contains(char::is_control));
                prop_assert_eq!(Mail::parse(&written, offer).unwrap(), mail);
            }
            if let Ok(rcpt) = Rcpt::parse(&text, offer, true) {
                let written = rcpt.to_string();
                prop_assert!(!written.contains(char::is_control));
                prop_assert_eq!(Rcpt::parse(&written, offer, true).unwrap(), rcpt);
            }
            Ok(())
        })?;
    }
}
