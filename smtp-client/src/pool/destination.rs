//! What a connection leads to.

use crate::{connect::Endpoint, policy::Policy};
use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

/// What one connection can be used for instead of another: the same host, at the same endpoint,
/// under the same policy. Two policies are the same if they are the same `Arc`: keep those that you
/// want connections to be kept for.
#[derive(Clone, Debug)]
pub struct Destination {
    /// What outcomes call the server.
    pub host: Arc<str>,
    /// Where it listens.
    pub endpoint: Endpoint,
    /// How mail goes there.
    pub policy: Arc<Policy>,
}

impl PartialEq for Destination {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.policy, &other.policy)
            && self.endpoint == other.endpoint
            && self.host == other.host
    }
}

impl Eq for Destination {}

impl Hash for Destination {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (Arc::as_ptr(&self.policy), &self.endpoint, &self.host).hash(state);
    }
}
