//! What is not to be shown: a file that names servers and requirements.

use super::Unusable;
use crate::{requirement, select::matches};
use serde::Deserialize;

/// The file: `[[withheld]]` tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withheld {
    /// Each that is withheld.
    #[serde(default)]
    pub withheld: Vec<Entry>,
}

/// A cell, or some.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The columns: the beginning of their keys, or a glob; `exim` means `exim-strict` too.
    pub server: String,
    /// The requirement.
    pub id: String,
}

impl Withheld {
    /// Reads a file.
    ///
    /// # Errors
    /// It has not the form, or names a requirement that does not exist: what was meant would be shown.
    pub fn read(text: &str) -> Result<Self, Unusable> {
        let file: Self = toml::from_str(text)?;
        match file.withheld.iter().find(|entry| requirement::find(&entry.id).is_none()) {
            Some(entry) => Err(Unusable::Requirement(entry.id.clone())),
            None => Ok(file),
        }
    }

    /// Whether the cell of this column and requirement is withheld.
    pub fn holds(&self, column: &str, id: &str) -> bool {
        self.withheld
            .iter()
            .any(|entry| entry.id.eq_ignore_ascii_case(id) && matches(&entry.server, column))
    }

    /// The first entry that means no column of these: what it should hide may be there by another
    /// name.
    pub(super) fn lost(&self, columns: &[super::Column]) -> Option<&Entry> {
        let is_there = |entry: &&Entry| columns.iter().any(|one| matches(&entry.server, &one.key));
        self.withheld.iter().find(|entry| !is_there(entry))
    }
}
