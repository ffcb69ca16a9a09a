//! How mail goes to hosts that are strangers.

use crate::{
    mailer::{Hop, Policies},
    outcome::Failure,
    policy::{Policy, Tls},
};
use smtp_driver::tls::{ClientTls, Verify};
use smtp_proto::wire::Host;
use std::{
    collections::{HashMap, VecDeque},
    future::{Future, ready},
    sync::{Arc, Mutex, PoisonError},
};

/// Hosts whose policies are kept.
const HOSTS: usize = 10_000;

/// The policies of delivery by MX: TLS with each host that offers it, whatever its certificate, and
/// else in clear (RFC 7435).
///
/// A host has the same policy each time, so that connections to it are kept and used again. 10,000
/// hosts are remembered; one that is forgotten, the first come first, is only connected to anew.
#[derive(Debug)]
pub struct Opportunistic {
    policy: Policy,
    tls: ClientTls,
    hosts: usize,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    policies: HashMap<Arc<str>, Arc<Policy>>,
    /// The first is forgotten first.
    order: VecDeque<Arc<str>>,
}

impl Opportunistic {
    /// As `policy` says, but for TLS, which is `tls`, with each host by its name.
    #[must_use]
    pub fn new(policy: Policy, tls: ClientTls) -> Self {
        Self { policy, tls, hosts: HOSTS, known: Mutex::default() }
    }

    /// Remembers so many hosts, 1 at least.
    #[must_use]
    pub fn hosts(mut self, hosts: usize) -> Self {
        self.hosts = hosts.max(1);
        self
    }

    fn of(&self, host: &str) -> Arc<Policy> {
        let name = host.to_ascii_lowercase();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(policy) = known.policies.get(&*name) {
            return policy.clone();
        }
        if known.order.len() >= self.hosts
            && let Some(first) = known.order.pop_front()
        {
            known.policies.remove(&first);
        }
        let name: Arc<str> = name.into();
        // Of a name that no certificate can have, none could be right; and none has to be.
        let tls = match self.tls.connector(&name, Verify::Opportunistic) {
            Ok(connector) => Tls::Opportunistic(connector),
            Err(_) => Tls::None,
        };
        let policy = Arc::new(Policy { tls, ..self.policy.clone() });
        known.policies.insert(name.clone(), policy.clone());
        known.order.push_back(name);
        policy
    }
}

impl Policies for Opportunistic {
    fn policy(
        &self,
        _: Option<&Host<'_>>,
        hop: &Hop,
    ) -> impl Future<Output = Result<Arc<Policy>, Failure>> + Send {
        ready(Ok(self.of(&hop.host)))
    }
}
