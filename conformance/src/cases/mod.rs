//! All cases, by RFC and section. Above each stands its requirement in our own words.

mod rfc2034;
mod rfc2920;
mod rfc3030;
mod rfc5321;
mod rfc6152;
mod rfc6531;

use crate::case::Case;

/// Every case, in the order of the catalogue's families.
pub fn all() -> Vec<Case> {
    [rfc5321::CASES, rfc2920::CASES, rfc3030::CASES, rfc6152::CASES, rfc6531::CASES, rfc2034::CASES].concat().concat()
}
