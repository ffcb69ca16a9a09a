//! Each outcome, from a name server and on both runtimes.

use crate::outcomes::{DOMAIN, in_words};
use smtp_client::{
    mx::{NoRoute, Reach, Routing},
    resolve::{DnsConfig, Resolver},
    runtime,
};
use smtp_proto::{Class, wire::Host};
use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    thread,
    time::{Duration, Instant},
};
use testkit::dns::{Fault, NameServer, RecordType, Zone};

/// For tests in which nobody waits for it.
const AMPLE: Duration = Duration::from_secs(10);

/// For tests in which somebody must.
const SHORT: Duration = Duration::from_millis(100);

fn config(server: SocketAddr, timeout: Duration) -> DnsConfig {
    DnsConfig { timeout, retries: 1, ..DnsConfig::new(vec![server]) }
}

fn on_tokio<T>(task: impl Future<Output = T>) -> T {
    ::tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(task)
}

fn on_tokio_dns(config: &DnsConfig) -> runtime::tokio::Dns {
    runtime::tokio::Dns::new(config, runtime::tokio::DnsRuntime::new()).unwrap()
}

fn on_smol_dns(config: &DnsConfig) -> runtime::smol::Dns {
    runtime::smol::Dns::new(config, runtime::smol::DnsRuntime::new()).unwrap()
}

/// Next hops on both runtimes, which must be the same.
fn hops(config: &DnsConfig, destination: &str) -> Result<Vec<smtp_client::mx::NextHop>, NoRoute> {
    let destination = Host::parse(destination).unwrap();
    let routing = Routing { reach: Reach::Loopback, ..Routing::default() };
    let tokio = on_tokio(async { routing.next_hops(&on_tokio_dns(config), &destination, 0).await });
    let smol =
        ::smol::block_on(async { routing.next_hops(&on_smol_dns(config), &destination, 0).await });
    assert_eq!(tokio, smol, "{destination}");
    tokio
}

fn routed(server: &NameServer, destination: &str) -> String {
    in_words(hops(&config(server.address(), AMPLE), destination))
}

#[test]
fn records_become_next_hops() {
    let server = Zone::new(
        "example.test     MX    20 b.test
         example.test     MX    10 a.test
         a.test           A     192.0.2.1
         a.test           A     192.0.2.2
         a.test           AAAA  2001:db8::1
         a.test           AAAA  2001:db8::2
         b.test           A     192.0.2.3
         alias.test       CNAME example.test
         to-alias.test    MX    10 alias-of-b.test
         alias-of-b.test  CNAME b.test
         bare.test        AAAA  2001:db8::3
         bare-alias.test  CNAME bare.test
         xn--bcher-kva.test MX  10 _mx.b.test
         _mx.b.test      A     192.0.2.4
         mixed.test       MX    10 missing.test
         mixed.test       MX    20 192.0.2.9
         mixed.test       MX    30 example.test
         mixed.test       MX    40 b.test",
    )
    .serve();
    let example = "a.test=2001:db8::1,192.0.2.1,2001:db8::2,192.0.2.2 b.test=192.0.2.3";
    for (domain, expected) in [
        (DOMAIN, example),
        ("Example.Test", example),
        ("alias.test", example),
        ("to-alias.test", "alias-of-b.test=192.0.2.3"),
        ("bare.test", "bare.test=2001:db8::3"),
        ("bare-alias.test", "bare-alias.test=2001:db8::3"),
        ("bücher.test", "_mx.b.test=192.0.2.4"),
        ("mixed.test", "b.test=192.0.2.3"),
        ("localhost", "localhost=::1,127.0.0.1"),
    ] {
        assert_eq!(routed(&server, domain), expected);
    }
    assert!(server.asked().iter().all(|question| question.name != "localhost"));
}

