//! All cases, by RFC and section. Above each stands its requirement in our own words.

mod rfc5321;

use crate::case::Case;

/// Every case, in the order of the catalogue's families.
pub fn all() -> Vec<Case> {
    [rfc5321::CASES].concat().concat()
}
