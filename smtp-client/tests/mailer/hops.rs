//! What moves a recipient on to the next host, in memory.

use crate::world::{BYE, DEAF, MESSAGE, REFUSES, WELCOME, World, policy};
use smtp_client::{
    Body, Chunk, Delivery, Endpoint, Envelope, Failure, Hop, Mailer, NoResolver, Policies, Policy,
    PoolConfig,
    driver::{Runtime, sasl::Login},
    mx::Routing,
    proto::wire::{Domain, Host},
    resolve::{Mx, Outage, ResolveError, Resolver},
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    task::{Context, Poll},
};

/// `example.test` has the hosts 1 and 2, in this order, `other.test` the host 3; host 4 has two
/// addresses. Host `n` is at 192.0.2.`n`.
pub(crate) struct Answers;

impl Resolver for Answers {
    async fn mx(&self, domain: &Domain<'_>) -> Result<Vec<Mx>, ResolveError> {
        let mx = |preference, exchange: &str| Mx { preference, exchange: exchange.into() };
        match domain.as_str().to_lowercase().as_str() {
            "example.test" => Ok(vec![mx(10, "host1.test"), mx(20, "host2.test")]),
            "other.test" => Ok(vec![mx(10, "host3.test")]),
            "two.test" => Ok(vec![mx(10, "host4.test")]),
            "many.test" => Ok((1..=9).map(|n| mx(n, &format!("host{n}.test"))).collect()),
            "dark.test" => Err(Outage::TimedOut.into()),
            _ => Err(ResolveError::NoDomain),
        }
    }

    async fn addresses(&self, host: &Domain<'_>) -> Result<Vec<IpAddr>, ResolveError> {
        match host.as_str() {
            "host4.test" => Ok(vec![at(4), at(5)]),
            "empty.test" => Err(ResolveError::NoData),
            host => Ok(vec![at(host[4..5].parse().unwrap())]),
        }
    }
}

pub(crate) fn at(n: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, n).into()
}

pub(crate) fn by_mx<P: Policies>(world: &World, policies: P) -> Mailer<World, P, Answers> {
    Mailer::by_mx(world.pool(PoolConfig::default()), policies, Answers, Routing::default())
}

pub(crate) fn envelope(to: &[&str]) -> Envelope {
    let start = Envelope::builder("a@example.test");
    to.iter().fold(start, |builder, to| builder.to(to)).build().unwrap()
}

/// Sends a message, and closes the pool: a line for each recipient.
fn sent_by<P: Policies, V: Resolver>(
    world: &World,
    mailer: &Mailer<World, P, V>,
    to: &[&str],
) -> Vec<String> {
    world.runtime.run_until(async {
        let deliveries = mailer.send(&envelope(to), "Subject: x\r\n\r\nx\r\n").await;
        mailer.pool().close().await;
        deliveries.iter().map(in_words).collect()
    })
}

fn in_words(delivery: &Delivery) -> String {
    let outcome = &delivery.outcome;
    let at = delivery.endpoint.as_ref().map_or("-".into(), Endpoint::to_string);
    let doubt = if outcome.in_doubt { ", in doubt" } else { "" };
    let (status, code) = (outcome.status, outcome.enhanced());
    format!("{status} {} {code} {} {at}{doubt}", outcome.stage, outcome.host)
}

/// Sends a message to `b@example.test` and whom else, by servers with these scripts.
#[track_caller]
fn sent<S: Into<String>>(scripts: impl IntoIterator<Item = (u8, S)>, to: &[&str]) -> Vec<String> {
    let world = World::at(scripts.into_iter().map(|(n, script)| (at(n), script)));
    let lines = sent_by(&world, &by_mx(&world, Arc::new(policy())), to);
    world.check();
    lines
}

pub(crate) const B: &str = "b@example.test";
const SENT_BY_1: &str = "sent end of message 2.0.0 host1.test 192.0.2.1:25";
const SENT_BY_2: &str = "sent end of message 2.0.0 host2.test 192.0.2.2:25";

fn session() -> String {
    format!("{WELCOME}{MESSAGE}{BYE}")
}

#[test]
fn the_first_host_that_takes_the_message_has_it() {
    assert_eq!(sent([(1, session())], &[B]), [SENT_BY_1]);
}

#[test]
fn whatever_happens_before_mail_leads_to_the_next_host() {
    let hello = "S: 220 mx\nC: EHLO client.example.test\n";
    let failures = [
        REFUSES.into(),
        DEAF.into(),
        "T: 10m\n".into(),
        String::new(),
        "S: 421 4.3.2 not now\n".into(),
        format!("S: 451 4.3.2 not now\n{BYE}"),
        format!("S: 554 5.3.2 never\n{BYE}"),
        "S: what is this\n".into(),
        hello.into(),
        format!("{hello}S: 421 no\n"),
        format!("{hello}S: 452 no\n{BYE}"),
    ];
    for failure in failures {
        assert_eq!(sent([(1, failure.clone()), (2, session())], &[B]), [SENT_BY_2], "{failure:?}");
    }
}

