//! Each outcome, from answers made up here.

use smtp_client::{
    mx::{NextHop, NoRoute, Routing},
    resolve::{Mx, Outage, ResolveError, Resolver},
};
use smtp_proto::wire::{Domain, Host};
use std::{collections::HashMap, net::IpAddr, sync::Mutex};

/// The domain that the tests route to.
pub(crate) const DOMAIN: &str = "example.test";

/// Answers made up in the test.
#[derive(Default)]
pub(crate) struct Answers {
    mx: HashMap<String, Result<Vec<Mx>, ResolveError>>,
    addresses: HashMap<String, Result<Vec<IpAddr>, ResolveError>>,
    /// The hosts whose addresses were asked for.
    pub(crate) asked: Mutex<Vec<String>>,
}

impl Answers {
    /// [`DOMAIN`] with MX records like `10 mx.test`.
    pub(crate) fn mx<'r>(records: impl IntoIterator<Item = &'r str>) -> Self {
        let record = |record: &str| {
            let (preference, exchange) = record.split_once(' ').unwrap();
            Mx { preference: preference.parse().unwrap(), exchange: exchange.into() }
        };
        let records = records.into_iter().map(record).collect();
        Self::default().with_mx(DOMAIN, Ok(records))
    }

    pub(crate) fn no_mx(error: ResolveError) -> Self {
        Self::default().with_mx(DOMAIN, Err(error))
    }

    fn with_mx(mut self, domain: &str, answer: Result<Vec<Mx>, ResolveError>) -> Self {
        self.mx.insert(domain.into(), answer);
        self
    }

    /// `host` with addresses, separated by spaces.
    pub(crate) fn host(mut self, host: &str, addresses: &str) -> Self {
        let addresses = addresses.split_whitespace().map(|address| address.parse().unwrap());
        self.addresses.insert(host.into(), Ok(addresses.collect()));
        self
    }

    fn no_host(mut self, host: &str, error: impl Into<ResolveError>) -> Self {
        self.addresses.insert(host.into(), Err(error.into()));
        self
    }
}

impl Resolver for Answers {
    async fn mx(&self, domain: &Domain<'_>) -> Result<Vec<Mx>, ResolveError> {
        self.mx.get(domain.as_str()).cloned().unwrap_or(Err(ResolveError::NoDomain))
    }

    async fn addresses(&self, host: &Domain<'_>) -> Result<Vec<IpAddr>, ResolveError> {
        self.asked.lock().unwrap().push(host.to_string());
        self.addresses.get(host.as_str()).cloned().unwrap_or(Err(ResolveError::NoDomain))
    }
}

pub(crate) fn route(
    routing: &Routing,
    answers: &Answers,
    destination: &str,
    seed: u64,
) -> Result<Vec<NextHop>, NoRoute> {
    let destination = Host::parse(destination).unwrap();
    smol::block_on(routing.next_hops(answers, &destination, seed))
}

/// Next hops in a line: `host=address,address host=address`, or the error.
pub(crate) fn in_words(hops: Result<Vec<NextHop>, NoRoute>) -> String {
    let hop = |hop: NextHop| {
        let addresses: Vec<_> = hop.addresses.iter().map(IpAddr::to_string).collect();
        format!("{}={}", hop.host, addresses.join(","))
    };
    match hops {
        Ok(hops) => hops.into_iter().map(hop).collect::<Vec<_>>().join(" "),
        Err(error) => format!("{} {error}", error.code()),
    }
}

fn routed(answers: &Answers) -> String {
    in_words(route(&Routing::default(), answers, DOMAIN, 0))
}

fn own(name: &'static str, address: &str) -> Routing {
    Routing {
        own_names: vec![Domain::parse(name).unwrap()],
        own_addresses: vec![address.parse().unwrap()],
        ..Routing::default()
    }
}

#[test]
fn hosts_are_tried_by_preference_at_all_their_addresses() {
    let answers = Answers::mx(["20 b.test.", "10 a.test", "30 c.test"])
        .host("a.test", "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2")
        .host("b.test", "192.0.2.3")
        .host("c.test", "2001:db8::3");
    let expected = "a.test=2001:db8::1,192.0.2.1,2001:db8::2,192.0.2.2 b.test=192.0.2.3 \
                    c.test=2001:db8::3";
    assert_eq!(routed(&answers), expected);
    let hops = route(&Routing::default(), &answers, DOMAIN, 0).unwrap();
    assert_eq!(hops.iter().map(|hop| hop.preference).collect::<Vec<_>>(), [10, 20, 30]);
}

