//! How much the queue holds, and how long.

use super::values::size;
use crate::{queue::Options, retry::RetryPolicy};
use serde::{Deserialize, Deserializer};

/// `[queue]`: how much the queue holds, and how long.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    /// Most messages that wait, beyond which the answer to MAIL is 452; none: as many as the disk
    /// has room for.
    pub max_messages: Option<u64>,
    /// Most octets of all messages that wait; none: as above.
    #[serde(deserialize_with = "some_size")]
    #[cfg_attr(test, schemars(with = "super::reference::Size"))]
    pub max_bytes: Option<u64>,
    /// How much of the disk is left free; with less, the answer to MAIL is 452.
    #[serde(deserialize_with = "size")]
    #[cfg_attr(test, schemars(with = "super::reference::Size"))]
    pub reserve: u64,
    /// When messages are tried again.
    pub retry: RetryPolicy,
}

impl Default for Queue {
    fn default() -> Self {
        let reserve = Options::default().reserve;
        Self { max_messages: None, max_bytes: None, reserve, retry: RetryPolicy::default() }
    }
}

impl Queue {
    /// What the queue is to be told.
    pub fn options(&self) -> Options {
        let default = Options::default();
        Options {
            max_messages: self.max_messages.unwrap_or(default.max_messages),
            max_bytes: self.max_bytes.unwrap_or(default.max_bytes),
            reserve: self.reserve,
            ..default
        }
    }
}

fn some_size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    size(from).map(Some)
}