#[test]
fn a_connection_lost_before_all_of_the_message_was_sent_leads_to_the_next_host() {
    let given = "C: MAIL FROM:<a@example.test>\nC: RCPT TO:<b@example.test>\nC: DATA\n";
    let failures = [
        String::new(),
        "S: 421 no\n".into(),
        "S: 250 ok\n".into(),
        "S: 250 ok\nS: 421 no\n".into(),
        "S: 250 ok\nS: 250 ok\n".into(),
        "S: 250 ok\nS: 250 ok\nS: 421 no\n".into(),
        "T: 1h\n".into(),
    ];
    for failure in failures {
        let first = format!("{WELCOME}{given}{failure}");
        assert_eq!(sent([(1, first), (2, session())], &[B]), [SENT_BY_2], "{failure:?}");
    }
}

#[test]
fn a_message_that_a_host_may_have_is_not_given_to_another() {
    let given = "C: MAIL FROM:<a@example.test>\nC: RCPT TO:<b@example.test>\nC: DATA\n\
                 S: 250 ok\nS: 250 ok\nS: 354 go\nC: <MESSAGE>\n";
    for end in ["", "T: 1h\n", "S: 25", "S| 250 take"] {
        let outcome = sent([(1, format!("{WELCOME}{given}{end}"))], &[B]);
        let delayed = "delayed end of message 4.4.2 host1.test 192.0.2.1:25, in doubt";
        let broken = "delayed end of message 4.5.0 host1.test 192.0.2.1:25, in doubt";
        assert!(outcome == [delayed] || outcome == [broken], "{end:?}: {outcome:?}");
    }
    let outcome = sent([(1, format!("{WELCOME}{given}S: 421 4.3.0 no\n"))], &[B]);
    assert_eq!(outcome, ["delayed end of message 4.3.0 host1.test 192.0.2.1:25"]);
}

#[test]
fn what_a_host_has_refused_no_other_is_asked_for() {
    let refusals = [
        ("250 ok", "550 5.1.1 no such user", "503 no", "failed RCPT 5.1.1"),
        ("250 ok", "450 4.2.1 later", "503 no", "delayed RCPT 4.2.1"),
        ("550 5.7.1 not you", "503 no", "503 no", "failed MAIL 5.7.1"),
        ("451 4.7.1 not now", "503 no", "503 no", "delayed MAIL 4.7.1"),
        ("250 ok", "250 ok", "554 5.6.0 no", "failed DATA 5.6.0"),
        ("250 ok", "250 ok", "451 4.3.0 no", "delayed DATA 4.3.0"),
    ];
    for (mail, rcpt, data, outcome) in refusals {
        let first = format!(
            "{WELCOME}C: MAIL FROM:<a@example.test>\nC: RCPT TO:<b@example.test>\nC: DATA\n\
             S: {mail}\nS: {rcpt}\nS: {data}\nC: RSET\nS: 250 ok\n{BYE}"
        );
        assert_eq!(sent([(1, first)], &[B]), [format!("{outcome} host1.test 192.0.2.1:25")]);
    }
}

#[test]
fn only_those_without_a_reply_go_to_the_next_host() {
    let first = format!(
        "{WELCOME}C: MAIL FROM:<a@example.test>
         C: RCPT TO:<b@example.test>
         C: RCPT TO:<c@example.test>
         C: RCPT TO:<d@example.test>
         C: RCPT TO:<e@example.test>
         C: DATA
         S: 250 ok
         S: 550 5.1.1 no
         S: 250 ok
         S: 450 4.2.1 later\n"
    );
    let second = format!(
        "{WELCOME}C: MAIL FROM:<a@example.test>
         C: RCPT TO:<c@example.test>
         C: RCPT TO:<e@example.test>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: <MESSAGE>
         S: 250 taken
         {BYE}"
    );
    let to = [B, "c@example.test", "d@example.test", "e@example.test"];
    let expected = [
        "failed RCPT 5.1.1 host1.test 192.0.2.1:25",
        SENT_BY_2,
        "delayed RCPT 4.2.1 host1.test 192.0.2.1:25",
        SENT_BY_2,
    ];
    assert_eq!(sent([(1, first), (2, second)], &to), expected);
}