#[test]
fn a_domain_without_mx_is_its_own_host() {
    for answers in [Answers::no_mx(ResolveError::NoData), Answers::mx([])] {
        let answers = answers.host(DOMAIN, "192.0.2.1");
        assert_eq!(routed(&answers), "example.test=192.0.2.1");
    }
}

#[test]
fn a_domain_that_does_not_exist_is_an_error_for_good() {
    let answers = Answers::no_mx(ResolveError::NoDomain).host(DOMAIN, "192.0.2.1");
    assert_eq!(routed(&answers), "5.1.2 no such domain");
    assert!(answers.asked.lock().unwrap().is_empty());
}

#[test]
fn a_domain_with_neither_mx_nor_addresses_is_an_error_for_good() {
    for error in [ResolveError::NoData, ResolveError::NoDomain] {
        let answers = Answers::no_mx(ResolveError::NoData).no_host(DOMAIN, error);
        assert_eq!(routed(&answers), "5.1.2 no such domain");
    }
}

#[test]
fn an_outage_is_temporary_wherever_it_strikes() {
    let answers = Answers::no_mx(Outage::ServerFailure.into()).host(DOMAIN, "192.0.2.1");
    assert_eq!(routed(&answers), "4.4.3 the name servers failed");
    assert!(answers.asked.lock().unwrap().is_empty(), "no fall-back to the addresses");

    let answers = Answers::no_mx(ResolveError::NoData).no_host(DOMAIN, Outage::TimedOut);
    assert_eq!(routed(&answers), "4.4.3 the name servers do not answer");

    let answers = Answers::mx(["10 a.test", "20 b.test"])
        .no_host("a.test", Outage::TimedOut)
        .no_host("b.test", ResolveError::NoDomain);
    assert_eq!(routed(&answers), "4.4.3 the name servers do not answer");
}

#[test]
fn a_host_without_addresses_is_passed_over() {
    for error in [ResolveError::NoData, ResolveError::NoDomain, Outage::Refused.into()] {
        let answers = Answers::mx(["10 a.test", "20 b.test"])
            .no_host("a.test", error)
            .host("b.test", "2001:db8::1");
        assert_eq!(routed(&answers), "b.test=2001:db8::1");
    }
}

/// C-38
#[test]
fn the_addresses_of_a_domain_with_mx_are_never_used() {
    let records: [&[&str]; 6] = [
        &["10 a.test"],
        &["10 empty.test"],
        &["10 192.0.2.1", "10 192.0.2.1.", "10 2001:db8::1", "10 [192.0.2.1]"],
        &["10 no host", "10 -.test", "10 a..test"],
        &["0 .", "10 a.test"],
        &["10 "],
    ];
    for records in records {
        let answers = Answers::mx(records.iter().copied())
            .host(DOMAIN, "192.0.2.1")
            .host("192.0.2.1", "192.0.2.1")
            .host("empty.test", "");
        let expected = "5.4.4 no host that takes the domain's mail can be found";
        assert_eq!(routed(&answers), expected, "{records:?}");
    }
}

#[test]
fn a_null_mx_takes_no_mail() {
    for record in ["0 .", "10 ."] {
        let answers = Answers::mx([record]).host(DOMAIN, "192.0.2.1");
        assert_eq!(routed(&answers), "5.1.10 the domain does not accept mail");
    }
    let answers = Answers::mx(["0 .", "10 a.test"]).host("a.test", "192.0.2.1");
    assert_eq!(routed(&answers), "a.test=192.0.2.1", "it must be alone (RFC 7505 section 3)");
}

#[test]
fn a_host_of_the_field_may_have_an_underscore() {
    let answers = Answers::mx(["10 mx_1.a.test"]).host("mx_1.a.test", "192.0.2.1");
    assert_eq!(routed(&answers), "mx_1.a.test=192.0.2.1");
}

#[test]
fn a_host_named_twice_is_tried_once() {
    let answers = Answers::mx(["20 a.test", "10 A.test", "20 b.test"])
        .host("A.test", "192.0.2.1")
        .host("a.test", "192.0.2.1")
        .host("b.test", "192.0.2.2");
    assert_eq!(routed(&answers), "A.test=192.0.2.1 b.test=192.0.2.2");
}

