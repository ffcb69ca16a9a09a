//! RFC 5321, by section.

mod s3_3_recipients;
mod s3_3_transactions;
mod s4_1_4_order;

use crate::case::Case;

pub(super) const CASES: &[&[Case]] =
    &[s4_1_4_order::CASES, s3_3_transactions::CASES, s3_3_recipients::CASES];