#[test]
fn each_domain_goes_its_own_way_and_outcomes_keep_their_order() {
    let example = format!(
        "{WELCOME}C: MAIL FROM:<a@example.test>
         C: RCPT TO:<b@example.test>
         C: RCPT TO:<c@Example.Test>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 550 5.1.1 no
         S: 354 go
         C: <MESSAGE>
         S: 250 taken
         {BYE}"
    );
    let other = session().replace("b@example.test", "d@other.test");
    let to = ["x@dark.test", B, "d@other.test", "c@Example.Test", "y@nowhere.test", "postmaster"];
    let expected = [
        "delayed routing 4.4.3 dark.test -",
        SENT_BY_1,
        "sent end of message 2.0.0 host3.test 192.0.2.3:25",
        "failed RCPT 5.1.1 host1.test 192.0.2.1:25",
        "failed routing 5.1.2 nowhere.test -",
        "failed routing 5.1.3 postmaster -",
    ];
    assert_eq!(sent([(1, example), (3, other)], &to), expected);
}

#[test]
fn hosts_that_all_refuse_have_failed_only_if_none_may_think_better_of_it() {
    let never = format!("S: 554 5.3.2 never\n{BYE}");
    let later = format!("S: 451 4.3.2 later\n{BYE}");
    let failed = sent([(1, never.clone()), (2, never.clone())], &[B]);
    assert_eq!(failed, ["failed greeting 5.3.2 host2.test 192.0.2.2:25"]);
    let delayed = sent([(1, later.clone()), (2, never.clone())], &[B]);
    assert_eq!(delayed, ["delayed greeting 4.3.2 host1.test 192.0.2.1:25"]);
    let delayed = sent([(1, never), (2, later)], &[B]);
    assert_eq!(delayed, ["delayed greeting 4.3.2 host2.test 192.0.2.2:25"]);
}

#[test]
fn all_addresses_of_a_host_are_tried_and_a_kept_connection_first() {
    let to = ["b@two.test"];
    let message = MESSAGE.replace("b@example.test", "b@two.test");
    let kept = format!("{WELCOME}{message}{message}{BYE}");
    let world = World::at([(at(4), REFUSES), (at(5), &kept)]);
    let mailer = by_mx(&world, Arc::new(policy()));
    world.runtime.run_until(async {
        for _ in 0..2 {
            let deliveries = mailer.send(&envelope(&to), "x\r\n").await;
            let expected = "sent end of message 2.0.0 host4.test 192.0.2.5:25";
            assert_eq!(in_words(&deliveries[0]), expected);
        }
        mailer.pool().close().await;
    });
    world.check();
}

#[test]
fn no_more_addresses_are_tried_than_allowed() {
    for (tries, tried) in [(None, 5), (Some(2), 2), (Some(0), 1)] {
        let world = World::at((1..=tried).map(|n| (at(n), REFUSES)));
        let mut mailer = by_mx(&world, Arc::new(policy()));
        if let Some(tries) = tries {
            mailer = mailer.tries(tries);
        }
        let last = if tried == 5 { 4 } else { tried };
        let lines = sent_by(&world, &mailer, &["b@many.test"]);
        let expected = format!("delayed connecting 4.4.1 host{last}.test 192.0.2.{tried}:25");
        assert_eq!(lines, [expected]);
        world.check();
    }
}

#[test]
fn a_server_with_limits_has_the_rest_over_another_connection() {
    let session = |to: &str| {
        let message = MESSAGE.replace("b@example.test", to);
        let welcome = WELCOME.replace("250-mx", "250-mx\n S: 250-LIMITS RCPTMAX=1 MAILMAX=1");
        format!("{welcome}{message}{BYE}")
    };
    let to = [B, "c@example.test", "d@example.test"];
    let world = World::at(to.map(|to| (at(1), session(to))));
    let mailer = by_mx(&world, Arc::new(policy())).tries(1);
    assert_eq!(sent_by(&world, &mailer, &to), [SENT_BY_1; 3]);
    world.check();
}

#[test]
fn a_wrong_password_is_not_tried_at_another_address() {
    let mut by_login = policy();
    by_login.login = Some(Login::password("user", "password"));
    by_login.danger_login_unprotected = true;
    let first = format!(
        "S: 220 mx\nC: EHLO client.example.test\nS: 250-mx\nS: 250 AUTH PLAIN\nC: AUTH PLAIN...\n\
         S: 535 5.7.8 no\n{BYE}"
    );
    let world = World::at([(at(1), first)]);
    let lines = sent_by(&world, &by_mx(&world, Arc::new(by_login)), &[B]);
    assert!(lines[0].starts_with("delayed AUTH 5.7.8"), "{lines:?}");
    world.check();
}

