//! How fast an address may guess: pure, time comes in.

use super::UserName;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// Failures that cost nothing: people mistype, and a session may fail as often.
const FREE: u32 = 3;
/// The delay after the first failure that costs; each further one doubles it.
const FIRST: Duration = Duration::from_secs(1);
/// The longest delay between two attempts.
const LONGEST: Duration = Duration::from_secs(16);
/// Who would have to wait longer for a turn gets none.
const PATIENCE: Duration = Duration::from_secs(30);
/// After so long without a failure all are forgotten.
const FORGET: Duration = Duration::from_secs(15 * 60);
/// Who is remembered; the one heard of longest ago makes room.
const REMEMBERED: usize = 10_000;

/// Who has guessed wrong lately, by address.
///
/// After three failures the attempts of an address come one by one, 1, 2, 4, 8 and then 16 seconds
/// apart, on how many connections soever. A user who has logged in from there is counted apart, so
/// that nobody who shares an address shuts the others out; who has a password can still not guess
/// at those of others.
#[derive(Debug, Default)]
pub struct Throttle(HashMap<Source, Failures>);

/// Whose failures are counted together: a network, or a user known there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Source(IpAddr, Option<UserName>);

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Instant,
    /// When the next attempt may be.
    next: Instant,
}

impl Throttle {
    /// How long an attempt from `address` to log in as `name` has to wait; `None` if it would be too
    /// long. The wait is then taken: a further attempt waits behind it.
    pub fn turn(
        &mut self,
        address: Option<IpAddr>,
        name: Option<&UserName>,
        now: Instant,
    ) -> Option<Duration> {
        let source = address.map(|address| self.source(address, name));
        let Some(failures) = source.and_then(|source| self.0.get_mut(&source)) else {
            return Some(Duration::ZERO);
        };
        if failures.count < FREE || now.duration_since(failures.last) > FORGET {
            return Some(Duration::ZERO);
        }
        let turn = failures.next.max(now);
        let wait = turn.duration_since(now);
        if wait > PATIENCE {
            return None;
        }
        failures.next = turn + delay(failures.count);
        Some(wait)
    }

    /// An attempt from `address` to log in as `name` was wrong.
    pub fn failed(&mut self, address: Option<IpAddr>, name: Option<&UserName>, now: Instant) {
        let Some(source) = address.map(|address| self.source(address, name)) else { return };
        let failures = self.entry(source, now);
        if now.duration_since(failures.last) > FORGET {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        if failures.count >= FREE {
            failures.next = failures.next.max(now + delay(failures.count));
        }
    }

    /// `name` has logged in from `address`.
    pub fn succeeded(&mut self, address: Option<IpAddr>, name: &UserName, now: Instant) {
        let Some(address) = address else { return };
        let source = Source(network(address), Some(name.clone()));
        *self.entry(source, now) = Failures { count: 0, last: now, next: now };
    }

    fn source(&self, address: IpAddr, name: Option<&UserName>) -> Source {
        let known = Source(network(address), name.cloned());
        if self.0.contains_key(&known) { known } else { Source(known.0, None) }
    }

    fn entry(&mut self, source: Source, now: Instant) -> &mut Failures {
        if !self.0.contains_key(&source) && self.0.len() >= REMEMBERED {
            self.make_room(now);
        }
        self.0.entry(source).or_insert(Failures { count: 0, last: now, next: now })
    }

    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, failures| now.duration_since(failures.last) <= FORGET);
        if self.0.len() >= REMEMBERED {
            let oldest = self.0.iter().min_by_key(|(_, failures)| failures.last);
            if let Some(source) = oldest.map(|(source, _)| source.clone()) {
                self.0.remove(&source);
            }
        }
    }
}

fn delay(count: u32) -> Duration {
    let doublings = count.saturating_sub(FREE).min(16);
    (FIRST * (1 << doublings)).min(LONGEST)
}

/// One who has an IPv6 address has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_waits_grow_to_a_bound_and_only_for_the_address_that_failed() {
        let mut throttle = Throttle::default();
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..9 {
            let wait = throttle.turn(v4(1), None, now).unwrap();
            waits.push(wait.as_secs());
            now += wait;
            throttle.failed(v4(1), None, now);
        }
        assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 16, 16]);
        assert_eq!(throttle.turn(v4(2), None, now), Some(Duration::ZERO));
        assert_eq!(throttle.turn(None, None, now), Some(Duration::ZERO));
    }

    #[test]
    fn attempts_at_the_same_time_wait_for_each_other_or_get_no_turn() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        for _ in 0..7 {
            throttle.failed(v4(1), None, now);
        }
        let waits: Vec<_> = (0..3).map(|_| throttle.turn(v4(1), None, now)).collect();
        assert_eq!(waits, [Some(seconds(16)), None, None]);
        // Who got none did not make the others wait longer.
        assert_eq!(throttle.turn(v4(1), None, now + seconds(20)), Some(seconds(12)));
    }

    #[test]
    fn who_has_logged_in_from_an_address_is_counted_apart() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        let [ada, bob] = ["ada", "bob"].map(|name| UserName::new(name).unwrap());
        throttle.succeeded(v4(1), &ada, now);
        for _ in 0..9 {
            throttle.failed(v4(1), Some(&bob), now);
        }
        assert_eq!(throttle.turn(v4(1), Some(&ada), now), Some(Duration::ZERO));
        assert_eq!(throttle.turn(v4(1), Some(&bob), now), Some(seconds(16)));
        for _ in 0..9 {
            throttle.failed(v4(1), Some(&ada), now);
        }
        assert_eq!(throttle.turn(v4(1), Some(&ada), now), Some(seconds(16)));
        throttle.succeeded(v4(1), &ada, now);
        assert_eq!(throttle.turn(v4(1), Some(&ada), now), Some(Duration::ZERO));
        // From elsewhere nobody knows her.
        for _ in 0..9 {
            throttle.failed(v4(2), Some(&ada), now);
        }
        assert_eq!(throttle.turn(v4(2), Some(&bob), now), Some(seconds(16)));
    }

    #[test]
    fn failures_are_forgotten() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        for _ in 0..20 {
            throttle.failed(v4(1), None, now);
        }
        let later = now + FORGET + seconds(1);
        assert_eq!(throttle.turn(v4(1), None, later), Some(Duration::ZERO));
        throttle.failed(v4(1), None, later);
        assert_eq!(throttle.turn(v4(1), None, later), Some(Duration::ZERO));
    }

    #[test]
    fn the_table_is_bounded_and_loses_the_oldest() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        let address = |n: usize| Some(IpAddr::from((n as u32).to_be_bytes()));
        for n in 0..REMEMBERED + 3 {
            for _ in 0..FREE {
                throttle.failed(address(n), None, now + Duration::from_millis(n as u64));
            }
        }
        assert_eq!(throttle.0.len(), REMEMBERED);
        let later = now + Duration::from_millis(REMEMBERED as u64 + 3);
        assert_eq!(throttle.turn(address(0), None, later), Some(Duration::ZERO));
        assert_ne!(throttle.turn(address(REMEMBERED), None, later), Some(Duration::ZERO));
    }

    #[test]
    fn a_network_of_ipv6_is_one_and_a_mapped_address_is_its_own() {
        let parse = |text: &str| network(text.parse().unwrap());
        assert_eq!(parse("2001:db8::1"), parse("2001:db8::ffff:1:2:3"));
        assert_ne!(parse("2001:db8::1"), parse("2001:db8:0:1::1"));
        assert_eq!(parse("::ffff:192.0.2.1"), IpAddr::from([192, 0, 2, 1]));
    }
}
