//! How fast an address may guess: pure, time comes in.

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
/// Addresses that are remembered; the one whose last failure is longest ago makes room.
const ADDRESSES: usize = 10_000;

/// Who has guessed wrong lately, by address.
///
/// After three failures the attempts of an address come one by one, 1, 2, 4, 8 and then 16 seconds
/// apart, on how many connections soever. A right password does not clear the count: who has one
/// could otherwise guess at the others.
#[derive(Debug, Default)]
pub struct Throttle(HashMap<IpAddr, Failures>);

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Instant,
    /// When the next attempt may be.
    next: Instant,
}

impl Throttle {
    /// How long an attempt from `address` has to wait; `None` if it would be too long. The wait is
    /// then taken: a further attempt waits behind it.
    pub fn turn(&mut self, address: Option<IpAddr>, now: Instant) -> Option<Duration> {
        let Some(failures) = address.and_then(|address| self.0.get_mut(&network(address))) else {
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

    /// An attempt from `address` was wrong.
    pub fn failed(&mut self, address: Option<IpAddr>, now: Instant) {
        let Some(address) = address.map(network) else { return };
        if !self.0.contains_key(&address) && self.0.len() >= ADDRESSES {
            self.make_room(now);
        }
        let new = Failures { count: 0, last: now, next: now };
        let failures = self.0.entry(address).or_insert(new);
        if now.duration_since(failures.last) > FORGET {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        if failures.count >= FREE {
            failures.next = failures.next.max(now + delay(failures.count));
        }
    }

    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, failures| now.duration_since(failures.last) <= FORGET);
        if self.0.len() >= ADDRESSES {
            let oldest = self.0.iter().min_by_key(|(_, failures)| failures.last);
            if let Some(address) = oldest.map(|(address, _)| *address) {
                self.0.remove(&address);
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
            let wait = throttle.turn(v4(1), now).unwrap();
            waits.push(wait.as_secs());
            now += wait;
            throttle.failed(v4(1), now);
        }
        assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 16, 16]);
        assert_eq!(throttle.turn(v4(2), now), Some(Duration::ZERO));
        assert_eq!(throttle.turn(None, now), Some(Duration::ZERO));
    }

    #[test]
    fn attempts_at_the_same_time_wait_for_each_other_or_get_no_turn() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        for _ in 0..7 {
            throttle.failed(v4(1), now);
        }
        let waits: Vec<_> = (0..3).map(|_| throttle.turn(v4(1), now)).collect();
        assert_eq!(waits, [Some(seconds(16)), None, None]);
        // Who got none did not make the others wait longer.
        assert_eq!(throttle.turn(v4(1), now + seconds(20)), Some(seconds(12)));
    }

    #[test]
    fn failures_are_forgotten() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        for _ in 0..20 {
            throttle.failed(v4(1), now);
        }
        let later = now + FORGET + seconds(1);
        assert_eq!(throttle.turn(v4(1), later), Some(Duration::ZERO));
        throttle.failed(v4(1), later);
        assert_eq!(throttle.turn(v4(1), later), Some(Duration::ZERO));
    }

    #[test]
    fn the_table_is_bounded_and_loses_the_oldest() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        let address = |n: usize| Some(IpAddr::from((n as u32).to_be_bytes()));
        for n in 0..ADDRESSES + 3 {
            for _ in 0..FREE {
                throttle.failed(address(n), now + Duration::from_millis(n as u64));
            }
        }
        assert_eq!(throttle.0.len(), ADDRESSES);
        let later = now + Duration::from_millis(ADDRESSES as u64 + 3);
        assert_eq!(throttle.turn(address(0), later), Some(Duration::ZERO));
        assert_ne!(throttle.turn(address(ADDRESSES), later), Some(Duration::ZERO));
    }

    #[test]
    fn a_network_of_ipv6_is_one_and_a_mapped_address_is_its_own() {
        let parse = |text: &str| network(text.parse().unwrap());
        assert_eq!(parse("2001:db8::1"), parse("2001:db8::ffff:1:2:3"));
        assert_ne!(parse("2001:db8::1"), parse("2001:db8:0:1::1"));
        assert_eq!(parse("::ffff:192.0.2.1"), IpAddr::from([192, 0, 2, 1]));
    }
}
