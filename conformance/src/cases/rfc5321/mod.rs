//! RFC 5321, by section.

mod s4_1_4_order;

use crate::case::Case;

pub(super) const CASES: &[&[Case]] = &[s4_1_4_order::CASES];
