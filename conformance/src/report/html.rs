//! The report as one HTML page.

use super::Document;

/// Writes the report.
pub fn write(_: &Document) -> String {
    String::new()
}
