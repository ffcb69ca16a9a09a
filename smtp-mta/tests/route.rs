//! The rules of the configuration, and where mail goes by them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use smtp_mta::{
    policy::DomainName,
    route::{LmtpServer, Route, Router, Rule, Tls},
};
use smtp_proto::wire::{ForwardPath, Mailbox, ReversePath};

#[derive(Debug, serde::Deserialize)]
struct Config {
    route: Vec<Rule>,
}

fn rules(text: &str) -> Vec<Rule> {
    toml::from_str::<Config>(text).unwrap().route
}

fn router(text: &str) -> Router {
    Router::new(
        ["local.test", "sub.b.test"].map(|name| DomainName::new(name).unwrap()),
        rules(text),
    )
}

fn route(router: &Router, from: &str, to: &str) -> Route {
    let from = match from {
        "" => ReversePath::Null,
        from => ReversePath::Mailbox(Mailbox::parse(from).unwrap()),
    };
    let to = match to {
        "postmaster" => ForwardPath::Postmaster,
        to => ForwardPath::Mailbox(Mailbox::parse(to).unwrap()),
    };
    router.route(&from, &to)
}

#[test]
fn without_rules_mail_goes_by_mx_or_stays_here() {
    let router = Router::new(DomainName::new("local.test"), Vec::new());
    for (to, where_to) in [
        ("x@local.test", "local"),
        ("x@LOCAL.Test", "local"),
        ("postmaster", "local"),
        ("x@a.test", "mx a.test"),
        ("y@A.TEST", "mx a.test"),
        ("x@bücher.test", "mx xn--bcher-kva.test"),
        ("x@sub.local.test", "mx sub.local.test"),
        ("x@[192.0.2.1]", "mx [192.0.2.1]"),
        ("x@[IPv6:2001:DB8::1]", "mx [ipv6:2001:db8::1]"),
    ] {
        assert_eq!(route(&router, "me@x.test", to).to_string(), where_to, "{to}");
    }
}