/// C-42
#[test]
fn own_names_and_addresses_cut_what_is_not_preferred_to_them() {
    let loops = "5.4.6 mail for the domain loops back to this host";
    let table: [(&[&str], &str); 6] = [
        (&["10 a.test", "20 us.test", "30 b.test"], "a.test=192.0.2.1"),
        (&["10 a.test", "20 Us.Test.", "20 b.test"], "a.test=192.0.2.1"),
        (&["10 a.test", "20 alias.test", "20 b.test"], "a.test=192.0.2.1"),
        (&["10 a.test", "20 mapped.test", "30 b.test"], "a.test=192.0.2.1"),
        (&["10 us.test", "10 a.test", "20 b.test"], loops),
        (&["10 alias.test", "20 a.test"], loops),
    ];
    for (records, expected) in table {
        let answers = Answers::mx(records.iter().copied())
            .host("a.test", "192.0.2.1")
            .host("b.test", "192.0.2.2")
            .host("us.test", "192.0.2.8")
            .host("alias.test", "2001:db8::8 192.0.2.9")
            .host("mapped.test", "::ffff:192.0.2.9");
        let hops = route(&own("us.test", "192.0.2.9"), &answers, DOMAIN, 0);
        assert_eq!(in_words(hops), expected, "{records:?}");
    }
}

#[test]
fn a_domain_without_mx_that_is_this_host_loops() {
    let answers = Answers::no_mx(ResolveError::NoData).host(DOMAIN, "192.0.2.1");
    for routing in [own(DOMAIN, "192.0.2.9"), own("us.test", "192.0.2.1")] {
        assert_eq!(route(&routing, &answers, DOMAIN, 0), Err(NoRoute::Loop));
    }
}

#[test]
fn own_records_that_are_cut_leave_the_unusable_ones() {
    let answers = Answers::mx(["10 192.0.2.1", "20 us.test"]);
    let hops = route(&own("us.test", "192.0.2.9"), &answers, DOMAIN, 0);
    assert_eq!(hops, Err(NoRoute::NoUsableHost));
}

#[test]
fn an_address_literal_is_the_host() {
    let answers = Answers::default();
    let table = [
        ("[192.0.2.1]", "[192.0.2.1]=192.0.2.1"),
        ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]=2001:db8::1"),
        ("[x-tag:anything]", "5.1.2 not a domain of the Internet"),
        ("[192.0.2.9]", "5.4.6 mail for the domain loops back to this host"),
    ];
    for (literal, expected) in table {
        let hops = route(&own("us.test", "192.0.2.9"), &answers, literal, 0);
        assert_eq!(in_words(hops), expected);
    }
}

#[test]
fn a_domain_is_asked_for_in_ascii() {
    let answers = Answers::default()
        .with_mx("xn--bcher-kva.test", Ok(vec![Mx { preference: 1, exchange: "a.test".into() }]))
        .host("a.test", "192.0.2.1");
    let routed = |domain| in_words(route(&Routing::default(), &answers, domain, 0));
    assert_eq!(routed("bücher.test"), "a.test=192.0.2.1");
    assert_eq!(routed("BÜCHER.test"), "a.test=192.0.2.1");
    assert_eq!(routed("xn--bcher-kva.test"), "a.test=192.0.2.1");
    assert_eq!(routed("\u{200d}ü.test"), "5.1.2 not a domain of the Internet");
    let long = format!("{}.test", "ü".repeat(62));
    assert_eq!(routed(&long), "5.1.2 not a domain of the Internet");
}

#[test]
fn no_domain_makes_us_knock_at_a_thousand_doors() {
    let names: Vec<_> = (0..100).map(|n| format!("{n} h{n}.test")).collect();
    let many: Vec<_> = (0..100).map(|n| format!("192.0.2.{n}")).collect();
    let answers = (0..100).fold(Answers::mx(names.iter().map(String::as_str)), |answers, n| {
        answers.host(&format!("h{n}.test"), &many.join(" "))
    });
    let hops = route(&Routing::default(), &answers, DOMAIN, 0).unwrap();
    assert_eq!(answers.asked.lock().unwrap().len(), 16);
    assert_eq!(hops.iter().map(|hop| hop.addresses.len()).collect::<Vec<_>>(), [8; 4]);
}
