//! RFC 3461: delivery status notifications.

mod parameters;
mod reports;

use crate::case::Case;

pub(super) const CASES: &[&[Case]] = &[parameters::CASES, reports::CASES];