/// As MTA-STS does: not every host will do.
struct Only(&'static str, Arc<Policy>);

impl Policies for Only {
    async fn policy(&self, domain: Option<&Host<'_>>, hop: &Hop) -> Result<Arc<Policy>, Failure> {
        assert_eq!(domain.unwrap().to_string(), "example.test");
        match *hop.host == *self.0 {
            true => Ok(self.1.clone()),
            false => Err(Failure::unreachable("policy", &io::ErrorKind::PermissionDenied.into())),
        }
    }
}

#[test]
fn a_policy_may_forbid_a_host() {
    let world = World::at([(at(2), session())]);
    let mailer = by_mx(&world, Only("host2.test", Arc::new(policy())));
    assert_eq!(sent_by(&world, &mailer, &[B]), [SENT_BY_2]);
    world.check();
    let world = World::at::<&str>([]);
    let mailer = by_mx(&world, Only("none.test", Arc::new(policy())));
    assert_eq!(sent_by(&world, &mailer, &[B]), ["delayed connecting 4.4.1 policy -"]);
}

#[test]
fn a_policy_may_be_a_function_of_the_host() {
    let world = World::at([(at(1), REFUSES.into()), (at(2), session())]);
    let policies = [Arc::new(policy()), Arc::new(policy())];
    let mailer = by_mx(&world, |hop: &Hop| policies[usize::from(hop.host.contains('2'))].clone());
    assert_eq!(sent_by(&world, &mailer, &[B]), [SENT_BY_2]);
    world.check();
}

#[test]
fn a_fixed_host_has_everything_at_once() {
    let all = format!(
        "{WELCOME}C: MAIL FROM:<a@example.test>
         C: RCPT TO:<b@example.test>
         C: RCPT TO:<Postmaster>
         C: RCPT TO:<d@other.test>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 354 go
         C: <MESSAGE>
         S: 250 taken
         {BYE}"
    );
    let to = [B, "postmaster", "d@other.test"];
    let world = World::at([(at(8), REFUSES), (at(9), &all)]);
    let endpoints = [8, 9].map(|n| Endpoint::Tcp((at(n), 25).into())).to_vec();
    let hop = Hop { host: "relay.test".into(), endpoints };
    let pool = world.pool(PoolConfig::default());
    let mailer: Mailer<_, _, NoResolver> = Mailer::through(pool, Arc::new(policy()), hop);
    let sent = "sent end of message 2.0.0 relay.test 192.0.2.9:25";
    assert_eq!(sent_by(&world, &mailer, &to), [sent; 3]);
    world.check();

    let world = World::at([(at(4), REFUSES), (at(5), &all)]);
    let pool = world.pool(PoolConfig::default());
    let host = Domain::parse("host4.test").unwrap();
    let mailer = Mailer::through_host(pool, Arc::new(policy()), Answers, host, 25);
    let sent = "sent end of message 2.0.0 host4.test 192.0.2.5:25";
    assert_eq!(sent_by(&world, &mailer, &to), [sent; 3]);
    world.check();

    let world = World::at::<&str>([]);
    let pool = world.pool(PoolConfig::default());
    let host = Domain::parse("empty.test").unwrap();
    let mailer = Mailer::through_host(pool, Arc::new(policy()), Answers, host, 25);
    let lines = sent_by(&world, &mailer, &[B]);
    assert!(lines[0].starts_with("delayed routing 4."), "the mail is not to blame: {lines:?}");
}

/// A body that is there once.
struct Once(&'static [u8], bool);

impl Body for Once {
    fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.1 = true;
        Poll::Ready(Ok(()))
    }

    fn chunk(&self) -> Chunk<'_> {
        Chunk { octets: if self.1 { self.0 } else { b"" }, last: self.1 }
    }

    fn poll_rewind(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(if self.1 { Err(io::ErrorKind::Unsupported.into()) } else { Ok(()) })
    }

    fn can_rewind(&self) -> bool {
        false
    }
}

#[test]
fn what_can_be_read_once_goes_to_the_first_domain_and_the_rest_is_delayed() {
    let third = format!("{WELCOME}{BYE}");
    let world = World::at([(at(1), session()), (at(3), third)]);
    let mailer = by_mx(&world, Arc::new(policy()));
    let lines: Vec<_> = world.runtime.run_until(async {
        let to = envelope(&[B, "d@other.test"]);
        let deliveries = mailer.send(&to, Once(b"x\r\n", false)).await;
        mailer.pool().close().await;
        deliveries.iter().map(in_words).collect()
    });
    assert_eq!(lines, [SENT_BY_1, "delayed before MAIL 4.5.3 host3.test -"]);
    world.check();
}

#[test]
fn sending_may_move_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let world = World::at([(at(1), session())]);
    let mailer = by_mx(&world, Arc::new(policy()));
    let sent = world.runtime.run_until(is_send(async {
        let deliveries = mailer.send(&envelope(&[B]), String::from("x\r\n")).await;
        mailer.pool().close().await;
        deliveries
    }));
    assert_eq!(in_words(&sent[0]), SENT_BY_1);
    assert!(world.now().as_micros() < 1_000_000);
    world.check();
}
