//! The cases, by topic.

mod data;

use super::Case;

/// All of them.
pub fn all() -> Vec<Case> {
    [data::CASES].concat()
}
