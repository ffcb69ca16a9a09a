//! The report as JUnit XML: a suite for each family, a case for each requirement.

use super::Document;

/// Writes the report.
pub fn write(_: &Document) -> String {
    String::new()
}
