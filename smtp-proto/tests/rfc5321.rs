//! RFC 5321 as dialogues, one file for each of its sections. The identifiers in the comments are
//! those of the requirements that the conformance suite checks from outside.

#![allow(clippy::panic, clippy::unwrap_used, reason = "this is how a test fails")]

mod session;

mod rfc5321 {
    mod s2_3_8_lines;
    mod s3_1_greeting;
    mod s3_3_transactions;
    mod s3_5_verify;
    mod s3_8_ending;
    mod s4_1_1_commands;
    mod s4_1_2_grammar;
    mod s4_1_4_order;
    mod s4_2_replies;
    mod s4_5_1_minimum;
    mod s4_5_2_transparency;
    mod s4_5_3_limits;
    mod s4_5_3_timeouts;
    mod s7_security;
}