#[test]
fn what_cannot_be_routed_has_its_code() {
    let no_domain = "5.1.2 no such domain";
    let unusable = "5.4.4 no host that takes the domain's mail can be found";
    let failed = "4.4.3 the name servers failed";
    let refused = "4.4.3 the name servers refuse to answer";
    let server = Zone::new(
        "null.test      MX    0 .
         no-data.test   TXT   text
         below.none.test A    192.0.2.1
         lost.test      MX    10 missing.test
         lost.test      MX    10 no-data.test
         lost.test      A     192.0.2.1
         literal.test   MX    10 192.0.2.1
         literal.test   A     192.0.2.1
         broken.test    A     192.0.2.1
         later.test     MX    10 broken-host.test
         later.test     MX    10 missing.test
         bare.test      TXT   text
         bare-too.test  TXT   text
         dangling.test  CNAME missing.test
         circle.test    CNAME square.test
         square.test    CNAME circle.test
         mute.test      MX    10 half.test
         half.test      A     192.0.2.1",
    )
    .fault("broken.test", Fault::ServFail)
    .fault("closed.test", Fault::Refused)
    .fault("broken-host.test", Fault::ServFail)
    .fault_of("bare.test", RecordType::A, Fault::ServFail)
    .fault_of("bare-too.test", RecordType::AAAA, Fault::ServFail)
    .fault_of("half.test", RecordType::AAAA, Fault::ServFail)
    .serve();
    for (domain, expected) in [
        ("missing.test", no_domain),
        ("no-data.test", no_domain),
        ("none.test", no_domain),
        ("dangling.test", no_domain),
        ("circle.test", no_domain),
        ("null.test", "5.1.10 the domain does not accept mail"),
        ("lost.test", unusable),
        ("literal.test", unusable),
        ("broken.test", failed),
        ("closed.test", refused),
        ("later.test", failed),
        ("bare.test", failed),
        ("bare-too.test", failed),
        ("mute.test", "half.test=192.0.2.1"),
    ] {
        assert_eq!(routed(&server, domain), expected, "{domain}");
    }
}

#[test]
fn a_domain_that_does_not_exist_is_asked_about_once() {
    let server = Zone::new("").serve();
    routed(&server, "missing.test");
    let asked: Vec<_> = server.asked().iter().map(ToString::to_string).collect();
    assert_eq!(asked, ["missing.test MX", "missing.test MX"], "once on each runtime");
}

#[test]
fn a_truncated_answer_is_asked_for_again_over_tcp() {
    let records: String = (0..200).map(|n| format!("example.test MX {n} h{n}.test\n")).collect();
    let server = Zone::new(&format!("{records}h0.test A 192.0.2.1")).serve();
    let destination = smtp_proto::wire::Domain::parse(DOMAIN).unwrap();
    let config = config(server.address(), AMPLE);
    let tokio = on_tokio(async { on_tokio_dns(&config).mx(&destination).await }).unwrap();
    let smol = ::smol::block_on(async { on_smol_dns(&config).mx(&destination).await }).unwrap();
    assert_eq!((tokio.len(), smol.len()), (200, 200));
    let asked: Vec<_> = server.asked().iter().map(ToString::to_string).collect();
    assert_eq!(asked, ["example.test MX", "example.test MX over TCP"].repeat(2));
}

#[test]
fn a_silent_server_is_asked_again_and_given_up_in_time() {
    let server = Zone::new("example.test MX 10 a.test").fault(DOMAIN, Fault::Silent).serve();
    let config = DnsConfig { retries: 4, ..config(server.address(), SHORT) };
    let begun = Instant::now();
    let hops = hops(&config, DOMAIN);
    let taken = begun.elapsed();
    assert_eq!(in_words(hops), "4.4.3 the name servers do not answer");
    assert!(taken >= SHORT * 9, "five tries on two runtimes took {taken:?}");
    assert!(taken < AMPLE, "five tries on two runtimes took {taken:?}");
    // A busy machine may not get to the last ones.
    assert!(server.asked().len() > 6, "asked {:?}", server.asked());
}

#[test]
fn a_server_that_is_not_there_is_an_outage() {
    let nobody = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let error = hops(&config(nobody, SHORT), DOMAIN).unwrap_err();
    assert_eq!(error.code().class(), Class::Transient);
}

/// Next hops of [`DOMAIN`] when each question is answered by the datagrams that `answers` makes of
/// it.
fn routed_by(answers: fn(&[u8]) -> Vec<Vec<u8>>) -> String {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    let server = thread::spawn(move || {
        let mut buf = [0; 512];
        loop {
            match socket.recv_from(&mut buf).unwrap() {
                (0, _) => return,
                (len, from) => answers(&buf[..len])
                    .iter()
                    .for_each(|answer| assert!(socket.send_to(answer, from).is_ok())),
            }
        }
    });
    let hops = hops(&config(address, AMPLE), DOMAIN);
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().send_to(&[], address).unwrap();
    server.join().unwrap();
    in_words(hops)
}

