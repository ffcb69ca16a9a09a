//! RFC 5802 and RFC 7677: SCRAM.

mod client;
mod exchange;

use crate::case::Case;

pub(super) const CASES: &[&[Case]] = &[exchange::CASES];
