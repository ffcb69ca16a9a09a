//! The report as JSON: `docs/manual/conformance-json.md` describes it.

use super::{Document, SCHEMA};

/// Why a report cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is not such a report.
    #[error("not a report of this suite: {0}")]
    Form(#[from] serde_json::Error),
    /// It is of another version.
    #[error("schema {0} is not read here; this is schema {SCHEMA}")]
    Schema(u32),
}

/// Writes the report.
///
/// # Errors
/// None that a report can cause.
pub fn write(document: &Document) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(document).map(|text| text + "\n")
}

/// Reads a report.
///
/// # Errors
/// It is none, or of another version.
pub fn read(text: &str) -> Result<Document, Unreadable> {
    #[derive(serde::Deserialize)]
    struct Version {
        schema: u32,
    }
    let version: Version = serde_json::from_str(text)?;
    if version.schema != SCHEMA {
        return Err(Unreadable::Schema(version.schema));
    }
    Ok(serde_json::from_str(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_is_written_is_read_back_unchanged() {
        let document = sample::hostile();
        assert_eq!(read(&write(&document).unwrap()).unwrap(), document);
    }

    #[test]
    fn another_schema_is_refused_by_its_number() {
        let text = write(&sample::hostile()).unwrap().replacen("\"schema\": 1", "\"schema\": 9", 1);
        assert!(matches!(read(&text), Err(Unreadable::Schema(9))));
        assert!(matches!(read("{}"), Err(Unreadable::Form(_))));
    }

    #[test]
    fn the_example_of_the_manual_is_such_a_report() {
        let manual = include_str!("../../../docs/manual/conformance-json.md");
        let example = manual.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
        let document = read(example).unwrap();
        assert_eq!(document.results[0].place.unwrap().line, 1);
    }

    #[test]
    fn every_field_stands_in_the_manual() {
        let manual = include_str!("../../../docs/manual/conformance-json.md");
        let mut document = sample::hostile();
        document.results[0].expected = Some("x".into());
        let value = serde_json::to_value(&document).unwrap();
        let row = value["results"][0].as_object().unwrap();
        for name in value.as_object().unwrap().keys().chain(row.keys()) {
            assert!(manual.contains(&format!("`{name}`")), "{name}");
        }
    }
}