/// An answer without records to `question` (RFC 1035 §4.1.1).
fn answer(question: &[u8], code: u8) -> Vec<u8> {
    let mut answer = question.to_vec();
    (answer[2], answer[3]) = (0x81, 0x80 | code);
    answer
}

const NXDOMAIN: u8 = 3;
const REFUSED: u8 = 5;

#[test]
fn forged_answers_are_ignored() {
    let routed = routed_by(|question| {
        let mut wrong_id = answer(question, NXDOMAIN);
        wrong_id[1] ^= 1;
        let mut wrong_name = answer(question, NXDOMAIN);
        wrong_name[13] ^= 1;
        vec![wrong_id, wrong_name, answer(question, REFUSED)]
    });
    assert_eq!(routed, "4.4.3 the name servers refuse to answer");
}

#[test]
fn a_forger_must_guess_the_case_of_letters_too() {
    let routed = routed_by(|question| {
        let mut wrong_case = answer(question, NXDOMAIN);
        wrong_case[13] ^= b' ';
        vec![wrong_case]
    });
    // Nobody listens with TCP.
    assert_eq!(routed, "4.4.3 the name servers cannot be reached");
}

#[test]
fn an_answer_that_makes_no_sense_is_an_outage() {
    let routed = routed_by(|question| {
        // It promises more records than there are.
        let mut torn = answer(question, 0);
        torn[6] = 0xff;
        vec![torn]
    });
    assert_eq!(routed, "4.4.3 the name servers' answer makes no sense");
}

#[test]
fn an_answer_that_points_elsewhere_is_no_answer() {
    let routed = routed_by(|question| {
        let mut referral = question[..question.len() - OPT].to_vec();
        (referral[2], referral[3]) = (0x81, 0x80);
        // One record of authority, none else: . 60 IN NS .
        (referral[9], referral[11]) = (1, 0);
        referral.extend([0, 0, 2, 0, 1, 0, 0, 0, 60, 0, 1, 0]);
        vec![referral]
    });
    assert_eq!(routed, "4.4.3 the name servers refuse to answer");
}

#[test]
fn a_host_has_one_name_however_the_answer_writes_it() {
    let routed = routed_by(|question| {
        let mut answer = answer(question, 0);
        answer.truncate(question.len() - OPT);
        // One record in answer, none else; its name is that of the question, as it was written there.
        (answer[7], answer[11]) = (1, 0);
        let record_type = answer[answer.len() - 3];
        answer.extend([0xc0, 12, 0, record_type, 0, 1, 0, 0, 0, 60]);
        match record_type {
            1 => answer.extend([0, 4, 192, 0, 2, 1]),
            15 => answer.extend([0, 4, 0, 10, 0xc0, 12]),
            _ => return vec![self::answer(question, NXDOMAIN)],
        }
        vec![answer]
    });
    assert_eq!(routed, format!("{DOMAIN}=192.0.2.1"));
}

/// Octets of the OPT record at the end of a question (RFC 6891 §6.1.2).
const OPT: usize = 11;

#[test]
fn one_server_that_answers_is_enough() {
    let silent = Zone::new("").fault(DOMAIN, Fault::Silent).serve();
    let good = Zone::new("example.test A 192.0.2.1").serve();
    let mut config = config(silent.address(), AMPLE);
    config.servers.push(good.address());
    assert_eq!(in_words(hops(&config, DOMAIN)), "example.test=192.0.2.1");
}

#[test]
fn answers_are_kept_unless_they_must_not_be() {
    let server = Zone::new("example.test MX 10 a.test").serve();
    let domain = smtp_proto::wire::Domain::parse(DOMAIN).unwrap();
    for (cache, expected) in [(100, 1), (0, 3)] {
        let config = DnsConfig { cache, ..config(server.address(), AMPLE) };
        let before = server.asked().len();
        ::smol::block_on(async {
            let dns = on_smol_dns(&config);
            for _ in 0..3 {
                dns.mx(&domain).await.unwrap();
            }
        });
        assert_eq!(server.asked().len() - before, expected, "{cache} answers kept");
    }
}

#[test]
fn a_resolver_needs_a_server() {
    let config = DnsConfig::new(Vec::new());
    let error = runtime::smol::Dns::new(&config, runtime::smol::DnsRuntime::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}
