//! What attackers have done to mail servers, tried on one that its operator owns: nothing here does
//! harm where it succeeds, beyond a delay of three seconds or a message in a test mailbox.

mod authentication;
mod envelope;
mod headers;
mod load;
mod octets;
mod pipelining;
mod relay;
mod tls_sessions;

use crate::case::Case;

pub(super) const CASES: &[&[Case]] = &[
    relay::CASES,
    authentication::CASES,
    envelope::CASES,
    headers::CASES,
    octets::CASES,
    pipelining::CASES,
    load::CASES,
    tls_sessions::CASES,
];