#[test]
fn the_most_specific_rule_wins() {
    let router = router(
        r#"
        [[route]]
        smarthost = "all:1"
        [[route]]
        recipients = ["*.test"]
        smarthost = "below-test:1"
        [[route]]
        recipients = ["*.b.test"]
        smarthost = "below-b:1"
        [[route]]
        recipients = ["a.test", "c.test"]
        smarthost = "domain:1"
        [[route]]
        recipients = ["a.test"]
        senders = ["*.s.test"]
        smarthost = "sender-below:1"
        [[route]]
        recipients = ["a.test"]
        senders = ["*.s.s.test"]
        smarthost = "sender-further-below:1"
        [[route]]
        recipients = ["a.test"]
        senders = ["s.s.test"]
        smarthost = "sender-domain:1"
        [[route]]
        recipients = ["a.test"]
        senders = ["Me@S.s.test"]
        smarthost = "sender:1"
        [[route]]
        recipients = ["a.test"]
        senders = ["s.s.test"]
        smarthost = "same-again:1"
        [[route]]
        senders = ["x@far.example"]
        smarthost = "all-of-x:1"
        "#,
    );
    for (from, to, where_to) in [
        ("", "x@far.example", "all"),
        ("y@far.example", "x@far.example", "all"),
        ("x@far.example", "x@far.example", "all-of-x"),
        // The recipient's domain comes before the sender.
        ("x@far.example", "x@x.test", "below-test"),
        ("", "x@test", "all"),
        ("", "x@b.test", "below-test"),
        ("", "x@x.y.b.test", "below-b"),
        ("", "x@c.test", "domain"),
        ("", "x@a.test", "domain"),
        ("me@s.test", "x@a.test", "domain"),
        ("me@z.s.test", "x@a.test", "sender-below"),
        ("me@z.s.s.test", "x@a.test", "sender-further-below"),
        ("you@s.s.test", "x@a.test", "sender-domain"),
        ("Me@s.S.test", "x@a.test", "sender"),
        ("me@s.s.test", "x@a.test", "sender-domain"),
        (r#""Me"@s.s.test"#, "x@a.test", "sender"),
        ("me@[192.0.2.1]", "x@a.test", "domain"),
        ("", "x@[192.0.2.1]", "all"),
    ] {
        let found = route(&router, from, to).to_string();
        assert_eq!(found, format!("smarthost {where_to}:1"), "{from} {to}");
    }
}

#[test]
fn local_mail_leaves_only_by_a_rule_that_names_its_domain() {
    let all = "[[route]]\nsmarthost = 'out.test'\n[[route]]\nrecipients = ['*.b.test', '*']\nsmarthost = 'o.test'\n";
    let router_of_all = router(all);
    for to in ["x@local.test", "x@sub.b.test", "postmaster"] {
        assert_eq!(route(&router_of_all, "me@x.test", to), Route::Local);
    }
    let named = format!("{all}[[route]]\nrecipients = ['local.test']\nlmtp = 'unix:/run/lmtp'");
    let router = router(&named);
    assert_eq!(route(&router, "", "x@local.test").to_string(), "lmtp unix:/run/lmtp");
    assert_eq!(route(&router, "", "x@sub.b.test"), Route::Local);
}

#[test]
fn all_keys_of_a_rule_are_read() {
    let router = router(
        r#"
        [[route]]
        senders = ["news.test"]
        source = ["192.0.2.7", "2001:db8::7"]
        hello = "News.test"
        tls = "required"
        fallback = ["relay.test", { host = "[::1]", tls = "off" }]
        connections = 5
        rate = "100/1m"
        "#,
    );
    let route = route(&router, "me@news.test", "x@a.test");
    let way = route.way().unwrap();
    assert_eq!(
        way.source,
        ["192.0.2.7", "2001:db8::7"].map(|ip| ip.parse::<std::net::IpAddr>().unwrap())
    );
    assert_eq!(way.hello.as_ref().unwrap().as_str(), "news.test");
    assert_eq!(way.tls, Tls::Required);
    let fallback: Vec<_> = way.fallback.iter().map(ToString::to_string).collect();
    assert_eq!(fallback, ["relay.test:587", "[::1]:25"]);
    assert_eq!(way.connections, Some(5));
    let rate = way.rate.unwrap();
    assert_eq!((rate.count, rate.per.as_secs()), (100, 60));
}

#[test]
fn what_goes_another_way_has_another_route() {
    let router = router("[[route]]\nsenders = ['news.test']\nconnections = 1");
    let of = |from: &str| route(&router, from, "x@a.test");
    assert_eq!(of("a@news.test"), of("b@news.test"));
    assert_eq!(of("a@x.test"), of("b@y.test"));
    assert_ne!(of("a@news.test"), of("a@x.test"));
}

#[test]
fn smarthosts_and_lmtp_servers_are_read_in_each_form() {
    for (text, host, tls) in [
        ("'relay.test'", "relay.test:587", Tls::Required),
        ("'relay.test:2525'", "relay.test:2525", Tls::Required),
        ("'192.0.2.1'", "192.0.2.1:587", Tls::Required),
        ("'2001:db8::1'", "[2001:db8::1]:587", Tls::Required),
        ("'[2001:db8::1]:26'", "[2001:db8::1]:26", Tls::Required),
        ("{ host = 'relay.test', tls = 'implicit' }", "relay.test:465", Tls::Implicit),
        ("{ host = 'relay.test', tls = 'opportunistic' }", "relay.test:587", Tls::Opportunistic),
        ("{ host = '::1', tls = 'off', port = 7 }", "[::1]:7", Tls::Off),
    ] {
        let router = router(&format!("[[route]]\nsmarthost = {text}"));
        let Route::Smarthost { host: found, .. } = route(&router, "", "x@a.test") else { panic!() };
        assert_eq!((found.to_string().as_str(), found.tls), (host, tls));
        assert_eq!(found.login, None);
    }
    let router = router(
        "[[route]]\nsmarthost = { host = 'r.test', login = 'me', password_file = '/p' }\n\
         [[route]]\nrecipients = ['l.test']\nlmtp = '127.0.0.1:24'",
    );
    let Route::Smarthost { host, .. } = route(&router, "", "x@a.test") else { panic!() };
    let login = host.login.unwrap();
    assert_eq!((&*login.user, login.password_file.to_str()), ("me", Some("/p")));
    let Route::Lmtp { server, .. } = route(&router, "", "x@l.test") else { panic!() };
    assert!(matches!(server, LmtpServer::Tcp(_, 24)));
}

#[test]
fn wrong_rules_are_errors_that_say_why() {
    for (text, says) in [
        ("recipients = ['a b']", "`a b` is not a domain, `*.` and a domain, or `*`"),
        ("recipients = ['x@a.test']", "`x@a.test` is not a domain"),
        ("senders = ['@a.test']", "`@a.test` is not an address, a domain"),
        ("senders = ['*x']", "`*x` is not an address"),
        (
            "smarthost = 'relay.test:0'",
            "invalid value: string \"relay.test:0\", expected a smarthost",
        ),
        ("smarthost = 'relay.test:x'", "invalid value"),
        ("smarthost = 7", "invalid type: integer `7`, expected a smarthost such as"),
        ("smarthost = { port = 25 }", "missing field `host`"),
        ("smarthost = { host = 'a.test', port = 0 }", "there is no port 0"),
        ("smarthost = { host = 'a.test', colour = 1 }", "unknown field `colour`"),
        ("smarthost = { host = 'a.test', login = 'me' }", "`login` needs a `password_file`"),
        ("smarthost = { host = 'a.test', password_file = 'p' }", "`password_file` needs a `login`"),
        (
            "smarthost = { host = 'a.test', tls = 'opportunistic', ca_file = 'p' }",
            "`ca_file` needs tls",
        ),
        (
            "smarthost = { host = 'a.test', tls = 'off', login = 'me', password_file = 'p' }",
            "a login needs tls",
        ),
        ("lmtp = '127.0.0.1'", "`127.0.0.1` is not an LMTP server"),
        ("lmtp = 'unix:'", "`unix:` is not an LMTP server"),
        ("lmtp = 'a:24'\nsmarthost = 'b'", "`lmtp` and `smarthost` exclude each other"),
        ("smarthost = 'b'\ntls = 'off'", "`tls` is for MX hosts"),
        ("lmtp = 'a:24'\nfallback = ['b']", "`fallback` is for mail to other hosts"),
        ("tls = 'implicit'", "an MX host does not begin with TLS"),
        ("source = ['192.0.2.1', '192.0.2.2']", "`source` takes one address of each family"),
        ("source = ['x']", "invalid IP address syntax"),
        ("connections = 0", "`connections` must be at least 1"),
        ("rate = '0/1m'", "`0/1m` is not a rate such as"),
        ("rate = '10'", "`10` is not a rate"),
        ("via = 'mx'", "unknown field `via`"),
    ] {
        let error = toml::from_str::<Config>(&format!("[[route]]\n{text}")).unwrap_err();
        assert!(error.message().starts_with(says), "{text}: {error}");
    }
}
