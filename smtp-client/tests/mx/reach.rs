//! Where a stranger's zone may send mail, and where not.

use crate::outcomes::{Answers, DOMAIN, in_words, route};
use smtp_client::mx::{Reach, Routing};

const OUT_OF_REACH: &str = "5.4.4 the domain's mail would go to addresses where none is to go";

/// Who is within reach of which, from the nearest to the farthest.
fn reaches(address: &str) -> [bool; 3] {
    let address = address.parse().unwrap();
    [Reach::Loopback, Reach::Private, Reach::Internet].map(|reach| reach.contains(address))
}

#[test]
fn each_address_is_within_reach_or_not() {
    for nobodys in [
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "ff02::1",
        "::2",
        "64:ff9b::0.0.0.0",
        "2002:e000:1::",
    ] {
        assert_eq!(reaches(nobodys), [false; 3], "{nobodys}");
    }
    for own in [
        "127.0.0.1",
        "127.255.0.9",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::127.0.0.1",
        "2002:7f00:1::",
        "2002:7fff:9:1:2:3:4:5",
    ] {
        assert_eq!(reaches(own), [true, false, false], "{own}");
    }
    for private in [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "169.254.169.254",
        "fd00::1",
        "fe80::1",
        "::ffff:10.0.0.1",
        "::10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::192.0.2.1",
        "2002:c0a8:1::1",
    ] {
        assert_eq!(reaches(private), [true, true, false], "{private}");
    }
    for public in [
        "192.0.2.1",
        "100.63.0.1",
        "100.128.0.1",
        "172.32.0.1",
        "2001:db8::1",
        "64:ff9b::192.0.2.1",
        "2002:c000:201::",
        "64:ff9b:2::127.0.0.1",
    ] {
        assert_eq!(reaches(public), [true; 3], "{public}");
    }
    assert_eq!(Routing::default().reach, Reach::Private);
}

#[test]
fn a_zone_does_not_lead_to_ourselves() {
    let reach = |reach| Routing { reach, ..Routing::default() };
    let answers = Answers::mx(["10 a.test", "20 b.test"])
        .host("a.test", "127.0.0.1 ::1 0.0.0.0")
        .host("b.test", "::1 10.0.0.1 192.0.2.1");
    let routed = |reach_| in_words(route(&reach(reach_), &answers, DOMAIN, 0));
    assert_eq!(routed(Reach::Internet), "b.test=192.0.2.1");
    assert_eq!(routed(Reach::Private), "b.test=10.0.0.1,192.0.2.1");
    assert_eq!(routed(Reach::Loopback), "a.test=127.0.0.1,::1 b.test=::1,10.0.0.1,192.0.2.1");

    let lost = Answers::mx(["10 a.test"]).host("a.test", "127.0.0.1");
    assert_eq!(in_words(route(&Routing::default(), &lost, DOMAIN, 0)), OUT_OF_REACH);
}

#[test]
fn an_address_literal_does_not_lead_to_ourselves() {
    let answers = Answers::default();
    for literal in ["[127.0.0.1]", "[0.0.0.0]", "[IPv6:::1]", "[IPv6:::ffff:127.0.0.1]"] {
        assert_eq!(in_words(route(&Routing::default(), &answers, literal, 0)), OUT_OF_REACH);
    }
    let own = Routing { own_addresses: vec!["192.0.2.1".parse().unwrap()], ..Routing::default() };
    let looped = in_words(route(&own, &answers, "[IPv6:64:ff9b::192.0.2.1]", 0));
    assert_eq!(looped, in_words(route(&own, &answers, "[192.0.2.1]", 0)));
    let local = Routing { reach: Reach::Loopback, ..Routing::default() };
    assert_eq!(in_words(route(&local, &answers, "[127.0.0.1]", 0)), "[127.0.0.1]=127.0.0.1");
}
