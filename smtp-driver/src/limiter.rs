//! How many connections there may be, in all and from one address.

use crate::stop::{Given, Stop};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Counts connections. Clones share the count, so that several servers can share one bound.
#[derive(Clone, Debug)]
pub struct Limiter {
    most: usize,
    most_per_address: usize,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    /// Only addresses that have a connection: its size is bounded by `total`.
    addresses: HashMap<IpAddr, usize>,
    /// Given when the last connection ends.
    empty: Option<Stop>,
}

/// Which bound is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Full {
    /// That of all connections.
    #[error("too many connections")]
    Total,
    /// That of the connections from one address.
    #[error("too many connections from this address")]
    Address,
}

impl Limiter {
    /// At most `most` connections, of which at most `most_per_address` come from one IPv4 address
    /// or one IPv6 network of 64 bits, which is what one subscriber has.
    #[must_use]
    pub fn new(most: usize, most_per_address: usize) -> Self {
        Self { most, most_per_address, counts: Arc::default() }
    }

    /// Counts a connection from `address` until the permit is dropped; what has no address, such
    /// as a unix socket, counts only among all.
    ///
    /// # Errors
    /// The bound that is reached.
    pub fn admit(&self, address: Option<IpAddr>) -> Result<Permit, Full> {
        let address = address.map(network);
        let mut counts = self.lock();
        if counts.total >= self.most {
            return Err(Full::Total);
        }
        if let Some(address) = address {
            let count = counts.addresses.get(&address).copied().unwrap_or(0);
            if count >= self.most_per_address {
                return Err(Full::Address);
            }
            counts.addresses.insert(address, count + 1);
        }
        counts.total += 1;
        Ok(Permit { limiter: self.clone(), address })
    }

    /// The connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.lock().total
    }

    /// Waits until there is none.
    #[must_use]
    pub fn empty(&self) -> Given {
        let mut counts = self.lock();
        let signal = counts.empty.get_or_insert_default().clone();
        if counts.total == 0 {
            counts.empty = None;
            signal.stop();
        }
        signal.given()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Nothing can panic while the lock is held.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Limiter {
    /// 10,000 connections, 100 of them from one address.
    fn default() -> Self {
        Self::new(10_000, 100)
    }
}

/// A connection that is counted. It counts until this is dropped.
#[derive(Debug)]
#[must_use = "the connection counts only as long as its permit lives"]
pub struct Permit {
    limiter: Limiter,
    address: Option<IpAddr>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.limiter.lock();
        counts.total = counts.total.saturating_sub(1);
        if let Some(address) = self.address {
            match counts.addresses.get_mut(&address) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(counts.addresses.remove(&address)),
            }
        }
        let empty = if counts.total == 0 { counts.empty.take() } else { None };
        drop(counts);
        if let Some(signal) = empty {
            signal.stop();
        }
    }
}

/// What one peer is counted by: an IPv4 address, also when it is mapped into IPv6, or the first
/// 64 bits of an IPv6 address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = u128::from(address) & (u128::MAX << 64);
            Ipv6Addr::from(prefix).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::{Full, Limiter};
    use std::net::IpAddr;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_place_is_free_again_when_its_permit_is_dropped() {
        let limiter = Limiter::new(3, 2);
        let first = limiter.admit(address("192.0.2.1")).unwrap();
        let _second = limiter.admit(address("192.0.2.1")).unwrap();
        assert_eq!(limiter.admit(address("192.0.2.1")).unwrap_err(), Full::Address);
        let _third = limiter.admit(address("192.0.2.2")).unwrap();
        assert_eq!(limiter.admit(address("192.0.2.3")).unwrap_err(), Full::Total);
        assert_eq!(limiter.admit(None).unwrap_err(), Full::Total);
        drop(first);
        let _again = limiter.admit(address("192.0.2.1")).unwrap();
        assert_eq!(limiter.connections(), 3);
    }

    #[test]
    fn an_ipv6_network_and_a_mapped_address_count_as_one_peer() {
        let limiter = Limiter::new(10, 1);
        let _six = limiter.admit(address("2001:db8::1")).unwrap();
        assert_eq!(limiter.admit(address("2001:db8::ffff:1")).unwrap_err(), Full::Address);
        let _other = limiter.admit(address("2001:db8:0:1::1")).unwrap();
        let _four = limiter.admit(address("::ffff:192.0.2.1")).unwrap();
        assert_eq!(limiter.admit(address("192.0.2.1")).unwrap_err(), Full::Address);
    }

    #[test]
    fn addresses_without_a_connection_are_forgotten() {
        let limiter = Limiter::new(10, 2);
        let permits = [limiter.admit(address("192.0.2.1")), limiter.admit(address("192.0.2.1"))];
        assert!(permits.iter().all(Result::is_ok));
        drop(permits);
        assert!(limiter.lock().addresses.is_empty());
        assert_eq!(limiter.connections(), 0);
    }
}
