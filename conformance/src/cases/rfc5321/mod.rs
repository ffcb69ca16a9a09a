//! RFC 5321, by section.

mod end_of_data;
pub(in crate::cases) mod grammar;
mod s2_3_8_lines;
mod s3_1_sessions;
mod s3_3_recipients;
pub(in crate::cases) mod s3_3_transactions;
mod s3_5_verify_help;
mod s4_1_1_1_hello;
mod s4_1_1_4_data;
mod s4_1_1_syntax;
mod s4_1_2_addresses;
mod s4_1_4_order;
mod s4_2_replies;
mod s4_4_trace;
mod s4_5_3_sizes;

use crate::case::Case;

pub(super) const CASES: &[&[Case]] = &[
    s3_1_sessions::CASES,
    s4_2_replies::CASES,
    s4_1_1_1_hello::CASES,
    s4_1_1_syntax::CASES,
    s4_1_2_addresses::CASES,
    s3_5_verify_help::CASES,
    s4_1_4_order::CASES,
    s3_3_transactions::CASES,
    s3_3_recipients::CASES,
    s4_4_trace::CASES,
    s4_5_3_sizes::CASES,
    s4_1_1_4_data::CASES,
    s2_3_8_lines::CASES,
    end_of_data::CASES,
];
