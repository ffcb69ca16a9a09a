//! All cases, by RFC and section. Above each stands its requirement in our own words.

mod client_hello;
mod front_ends;
mod rfc1870;
mod rfc1985;
mod rfc2033;
mod rfc2034;
mod rfc2852;
mod rfc2920;
mod rfc3030;
mod rfc3207;
mod rfc3461;
mod rfc4865;
mod rfc4954;
mod rfc5321;
mod rfc5802;
mod rfc6152;
mod rfc6409;
mod rfc6531;
mod rfc6710;
mod rfc7505;
mod rfc8689;
mod rfc9422;
mod security;

use crate::case::Case;

/// Every case, in the order of the catalogue's families.
pub fn all() -> Vec<Case> {
    [
        rfc5321::CASES,
        rfc1870::CASES,
        rfc2920::CASES,
        rfc3030::CASES,
        rfc6152::CASES,
        rfc6531::CASES,
        rfc2034::CASES,
        rfc3461::CASES,
        rfc3207::CASES,
        rfc8689::CASES,
        rfc4954::CASES,
        rfc5802::CASES,
        rfc6409::CASES,
        rfc1985::CASES,
        rfc2033::CASES,
        rfc9422::CASES,
        rfc4865::CASES,
        rfc2852::CASES,
        rfc6710::CASES,
        rfc7505::CASES,
        front_ends::CASES,
        security::CASES,
    ]
    .concat()
    .concat()
}
